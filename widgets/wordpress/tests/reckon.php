<?php
/**
 * Prints what the plugin reckons for carts, for the test that compares it with the reference.
 *
 * Usage: php reckon.php < CASES, JSON: [{"cart": [...], "offers": [...]}, ...]
 *
 * @package Pannier
 */

require __DIR__ . '/bootstrap.php';

$answers = array();
foreach ( json_decode( (string) stream_get_contents( STDIN ), true ) as $case ) {
	foreach ( $case['offers'] as $offer ) {
		if ( ! Pannier\Offer_Terms::are( $offer ) ) {
			throw new InvalidArgumentException( 'No offer: ' . json_encode( $offer ) );
		}
	}
	$answers[] = Pannier\Reckoning::reckon( $case['cart'], $case['offers'] );
}
echo json_encode( $answers );
