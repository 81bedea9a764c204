<?php
/** @package Pannier */

use PHPUnit\Framework\Attributes\DataProvider;

/** Who is signed in, signed by the shop. */
final class IdentityTest extends ShopTestCase {

	private const HOOK = 'https://pannier.example/webhooks/woocommerce/own-place';

	protected function setUp(): void {
		parent::setUp();
		do_action( 'rest_api_init' );
		$this->connect();
		World::$now->user         = 7;
		World::$now->is_signed_in = true;
		World::$now->consent      = true;
		World::$now->webhooks     = array( 3 => new WC_Webhook( self::HOOK, 'secret' ) );
	}

	private function answer(): WP_REST_Response {
		return call_user_func( World::$now->routes['pannier/v1/identity']['callback'] );
	}

	/** The parts of the token: head, claims and whether the signature is right. */
	private function read( string $secret, string $place ): array {
		$token                          = $this->answer()->data['customer_token'];
		list( $head, $body, $signature ) = explode( '.', $token );
		$key                            = hash_hmac( 'sha256', 'pannier/identity/1:' . $place, $secret, true );
		$right                          = hash_hmac( 'sha256', $head . '.' . $body, $key, true );
		$decode                         = static function ( string $part ): string {
			return base64_decode( strtr( $part, '-_', '+/' ) );
		};
		$this->assertDoesNotMatchRegularExpression( '#[+/=]#', $token );
		return array( json_decode( $decode( $head ), true ), json_decode( $decode( $body ), true ), hash_equals( $right, $decode( $signature ) ) );
	}

	public function test_token_names_the_customer_for_a_quarter_of_an_hour(): void {
		$before = time();

		list( $head, $claims, $genuine ) = $this->read( 'secret', 'own-place' );

		$this->assertTrue( $genuine );
		$this->assertSame( 'HS256', $head['alg'] );
		$this->assertSame( array( 'shop', 'pannier/identity', '7' ), array( $claims['iss'], $claims['aud'], $claims['sub'] ) );
		$this->assertSame( 900, $claims['exp'] - $claims['iat'] );
		$this->assertGreaterThanOrEqual( $before, $claims['iat'] );
		$this->assertLessThanOrEqual( time(), $claims['iat'] );
	}

	public function test_no_cache_keeps_the_answer(): void {
		$this->assertSame( array( 'Cache-Control' => 'no-store, private' ), $this->answer()->headers );
		$this->assertSame( 200, $this->answer()->status );
	}

	public function test_newest_of_our_webhooks_signs_with_its_decoded_secret(): void {
		World::$now->webhooks += array(
			4 => new WC_Webhook( self::HOOK . '-2', 'a&amp;b' ),
			5 => new WC_Webhook( self::HOOK . '-3', 'off', 'disabled' ),
			6 => new WC_Webhook( 'https://other.example/webhooks/woocommerce/x', 'other' ),
			8 => new WC_Webhook( 'https://pannier.example.evil/webhooks/woocommerce/x', 'evil' ),
			9 => new WC_Webhook( self::HOOK . '-4', '' ),
		);

		$this->assertTrue( $this->read( 'a&b', 'own-place-2' )[2] );
	}

	/** @dataProvider silences */
	#[DataProvider( 'silences' )]
	public function test_no_token( callable $change ): void {
		$change();

		$answer = $this->answer();

		$this->assertSame( array( 404, array() ), array( $answer->status, $answer->data ) );
		$this->assertSame( 'no-store, private', $answer->headers['Cache-Control'] );
	}

	public static function silences(): array {
		return array(
			'for nobody'                     => array(
				static function () {
					World::$now->user = 0;
				},
			),
			'without the consent API'        => array(
				static function () {
					World::$now->consent = null;
				},
			),
			'without consent'                => array(
				static function () {
					World::$now->consent = false;
				},
			),
			'with Global Privacy Control'    => array(
				static function () {
					$_SERVER['HTTP_SEC_GPC'] = '1';
				},
			),
			'while we have no webhook'       => array(
				static function () {
					World::$now->webhooks = array();
				},
			),
			'while the shop is not connected' => array(
				static function () {
					World::$now->options = array( 1 => array() );
				},
			),
		);
	}

	public function test_widget_learns_the_address_with_a_nonce_where_somebody_is_signed_in(): void {
		$tag = array( 'id' => 'pannier-widget-js' );

		$signed_in                = apply_filters( 'wp_script_attributes', $tag );
		World::$now->is_signed_in = false;
		$signed_out               = apply_filters( 'wp_script_attributes', $tag );

		$this->assertSame( 'https://shop.example/wp-json/pannier/v1/identity?_wpnonce=nonce%3Awp_rest', $signed_in['data-identity'] );
		$this->assertArrayNotHasKey( 'data-identity', $signed_out );
	}

	public function test_route_is_read_only(): void {
		$this->assertSame( 'GET', World::$now->routes['pannier/v1/identity']['methods'] );
	}
}
