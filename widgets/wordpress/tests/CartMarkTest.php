<?php
/** @package Pannier */

use PHPUnit\Framework\Attributes\DataProvider;

/** Which reported cart became an order. */
final class CartMarkTest extends ShopTestCase {

	private const CLASSIC = 'woocommerce_checkout_create_order';
	private const DRAFT   = 'woocommerce_store_api_checkout_update_order_meta';
	private const PLACED  = 'woocommerce_store_api_checkout_order_processed';
	/** SHA-256 of "pannier:t_77b1". */
	private const MARK = '2195c15b27a67b58109b00fb866fc529b1ef4f3ca547de9c44b6ee1a52ec0aa5';

	private function shopper( $key, ?bool $consent ): void {
		World::$now->session = new WC_Session( $key );
		World::$now->consent = $consent;
	}

	private function order( string $hook ): WC_Order {
		$order = new WC_Order();
		do_action( $hook, $order );
		return $order;
	}

	/** @dataProvider checkouts */
	#[DataProvider( 'checkouts' )]
	public function test_order_carries_the_hash_of_the_cart( string $hook, int $saved ): void {
		$this->connect();
		$this->shopper( 't_77b1', true );

		$order = $this->order( $hook );

		$this->assertSame( array( '_pannier_cart' => self::MARK ), $order->meta );
		$this->assertSame( $saved, $order->saved );
	}

	public static function checkouts(): array {
		return array(
			'classic, saves itself' => array( self::CLASSIC, 0 ),
			'block, draft'          => array( self::DRAFT, 1 ),
			'block, placed'         => array( self::PLACED, 1 ),
		);
	}

	public function test_order_is_saved_once_however_often_the_block_checkout_asks(): void {
		$this->connect();
		$this->shopper( 't_77b1', true );
		$order = $this->order( self::DRAFT );

		do_action( self::DRAFT, $order );
		do_action( self::PLACED, $order );

		$this->assertSame( 1, $order->saved );
	}

	/** @dataProvider refusals */
	#[DataProvider( 'refusals' )]
	public function test_nothing_is_written( $key, ?bool $consent, ?string $gpc ): void {
		$this->connect();
		$this->shopper( $key, $consent );
		if ( null !== $gpc ) {
			$_SERVER['HTTP_SEC_GPC'] = $gpc;
		}

		foreach ( array( self::CLASSIC, self::DRAFT, self::PLACED ) as $hook ) {
			$order = $this->order( $hook );
			$this->assertSame( array( array(), 0 ), array( $order->meta, $order->saved ) );
		}
	}

	public static function refusals(): array {
		return array(
			'no consent API'         => array( 't_77b1', null, null ),
			'no consent'             => array( 't_77b1', false, null ),
			'Global Privacy Control' => array( 't_77b1', true, '1' ),
			'signed in'              => array( 7, true, null ),
			'signed in, as text'     => array( '7', true, null ),
			'no key'                 => array( '', true, null ),
		);
	}

	public function test_nothing_is_written_without_a_session(): void {
		$this->connect();
		World::$now->consent = true;

		$this->assertSame( array(), $this->order( self::CLASSIC )->meta );
	}

	public function test_nothing_is_written_while_the_shop_is_not_connected(): void {
		$this->shopper( 't_77b1', true );

		$this->assertSame( array(), $this->order( self::CLASSIC )->meta );
	}
}
