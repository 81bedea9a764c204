<?php
/** @package Pannier */

use Pannier\Money;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** Prices in minor units. */
final class MoneyTest extends TestCase {

	/** @dataProvider amounts */
	#[DataProvider( 'amounts' )]
	public function test_amount_is_a_whole_number_of_minor_units( float $amount, string $currency, int $expected ): void {
		$this->assertSame( $expected, Money::minor_units( $amount, $currency ) );
	}

	public static function amounts(): array {
		return array(
			'cents'                    => array( 19.99, 'EUR', 1999 ),
			'binary fraction'          => array( 1.15, 'GBP', 115 ),
			'half a cent goes up'      => array( 0.125, 'USD', 13 ),
			'no decimals'              => array( 1200.0, 'JPY', 1200 ),
			'three decimals'           => array( 1.234, 'KWD', 1234 ),
			'forint has two in ISO'    => array( 1990.0, 'HUF', 199000 ),
		);
	}
}
