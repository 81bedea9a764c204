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
