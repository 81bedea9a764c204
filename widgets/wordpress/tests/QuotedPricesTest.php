<?php
/** @package Pannier */

use PHPUnit\Framework\Attributes\DataProvider;

/** What cart lines with quotes cost. */
final class QuotedPricesTest extends ShopTestCase {

	private const NOW    = 1795428150;
	private const ENDS   = 1795428900;
	private const KEY_ID = '3k9ve';
	private const BYTES  = 'sixteen bytes ok';
	private const LAPSE  = 'Your price for “Teapot” has expired. It now costs what it costs everybody.';

	protected function setUp(): void {
		parent::setUp();
		do_action( 'rest_api_init' );
		$this->connect();
		World::$now->time    = self::NOW;
		World::$now->session = new WC_Session( 't_77b1' );
		World::$now->user    = 0;
		World::$now->cart    = new WC_Cart();
		$this->sell( 12, array( 'price' => '19.99', 'name' => 'Teapot' ) );
		$this->sell( 13, array( 'price' => '8.50' ) );
		$this->hand_over( self::BYTES );
	}

	private function hand_over( string $bytes ): void {
		$secret = rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
		$this->assertSame( 200, $this->call( 'wc-pannier/v1/keys', array( 'keys' => array( array( 'id' => self::KEY_ID, 'secret' => $secret, 'not_after' => self::ENDS ) ) ) )[0] );
	}

	private static function encode( string $bytes ): string {
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
	}

	/** A quote as Pannier signs it. */
	private static function quote( int $amount, string $variant = '12', string $customer = '', string $nonce = 'n0nce-Abc_12', string $bytes = self::BYTES ): string {
		$mark   = '' === $customer ? '-' : substr( self::encode( hash_hmac( 'sha256', 'customer/' . $customer, $bytes, true ) ), 0, 12 );
		$signed = sprintf( 'pq1.%s.%s.%d.EUR.%s.%s.%d', self::KEY_ID, $variant, $amount, $mark, $nonce, self::ENDS );
		return $signed . '.' . self::encode( substr( hash_hmac( 'sha256', $signed, $bytes, true ), 0, 16 ) );
	}

	/** Add a product with a quote and return its line. */
	private function add( string $token, int $product_id = 12, int $variation_id = 0, int $quantity = 1 ): array {
		$key = World::$now->cart->add_to_cart( $product_id, $quantity, $variation_id, array(), array( 'pannier_quote' => $token ) );
		return World::$now->cart->get_cart()[ $key ];
	}

	/** Another browser, with a cart of its own. */
	private function another_shopper(): void {
		World::$now->session = new WC_Session( 't_88c2' );
		World::$now->cart    = new WC_Cart();
	}

	/** The line as the next request has it: with its product as the shop sells it. */
	private function next_request(): void {
		World::$now->hooks = array();
		( new Pannier\Plugin() )->hook();
		do_action( 'plugins_loaded' );
		foreach ( World::$now->cart->cart_contents as $key => $line ) {
			World::$now->cart->cart_contents[ $key ]['data'] = clone wc_get_product( $line['variation_id'] ? $line['variation_id'] : $line['product_id'] );
		}
		World::$now->cart->calculate_totals();
	}

	private function errors(): array {
		$errors = new WP_Error();
		do_action( 'woocommerce_after_checkout_validation', array(), $errors );
		return $errors->get_error_messages();
	}

	public function test_line_costs_what_was_quoted_for_each_piece(): void {
		$line = $this->add( self::quote( 1750 ), 12, 0, 2 );

		$this->assertSame( '17.50', $line['data']->get_price() );
		$this->assertEqualsWithDelta( 35.0, World::$now->cart->total, 0.0001 );
		World::$now->cart->calculate_totals();
		$this->next_request();
		$this->assertEqualsWithDelta( 35.0, World::$now->cart->total, 0.0001 );
		$this->assertSame( array(), $this->errors() );
	}

	public function test_variation_is_quoted_by_its_own_number(): void {
		$this->sell( 121, array( 'price' => '30' ) );

		$this->assertSame( '25.00', $this->add( self::quote( 2500, '121' ), 12, 121 )['data']->get_price() );
		$this->assertSame( '30', $this->add( self::quote( 2500, '12', '', 'n0nce-Abc_13' ), 12, 121 )['data']->get_price() );
	}

	/** @dataProvider dearer */
	#[DataProvider( 'dearer' )]
	public function test_quote_never_makes_dearer( int $amount ): void {
		$line = $this->add( self::quote( $amount ) );

		$this->assertSame( '19.99', $line['data']->get_price() );
		$this->assertArrayNotHasKey( 'pannier_quote', $line );
		$this->assertSame( array(), $this->errors() );
	}

	public static function dearer(): array {
		return array( 'equal' => array( 1999 ), 'a cent more' => array( 2000 ), 'much more' => array( 999999999999999 ) );
	}

	/** @dataProvider refusals */
	#[DataProvider( 'refusals' )]
	public function test_quote_that_does_not_count_is_not_even_kept( string $token ): void {
		$line = $this->add( $token );

		$this->assertSame( '19.99', $line['data']->get_price() );
		$this->assertArrayNotHasKey( 'pannier_quote', $line );
		$this->assertSame( array(), $this->errors() );
	}

	public static function refusals(): array {
		$good = self::quote( 1750 );
		return array(
			'altered'          => array( str_replace( '.1750.', '.1.', $good ) ),
			'another product'  => array( self::quote( 1, '13' ) ),
			'another customer' => array( self::quote( 1750, '12', '7' ) ),
			'another store'    => array( self::quote( 1750, '12', '', 'n0nce-Abc_12', 'bytes of another' ) ),
			'a price'          => array( '1.00' ),
			'nothing'          => array( '' ),
		);
	}

	public function test_quote_for_a_customer_counts_while_signed_in(): void {
		World::$now->user = 7;
		$this->add( self::quote( 1750, '12', '7' ) );
		$this->assertEqualsWithDelta( 17.5, World::$now->cart->total, 0.0001 );

		World::$now->user = 8;
		$this->next_request();

		$this->assertEqualsWithDelta( 19.99, World::$now->cart->total, 0.0001 );
	}

	public function test_expired_quote_falls_back_to_the_price_of_everybody_before_the_order_and_says_so_once(): void {
		$this->add( self::quote( 1750 ) );

		World::$now->time = self::ENDS;
		World::$now->cart->calculate_totals();

		$this->assertEqualsWithDelta( 19.99, World::$now->cart->total, 0.0001 );
		$this->assertSame( array( self::LAPSE ), $this->errors() );
		$this->assertSame( array(), $this->errors() );
		World::$now->time = self::NOW;
		World::$now->cart->calculate_totals();
		$this->assertEqualsWithDelta( 19.99, World::$now->cart->total, 0.0001 );
	}

	/** @dataProvider losses */
	#[DataProvider( 'losses' )]
	public function test_quote_that_is_lost_between_two_requests( callable $lose ): void {
		$this->add( self::quote( 1750 ) );

		$lose( $this );
		$this->next_request();

		$this->assertEqualsWithDelta( 19.99, World::$now->cart->total, 0.0001 );
		$this->assertSame( array( self::LAPSE ), $this->errors() );
	}

	public static function losses(): array {
		return array(
			'altered in the session' => array(
				static function (): void {
					foreach ( World::$now->cart->cart_contents as $key => $line ) {
						World::$now->cart->cart_contents[ $key ]['pannier_quote'] = str_replace( '.1750.', '.1.', $line['pannier_quote'] );
					}
				},
			),
			'keys taken back'        => array(
				static function ( self $test ): void {
					$test->hand_over( 'other sixteen ..' );
				},
			),
			'disconnected'           => array(
				static function (): void {
					delete_option( 'pannier_key' );
				},
			),
			'another currency'       => array(
				static function (): void {
					World::$now->currency = 'NZD';
				},
			),
		);
	}

	public function test_quote_of_another_cart_is_refused_also_when_letters_differ_in_case_only(): void {
		$token = self::quote( 1750 );
		$this->add( $token );

		$this->another_shopper();

		$this->assertSame( '19.99', $this->add( $token )['data']->get_price() );
		$this->assertSame( '17.50', $this->add( self::quote( 1750, '12', '', 'N0nce-Abc_12' ) )['data']->get_price() );
	}

	public function test_cart_that_moves_with_its_session_keeps_its_price(): void {
		$this->add( self::quote( 1750 ) );

		// Signing in gives the session another key and keeps what is in it.
		$claimant            = World::$now->session->get( 'pannier_claimant' );
		World::$now->session = new WC_Session( 7 );
		World::$now->session->set( 'pannier_claimant', $claimant );
		World::$now->user = 7;
		$this->next_request();

		$this->assertEqualsWithDelta( 17.5, World::$now->cart->total, 0.0001 );
	}

	/** @dataProvider statuses */
	#[DataProvider( 'statuses' )]
	public function test_paid_quote_is_used_up_for_its_own_cart_too( string $status, string $price ): void {
		$token       = self::quote( 1750 );
		$line        = $this->add( $token );
		$order       = new WC_Order();
		$order->items = array( new WC_Order_Item(), new WC_Order_Item() );
		do_action( 'woocommerce_checkout_create_order_line_item', $order->items[0], $line['key'], $line, $order );
		$this->assertSame( array( '_pannier_quote' => 'n0nce-Abc_12.1795428900' ), $order->items[0]->meta );

		do_action( 'woocommerce_order_status_changed', 5, 'pending', $status, $order );
		World::$now->cart = new WC_Cart();
		$this->next_request();

		$this->assertSame( $price, $this->add( $token )['data']->get_price() );
	}

	public static function statuses(): array {
		return array(
			'paid'        => array( 'processing', '19.99' ),
			'done'        => array( 'completed', '19.99' ),
			'waited for'  => array( 'on-hold', '19.99' ),
			'not paid'    => array( 'failed', '17.50' ),
			'not yet'     => array( 'pending', '17.50' ),
		);
	}

	public function test_line_without_quote_is_not_marked(): void {
		$item = new WC_Order_Item();

		do_action( 'woocommerce_checkout_create_order_line_item', $item, 'key', array( 'product_id' => 12, 'variation_id' => 0 ), new WC_Order() );

		$this->assertSame( array(), $item->meta );
	}

	public function test_without_session_nobody_can_hold_a_quote(): void {
		World::$now->session = null;

		$this->assertSame( '19.99', $this->add( self::quote( 1750 ) )['data']->get_price() );
	}

	public function test_classic_form_sends_the_quote_with_the_request(): void {
		$_REQUEST['pannier_quote'] = self::quote( 1750 );
		$_REQUEST['price']         = '0.01';
		$key                       = World::$now->cart->add_to_cart( 12 );

		$this->assertSame( '17.50', World::$now->cart->get_cart()[ $key ]['data']->get_price() );
	}

	public function test_request_with_a_list_for_a_quote_is_ignored(): void {
		$_REQUEST['pannier_quote'] = array( self::quote( 1750 ) );

		$key = World::$now->cart->add_to_cart( 12 );

		$this->assertSame( '19.99', World::$now->cart->get_cart()[ $key ]['data']->get_price() );
	}

	public function test_store_api_carries_the_quote_to_the_line_and_no_price(): void {
		$data    = array( 'id' => 12, 'quantity' => 1, 'variation' => array(), 'cart_item_data' => array() );
		$request = static function ( $quote ): WP_REST_Request {
			return new WP_REST_Request( (string) json_encode( array( 'id' => 12, 'pannier_quote' => $quote, 'price' => '0.01' ) ) );
		};

		$this->assertSame( array( 'pannier_quote' => 'x' ), apply_filters( 'woocommerce_store_api_add_to_cart_data', $data, $request( 'x' ) )['cart_item_data'] );
		$this->assertSame( array(), apply_filters( 'woocommerce_store_api_add_to_cart_data', $data, $request( array( 'x' ) ) )['cart_item_data'] );
		$this->assertSame( array(), apply_filters( 'woocommerce_store_api_add_to_cart_data', $data, $request( null ) )['cart_item_data'] );
	}

	public function test_price_that_another_plugin_sets_is_the_products_own(): void {
		$own = '18.00';
		add_action(
			'woocommerce_before_calculate_totals',
			static function ( WC_Cart $cart ) use ( &$own ): void {
				foreach ( $cart->get_cart() as $line ) {
					$line['data']->set_price( $own );
				}
			}
		);
		$this->add( self::quote( 1750 ) );
		$this->assertEqualsWithDelta( 17.5, World::$now->cart->total, 0.0001 );

		$own = '17.00';
		World::$now->cart->calculate_totals();

		$this->assertEqualsWithDelta( 17.0, World::$now->cart->total, 0.0001 );
	}

	public function test_price_comes_back_as_it_was_where_a_plugin_changes_all_prices_on_the_way(): void {
		add_filter(
			'woocommerce_product_get_price',
			static function ( $price ): string {
				return (string) ( 2 * $price );
			}
		);
		$line = $this->add( self::quote( 1750 ) );
		World::$now->cart->calculate_totals();
		$this->assertSame( '17.50', $line['data']->get_price( 'edit' ) );

		World::$now->time = self::ENDS;
		World::$now->cart->calculate_totals();

		$this->assertSame( '19.99', $line['data']->get_price( 'edit' ) );
	}

	public function test_quoted_line_takes_no_part_in_offers_until_its_quote_is_over(): void {
		$this->publish( array( self::offer() ), array(), 'secret-of-16-bytes' );
		$this->hand_over( self::BYTES );
		World::$now->cart->add_to_cart( 13 );
		$this->add( self::quote( 1750 ) );
		$this->assertSame( array(), World::$now->cart->get_applied_coupons() );

		World::$now->time = self::ENDS;
		World::$now->cart->calculate_totals();

		$this->assertSame( array( 'pannier-pair-1' => 0.85 ), World::$now->cart->coupon_discount_totals );
	}

	public function test_used_quotes_are_forgotten_when_they_have_expired(): void {
		$this->add( self::quote( 1750 ) );
		$used = static function (): int {
			return count( preg_grep( '/^pannier_quote_/', array_keys( World::$now->options[1] ) ) );
		};
		$this->hand_over( self::BYTES );
		$this->assertSame( 1, $used() );

		World::$now->time = self::ENDS + 1;
		$this->hand_over( self::BYTES );

		$this->assertSame( 0, $used() );
	}
}
