<?php
/**
 * What the buttons of the settings page do.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The form handlers. Each checks capability and nonce, acts, and sends the browser back with a notice. */
final class Settings_Actions {

	/**
	 * What is changed.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * The way to Pannier and back.
	 *
	 * @var Handshake
	 */
	private $handshake;

	/**
	 * Who is asked whether the key works.
	 *
	 * @var Service
	 */
	private $service;

	/**
	 * Take what the actions need.
	 *
	 * @param Settings  $settings  What is changed.
	 * @param Handshake $handshake The way to Pannier and back.
	 * @param Service   $service   Who is asked whether the key works.
	 */
	public function __construct( Settings $settings, Handshake $handshake, Service $service ) {
		$this->settings  = $settings;
		$this->handshake = $handshake;
		$this->service   = $service;
	}

	/** Register the handlers. */
	public function hook(): void {
		add_action( 'admin_post_pannier_save', array( $this, 'save' ) );
		add_action( 'admin_post_pannier_check', array( $this, 'check' ) );
		add_action( 'admin_post_pannier_disconnect', array( $this, 'disconnect' ) );
		add_action( 'admin_init', array( $this, 'come_back' ) );
	}

	/** Save the form; with the button "Connect", go on to Pannier. */
	public function save(): void {
		$this->authorize( 'pannier_save' );
		$address = self::posted( 'pannier_address' );
		$clean   = Address::normalize( $address );
		if ( '' !== $address && '' === $clean ) {
			$this->go_back( 'wrong_address' );
		}
		$connects = '' !== self::posted( 'pannier_connect' );
		$key      = self::posted( 'pannier_key' );
		$secret   = self::posted( 'pannier_secret' );
		if ( ! $connects && '' !== $key && ! Settings::is_key( $key ) ) {
			$this->go_back( 'wrong_key' );
		}
		if ( '' !== $secret && ! Settings::is_secret( $secret ) ) {
			$this->go_back( 'wrong_secret' );
		}
		$old_key     = $this->settings->key();
		$new_address = $clean !== $this->settings->address();
		$this->settings->set_address( $clean );
		$this->save_placements();
		if ( '' !== self::posted( 'pannier_forget_secret' ) ) {
			$this->settings->forget_secret();
		} elseif ( '' !== $secret ) {
			$this->settings->set_secret( $secret );
		}
		if ( $connects ) {
			$this->leave();
		}
		// The old key still stands in its field; it does not move to another address.
		$this->save_key( $new_address && $key === $old_key ? '' : $key );
		$this->go_back( 'saved' );
	}

	/** Ask Pannier whether the key works. */
	public function check(): void {
		$this->authorize( 'pannier_check' );
		$this->go_back( $this->settings->is_connected() ? self::verdict( $this->service->check() ) : 'not_connected' );
	}

	/** Forget the keys; nothing of Pannier is on the shop's pages any more. */
	public function disconnect(): void {
		$this->authorize( 'pannier_disconnect' );
		$this->handshake->cancel();
		$this->settings->forget_keys();
		$this->go_back( 'disconnected' );
	}

	/**
	 * Take the key back from Pannier.
	 *
	 * No form sends this request, so there is no nonce of a form; the one-time state of the handshake is checked instead.
	 */
	public function come_back(): void {
		// phpcs:disable WordPress.Security.NonceVerification.Recommended
		if ( Settings_Page::SLUG !== self::text( $_GET, 'page' ) || ! isset( $_GET['pannier_state'] ) ) {
			return;
		}
		if ( ! current_user_can( Settings_Page::CAPABILITY ) ) {
			$this->refuse();
		}
		$outcome = $this->handshake->finish( self::text( $_GET, 'pannier_state' ), self::text( $_GET, 'pannier_key' ) );
		// phpcs:enable
		$this->go_back( $outcome );
	}

	/** Go to Pannier's install page. */
	private function leave(): void {
		if ( '' === $this->settings->address() ) {
			$this->go_back( 'wrong_address' );
		}
		// The address is the merchant's own and was checked; wp_safe_redirect() knows only this site.
		wp_redirect( $this->handshake->start() ); // phpcs:ignore WordPress.Security.SafeRedirect
		exit;
	}

	/** Store which boxes are placed by themselves. */
	private function save_placements(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Missing -- checked by authorize().
		$posted = isset( $_POST['pannier_placements'] ) ? (array) wp_unslash( $_POST['pannier_placements'] ) : array();
		$this->settings->set_placements( array_map( 'sanitize_key', array_filter( $posted, 'is_string' ) ) );
	}

	/**
	 * Store the publishable key, or forget it.
	 *
	 * @param string $key A valid key, or empty.
	 */
	private function save_key( string $key ): void {
		if ( '' === $key ) {
			$this->settings->forget_key();
		} else {
			$this->settings->set_key( $key );
		}
	}

	/**
	 * The notice that fits to the service's answer.
	 *
	 * @param int $status HTTP status; 0 where there was none.
	 */
	private static function verdict( int $status ): string {
		if ( 200 === $status ) {
			return 'answers';
		}
		if ( 401 === $status || 403 === $status ) {
			return 'refused';
		}
		return 0 === $status ? 'unreachable' : 'trouble';
	}

	/**
	 * End the request unless a shop manager sent it from our form.
	 *
	 * @param string $action Name of the nonce's action.
	 */
	private function authorize( string $action ): void {
		if ( ! current_user_can( Settings_Page::CAPABILITY ) ) {
			$this->refuse();
		}
		check_admin_referer( $action );
	}

	/** End the request of somebody who may not manage the shop. */
	private function refuse(): void {
		wp_die( esc_html__( 'You are not allowed to manage this shop.', 'pannier' ), '', array( 'response' => 403 ) );
	}

	/**
	 * Send the browser back to the settings page.
	 *
	 * @param string $notice Name of a notice of Settings_Notices.
	 */
	private function go_back( string $notice ): void {
		$page = add_query_arg(
			array(
				'page'           => Settings_Page::SLUG,
				'pannier_notice' => $notice,
			),
			admin_url( 'admin.php' )
		);
		wp_safe_redirect( $page );
		exit;
	}

	/**
	 * A posted field as one line of text.
	 *
	 * @param string $name Name of the field.
	 */
	private static function posted( string $name ): string {
		return self::text( $_POST, $name ); // phpcs:ignore WordPress.Security.NonceVerification.Missing -- checked by authorize().
	}

	/**
	 * A field of a request as one line of text; empty where it is missing or no text.
	 *
	 * @param array<string, mixed> $fields The request's fields, slashed as WordPress leaves them.
	 * @param string               $name   Name of the field.
	 */
	private static function text( array $fields, string $name ): string {
		$value = $fields[ $name ] ?? '';
		return is_string( $value ) ? sanitize_text_field( wp_unslash( $value ) ) : '';
	}
}
