<?php
/**
 * The offers as the shop knows them.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Keeps the configuration that Pannier sent last, so that nobody at the checkout waits for Pannier. */
final class Offer_Book {

	/** Coupons of offers are called by this and the offer's key. */
	public const PREFIX = 'pannier-';

	private const FIELDS      = array( 'serial', 'store', 'valid_until', 'offers' );
	private const MOST_OFFERS = 10000;
	private const DAY_MS      = 86400000;

	/**
	 * What is stored, read once in a request; null before.
	 *
	 * @var array{serial: int|null, valid_until: int, offers: array<int, array<string, mixed>>}|null
	 */
	private $stored;

	/**
	 * The stored offers by the codes of their coupons.
	 *
	 * @var array<string, array<string, mixed>>
	 */
	private $by_code = array();

	/** The serial number of the configuration; null where there is none. */
	public function serial(): ?int {
		return $this->stored()['serial'];
	}

	/**
	 * The offers that hold now.
	 *
	 * @param string $currency Of the cart, ISO 4217.
	 * @param int    $now      Seconds since 1970.
	 * @return array<int, array<string, mixed>>
	 */
	public function current( string $currency, int $now ): array {
		if ( $now >= $this->stored()['valid_until'] ) {
			return array();
		}
		return array_filter(
			$this->stored()['offers'],
			static function ( array $offer ) use ( $currency, $now ): bool {
				return $offer['u'] === $currency && $offer['s'] <= $now && ( null === $offer['e'] || $now < $offer['e'] );
			}
		);
	}

	/**
	 * The offer that a coupon stands for, whether it holds now or not; null where it is none of ours.
	 *
	 * @param string $code Code of a coupon.
	 * @return array<string, mixed>|null
	 */
	public function find( string $code ): ?array {
		if ( 0 !== stripos( $code, self::PREFIX ) ) {
			return null;
		}
		$this->stored();
		return $this->by_code[ strtolower( $code ) ] ?? null;
	}

	/**
	 * The code of an offer's coupon. WooCommerce writes codes small.
	 *
	 * @param string $key Key of the offer.
	 */
	public static function code( string $key ): string {
		return self::PREFIX . strtolower( $key );
	}

	/**
	 * Replace the configuration.
	 *
	 * @param string $payload A configuration as JSON, whose signature is right.
	 * @param int    $now     Seconds since 1970.
	 * @return \WP_Error|null An error where nothing was changed.
	 */
	public function replace( string $payload, int $now ): ?\WP_Error {
		$configuration = json_decode( $payload, true );
		if ( ! self::is_sound( $configuration, $now ) ) {
			return self::error( 'pannier_wrong_configuration', __( 'This is no configuration of offers that this version of the plugin understands.', 'pannier' ), 400 );
		}
		if ( self::place( $configuration['store'] ) !== self::place( (string) get_option( 'home' ) ) ) {
			return self::error( 'pannier_other_store', __( 'This configuration is for another shop.', 'pannier' ), 400 );
		}
		if ( null !== $this->serial() && $configuration['serial'] <= $this->serial() ) {
			return self::error( 'pannier_old_configuration', __( 'The shop has a newer configuration.', 'pannier' ), 409 );
		}
		unset( $configuration['store'] );
		update_option( Settings::OFFERS, $configuration, false );
		$this->stored = null;
		return null;
	}

	/** How many offers there are, whether they hold now or not. */
	public function count(): int {
		return count( $this->stored()['offers'] );
	}

	/**
	 * Whether this is a configuration.
	 *
	 * @param mixed $configuration Decoded JSON.
	 * @param int   $now           Seconds since 1970.
	 */
	private static function is_sound( $configuration, int $now ): bool {
		if ( ! Json_Form::has_fields( $configuration, self::FIELDS ) ) {
			return false;
		}
		$serial = $configuration['serial'];
		$offers = $configuration['offers'];
		// A serial of next week would keep out every configuration until then.
		if ( ! Json_Form::is_whole( $serial, 1000 * $now + self::DAY_MS ) || ! is_string( $configuration['store'] ) || ! is_int( $configuration['valid_until'] ) ) {
			return false;
		}
		if ( ! Json_Form::is_list( $offers, self::MOST_OFFERS ) ) {
			return false;
		}
		$codes = array();
		foreach ( $offers as $offer ) {
			if ( ! Offer_Terms::are( $offer ) ) {
				return false;
			}
			$codes[ self::code( $offer['k'] ) ] = true;
		}
		return count( $codes ) === count( $offers );
	}

	/**
	 * Where a shop is: its host and folder. Whether it is spoken to with TLS, and a slash at the end, change nothing.
	 *
	 * @param string $address Address of a shop.
	 */
	private static function place( string $address ): string {
		$parts = wp_parse_url( $address );
		if ( ! is_array( $parts ) || empty( $parts['host'] ) ) {
			return '';
		}
		$port = isset( $parts['port'] ) ? ':' . $parts['port'] : '';
		return strtolower( $parts['host'] ) . $port . rtrim( $parts['path'] ?? '', '/' );
	}

	/**
	 * What is stored. It was checked when it came.
	 *
	 * @return array{serial: int|null, valid_until: int, offers: array<int, array<string, mixed>>}
	 */
	private function stored(): array {
		if ( null !== $this->stored ) {
			return $this->stored;
		}
		$stored       = get_option( Settings::OFFERS );
		$this->stored = is_array( $stored ) && isset( $stored['serial'], $stored['valid_until'], $stored['offers'] ) ? $stored : array(
			'serial'      => null,
			'valid_until' => 0,
			'offers'      => array(),
		);
		$codes         = array_map( array( self::class, 'code' ), array_column( $this->stored['offers'], 'k' ) );
		$this->by_code = array_combine( $codes, $this->stored['offers'] );
		return $this->stored;
	}

	/**
	 * An error as the REST API answers it.
	 *
	 * @param string $code    Word for it.
	 * @param string $message Sentence for it.
	 * @param int    $status  HTTP status.
	 */
	private static function error( string $code, string $message, int $status ): \WP_Error {
		return new \WP_Error( $code, $message, array( 'status' => $status ) );
	}
}
