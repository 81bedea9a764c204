<?php
/**
 * What the tests have in common.
 *
 * @package Pannier
 */

use PHPUnit\Framework\TestCase;

/** A shop with the plugin in it. */
abstract class ShopTestCase extends TestCase {

	protected const KEY     = 'pk_0123456789abcdefABCD-_';
	protected const SECRET  = 'sk_0123456789abcdefABCD-_';
	protected const SERVICE = 'https://pannier.example';

	protected function setUp(): void {
		World::begin();
		( new Pannier\Plugin() )->hook();
		do_action( 'before_woocommerce_init' );
		do_action( 'plugins_loaded' );
		do_action( 'init' );
	}

	/** Connect the shop, as if the merchant had done so earlier. */
	protected function connect(): Pannier\Settings {
		$settings = new Pannier\Settings();
		$settings->set_address( self::SERVICE );
		$settings->set_key( self::KEY );
		return $settings;
	}

	/** Run a request that ends in a redirect, and return where it leads. */
	protected function redirect_of( string $action ): string {
		try {
			do_action( $action );
		} catch ( Redirected $end ) {
			return $end->getMessage();
		}
		$this->fail( 'The request was not redirected.' );
	}

	/** The notice that a request ends with. */
	protected function notice_of( string $action ): string {
		$location = $this->redirect_of( $action );
		$this->assertStringStartsWith( 'https://shop.example/wp-admin/admin.php?page=pannier&pannier_notice=', $location );
		return substr( $location, strrpos( $location, '=' ) + 1 );
	}

	/** Post a form of the settings page. */
	protected function submit( string $action, array $fields = array() ): string {
		$_POST = $fields + array( '_wpnonce' => 'nonce:' . $action );
		return $this->notice_of( 'admin_post_' . $action );
	}

	/** What an action prints. */
	protected function printed( string $action ): string {
		ob_start();
		do_action( $action );
		return (string) ob_get_clean();
	}

	/** Put a product into the shop. */
	protected function sell( int $id, array $fields = array() ): WC_Product {
		World::$now->products[ $id ] = new WC_Product( $id, $fields );
		return World::$now->products[ $id ];
	}

	/** Call a REST route as WordPress does it, and return the status and the body. */
	protected function call( string $route, array $body = array() ): array {
		$options = World::$now->routes[ $route ];
		$may     = $options['permission_callback']();
		$answer  = true === $may ? $options['callback']( new WP_REST_Request( (string) json_encode( $body ) ) ) : $may;
		if ( $answer instanceof WP_Error ) {
			return array( $answer->get_error_data()['status'], $answer->get_error_code() );
		}
		return $answer instanceof WP_REST_Response ? array( $answer->status, $answer->data ) : array( 403, 'rest_forbidden' );
	}

	/** An offer as Pannier sends it: with 12, 13 costs a tenth less. */
	protected static function offer( array $fields = array(), bool $is_amount = false ): array {
		$discount = $is_amount ? array() : array( 'p' => 1000 );
		return $fields + $discount + array(
			'k' => 'Pair-1',
			't' => 'Cup and saucer',
			'c' => array( array( '12', 1, null ), array( '13', 1, null ) ),
			'd' => array( '13' ),
			'u' => 'EUR',
			's' => 0,
			'e' => null,
		);
	}

	/** Send offers as Pannier does, and return the status and the body. */
	protected function publish( array $offers, array $fields = array(), string $secret = 'secret-of-16-bytes' ): array {
		$now     = World::$now->time ?? time();
		$encoded = rtrim( strtr( base64_encode( 'secret-of-16-bytes' ), '+/', '-_' ), '=' );
		$this->call( 'wc-pannier/v1/keys', array( 'keys' => array( array( 'id' => 'cfg1', 'secret' => $encoded, 'not_after' => 4102444800 ) ) ) );
		$payload = json_encode(
			$fields + array(
				'serial'      => 1000 * $now,
				'store'       => 'https://shop.example/',
				'valid_until' => $now + 86400,
				'offers'      => $offers,
			)
		);
		return $this->call( 'wc-pannier/v1/configuration', array( 'payload' => $payload, 'signature' => hash_hmac( 'sha256', $payload, $secret ) ) );
	}

	/** The attributes of the one box in a piece of HTML, decoded as a browser does it. */
	protected function box_in( string $html ): array {
		$this->assertSame( 1, substr_count( $html, '<pannier-bundle' ), $html );
		$document = new DOMDocument();
		libxml_use_internal_errors( true );
		$document->loadHTML( '<?xml encoding="utf-8">' . $html );
		$attributes = array();
		foreach ( $document->getElementsByTagName( 'pannier-bundle' )->item( 0 )->attributes as $attribute ) {
			$attributes[ $attribute->name ] = $attribute->value;
		}
		return $attributes;
	}
}
