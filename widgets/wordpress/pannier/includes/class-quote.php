<?php
/**
 * What a quote says.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Reads quotes: prices that Pannier has signed for minutes. The form is
 * pq1.KEY.VARIANT.AMOUNT.CURRENCY.CUSTOMER.NONCE.EXPIRES.SIGNATURE; Pannier and its function on Shopify read it alike.
 */
final class Quote {

	private const FORM   = '/\A(?<signed>pq1\.(?<key>[1-9a-z][0-9a-z]{0,7})\.(?<variant>[A-Za-z0-9_-]{1,40})\.(?<amount>[1-9][0-9]{0,14})\.(?<currency>[A-Z]{3})\.(?<customer>-|[A-Za-z0-9_-]{12})\.(?<nonce>[A-Za-z0-9_-]{12})\.(?<expires>[1-9][0-9]{0,11}))\.(?<signature>[A-Za-z0-9_-]{22})\z/';
	private const WINDOW = 300;
	private const GUEST  = '-';
	private const BYTES  = 16;
	private const MARK   = 12;

	/** It counts: `price` is the price of one piece in minor units, until `expires` (exclusive, seconds since 1970). */
	public const VALID = 'valid';

	/**
	 * What a quote says to a cart line.
	 *
	 * @param string        $token    The quote, or anything at all.
	 * @param Checkout_Keys $keys     The keys that the checkout knows.
	 * @param int           $now      Seconds since 1970.
	 * @param string        $variant  Number of the line's variation, or of its product where there is none.
	 * @param string        $currency Of the cart, ISO 4217.
	 * @param string        $customer Number of whose cart it is; empty for a guest's.
	 * @return array{word: string, price?: int, nonce?: string, expires?: int} The word is VALID, or says why it does not count.
	 */
	public static function read( string $token, Checkout_Keys $keys, int $now, string $variant, string $currency, string $customer ): array {
		if ( ! preg_match( self::FORM, $token, $says ) || self::window_end( $says['key'] ) !== (int) $says['expires'] ) {
			return self::word( 'malformed' );
		}
		$key = $keys->find( $says['key'] );
		if ( null === $key ) {
			return self::word( 'unknown_key' );
		}
		if ( $now >= min( (int) $says['expires'], $key['not_after'] ) ) {
			return self::word( 'expired' );
		}
		$right = self::encoded( substr( hash_hmac( 'sha256', $says['signed'], $key['secret'], true ), 0, self::BYTES ) );
		if ( ! hash_equals( $right, $says['signature'] ) ) {
			return self::word( 'forged' );
		}
		if ( $says['variant'] !== $variant ) {
			return self::word( 'other_variant' );
		}
		if ( $says['currency'] !== $currency ) {
			return self::word( 'other_currency' );
		}
		if ( self::GUEST !== $says['customer'] && ! hash_equals( self::mark( $key['secret'], $customer ), $says['customer'] ) ) {
			return self::word( 'other_customer' );
		}
		return array(
			'word'    => self::VALID,
			'price'   => (int) $says['amount'],
			'nonce'   => $says['nonce'],
			'expires' => (int) $says['expires'],
		);
	}

	/**
	 * When the five minutes are over that a key is named after.
	 *
	 * @param string $key Name of a key.
	 */
	private static function window_end( string $key ): int {
		return ( (int) base_convert( $key, 36, 10 ) + 1 ) * self::WINDOW;
	}

	/**
	 * How a quote names a customer; a guest has no name that a quote could have.
	 *
	 * @param string $secret   The key's bytes.
	 * @param string $customer Number of the customer; empty for a guest.
	 */
	private static function mark( string $secret, string $customer ): string {
		return '' === $customer ? '' : substr( self::encoded( hash_hmac( 'sha256', 'customer/' . $customer, $secret, true ) ), 0, self::MARK );
	}

	/**
	 * Base64 for addresses, without padding (RFC 4648).
	 *
	 * @param string $bytes What is to be encoded.
	 */
	private static function encoded( string $bytes ): string {
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- the form of a signature.
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
	}

	/**
	 * A refusal.
	 *
	 * @param string $word Why.
	 * @return array{word: string}
	 */
	private static function word( string $word ): array {
		return array( 'word' => $word );
	}
}
