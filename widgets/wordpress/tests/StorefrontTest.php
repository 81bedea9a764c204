<?php
/** @package Pannier */

use Pannier\Settings;
use Pannier\Widget;
use PHPUnit\Framework\Attributes\DataProvider;

/** What stands in the shop's pages. */
final class StorefrontTest extends ShopTestCase {

	private const ON_PRODUCT = 'woocommerce_after_single_product_summary';
	private const ON_CART    = 'woocommerce_after_cart';

	private function block( array $attributes, array $context = array() ): string {
		$options = reset( World::$now->blocks );
		return $options['render_callback']( $attributes, '', (object) array( 'context' => $context ) );
	}

	private function shortcode( $attributes ): string {
		return ( World::$now->shortcodes['pannier_recommendations'] )( $attributes );
	}

	private function show( int $id, array $fields = array(), string $content = '' ): void {
		$GLOBALS['product'] = $this->sell( $id, $fields );
		World::$now->page   = 'product';
		World::$now->post   = new WP_Post( $id, 'product', $content );
	}

	/** @dataProvider pages */
	#[DataProvider( 'pages' )]
	public function test_widget_is_loaded_where_it_belongs( string $page, bool $expected ): void {
		$this->connect();
		World::$now->page = $page;

		do_action( 'wp_enqueue_scripts' );

		$this->assertSame( $expected, isset( World::$now->scripts[ Widget::HANDLE ] ) );
	}

	public static function pages(): array {
		return array(
			'product'  => array( 'product', true ),
			'cart'     => array( 'cart', true ),
			'checkout' => array( 'checkout', true ),
			'search'   => array( 'search', true ),
			'another'  => array( 'page', false ),
		);
	}

	public function test_widget_comes_deferred_in_the_footer(): void {
		$this->connect();
		World::$now->page = 'product';

		do_action( 'wp_enqueue_scripts' );

		$script = World::$now->scripts[ Widget::HANDLE ];
		$this->assertSame( self::SERVICE . '/v1/widget.js', $script['src'] );
		$this->assertSame( array( 'in_footer' => true, 'strategy' => 'defer' ), $script['how'] );
	}

	public function test_tag_of_the_widget_carries_its_settings(): void {
		$this->connect();
		$tag = array(
			'id'    => 'pannier-widget-js',
			'src'   => 'https://cdn.shop.example/copy.js',
			'defer' => true,
		);

		$this->assertSame(
			$tag + array(
				'data-key'      => self::KEY,
				'data-platform' => 'woocommerce',
				'data-api'      => self::SERVICE . '/v1/',
				'data-wc-root'  => 'https://shop.example/wp-json/',
				'data-cart-url' => 'https://shop.example/cart/',
			),
			apply_filters( 'wp_script_attributes', $tag )
		);
	}

	public function test_tag_names_the_product_of_a_product_page_and_of_no_other(): void {
		$this->connect();
		$this->show( 12 );
		$tag = array( 'id' => 'pannier-widget-js' );

		World::$now->page = 'product';
		$product          = apply_filters( 'wp_script_attributes', $tag );
		World::$now->page = 'page';
		$page             = apply_filters( 'wp_script_attributes', $tag );

		$this->assertSame( '12', $product['data-product-id'] );
		$this->assertArrayNotHasKey( 'data-product-id', $page );
	}

	public function test_other_tags_are_left_alone(): void {
		$this->connect();

		$this->assertSame( array( 'id' => 'jquery-js' ), apply_filters( 'wp_script_attributes', array( 'id' => 'jquery-js' ) ) );
		$this->assertSame( array(), apply_filters( 'wp_script_attributes', array() ) );
	}

	public function test_nothing_is_printed_without_connection(): void {
		$this->show( 12 );
		World::$now->cart = new WC_Cart( 12 );

		do_action( 'wp_enqueue_scripts' );

		$this->assertSame( '', $this->printed( self::ON_PRODUCT ) . $this->printed( self::ON_CART ) );
		$this->assertSame( '<b>cart</b>', apply_filters( 'render_block_woocommerce/cart', '<b>cart</b>' ) );
		$this->assertSame( '', $this->shortcode( array( 'product_id' => '12' ) ) . $this->block( array() ) );
		$this->assertSame( array(), World::$now->scripts );
	}

	public function test_box_of_a_simple_product_knows_all_of_it(): void {
		$this->connect();
		$this->show( 12, array( 'name' => 'Mug "<b>Ö</b>" & Co', 'image' => 7 ) );

		$this->assertSame(
			array(
				'product-id'    => '12',
				'product-title' => 'Mug "Ö" & Co',
				'product-image' => 'https://shop.example/woocommerce_thumbnail-7.jpg',
				'currency'      => 'EUR',
				'variant-id'    => '12',
				'product-price' => '1012',
			),
			$this->box_in( $this->printed( self::ON_PRODUCT ) )
		);
	}

	/** @dataProvider not_for_the_box */
	#[DataProvider( 'not_for_the_box' )]
	public function test_product_that_cannot_be_bought_as_it_is_has_no_variant( array $fields ): void {
		$this->connect();
		$this->show( 12, $fields );

		$this->assertArrayNotHasKey( 'variant-id', $this->box_in( $this->printed( self::ON_PRODUCT ) ) );
	}

	public static function not_for_the_box(): array {
		return array(
			'sold out'        => array( array( 'in_stock' => false ) ),
			'not for sale'    => array( array( 'purchasable' => false, 'price' => '' ) ),
			'external'        => array( array( 'type' => 'external' ) ),
			'to be chosen'    => array( array( 'type' => 'variable' ) ),
		);
	}

	public function test_variable_product_waits_for_the_choice(): void {
		$this->connect();
		World::$now->currency = 'KWD';
		$this->show( 12, array( 'type' => 'variable' ) );

		$box = $this->box_in( $this->printed( self::ON_PRODUCT ) );

		$this->assertSame( '3', $box['data-decimals'] );
		$this->assertArrayNotHasKey( 'product-price', $box );
		$this->assertArrayHasKey( Widget::SHOP, World::$now->scripts );
	}

	public function test_draft_has_no_box(): void {
		$this->connect();
		$this->show( 12, array( 'status' => 'draft' ) );

		$this->assertSame( '', $this->printed( self::ON_PRODUCT ) );
	}

	/** @dataProvider by_hand */
	#[DataProvider( 'by_hand' )]
	public function test_box_placed_by_hand_is_the_only_one( string $content, string $template ): void {
		$this->connect();
		$this->show( 12, array(), $content );
		$GLOBALS['_wp_current_template_content'] = $template;

		$this->assertSame( '', $this->printed( self::ON_PRODUCT ) );
	}

	public static function by_hand(): array {
		return array(
			'shortcode in the text'  => array( 'Fine mug. [pannier_recommendations limit="2"]', '' ),
			'block in the text'      => array( '<!-- wp:pannier/recommendations {"limit":2} /-->', '' ),
			'block in the template'  => array( '', '<!-- wp:pannier/recommendations /-->' ),
		);
	}

	public function test_box_drawn_before_is_not_doubled(): void {
		$this->connect();
		$this->show( 12 );
		$this->block( array() );

		$this->assertSame( '', $this->printed( self::ON_PRODUCT ) );
	}

	public function test_cart_with_a_box_gets_no_second_one(): void {
		$this->connect();
		World::$now->cart = new WC_Cart( 12 );
		$this->shortcode( array( 'slot' => 'cart' ) );

		$this->assertSame( '', $this->printed( self::ON_CART ) );
		$this->assertSame( 'cart', apply_filters( 'render_block_woocommerce/cart', 'cart' ) );
	}

	public function test_automatic_boxes_can_be_switched_off(): void {
		$this->connect()->set_placements( array() );
		$this->show( 12 );
		World::$now->cart = new WC_Cart( 12 );

		$this->assertSame( '', $this->printed( self::ON_PRODUCT ) . $this->printed( self::ON_CART ) );
		$this->assertSame( 'cart', apply_filters( 'render_block_woocommerce/cart', 'cart' ) );
		$this->assertSame( '12', $this->box_in( $this->shortcode( '' ) )['product-id'] );
	}

	public function test_classic_cart_asks_for_the_last_product_and_names_all(): void {
		$this->connect();
		World::$now->cart = new WC_Cart( 12, 14, 12, 13 );

		$this->assertSame(
			array(
				'product-id' => '13',
				'cart'       => '12,14,13',
			),
			$this->box_in( $this->printed( self::ON_CART ) )
		);
	}

	public function test_cart_block_is_followed_by_the_box(): void {
		$this->connect();
		World::$now->cart = new WC_Cart( 12 );

		$html = apply_filters( 'render_block_woocommerce/cart', '<div class="wc-block-cart"></div>' );

		$this->assertStringStartsWith( '<div class="wc-block-cart"></div><pannier-bundle ', $html );
		$this->assertSame( '12', $this->box_in( $html )['product-id'] );
	}

	public function test_empty_or_missing_cart_has_no_box(): void {
		$this->connect();
		$this->assertSame( '', $this->printed( self::ON_CART ) );

		World::$now->cart = new WC_Cart();
		$this->assertSame( '', $this->printed( self::ON_CART ) );
		$this->assertSame( 'cart', apply_filters( 'render_block_woocommerce/cart', 'cart' ) );
	}

	public function test_shortcode_takes_product_limit_and_heading(): void {
		$this->connect();
		$this->sell( 14 );

		$box = $this->box_in( $this->shortcode( array( 'product_id' => '14', 'limit' => '99', 'heading' => '"Goes" <i>with</i>' ) ) );

		$this->assertSame( array( '14', '10', '"Goes" with' ), array( $box['product-id'], $box['limit'], $box['heading'] ) );
		$this->assertArrayHasKey( Widget::HANDLE, World::$now->scripts );
	}

	/** @dataProvider misplaced */
	#[DataProvider( 'misplaced' )]
	public function test_misplaced_shortcode_prints_nothing( $attributes, string $page ): void {
		$this->connect();
		$this->sell( 14 );
		World::$now->page = $page;
		World::$now->post = new WP_Post( 3, 'page' );

		$this->assertSame( '', $this->shortcode( $attributes ) );
		$this->assertSame( array(), World::$now->scripts );
	}

	public static function misplaced(): array {
		return array(
			'no product here'  => array( '', 'page' ),
			'unknown product'  => array( array( 'product_id' => '404' ), 'page' ),
			'unknown slot'     => array( array( 'product_id' => '14', 'slot' => 'home' ), 'page' ),
			'feed'             => array( array( 'product_id' => '14' ), 'feed' ),
		);
	}

	/** @dataProvider block_products */
	#[DataProvider( 'block_products' )]
	public function test_block_finds_its_product( array $attributes, array $context, string $expected ): void {
		$this->connect();
		array_map( array( $this, 'sell' ), array( 12, 13, 14 ) );
		World::$now->post = new WP_Post( 12, 'product' );

		$html = $this->block( $attributes, $context );

		$this->assertStringStartsWith( '<div class="wp-block-pannier-recommendations">', $html );
		$this->assertSame( $expected, $this->box_in( $html )['product-id'] );
	}

	public static function block_products(): array {
		$loop = array( 'postType' => 'product', 'postId' => 13 );
		return array(
			'chosen'        => array( array( 'productId' => 14 ), $loop, '14' ),
			'of a loop'     => array( array(), $loop, '13' ),
			'of the page'   => array( array(), array( 'postType' => 'page', 'postId' => 13 ), '12' ),
		);
	}

	public function test_block_of_the_cart(): void {
		$this->connect();
		World::$now->cart = new WC_Cart( 13 );

		$this->assertSame( '13', $this->box_in( $this->block( array( 'slot' => 'cart', 'limit' => 2 ) ) )['cart'] );
	}

	public function test_block_stands_where_it_is_registered(): void {
		$folder = array_key_first( World::$now->blocks );
		$block  = json_decode( file_get_contents( $folder . '/block.json' ), true );

		$this->assertSame( Pannier\Block::NAME, $block['name'] );
		$this->assertSame( 'pannier', $block['textdomain'] );
		$this->assertFileExists( $folder . '/' . substr( $block['editorScript'], strlen( 'file:./' ) ) );
		$this->assertContains( 'wp-block-editor', ( require $folder . '/editor.asset.php' )['dependencies'] );
	}

	public function test_plugin_is_compatible_and_known_to_the_consent_api(): void {
		$this->assertSame( array( 'custom_order_tables' => true, 'cart_checkout_blocks' => true ), World::$now->compatible );
		$this->assertTrue( apply_filters( 'wp_consent_api_registered_pannier/pannier.php', false ) );
	}
}
