<?php
/**
 * The keys by which the checkout knows what Pannier has signed.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Keeps the keys of quotes, each for its minutes, and the one of the configuration, which outlives them. Never printed. */
final class Checkout_Keys {

	private const FIELDS       = array( 'id', 'secret', 'not_after' );
	private const MOST         = 32;
	private const LEAST_BYTES  = 16;
	private const MOST_BYTES   = 256;
	private const LATEST_UNTIL = 99999999999;

	/**
	 * The names of all keys.
	 *
	 * @return string[]
	 */
	public function ids(): array {
		return array_column( $this->all(), 'id' );
	}

	/**
	 * The key of a name; null where there is none.
	 *
	 * @param string $id Name of the key.
	 * @return array{id: string, secret: string, not_after: int}|null Its secret is raw bytes.
	 */
	public function find( string $id ): ?array {
		foreach ( $this->all() as $key ) {
			if ( $key['id'] === $id ) {
				return self::opened( $key );
			}
		}
		return null;
	}

	/**
	 * Whether a configuration was signed under the newest key.
	 *
	 * @param string $payload   The text.
	 * @param string $signature HMAC-SHA256 of it, in hexadecimal digits.
	 */
	public function have_signed( string $payload, string $signature ): bool {
		$newest = null;
		foreach ( $this->all() as $key ) {
			if ( null === $newest || $key['not_after'] > $newest['not_after'] ) {
				$newest = $key;
			}
		}
		return null !== $newest && hash_equals( hash_hmac( 'sha256', $payload, self::opened( $newest )['secret'] ), $signature );
	}

	/**
	 * Replace all keys. False where something is wrong with one: then nothing was changed.
	 *
	 * @param mixed $keys Decoded JSON.
	 */
	public function replace( $keys ): bool {
		if ( ! Json_Form::is_list( $keys, self::MOST ) ) {
			return false;
		}
		if ( count( array_filter( $keys, array( self::class, 'is_key' ) ) ) !== count( $keys ) || count( array_unique( array_column( $keys, 'id' ) ) ) !== count( $keys ) ) {
			return false;
		}
		update_option( Settings::CHECKOUT_KEYS, $keys, false );
		return true;
	}

	/**
	 * Whether this is a key.
	 *
	 * @param mixed $key Decoded JSON.
	 */
	private static function is_key( $key ): bool {
		if ( ! Json_Form::has_fields( $key, self::FIELDS ) || ! Json_Form::is_whole( $key['not_after'], self::LATEST_UNTIL ) ) {
			return false;
		}
		if ( ! Json_Form::matches( $key['id'], '/\A[0-9A-Za-z]{1,32}\z/' ) || ! Json_Form::matches( $key['secret'], '/\A[A-Za-z0-9_-]+\z/' ) ) {
			return false;
		}
		$bytes = strlen( self::opened( $key )['secret'] );
		return $bytes >= self::LEAST_BYTES && $bytes <= self::MOST_BYTES;
	}

	/**
	 * A key with the bytes of its secret.
	 *
	 * @param array{id: string, secret: string, not_after: int} $key A stored key.
	 * @return array{id: string, secret: string, not_after: int}
	 */
	private static function opened( array $key ): array {
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_decode -- bytes in JSON.
		return array( 'secret' => (string) base64_decode( strtr( $key['secret'], '-_', '+/' ), true ) ) + $key;
	}

	/**
	 * The stored keys. They were checked when they came.
	 *
	 * @return array<int, array{id: string, secret: string, not_after: int}>
	 */
	private function all(): array {
		return (array) get_option( Settings::CHECKOUT_KEYS, array() );
	}
}
