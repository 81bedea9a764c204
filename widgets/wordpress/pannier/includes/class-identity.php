<?php
/**
 * Who is signed in at this browser.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Signs, for 15 minutes, which customer is signed in, so that Pannier need not believe what a page says.
 *
 * The key is made from the secret of Pannier's own webhooks, which WooCommerce keeps and Pannier knows.
 */
final class Identity {

	private const SPACE    = 'pannier/v1';
	private const ROUTE    = '/identity';
	private const AUDIENCE = 'pannier/identity';
	private const LIFETIME = 900;

	/**
	 * Whether the shop is connected, and where to.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * Take the settings.
	 *
	 * @param Settings $settings Whether the shop is connected, and where to.
	 */
	public function __construct( Settings $settings ) {
		$this->settings = $settings;
	}

	/** Register the hook. */
	public function hook(): void {
		add_action( 'rest_api_init', array( $this, 'register' ) );
	}

	/** Register the route. WordPress itself takes a visitor without the right nonce for signed out. */
	public function register(): void {
		$route = array(
			'methods'             => 'GET',
			'callback'            => array( $this, 'answer' ),
			'permission_callback' => '__return_true',
		);
		register_rest_route( self::SPACE, self::ROUTE, $route );
	}

	/** The route's address for the visitor of this page; empty where nobody is signed in. */
	public static function address(): string {
		if ( ! is_user_logged_in() ) {
			return '';
		}
		return add_query_arg( '_wpnonce', wp_create_nonce( 'wp_rest' ), rest_url( self::SPACE . self::ROUTE ) );
	}

	/** Answer with a token, or with 404 where there is nobody to speak of, or nothing to sign with. */
	public function answer(): \WP_REST_Response {
		$token  = $this->token();
		$answer = '' === $token ? array() : array( 'customer_token' => $token );
		return new \WP_REST_Response( $answer, '' === $token ? 404 : 200, array( 'Cache-Control' => 'no-store, private' ) );
	}

	/** The token of the visitor, a JSON Web Token; empty where there is none. */
	private function token(): string {
		$customer = get_current_user_id();
		if ( ! $customer || ! $this->settings->is_connected() || ! Consent::to_statistics() ) {
			return '';
		}
		$key = $this->key();
		if ( '' === $key ) {
			return '';
		}
		$now    = time();
		$head   = array(
			'alg' => 'HS256',
			'typ' => 'JWT',
		);
		$claims = array(
			'iss' => 'shop',
			'aud' => self::AUDIENCE,
			'sub' => (string) $customer,
			'iat' => $now,
			'exp' => $now + self::LIFETIME,
		);
		$signed = self::encoded( (string) wp_json_encode( $head ) ) . '.' . self::encoded( (string) wp_json_encode( $claims ) );
		return $signed . '.' . self::encoded( hash_hmac( 'sha256', $signed, $key, true ) );
	}

	/**
	 * The key to sign with: of the newest of Pannier's webhooks that is at work, whose address ends in what no other shop has.
	 */
	private function key(): string {
		$prefix = $this->settings->address() . '/webhooks/woocommerce/';
		$ids    = \WC_Data_Store::load( 'webhook' )->get_webhooks_ids( 'active' );
		rsort( $ids );
		foreach ( $ids as $id ) {
			$webhook = wc_get_webhook( $id );
			$address = $webhook ? (string) $webhook->get_delivery_url() : '';
			// WooCommerce signs with the decoded secret, too.
			$secret = $webhook ? wp_specialchars_decode( (string) $webhook->get_secret(), ENT_QUOTES ) : '';
			if ( '' !== $secret && 0 === strpos( $address, $prefix ) ) {
				$place = self::AUDIENCE . '/1:' . substr( $address, strlen( $prefix ) );
				return hash_hmac( 'sha256', $place, $secret, true );
			}
		}
		return '';
	}

	/**
	 * Base64 for addresses, without padding (RFC 7515).
	 *
	 * @param string $bytes What is to be encoded.
	 */
	private static function encoded( string $bytes ): string {
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- the form of a JSON Web Token.
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
	}
}
