<?php
/**
 * The way on which Pannier tells the shop its offers.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * REST routes for Pannier's server. WooCommerce lets its REST keys into every namespace that begins with wc-, with their
 * owner's rights and their own permission to read or write.
 */
final class Checkout_Routes {

	private const SPACE      = 'wc-pannier/v1';
	private const MOST_BYTES = 4194304;

	/**
	 * Whether the shop is connected.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * The offers.
	 *
	 * @var Offer_Book
	 */
	private $book;

	/**
	 * The keys.
	 *
	 * @var Checkout_Keys
	 */
	private $keys;

	/**
	 * What is over.
	 *
	 * @var Quote_Claims
	 */
	private $claims;

	/**
	 * Take what the routes change.
	 *
	 * @param Settings      $settings Whether the shop is connected.
	 * @param Offer_Book    $book     The offers.
	 * @param Checkout_Keys $keys     The keys.
	 * @param Quote_Claims  $claims   The quotes that were used.
	 */
	public function __construct( Settings $settings, Offer_Book $book, Checkout_Keys $keys, Quote_Claims $claims ) {
		$this->settings = $settings;
		$this->book     = $book;
		$this->keys     = $keys;
		$this->claims   = $claims;
	}

	/** Register the hook. */
	public function hook(): void {
		add_action( 'rest_api_init', array( $this, 'register' ) );
	}

	/** Register the routes. */
	public function register(): void {
		$this->route( '/status', 'GET', 'tell_status' );
		$this->route( '/configuration', 'PUT', 'take_configuration' );
		$this->route( '/keys', 'PUT', 'take_keys' );
	}

	/**
	 * Whether whoever asks may: an administrator or shop manager, and only while the merchant has the shop connected.
	 *
	 * @return bool|\WP_Error
	 */
	public function may() {
		if ( ! current_user_can( 'manage_woocommerce' ) ) {
			return false;
		}
		return $this->settings->is_connected() ? true : $this->error( 'pannier_disconnected', __( 'The merchant has disconnected the shop under WooCommerce → Pannier.', 'pannier' ), 403 );
	}

	/** Tell what the shop knows. */
	public function tell_status(): \WP_REST_Response {
		return $this->answer(
			array(
				'version'         => PANNIER_VERSION,
				'configuration'   => $this->book->serial(),
				'keys'            => $this->keys->ids(),
				'currency'        => get_woocommerce_currency(),
				'coupons_enabled' => (bool) wc_coupons_enabled(),
			)
		);
	}

	/**
	 * Take a new configuration.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function take_configuration( \WP_REST_Request $request ) {
		$body = $this->body( $request, array( 'payload', 'signature' ) );
		if ( null === $body || ! is_string( $body['payload'] ) || ! is_string( $body['signature'] ) ) {
			return $this->wrong_body();
		}
		if ( ! $this->keys->have_signed( $body['payload'], $body['signature'] ) ) {
			return $this->error( 'pannier_wrong_signature', __( 'The configuration was not signed with the newest key of this shop.', 'pannier' ), 401 );
		}
		$error = $this->book->replace( $body['payload'], time() );
		if ( null !== $error ) {
			return $error;
		}
		return $this->answer(
			array(
				'serial' => $this->book->serial(),
				'offers' => $this->book->count(),
			)
		);
	}

	/**
	 * Take new keys.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function take_keys( \WP_REST_Request $request ) {
		$body = $this->body( $request, array( 'keys' ) );
		if ( null === $body || ! $this->keys->replace( $body['keys'] ) ) {
			return $this->wrong_body();
		}
		// Here rather than at a checkout: keys come every few minutes, and no shopper waits for it.
		$this->claims->forget( time() );
		return $this->answer( array( 'keys' => $this->keys->ids() ) );
	}

	/**
	 * Register one route.
	 *
	 * @param string $path   Its path.
	 * @param string $method Its HTTP method.
	 * @param string $answer The method that answers.
	 */
	private function route( string $path, string $method, string $answer ): void {
		$route = array(
			'methods'             => $method,
			'callback'            => array( $this, $answer ),
			'permission_callback' => array( $this, 'may' ),
		);
		register_rest_route( self::SPACE, $path, $route );
	}

	/**
	 * The JSON of a request; null where it has not exactly these fields.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @param string[]         $fields  Names of fields.
	 * @return array<string, mixed>|null
	 */
	private function body( \WP_REST_Request $request, array $fields ): ?array {
		if ( strlen( (string) $request->get_body() ) > self::MOST_BYTES ) {
			return null;
		}
		$body = $request->get_json_params();
		return Json_Form::has_fields( $body, $fields ) ? $body : null;
	}

	/** That the body is not what the route takes. */
	private function wrong_body(): \WP_Error {
		return $this->error( 'pannier_wrong_body', __( 'The body of the request has another form than this version of the plugin understands.', 'pannier' ), 400 );
	}

	/**
	 * An error as the REST API answers it.
	 *
	 * @param string $code    Word for it.
	 * @param string $message Sentence for it.
	 * @param int    $status  HTTP status.
	 */
	private function error( string $code, string $message, int $status ): \WP_Error {
		return new \WP_Error( $code, $message, array( 'status' => $status ) );
	}

	/**
	 * An answer that no cache keeps.
	 *
	 * @param array<string, mixed> $body The answer.
	 */
	private function answer( array $body ): \WP_REST_Response {
		return new \WP_REST_Response( $body, 200, array( 'Cache-Control' => 'no-store, private' ) );
	}
}
