<?php
/**
 * Prices as the widget wants them.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Money in minor units of ISO 4217, whatever number of decimals the shop displays. */
final class Money {

	private const NO_DECIMALS    = array( 'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF' );
	private const THREE_DECIMALS = array( 'BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND' );

	/**
	 * The number of decimals that the currency has.
	 *
	 * @param string $currency ISO 4217 code.
	 */
	public static function decimals( string $currency ): int {
		if ( in_array( $currency, self::NO_DECIMALS, true ) ) {
			return 0;
		}
		return in_array( $currency, self::THREE_DECIMALS, true ) ? 3 : 2;
	}

	/**
	 * An amount in minor units, rounded half up.
	 *
	 * @param float  $amount   Amount in the currency's main unit, not negative.
	 * @param string $currency ISO 4217 code.
	 */
	public static function minor_units( float $amount, string $currency ): int {
		// Rounded twice: 1.005 is a little less in binary, and half a cent goes up.
		return (int) round( round( $amount * 10 ** self::decimals( $currency ), 6 ) );
	}

	/**
	 * An amount of minor units as WooCommerce writes prices: a decimal in the currency's main unit.
	 *
	 * @param int    $amount   Minor units, not negative.
	 * @param string $currency ISO 4217 code.
	 */
	public static function main_units( int $amount, string $currency ): string {
		$decimals = self::decimals( $currency );
		if ( 0 === $decimals ) {
			return (string) $amount;
		}
		$digits = str_pad( (string) $amount, $decimals + 1, '0', STR_PAD_LEFT );
		return substr( $digits, 0, -$decimals ) . '.' . substr( $digits, -$decimals );
	}
}
