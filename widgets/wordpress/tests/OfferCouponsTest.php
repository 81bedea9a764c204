<?php
/** @package Pannier */

use PHPUnit\Framework\Attributes\DataProvider;

/** What the cart gets of offers. */
final class OfferCouponsTest extends ShopTestCase {

	private const CODE = 'pannier-pair-1';

	protected function setUp(): void {
		parent::setUp();
		do_action( 'rest_api_init' );
		$this->connect();
		World::$now->time    = 1795428150;
		World::$now->session = new WC_Session( 't_77b1' );
		foreach ( array( 12 => '8.50', 13 => '19.99', 14 => '3', 15 => '0' ) as $id => $price ) {
			$this->sell( $id, array( 'price' => $price ) );
		}
	}

	private function cart( int ...$product_ids ): WC_Cart {
		World::$now->cart = new WC_Cart( ...$product_ids );
		World::$now->cart->calculate_totals();
		return World::$now->cart;
	}

	public function test_cart_with_all_components_gets_the_discount_on_its_line(): void {
		$this->publish( array( self::offer() ) );

		$cart = $this->cart( 12, 13, 14 );

		$this->assertSame( array( self::CODE ), $cart->get_applied_coupons() );
		$this->assertSame( array( self::CODE => array( 'line1' => 2.0 ) ), $cart->parts );
		$this->assertEqualsWithDelta( 29.49, $cart->total, 0.0001 );
		$this->assertSame( 1, $cart->calculated );
	}

	public function test_cart_with_one_component_missing_gets_nothing_at_once(): void {
		$this->publish( array( self::offer() ) );
		$cart = $this->cart( 12, 13 );

		$cart->remove_cart_item( 'line0' );

		$this->assertSame( array(), $cart->get_applied_coupons() );
		$this->assertSame( array(), $cart->coupon_discount_totals );
		$this->assertEqualsWithDelta( 19.99, $cart->total, 0.0001 );
		$this->assertSame( array(), $this->cart( 13, 14 )->get_applied_coupons() );
	}

	public function test_discount_is_shared_out_over_all_discounted_products(): void {
		$this->publish( array( self::offer( array( 'd' => array( '12', '13' ), 'a' => 100 ), true ) ) );

		$this->assertEquals( array( self::CODE => array( 'line0' => 0.3, 'line1' => 0.7 ) ), $this->cart( 12, 13 )->parts );
	}

	public function test_several_offers_are_granted_by_a_coupon_each(): void {
		$other = array( 'k' => 'b', 'c' => array( array( '14', 1, null ), array( '15', 1, null ) ), 'd' => array( '14' ) );
		$this->publish( array( self::offer( $other ), self::offer() ) );

		$cart = $this->cart( 12, 13, 14, 15 );

		$this->assertSame( array( self::CODE, 'pannier-b' ), $cart->get_applied_coupons() );
		$this->assertSame( array( self::CODE => 2.0, 'pannier-b' => 0.3 ), $cart->coupon_discount_totals );
	}

	public function test_once_per_cart_however_many_pieces(): void {
		$this->publish( array( self::offer() ) );
		$cart = $this->cart( 12, 13 );

		$cart->set_quantity( 'line0', 5 );
		$cart->set_quantity( 'line1', 5 );

		$this->assertSame( array( self::CODE => 2.0 ), $cart->coupon_discount_totals );
	}

	public function test_variations_count_by_their_number(): void {
		$this->publish( array( self::offer( array( 'c' => array( array( '12', 1, array( '121' ) ), array( '13', 1, null ) ) ) ) ) );
		$this->sell( 121, array( 'price' => '9' ) );
		$this->sell( 122, array( 'price' => '9' ) );
		$cart = $this->cart( 12, 13 );
		$this->assertSame( array(), $cart->get_applied_coupons() );

		$cart->add_to_cart( 12, 1, 122 );
		$this->assertSame( array(), $cart->get_applied_coupons() );

		$cart->add_to_cart( 12, 1, 121 );
		$this->assertSame( array( self::CODE => 2.0 ), $cart->coupon_discount_totals );
	}

	/** @dataProvider silences */
	#[DataProvider( 'silences' )]
	public function test_nothing_is_granted( array $offer, array $fields, callable $change ): void {
		$this->publish( array( self::offer( $offer ) ), $fields );
		$change();

		$cart = $this->cart( 12, 13 );

		$this->assertSame( array( array(), array() ), array( $cart->get_applied_coupons(), $cart->coupon_discount_totals ) );
	}

	public static function silences(): array {
		$nothing = static function (): void {};
		return array(
			'while coupons are off'        => array(
				array(),
				array(),
				static function (): void {
					World::$now->takes_coupons = false;
				},
			),
			'while not connected'          => array(
				array(),
				array(),
				static function (): void {
					delete_option( 'pannier_key' );
				},
			),
			'of an old configuration'      => array( array(), array( 'valid_until' => 1795428150 ), $nothing ),
			'before an offer begins'       => array( array( 's' => 1795428151 ), array(), $nothing ),
			'when an offer ends'           => array( array( 'e' => 1795428150 ), array(), $nothing ),
			'in another currency'          => array( array( 'u' => 'NZD' ), array(), $nothing ),
			'where it would give nothing'  => array( array( 'c' => array( array( '12', 1, null ), array( '15', 1, null ) ), 'd' => array( '15' ) ), array(), $nothing ),
		);
	}

	public function test_offer_holds_from_its_first_second_to_its_last(): void {
		$this->publish( array( self::offer( array( 's' => 1795428150, 'e' => 1795428151 ) ) ), array( 'valid_until' => 1795428151 ) );

		$this->assertSame( array( self::CODE ), $this->cart( 12, 13 )->get_applied_coupons() );
	}

	/** @dataProvider ends */
	#[DataProvider( 'ends' )]
	public function test_offer_that_ends_in_the_cart_is_taken_back_and_the_shopper_is_told_once( callable $end ): void {
		$this->publish( array( self::offer( array( 'e' => 1795428160 ) ) ) );
		$cart = $this->cart( 12, 13 );

		$end( $this );
		$cart->calculate_totals();

		$this->assertSame( array( array(), array() ), array( $cart->get_applied_coupons(), $cart->coupon_discount_totals ) );
		$errors = new WP_Error();
		do_action( 'woocommerce_after_checkout_validation', array(), $errors );
		$this->assertSame( array( 'An offer has ended, and its discount is no longer part of your total.' ), $errors->get_error_messages() );
		$again = new WP_Error();
		do_action( 'woocommerce_store_api_cart_errors', $again, $cart );
		$this->assertSame( array(), $again->get_error_messages() );
	}

	public static function ends(): array {
		return array(
			'by its time'          => array(
				static function (): void {
					World::$now->time = 1795428160;
				},
			),
			'by a configuration'   => array(
				static function (): void {
					// Another request: what is stored is read anew.
					$offers = get_option( 'pannier_offers' );
					update_option( 'pannier_offers', array( 'offers' => array() ) + $offers, false );
					World::$now->hooks = array();
					( new Pannier\Plugin() )->hook();
					do_action( 'plugins_loaded' );
				},
			),
			'with the coupons'     => array(
				static function (): void {
					World::$now->takes_coupons = false;
				},
			),
		);
	}

	public function test_shopper_who_looks_at_the_cart_is_told_there(): void {
		$this->publish( array( self::offer( array( 'e' => 1795428160 ) ) ) );
		$cart             = $this->cart( 12, 13 );
		World::$now->time = 1795428160;
		$cart->calculate_totals();

		do_action( 'woocommerce_before_cart' );
		do_action( 'woocommerce_before_checkout_form' );

		$this->assertSame( array( array( 'An offer has ended, and its discount is no longer part of your total.', 'notice' ) ), World::$now->notices );
	}

	public function test_shopper_who_takes_a_component_out_is_not_told(): void {
		$this->publish( array( self::offer() ) );
		$this->cart( 12, 13 )->remove_cart_item( 'line0' );

		do_action( 'woocommerce_before_cart' );

		$this->assertSame( array(), World::$now->notices );
	}

	public function test_coupon_of_the_merchant_stands_beside_and_takes_its_part_after(): void {
		$this->publish( array( self::offer( array( 'p' => 10000 ) ) ) );
		World::$now->coupons['sale'] = array( 'discount_type' => 'percent', 'amount' => 50 );
		$cart                        = $this->cart( 12, 13 );

		$this->assertTrue( $cart->apply_coupon( 'sale' ) );

		$this->assertSame( array( self::CODE, 'sale' ), $cart->get_applied_coupons() );
		$this->assertSame( array( self::CODE => array( 'line1' => 19.99 ), 'sale' => array( 'line0' => 4.25 ) ), $cart->parts );
	}

	public function test_amount_is_never_more_than_what_another_discount_has_left_of_the_line(): void {
		$this->publish( array( self::offer( array( 'a' => 5000 ), true ) ) );
		add_filter(
			'woocommerce_coupon_sort',
			static function ( $place, $coupon ) {
				return 'first' === $coupon->get_code() ? -1 : $place;
			},
			20,
			2
		);
		World::$now->coupons['first'] = array( 'discount_type' => 'percent', 'amount' => 90 );
		$cart                         = $this->cart( 12, 13 );

		$cart->apply_coupon( 'first' );

		$this->assertSame( array( 'line1' => 2.0 ), $cart->parts[ self::CODE ] );
		$this->assertEqualsWithDelta( 0.85, $cart->total, 0.0001 );
	}

	public function test_coupon_for_use_alone_is_used_alone_and_offers_come_back_after_it(): void {
		$this->publish( array( self::offer() ) );
		World::$now->coupons['alone'] = array( 'discount_type' => 'percent', 'amount' => 50, 'individual_use' => true );
		$cart                         = $this->cart( 12, 13 );

		$this->assertTrue( $cart->apply_coupon( 'alone' ) );
		$cart->calculate_totals();
		$this->assertSame( array( 'alone' ), $cart->get_applied_coupons() );

		$cart->remove_coupon( 'alone' );
		$this->assertSame( array( self::CODE ), $cart->get_applied_coupons() );
	}

	public function test_plugin_that_lets_coupons_stand_beside_one_for_use_alone_is_heard(): void {
		$this->publish( array( self::offer() ) );
		World::$now->coupons['alone'] = array( 'discount_type' => 'percent', 'amount' => 50, 'individual_use' => true );
		add_filter( 'woocommerce_apply_with_individual_use_coupon', '__return_true' );
		$cart = $this->cart( 12, 13 );

		$cart->apply_coupon( 'alone' );

		$this->assertSame( array( self::CODE, 'alone' ), $cart->get_applied_coupons() );
	}

	public function test_code_that_somebody_enters_gives_nothing_without_its_products(): void {
		$this->publish( array( self::offer() ) );
		$cart = $this->cart( 12 );

		$this->assertFalse( $cart->apply_coupon( self::CODE ) );
		$cart->set_applied_coupons( array( self::CODE ) );
		$this->assertInstanceOf( WP_Error::class, ( new WC_Discounts( $cart ) )->is_coupon_valid( new WC_Coupon( self::CODE ) ) );
		$cart->calculate_totals();

		$this->assertSame( array(), $cart->get_applied_coupons() );
	}

	public function test_coupon_that_the_shopper_removes_comes_back_with_its_products(): void {
		$this->publish( array( self::offer() ) );
		$cart = $this->cart( 12, 13 );

		$cart->remove_coupon( self::CODE );

		$this->assertSame( array( self::CODE => 2.0 ), $cart->coupon_discount_totals );
	}

	public function test_no_order_takes_an_offer_by_its_code(): void {
		$this->publish( array( self::offer() ) );

		$this->assertInstanceOf( WP_Error::class, ( new WC_Discounts( new WC_Order() ) )->is_coupon_valid( new WC_Coupon( self::CODE ) ) );
	}

	public function test_coupons_of_others_are_left_alone(): void {
		$this->publish( array( self::offer() ) );
		World::$now->coupons['pannier-summer'] = array( 'discount_type' => 'fixed_cart', 'amount' => 2 );
		$cart                                  = $this->cart( 14 );

		$this->assertTrue( $cart->apply_coupon( 'pannier-summer' ) );

		$this->assertSame( array( 'pannier-summer' => 2.0 ), $cart->coupon_discount_totals );
		$this->assertFalse( ( new WC_Coupon( 'pannier-unknown' ) )->exists() );
	}

	public function test_percentage_is_of_the_price_that_the_customer_pays_abroad(): void {
		$this->publish( array( self::offer() ) );
		World::$now->abroad = 0.5;

		$this->assertSame( array( self::CODE => array( 'line1' => 1.0 ) ), $this->cart( 12, 13 )->parts );
	}

	/** @dataProvider currencies */
	#[DataProvider( 'currencies' )]
	public function test_minor_units_of_every_currency( string $currency, int $decimals, string $price, float $discount ): void {
		World::$now->currency = $currency;
		World::$now->decimals = $decimals;
		$this->sell( 13, array( 'price' => $price ) );
		$this->publish( array( self::offer( array( 'u' => $currency ) ) ) );

		$this->assertSame( array( self::CODE => array( 'line1' => $discount ) ), $this->cart( 12, 13 )->parts );
	}

	public static function currencies(): array {
		return array(
			'no decimals'                => array( 'JPY', 0, '1985', 199.0 ),
			'three decimals'             => array( 'KWD', 3, '1.995', 0.2 ),
			'more displayed than it has' => array( 'EUR', 4, '19.99', 2.0 ),
			'fewer displayed than it has' => array( 'EUR', 0, '25', 2.5 ),
		);
	}

	public function test_plugin_that_changes_prices_is_reckoned_with(): void {
		$this->publish( array( self::offer() ) );
		add_action(
			'woocommerce_before_calculate_totals',
			static function ( WC_Cart $cart ): void {
				$cart->cart_contents['line1']['data']->set_price( '10.00' );
			}
		);

		$this->assertSame( array( self::CODE => 1.0 ), $this->cart( 12, 13 )->coupon_discount_totals );
	}

	public function test_thousand_offers(): void {
		$offers = array();
		foreach ( range( 1, 1000 ) as $number ) {
			$offers[] = self::offer( array( 'k' => 'o' . $number, 'c' => array( array( (string) ( 1000 + $number ), 1, null ), array( '13', 1, null ) ) ) );
		}
		$this->publish( $offers );
		$this->sell( 1700, array( 'price' => '1' ) );

		$this->assertSame( array( 'pannier-o700' ), $this->cart( 1700, 13 )->get_applied_coupons() );
	}

	public function test_shoppers_read_the_title(): void {
		$this->publish( array( self::offer( array( 't' => 'Cup <b>& saucer' ) ) ) );
		$coupon = new WC_Coupon( self::CODE );

		$this->assertSame( 'Offer: Cup &lt;b&gt;&amp; saucer', apply_filters( 'woocommerce_cart_totals_coupon_label', 'Coupon: ' . self::CODE, $coupon ) );
		$this->assertSame( '-2.00', apply_filters( 'woocommerce_cart_totals_coupon_html', '-2.00 [Remove]', $coupon, '-2.00' ) );
		$error = ( new WC_Discounts( $this->cart( 12 ) ) )->is_coupon_valid( $coupon );
		$this->assertSame( '“Cup &lt;b&gt;&amp; saucer” is taken off by itself as long as all its products are in the cart.', $error->get_error_message() );
	}

	public function test_words_about_coupons_of_others_stay(): void {
		$this->publish( array( self::offer() ) );
		$coupon = new WC_Coupon( 'sale' );

		$this->assertSame( 'Coupon: sale', apply_filters( 'woocommerce_cart_totals_coupon_label', 'Coupon: sale', $coupon ) );
		$this->assertSame( '-2.00 [Remove]', apply_filters( 'woocommerce_cart_totals_coupon_html', '-2.00 [Remove]', $coupon, '-2.00' ) );
		$this->assertSame( 'No.', apply_filters( 'woocommerce_coupon_error', 'No.', 105, null ) );
	}

	/** @dataProvider germans */
	#[DataProvider( 'germans' )]
	public function test_shoppers_read_german( string $locale ): void {
		World::$now->locale = $locale;
		do_action( 'init' );
		$this->publish( array( self::offer() ) );

		$this->assertSame( 'Angebot: Cup and saucer', apply_filters( 'woocommerce_cart_totals_coupon_label', '', new WC_Coupon( self::CODE ) ) );
	}

	public static function germans(): array {
		return array( array( 'de_DE' ), array( 'de_DE_formal' ), array( 'de_AT' ), array( 'de_CH' ), array( 'de_CH_informal' ) );
	}

	public function test_every_german_sentence_is_one_of_the_plugin(): void {
		$sources = '';
		foreach ( glob( dirname( PANNIER_FILE ) . '/includes/*.php' ) as $file ) {
			$sources .= file_get_contents( $file );
		}
		$words = ( require dirname( PANNIER_FILE ) . '/languages/pannier-de_DE.l10n.php' )['messages'];

		foreach ( $words as $english => $german ) {
			$this->assertStringContainsString( "__( '" . $english . "', 'pannier' )", $sources );
			$this->assertSame( substr_count( $english, '%s' ), substr_count( $german, '%s' ) );
		}
	}

	public function test_blocks_are_told_the_titles(): void {
		$this->publish( array( self::offer() ) );
		World::$now->coupons['sale'] = array( 'discount_type' => 'percent', 'amount' => 5 );
		$extension                   = World::$now->extensions['cart/pannier'];
		$this->assertEquals( array( 'labels' => (object) array() ), $extension['data_callback']() );

		$this->cart( 12, 13 )->apply_coupon( 'sale' );

		$this->assertEquals( array( 'labels' => (object) array( self::CODE => 'Offer: Cup and saucer' ) ), $extension['data_callback']() );
		$this->assertSame( array( 'labels' ), array_keys( $extension['schema_callback']() ) );
	}

	public function test_blocks_load_the_script_that_shows_them(): void {
		do_action( 'woocommerce_blocks_enqueue_cart_block_scripts_after' );
		do_action( 'woocommerce_blocks_enqueue_checkout_block_scripts_after' );

		$this->assertSame( array( 'wc-blocks-checkout', 'wp-data' ), World::$now->scripts['pannier-checkout']['deps'] );
	}
}
