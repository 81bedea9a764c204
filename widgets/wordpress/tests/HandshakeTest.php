<?php
/** @package Pannier */

use Pannier\Settings;

/** To Pannier and back with a key. */
final class HandshakeTest extends ShopTestCase {

	private function leave(): array {
		$_POST    = array(
			'_wpnonce'        => 'nonce:pannier_save',
			'pannier_address' => self::SERVICE,
			'pannier_connect' => '1',
		);
		$location = $this->redirect_of( 'admin_post_pannier_save' );
		$this->assertStringStartsWith( self::SERVICE . '/install/woocommerce?', $location );
		parse_str( parse_url( $location, PHP_URL_QUERY ), $query );
		return $query;
	}

	private function come_back( string $return_url, array $added ): string {
		parse_str( parse_url( $return_url, PHP_URL_QUERY ), $query );
		$_GET = $added + $query;
		return $this->notice_of( 'admin_init' );
	}

	public function test_connect_names_shop_and_way_back(): void {
		$query = $this->leave();

		$this->assertSame( array( 'store_url', 'return_url' ), array_keys( $query ) );
		$this->assertSame( 'https://shop.example/', $query['store_url'] );
		$this->assertMatchesRegularExpression( '#^https://shop\.example/wp-admin/admin\.php\?page=pannier&pannier_state=[A-Za-z0-9]{43}$#', $query['return_url'] );
	}

	public function test_key_that_comes_back_is_stored(): void {
		$query = $this->leave();

		$this->assertSame( 'connected', $this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) ) );

		$this->assertSame( self::KEY, ( new Settings() )->key() );
		$this->assertTrue( ( new Settings() )->is_connected() );
	}

	public function test_state_is_good_for_one_time(): void {
		$query = $this->leave();
		$this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) );

		$again = $this->come_back( $query['return_url'], array( 'pannier_key' => 'pk_another_key_of_an_attacker' ) );

		$this->assertSame( 'stale', $again );
		$this->assertSame( self::KEY, ( new Settings() )->key() );
	}

	public function test_forged_state_is_refused_and_leaves_the_true_one_good(): void {
		$query = $this->leave();

		$forged = $this->come_back( 'https://shop.example/wp-admin/admin.php?page=pannier&pannier_state=guess', array( 'pannier_key' => 'pk_another_key_of_an_attacker' ) );

		$this->assertSame( 'stale', $forged );
		$this->assertSame( '', ( new Settings() )->key() );
		$this->assertSame( 'connected', $this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) ) );
	}

	public function test_state_of_another_user_is_refused(): void {
		$query            = $this->leave();
		World::$now->user = 2;

		$this->assertSame( 'stale', $this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) ) );
		$this->assertSame( '', ( new Settings() )->key() );
	}

	public function test_answer_of_another_address_is_refused(): void {
		$query = $this->leave();
		( new Settings() )->set_address( 'https://elsewhere.example' );

		$this->assertSame( 'stale', $this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) ) );
		$this->assertSame( '', ( new Settings() )->key() );
	}

	public function test_disconnecting_ends_the_handshake(): void {
		$query = $this->leave();
		$this->submit( 'pannier_disconnect' );

		$this->assertSame( 'stale', $this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) ) );
	}

	public function test_declining_changes_nothing(): void {
		$this->connect();
		$query = $this->leave();

		$this->assertSame( 'declined', $this->come_back( $query['return_url'], array( 'success' => '0' ) ) );
		$this->assertSame( self::KEY, ( new Settings() )->key() );
	}

	public function test_nonsense_for_a_key_is_refused(): void {
		$query = $this->leave();

		$this->assertSame( 'wrong_key', $this->come_back( $query['return_url'], array( 'pannier_key' => 'sk_0123456789abcdefABCD' ) ) );
		$this->assertSame( '', ( new Settings() )->key() );
	}

	public function test_lists_in_the_address_are_no_text(): void {
		$query = $this->leave();

		$this->assertSame( 'declined', $this->come_back( $query['return_url'], array( 'pannier_key' => array( self::KEY ) ) ) );
	}

	public function test_somebody_who_may_not_manage_the_shop_is_refused(): void {
		$query                  = $this->leave();
		World::$now->is_manager = false;

		$this->expectException( Died::class );
		$this->come_back( $query['return_url'], array( 'pannier_key' => self::KEY ) );
	}

	public function test_other_pages_are_left_alone(): void {
		$_GET = array(
			'page'          => 'wc-settings',
			'pannier_state' => 'x',
		);

		do_action( 'admin_init' );

		$this->assertSame( array(), World::$now->options[1] );
	}
}
