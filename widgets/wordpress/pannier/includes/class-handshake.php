<?php
/**
 * The way to Pannier and back, on which the shop gets its publishable key.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Sends the merchant to Pannier's install page and checks who comes back. */
final class Handshake {

	/** The one transient of this plugin: who left for Pannier, with which state, to which address. */
	public const TRANSIENT = 'pannier_handshake';

	public const CONNECTED = 'connected';
	public const DECLINED  = 'declined';
	public const STALE     = 'stale';
	public const WRONG_KEY = 'wrong_key';

	/**
	 * Where the key is stored.
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

	/** Begin: remember this user for an hour and return the address of Pannier's install page. */
	public function start(): string {
		$state = wp_generate_password( 43, false );
		set_transient( self::TRANSIENT, $this->expectation( $state ), HOUR_IN_SECONDS );
		$return_url = add_query_arg(
			array(
				'page'          => Settings_Page::SLUG,
				'pannier_state' => $state,
			),
			admin_url( 'admin.php' )
		);
		return $this->settings->address() . '/install/woocommerce?' . http_build_query(
			array(
				'store_url'  => home_url( '/' ),
				'return_url' => $return_url,
			),
			'',
			'&',
			PHP_QUERY_RFC3986
		);
	}

	/**
	 * End: store the key that came back, if it was this user who left, for the address that is still set.
	 *
	 * @param string $state What came back as `pannier_state`.
	 * @param string $key   What came back as `pannier_key`; empty where the merchant declined.
	 * @return string One of the constants above.
	 */
	public function finish( string $state, string $key ): string {
		$expected = get_transient( self::TRANSIENT );
		if ( ! is_string( $expected ) || ! hash_equals( $expected, $this->expectation( $state ) ) ) {
			return self::STALE;
		}
		delete_transient( self::TRANSIENT );
		if ( '' === $key ) {
			return self::DECLINED;
		}
		if ( ! Settings::is_key( $key ) ) {
			return self::WRONG_KEY;
		}
		$this->settings->set_key( $key );
		return self::CONNECTED;
	}

	/** Whoever is on the way comes too late. */
	public function cancel(): void {
		delete_transient( self::TRANSIENT );
	}

	/**
	 * A digest of state, user and address: equal only for the same three.
	 *
	 * @param string $state The state.
	 */
	private function expectation( string $state ): string {
		return hash( 'sha256', $state . '|' . get_current_user_id() . '|' . $this->settings->address() );
	}
}
