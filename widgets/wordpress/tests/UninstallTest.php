<?php
/** @package Pannier */

use Pannier\Handshake;
use Pannier\Quote_Claims;
use Pannier\Removal;
use PHPUnit\Framework\Attributes\DataProvider;

/** What uninstalling leaves: nothing of ours, everything of others. */
final class UninstallTest extends ShopTestCase {

	private function use_plugin(): void {
		$settings = $this->connect();
		$settings->set_secret( self::SECRET );
		$settings->set_placements( array( 'cart' ) );
		( new Handshake( $settings ) )->start();
		update_option( 'blogname', 'A shop' );
		update_option( 'pannier_offers', array(), false );
		update_option( 'pannier_checkout_keys', array(), false );
		( new Quote_Claims() )->take( 'n0nce-Abc_12', 1795428900, 'somebody' );
		$this->assertCount( 8, World::$now->options[ World::$now->blog ] );
		$this->assertCount( 1, World::$now->transients[ World::$now->blog ] );
	}

	public function test_nothing_is_left(): void {
		$this->use_plugin();

		Removal::everywhere();

		$this->assertSame( array( 'blogname' => 'A shop' ), World::$now->options[1] );
		$this->assertSame( array(), World::$now->transients[1] );
	}

	public function test_nothing_is_left_on_any_site_of_a_network(): void {
		World::$now->is_multisite = true;
		foreach ( range( 1, 120 ) as $blog ) {
			World::$now->blog = $blog;
			$this->use_plugin();
		}
		World::$now->blog = 1;

		Removal::everywhere();

		$this->assertSame( array_fill( 1, 120, array( 'blogname' => 'A shop' ) ), World::$now->options );
		$this->assertSame( array_fill( 1, 120, array() ), World::$now->transients );
		$this->assertSame( 1, World::$now->blog );
	}

	public function test_uninstall_file_runs_the_removal(): void {
		$this->use_plugin();
		defined( 'WP_UNINSTALL_PLUGIN' ) || define( 'WP_UNINSTALL_PLUGIN', 'pannier/pannier.php' );

		require dirname( PANNIER_FILE ) . '/uninstall.php';

		$this->assertSame( array( 'blogname' => 'A shop' ), World::$now->options[1] );
	}

	/** @dataProvider order_stores */
	#[DataProvider( 'order_stores' )]
	public function test_no_mark_is_left_on_orders( array $marks, array $left ): void {
		World::$now->marks = $marks;

		Removal::everywhere();

		$this->assertSame( $left, World::$now->marks );
	}

	public static function order_stores(): array {
		$marked = array( '_pannier_cart', '_other', '_pannier_cart' );
		return array(
			'orders as posts'      => array( array( 'wp_postmeta' => $marked ), array( 'wp_postmeta' => array( '_other' ) ) ),
			'orders in own tables' => array(
				array( 'wp_postmeta' => $marked, 'wp_wc_orders_meta' => $marked ),
				array( 'wp_postmeta' => array( '_other' ), 'wp_wc_orders_meta' => array( '_other' ) ),
			),
			'lines of orders'      => array(
				array( 'wp_postmeta' => array(), 'wp_woocommerce_order_itemmeta' => array( '_pannier_quote', '_other' ) ),
				array( 'wp_postmeta' => array(), 'wp_woocommerce_order_itemmeta' => array( '_other' ) ),
			),
		);
	}
}
