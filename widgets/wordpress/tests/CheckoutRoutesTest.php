<?php
/** @package Pannier */

use PHPUnit\Framework\Attributes\DataProvider;

/** How Pannier tells the shop its offers and keys. */
final class CheckoutRoutesTest extends ShopTestCase {

	private const STATUS        = 'wc-pannier/v1/status';
	private const CONFIGURATION = 'wc-pannier/v1/configuration';
	private const KEYS          = 'wc-pannier/v1/keys';

	protected function setUp(): void {
		parent::setUp();
		do_action( 'rest_api_init' );
		$this->connect();
		World::$now->time = 1795428150;
	}

	public function test_status_of_a_shop_that_knows_nothing_yet(): void {
		World::$now->takes_coupons = false;
		World::$now->currency      = 'NZD';

		$this->assertSame(
			array(
				200,
				array(
					'version'         => PANNIER_VERSION,
					'configuration'   => null,
					'keys'            => array(),
					'currency'        => 'NZD',
					'coupons_enabled' => false,
				),
			),
			$this->call( self::STATUS )
		);
	}

	public function test_configuration_is_kept_and_told(): void {
		$answer = $this->publish( array( self::offer(), self::offer( array( 'k' => 'two' ) ) ) );

		$this->assertSame( array( 200, array( 'serial' => 1795428150000, 'offers' => 2 ) ), $answer );
		$status = $this->call( self::STATUS )[1];
		$this->assertSame( array( 1795428150000, array( 'cfg1' ) ), array( $status['configuration'], $status['keys'] ) );
	}

	public function test_no_page_loads_offers_and_keys_that_does_not_need_them(): void {
		$this->publish( array( self::offer() ) );

		$this->assertFalse( World::$now->autoload['pannier_offers'] );
		$this->assertFalse( World::$now->autoload['pannier_checkout_keys'] );
	}

	public function test_only_who_runs_the_shop_may_and_only_while_it_is_connected(): void {
		World::$now->is_manager = false;
		foreach ( array( self::STATUS, self::CONFIGURATION, self::KEYS ) as $route ) {
			$this->assertSame( array( 403, 'rest_forbidden' ), $this->call( $route ) );
		}

		World::$now->is_manager = true;
		delete_option( 'pannier_key' );
		foreach ( array( self::STATUS, self::CONFIGURATION, self::KEYS ) as $route ) {
			$this->assertSame( array( 403, 'pannier_disconnected' ), $this->call( $route ) );
		}
	}

	public function test_disconnecting_forgets_offers_and_keys(): void {
		$this->publish( array( self::offer() ) );

		$this->submit( 'pannier_disconnect' );

		$this->assertFalse( get_option( 'pannier_offers' ) );
		$this->assertFalse( get_option( 'pannier_checkout_keys' ) );
	}

	public function test_methods_are_those_that_a_reading_key_does_not_open(): void {
		$methods = array_map(
			static function ( string $route ): string {
				return World::$now->routes[ $route ]['methods'];
			},
			array( self::STATUS, self::CONFIGURATION, self::KEYS )
		);

		$this->assertSame( array( 'GET', 'PUT', 'PUT' ), $methods );
	}

	public function test_serial_has_to_grow(): void {
		$this->publish( array( self::offer() ), array( 'serial' => 5 ) );

		foreach ( array( 4, 5 ) as $serial ) {
			$this->assertSame( array( 409, 'pannier_old_configuration' ), $this->publish( array(), array( 'serial' => $serial ) ) );
		}
		$this->assertSame( array( 200, array( 'serial' => 6, 'offers' => 0 ) ), $this->publish( array(), array( 'serial' => 6 ) ) );
	}

	public function test_newest_key_alone_signs(): void {
		$this->assertSame( array( 401, 'pannier_wrong_signature' ), $this->publish( array(), array(), 'another-16-bytes' ) );

		$key = static function ( string $id, string $secret, int $not_after ): array {
			return compact( 'id' ) + array( 'secret' => base64_encode( $secret ), 'not_after' => $not_after );
		};
		$this->call( self::KEYS, array( 'keys' => array( $key( 'new', 'abcdefghijklmnopqr', 20 ), $key( 'old', 'bbcdefghijklmnopqr', 10 ) ) ) );
		$payload = json_encode( array( 'serial' => 9, 'store' => 'https://shop.example', 'valid_until' => 1, 'offers' => array() ) );
		$send    = function ( string $secret ) use ( $payload ): int {
			return $this->call( self::CONFIGURATION, array( 'payload' => $payload, 'signature' => hash_hmac( 'sha256', $payload, $secret ) ) )[0];
		};
		$this->assertSame( array( 401, 200 ), array( $send( 'bbcdefghijklmnopqr' ), $send( 'abcdefghijklmnopqr' ) ) );
	}

	public function test_nothing_is_taken_without_a_key(): void {
		$body = array( 'payload' => '{}', 'signature' => hash_hmac( 'sha256', '{}', '' ) );

		$this->assertSame( array( 401, 'pannier_wrong_signature' ), $this->call( self::CONFIGURATION, $body ) );
	}

	/** @dataProvider wrong_configurations */
	#[DataProvider( 'wrong_configurations' )]
	public function test_wrong_configuration_changes_nothing( array $offers, array $fields, string $code ): void {
		$this->publish( array( self::offer() ), array( 'serial' => 1 ) );
		$before = get_option( 'pannier_offers' );

		$this->assertSame( array( 400, $code ), $this->publish( $offers, $fields ) );
		$this->assertSame( $before, get_option( 'pannier_offers' ) );
	}

	public static function wrong_configurations(): array {
		$cases = array(
			'another shop'            => array( array(), array( 'store' => 'https://other.example/' ), 'pannier_other_store' ),
			'a folder of the shop'    => array( array(), array( 'store' => 'https://shop.example/shop' ), 'pannier_other_store' ),
			'no address'              => array( array(), array( 'store' => '' ), 'pannier_other_store' ),
			'one key twice'           => array( array( self::offer(), self::offer() ), array(), 'pannier_wrong_configuration' ),
			'keys that differ in case' => array( array( self::offer(), self::offer( array( 'k' => 'pair-1' ) ) ), array(), 'pannier_wrong_configuration' ),
			'both kinds of discount'  => array( array( self::offer( array( 'a' => 5 ) ) ), array(), 'pannier_wrong_configuration' ),
			'no discount'             => array( array( self::offer( array(), true ) ), array(), 'pannier_wrong_configuration' ),
		);
		foreach ( array( 'serial' => array( 0, '5', 1.5, null, 1795600000000 ), 'store' => array( null, 5 ), 'valid_until' => array( '9', null ), 'offers' => array( null, 'none', array( 'a' => 1 ) ), 'more' => array( 1 ) ) as $field => $values ) {
			foreach ( $values as $value ) {
				$cases[ $field . ' ' . json_encode( $value ) ] = array( array(), array( $field => $value ), 'pannier_wrong_configuration' );
			}
		}
		$wrong = array(
			'k' => array( '', 'a b', "a\n", str_repeat( 'a', 65 ), 5, null ),
			't' => array( '', 5, str_repeat( 'a', 1001 ) ),
			'c' => array( null, array(), array( array( '12', 1, null ) ), array_fill( 0, 2, array( '12', 1, null ) ), self::components( 5 ), array( array( 'x', 1, null ), array( '13', 1, null ) ), array( array( '12', 0, null ), array( '13', 1, null ) ), array( array( '12', 1 ), array( '13', 1, null ) ), array( array( '12', '1', null ), array( '13', 1, null ) ), array( array( '12', 1, 'all' ), array( '13', 1, null ) ), array( array( '12', 1, array( 7 ) ), array( '13', 1, null ) ), array( array( 12, 1, null ), array( '13', 1, null ) ) ),
			'd' => array( null, array(), array( '14' ), array( '13', '13' ), '13' ),
			'u' => array( 'eur', 'EURO', null ),
			's' => array( -1, '0', 1.5, null ),
			'e' => array( '0', 1.5 ),
			'p' => array( 0, 10001, '10', 12.5, null ),
			'x' => array( 1 ),
		);
		foreach ( $wrong as $field => $values ) {
			foreach ( $values as $place => $value ) {
				$cases[ "offer: $field $place" ] = array( array( self::offer( array( $field => $value ) ) ), array(), 'pannier_wrong_configuration' );
			}
		}
		foreach ( array( 0, -5, '5', 1000000000001, null ) as $value ) {
			$cases[ 'offer: a ' . json_encode( $value ) ] = array( array( self::offer( array( 'a' => $value ), true ) ), array(), 'pannier_wrong_configuration' );
		}
		return $cases;
	}

	private static function components( int $count ): array {
		$components = array();
		foreach ( range( 1, $count ) as $number ) {
			$components[] = array( (string) ( 10 + $number ), 1, null );
		}
		return $components;
	}

	/** @dataProvider right_offers */
	#[DataProvider( 'right_offers' )]
	public function test_offer_is_taken( array $offer, array $fields ): void {
		$this->assertSame( 200, $this->publish( array( $offer ), $fields )[0] );
	}

	public static function right_offers(): array {
		return array(
			'amount'           => array( self::offer( array( 'a' => 1000000000000 ), true ), array() ),
			'everything off'   => array( self::offer( array( 'p' => 10000 ) ), array() ),
			'four products'    => array( self::offer( array( 'c' => self::components( 4 ) ) ), array() ),
			'chosen variations' => array( self::offer( array( 'c' => array( array( '12', 3, array( '121', '122' ) ), array( '13', 1, array() ) ) ) ), array() ),
			'with an end'      => array( self::offer( array( 'e' => 5 ) ), array() ),
			'http, no slash'   => array( self::offer(), array( 'store' => 'http://SHOP.example' ) ),
		);
	}

	/** @dataProvider wrong_bodies */
	#[DataProvider( 'wrong_bodies' )]
	public function test_wrong_body_changes_nothing( string $route, array $body ): void {
		$this->publish( array( self::offer() ) );
		$before = World::$now->options;

		$this->assertSame( array( 400, 'pannier_wrong_body' ), $this->call( $route, $body ) );
		$this->assertSame( $before, World::$now->options );
	}

	public static function wrong_bodies(): array {
		$key   = array( 'id' => 'k1', 'secret' => 'AAAAAAAAAAAAAAAAAAAAAA', 'not_after' => 5 );
		$cases = array(
			'configuration: nothing'      => array( self::CONFIGURATION, array() ),
			'configuration: no text'      => array( self::CONFIGURATION, array( 'payload' => array(), 'signature' => '' ) ),
			'configuration: no signature' => array( self::CONFIGURATION, array( 'payload' => '{}' ) ),
			'configuration: too large'    => array( self::CONFIGURATION, array( 'payload' => str_repeat( ' ', 4194304 ), 'signature' => '' ) ),
			'keys: nothing'               => array( self::KEYS, array() ),
			'keys: no list'               => array( self::KEYS, array( 'keys' => $key ) ),
			'keys: one twice'             => array( self::KEYS, array( 'keys' => array( $key, $key ) ) ),
			'keys: too many'              => array(
				self::KEYS,
				array(
					'keys' => array_map(
						static function ( int $number ) use ( $key ): array {
							return array( 'id' => 'k' . $number ) + $key;
						},
						range( 1, 33 )
					),
				),
			),
		);
		foreach ( array( 'id' => array( '', 'a-b', 5 ), 'secret' => array( '', 'AAAA', 'not base64!', 5, str_repeat( 'A', 400 ) ), 'not_after' => array( 0, '5', null ), 'more' => array( 1 ) ) as $field => $values ) {
			foreach ( $values as $place => $value ) {
				$cases[ "keys: $field $place" ] = array( self::KEYS, array( 'keys' => array( array( $field => $value ) + $key ) ) );
			}
		}
		return $cases;
	}

	public function test_no_cache_keeps_an_answer(): void {
		$answer = World::$now->routes[ self::STATUS ]['callback']();

		$this->assertSame( array( 'Cache-Control' => 'no-store, private' ), $answer->headers );
	}

	public function test_keys_can_all_be_taken_back(): void {
		$this->publish( array() );

		$this->assertSame( array( 200, array( 'keys' => array() ) ), $this->call( self::KEYS, array( 'keys' => array() ) ) );
		$this->assertSame( array(), $this->call( self::STATUS )[1]['keys'] );
	}
}
