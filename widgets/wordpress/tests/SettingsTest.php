<?php
/** @package Pannier */

use Pannier\Settings;
use Pannier\Settings_Notices;
use PHPUnit\Framework\Attributes\DataProvider;

/** The settings page and its buttons. */
final class SettingsTest extends ShopTestCase {

	private const PAGE = 'page:woocommerce:pannier:manage_woocommerce';

	private function page(): string {
		do_action( 'admin_menu' );
		return $this->printed( self::PAGE );
	}

	public function test_everything_typed_is_saved(): void {
		$notice = $this->submit(
			'pannier_save',
			array(
				'pannier_address'    => 'pannier.example/',
				'pannier_key'        => self::KEY,
				'pannier_secret'     => self::SECRET,
				'pannier_placements' => array( 'cart', 'nowhere' ),
			)
		);

		$settings = new Settings();
		$this->assertSame( 'saved', $notice );
		$this->assertSame( self::SERVICE, $settings->address() );
		$this->assertSame( self::KEY, $settings->key() );
		$this->assertSame( self::SECRET, $settings->secret() );
		$this->assertFalse( World::$now->autoload[ Settings::SECRET ] );
		$this->assertFalse( $settings->places( 'product' ) );
		$this->assertTrue( $settings->places( 'cart' ) );
	}

	/** @dataProvider mistakes */
	#[DataProvider( 'mistakes' )]
	public function test_a_mistake_saves_nothing( array $fields, string $notice ): void {
		$this->assertSame( $notice, $this->submit( 'pannier_save', $fields ) );
		$this->assertSame( array(), World::$now->options[1] );
		$this->assertSame( 'error', Settings_Notices::find( $notice )[0] );
	}

	public static function mistakes(): array {
		$address = array( 'pannier_address' => self::SERVICE );
		return array(
			'address without TLS'     => array( array( 'pannier_address' => 'http://pannier.example' ), 'wrong_address' ),
			'secret key as key'       => array( $address + array( 'pannier_key' => self::SECRET ), 'wrong_key' ),
			'key as secret key'       => array( $address + array( 'pannier_secret' => self::KEY ), 'wrong_secret' ),
			'secret with a new line'  => array( $address + array( 'pannier_secret' => self::SECRET . "\nX: y" ), 'wrong_secret' ),
		);
	}

	public function test_connect_without_address_goes_nowhere(): void {
		$this->assertSame( 'wrong_address', $this->submit( 'pannier_save', array( 'pannier_connect' => '1' ) ) );
	}

	public function test_new_address_forgets_the_keys_of_the_old_one(): void {
		$this->connect()->set_secret( self::SECRET );

		$this->submit(
			'pannier_save',
			array(
				'pannier_address' => 'https://elsewhere.example',
				'pannier_key'     => self::KEY,
			)
		);

		$settings = new Settings();
		$this->assertSame( 'https://elsewhere.example', $settings->address() );
		$this->assertSame( array( '', '' ), array( $settings->key(), $settings->secret() ) );
	}

	public function test_empty_secret_keeps_the_stored_one_and_the_box_forgets_it(): void {
		$this->connect()->set_secret( self::SECRET );
		$fields = array(
			'pannier_address' => self::SERVICE,
			'pannier_key'     => self::KEY,
		);

		$this->submit( 'pannier_save', $fields );
		$this->assertSame( self::SECRET, ( new Settings() )->secret() );

		$this->submit( 'pannier_save', $fields + array( 'pannier_forget_secret' => '1' ) );
		$this->assertSame( '', ( new Settings() )->secret() );
	}

	public function test_disconnect_forgets_both_keys(): void {
		$this->connect()->set_secret( self::SECRET );

		$this->assertSame( 'disconnected', $this->submit( 'pannier_disconnect' ) );

		$settings = new Settings();
		$this->assertFalse( $settings->is_connected() );
		$this->assertSame( '', $settings->secret() );
	}

	/** @dataProvider answers */
	#[DataProvider( 'answers' )]
	public function test_check_says_how_the_service_answers( int $status, string $notice ): void {
		$this->connect();
		World::$now->answer = $status ? array( 'status' => $status, 'body' => '' ) : new WP_Error();

		$this->assertSame( $notice, $this->submit( 'pannier_check' ) );

		list( $method, $address, $options ) = World::$now->requests[0];
		$this->assertSame( 'GET ' . self::SERVICE . '/v1/recommendations?slot=home&limit=1', $method . ' ' . $address );
		$this->assertSame( self::KEY, $options['headers']['X-Pannier-Key'] );
		$this->assertSame( 0, $options['redirection'] );
	}

	public static function answers(): array {
		return array(
			'in order'         => array( 200, 'answers' ),
			'key unknown'      => array( 401, 'refused' ),
			'wrong origin'     => array( 403, 'refused' ),
			'another program'  => array( 404, 'trouble' ),
			'redirect'         => array( 301, 'trouble' ),
			'out of order'     => array( 503, 'trouble' ),
			'nobody there'     => array( 0, 'unreachable' ),
		);
	}

	public function test_check_without_connection_asks_nobody(): void {
		$this->assertSame( 'not_connected', $this->submit( 'pannier_check' ) );
		$this->assertSame( array(), World::$now->requests );
	}

	/** @dataProvider buttons */
	#[DataProvider( 'buttons' )]
	public function test_button_needs_a_nonce( string $action ): void {
		$this->connect();
		$before = World::$now->options;
		$_POST  = array( '_wpnonce' => 'nonce:another' );

		try {
			do_action( 'admin_post_' . $action );
			$this->fail( 'The request was not refused.' );
		} catch ( Died $end ) {
			$this->assertSame( $before, World::$now->options );
		}
	}

	/** @dataProvider buttons */
	#[DataProvider( 'buttons' )]
	public function test_button_needs_a_manager( string $action ): void {
		$this->connect();
		$before                 = World::$now->options;
		World::$now->is_manager = false;
		$_POST                  = array( '_wpnonce' => 'nonce:' . $action );

		try {
			do_action( 'admin_post_' . $action );
			$this->fail( 'The request was not refused.' );
		} catch ( Died $end ) {
			$this->assertSame( $before, World::$now->options );
		}
	}

	public static function buttons(): array {
		return array(
			'save'       => array( 'pannier_save' ),
			'check'      => array( 'pannier_check' ),
			'disconnect' => array( 'pannier_disconnect' ),
		);
	}

	public function test_page_offers_to_connect(): void {
		$page = $this->page();

		$this->assertStringContainsString( 'Not connected.', $page );
		$this->assertStringContainsString( 'name="pannier_connect"', $page );
		$this->assertStringContainsString( 'value="nonce:pannier_save"', $page );
		$this->assertStringNotContainsString( 'pannier_disconnect', $page );
	}

	public function test_page_never_prints_the_secret(): void {
		$this->connect()->set_secret( self::SECRET );

		$page = $this->page();

		$this->assertStringContainsString( 'Connected to https://pannier.example.', $page );
		$this->assertStringContainsString( self::KEY, $page );
		$this->assertStringContainsString( 'A secret key is stored.', $page );
		$this->assertStringNotContainsString( substr( self::SECRET, 3 ) . '"', str_replace( self::KEY, '', $page ) );
		$this->assertStringNotContainsString( 'sk_', $page );
	}

	public function test_page_says_only_its_own_sentences(): void {
		$_GET['pannier_notice'] = 'refused';
		$this->assertStringContainsString( 'does not accept your key', $this->page() );

		World::$now->hooks[ self::PAGE ] = array();
		$_GET['pannier_notice']          = '<script>alert(1)</script>';
		$page                            = $this->page();
		$this->assertStringNotContainsString( 'alert', $page );
		$this->assertStringNotContainsString( 'class="notice', $page );
	}

	public function test_page_is_for_managers(): void {
		World::$now->is_manager = false;

		$this->assertSame( '', $this->page() );
	}

	public function test_options_changed_from_elsewhere_are_distrusted(): void {
		update_option( Settings::ADDRESS, 'http://evil.example/"><script>' );
		update_option( Settings::KEY, 'pk_"><script>alert(1)</script>' );

		$settings = new Settings();
		$this->assertSame( array( '', '' ), array( $settings->address(), $settings->key() ) );
	}

	public function test_list_of_plugins_links_to_the_page(): void {
		$links = apply_filters( 'plugin_action_links_pannier/pannier.php', array( 'deactivate' ) );

		$this->assertSame( array( '<a href="https://shop.example/wp-admin/admin.php?page=pannier">Settings</a>', 'deactivate' ), $links );
	}
}
