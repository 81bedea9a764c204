<?php
/**
 * Calls from the shop's server to Pannier.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The Pannier service, seen from the shop's server. */
final class Service {

	private const CHECK_SECONDS   = 5;
	private const PRIVACY_SECONDS = 20;
	private const MOST_BYTES      = 2097152;

	/**
	 * Where the service is and which keys open it.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * Take the settings.
	 *
	 * @param Settings $settings Address and keys.
	 */
	public function __construct( Settings $settings ) {
		$this->settings = $settings;
	}

	/** The HTTP status with which the service answers to the publishable key; 0 where it cannot be reached. */
	public function check(): int {
		$response = wp_remote_get(
			$this->settings->address() . '/v1/recommendations?slot=home&limit=1',
			self::options( self::CHECK_SECONDS, array( 'X-Pannier-Key' => $this->settings->key() ) )
		);
		return is_wp_error( $response ) ? 0 : (int) wp_remote_retrieve_response_code( $response );
	}

	/**
	 * Send a server-side request with the secret key.
	 *
	 * @param string               $path Path below the address, `/v1/privacy/exports`.
	 * @param array<string, mixed> $body JSON body.
	 * @return array{status: int, body: mixed} Status 0 where the service cannot be reached; body null where it is no JSON.
	 */
	public function post( string $path, array $body ): array {
		$headers  = array(
			'Authorization' => 'Bearer ' . $this->settings->secret(),
			'Content-Type'  => 'application/json',
		);
		$options  = self::options( self::PRIVACY_SECONDS, $headers ) + array( 'body' => wp_json_encode( $body ) );
		$response = wp_remote_post( $this->settings->address() . $path, $options );
		if ( is_wp_error( $response ) ) {
			return array(
				'status' => 0,
				'body'   => null,
			);
		}
		return array(
			'status' => (int) wp_remote_retrieve_response_code( $response ),
			'body'   => json_decode( wp_remote_retrieve_body( $response ), true ),
		);
	}

	/**
	 * Options of every request. Redirects are not followed: the key is meant for this address alone.
	 *
	 * @param int                   $seconds Time-out.
	 * @param array<string, string> $headers Headers of this request.
	 * @return array<string, mixed>
	 */
	private static function options( int $seconds, array $headers ): array {
		return array(
			'timeout'             => $seconds,
			'redirection'         => 0,
			'limit_response_size' => self::MOST_BYTES,
			'headers'             => $headers + array( 'Accept' => 'application/json' ),
		);
	}
}
