<?php
/**
 * Which addresses of the service are acceptable.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The address of the Pannier service, as the merchant types it. */
final class Address {

	/**
	 * The address in its one spelling, without a slash at its end; empty where it cannot be accepted.
	 *
	 * Keys travel to this address, so it is https; http only where it does not leave the machine.
	 *
	 * @param string $typed What the merchant typed; without a scheme, https is meant.
	 */
	public static function normalize( string $typed ): string {
		$typed = trim( $typed );
		if ( '' !== $typed && false === strpos( $typed, '://' ) ) {
			$typed = 'https://' . $typed;
		}
		$parts = wp_parse_url( $typed );
		if ( ! is_array( $parts ) || array_intersect_key( $parts, array_flip( array( 'user', 'pass', 'query', 'fragment' ) ) ) ) {
			return '';
		}
		$scheme = strtolower( $parts['scheme'] ?? '' );
		$host   = strtolower( $parts['host'] ?? '' );
		$path   = rtrim( $parts['path'] ?? '', '/' );
		if ( ! preg_match( '/^([a-z0-9.-]+|\[[0-9a-f:]+\])$/D', $host ) || ! preg_match( '#^[A-Za-z0-9/._~-]*$#D', $path ) ) {
			return '';
		}
		if ( 'https' !== $scheme && ! ( 'http' === $scheme && self::is_loopback( $host ) ) ) {
			return '';
		}
		return $scheme . '://' . $host . ( isset( $parts['port'] ) ? ':' . $parts['port'] : '' ) . $path;
	}

	/**
	 * Whether the host is this very machine.
	 *
	 * @param string $host Host in lower case.
	 */
	private static function is_loopback( string $host ): bool {
		return in_array( $host, array( 'localhost', '127.0.0.1', '[::1]' ), true );
	}
}
