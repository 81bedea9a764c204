<?php
/**
 * Which quotes were used.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Remembers, until a quote expires, which cart used it first, and whether it was paid: no other cart gets its price.
 *
 * Each is a row of the options' table, because that has a unique name: of two carts that come at the same moment the
 * database lets one in. An option of all of them would be read and written by both.
 */
final class Quote_Claims {

	public const PREFIX = 'pannier_quote_';

	private const SPENT = 'spent';

	/**
	 * Whether a cart may use a quote: it is the first, or was it before and has not paid yet.
	 *
	 * @param string $nonce    Number of the quote.
	 * @param int    $expires  When it expires, seconds since 1970.
	 * @param string $claimant Secret of the cart's session.
	 */
	public function take( string $nonce, int $expires, string $claimant ): bool {
		global $wpdb;
		if ( '' === $claimant ) {
			return false;
		}
		$name = self::name( $nonce, $expires );
		// phpcs:disable WordPress.DB.DirectDatabaseQuery -- add_option() would overwrite what another request has just written.
		$first = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->options} (option_name, option_value, autoload) VALUES (%s, %s, 'no')", $name, $claimant ) );
		if ( 1 === $first ) {
			return true;
		}
		$holder = $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$wpdb->options} WHERE option_name = %s", $name ) );
		// phpcs:enable
		// Nobody's secret is SPENT.
		return is_string( $holder ) && hash_equals( $holder, $claimant );
	}

	/**
	 * Nobody gets this price again.
	 *
	 * @param string $nonce   Number of the quote.
	 * @param int    $expires When it expires, seconds since 1970.
	 */
	public function spend( string $nonce, int $expires ): void {
		global $wpdb;
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- as it was written.
		$wpdb->update( $wpdb->options, array( 'option_value' => self::SPENT ), array( 'option_name' => self::name( $nonce, $expires ) ) );
	}

	/**
	 * Forget the quotes that have expired.
	 *
	 * @param int $now Seconds since 1970.
	 */
	public function forget( int $now ): void {
		global $wpdb;
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- as they were written.
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->options} WHERE option_name LIKE %s AND option_name < %s", $wpdb->esc_like( self::PREFIX ) . '%', self::name( '', $now ) ) );
	}

	/** Forget all quotes of this site. */
	public static function remove_all(): void {
		global $wpdb;
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- uninstalling is done once.
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( self::PREFIX ) . '%' ) );
	}

	/**
	 * The name of a quote's row: names sort as quotes expire. Hexadecimal, because the table takes A for a.
	 *
	 * @param string $nonce   Number of the quote.
	 * @param int    $expires When it expires, seconds since 1970.
	 */
	private static function name( string $nonce, int $expires ): string {
		return self::PREFIX . sprintf( '%012d_', $expires ) . bin2hex( $nonce );
	}
}
