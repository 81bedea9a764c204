<?php
/**
 * A shop with the plugin to talk to, for the tests of those who talk to it. Each line of input is a question in JSON, and
 * each line of output the answer:
 *
 * - {"call": [route, body]}: [status, body] of the REST API.
 * - {"cart": [[product, quantity, quote or null], ...], "customer": number, "shopper": name}: what a new cart of this
 *   shopper costs: the coupons in it, what each line's piece costs, and the total, in cents.
 *
 * Usage: php talk.php PRICES, JSON: {product: price}
 *
 * @package Pannier
 */

require __DIR__ . '/bootstrap.php';

/** The answer to a request to the REST API, as WordPress gives it. */
function talk_call( string $route, $body ): array {
	$options = World::$now->routes[ $route ];
	$may     = $options['permission_callback']();
	$answer  = true === $may ? $options['callback']( new WP_REST_Request( (string) json_encode( $body ) ) ) : $may;
	if ( $answer instanceof WP_Error ) {
		return array( $answer->get_error_data()['status'], array( 'code' => $answer->get_error_code(), 'message' => $answer->get_error_message() ) );
	}
	return array( $answer->status, $answer->data );
}

/** What a new cart costs. */
function talk_cart( array $lines, int $customer, string $shopper ): array {
	static $sessions        = array();
	$sessions[ $shopper ]   = $sessions[ $shopper ] ?? new WC_Session( $shopper );
	World::$now->session    = $sessions[ $shopper ];
	World::$now->user       = $customer;
	World::$now->cart       = new WC_Cart();
	$cart                   = World::$now->cart;
	foreach ( $lines as list( $product, $quantity, $quote ) ) {
		$cart->add_to_cart( $product, $quantity, 0, array(), null === $quote ? array() : array( 'pannier_quote' => $quote ) );
	}
	$prices = array();
	foreach ( $cart->get_cart() as $line ) {
		$prices[] = (int) round( 100 * $line['data']->get_price() );
	}
	$cents = static function ( $amount ): int {
		return (int) round( 100 * $amount );
	};
	return array(
		'coupons' => (object) array_map( $cents, $cart->coupon_discount_totals ),
		'prices'  => $prices,
		'total'   => $cents( $cart->total ),
	);
}

do_action( 'plugins_loaded' );
do_action( 'init' );
do_action( 'rest_api_init' );
$settings = new Pannier\Settings();
$settings->set_address( 'https://pannier.example' );
$settings->set_key( 'pk_0123456789abcdefABCD-_' );
foreach ( json_decode( $argv[1], true ) as $number => $price ) {
	World::$now->products[ $number ] = new WC_Product( $number, array( 'price' => $price ) );
}
while ( false !== ( $line = fgets( STDIN ) ) ) {
	$question = json_decode( $line, true );
	$answer   = isset( $question['call'] ) ? talk_call( ...$question['call'] ) : talk_cart( $question['cart'], $question['customer'], $question['shopper'] );
	echo json_encode( $answer ), "\n";
}
