<?php
/** @package Pannier */

use PHPUnit\Framework\Attributes\DataProvider;

/** Exports and erasures. */
final class PersonalDataTest extends ShopTestCase {

	private function export() {
		$exporters = apply_filters( 'wp_privacy_personal_data_exporters', array( 'other' => array() ) );
		$this->assertArrayHasKey( 'other', $exporters );
		return $exporters['pannier']['callback']( 'jo@example.com', 1 );
	}

	private function erase(): array {
		$erasers = apply_filters( 'wp_privacy_personal_data_erasers', array( 'other' => array() ) );
		$this->assertArrayHasKey( 'other', $erasers );
		return $erasers['pannier']['callback']( 'jo@example.com', 1 );
	}

	private function answer( int $status, string $body = '' ): void {
		World::$now->answer = $status ? compact( 'status', 'body' ) : new WP_Error( 'http', 'timed out' );
	}

	private function assert_asked( string $path ): void {
		list( $method, $address, $options ) = World::$now->requests[0];
		$this->assertCount( 1, World::$now->requests );
		$this->assertSame( 'POST ' . self::SERVICE . $path, $method . ' ' . $address );
		$this->assertSame( 'Bearer ' . self::SECRET, $options['headers']['Authorization'] );
		$this->assertSame( 'application/json', $options['headers']['Content-Type'] );
		$this->assertSame( '{"email":"jo@example.com"}', $options['body'] );
		$this->assertSame( 0, $options['redirection'] );
	}

	public function test_export_holds_every_value_of_the_answer(): void {
		$this->connect()->set_secret( self::SECRET );
		$this->answer( 200, '{"id":"11","status":"done","data":{"customer":{"id":"7","consent":true,"note":null},"orders":["A1","<b>"]},"notice":[]}' );

		$export = $this->export();

		$this->assert_asked( '/v1/privacy/exports' );
		$this->assertTrue( $export['done'] );
		$this->assertSame(
			array(
				'customer › id'      => '7',
				'customer › consent' => 'true',
				'orders › 0'         => 'A1',
				'orders › 1'         => '&lt;b&gt;',
			),
			array_column( $export['data'][0]['data'], 'value', 'name' )
		);
	}

	/** @dataProvider remarks */
	#[DataProvider( 'remarks' )]
	public function test_export_says_what_it_lacks( int $status, string $body, string $expected ): void {
		$this->connect()->set_secret( self::SECRET );
		$this->answer( $status, $body );

		$this->assertStringContainsString( $expected, $this->export()['data'][0]['data'][0]['value'] );
	}

	public static function remarks(): array {
		return array(
			'nothing'      => array( 200, '{"status":"done","data":{}}', 'holds nothing' ),
			'failed once'  => array( 200, '{"status":"open","data":null}', 'not in this file' ),
			'not there'    => array( 404, '{"status":404}', 'holds nothing' ),
			'later'        => array( 202, '{"id":"x"}', 'not in this file' ),
		);
	}

	/** @dataProvider failures */
	#[DataProvider( 'failures' )]
	public function test_failed_export_is_an_error( int $status, string $body, string $expected ): void {
		$this->connect()->set_secret( self::SECRET );
		$this->answer( $status, $body );

		$error = $this->export();

		$this->assertInstanceOf( WP_Error::class, $error );
		$this->assertStringContainsString( $expected, $error->get_error_message() );
		$this->assertStringNotContainsString( self::SECRET, $error->get_error_message() );
	}

	public static function failures(): array {
		return array(
			'key refused'   => array( 401, '', 'does not accept the secret key' ),
			'out of order'  => array( 503, '', 'status 503' ),
			'redirect'      => array( 301, '', 'status 301' ),
			'no JSON'       => array( 200, '<html>', 'status 200' ),
			'another JSON'  => array( 200, '{"data":"x"}', 'status 200' ),
			'nobody there'  => array( 0, '', 'could not be reached' ),
		);
	}

	/** @dataProvider erasures */
	#[DataProvider( 'erasures' )]
	public function test_erasure_reports_what_became_of_it( int $status, bool $removed, bool $retained, string $expected ): void {
		$this->connect()->set_secret( self::SECRET );
		$this->answer( $status );

		$report = $this->erase();

		$this->assert_asked( '/v1/privacy/erasures' );
		$this->assertSame( array( $removed, $retained, true ), array( $report['items_removed'], $report['items_retained'], $report['done'] ) );
		$this->assertStringContainsString( $expected, implode( $report['messages'] ) );
		$this->assertCount( '' === $expected ? 0 : 1, $report['messages'] );
	}

	public static function erasures(): array {
		return array(
			'done'          => array( 200, true, false, '' ),
			'done, silent'  => array( 204, true, false, '' ),
			'accepted'      => array( 202, true, false, 'carrying it out' ),
			'not there'     => array( 404, false, false, 'holds nothing' ),
			'key refused'   => array( 403, false, true, 'does not accept the secret key' ),
			'out of order'  => array( 500, false, true, 'status 500' ),
			'nobody there'  => array( 0, false, true, 'could not be reached' ),
		);
	}

	public function test_without_secret_key_both_say_that_nobody_was_asked(): void {
		$this->connect();

		$this->assertStringContainsString( 'was not asked', $this->export()['data'][0]['data'][0]['value'] );
		$report = $this->erase();
		$this->assertTrue( $report['items_retained'] );
		$this->assertStringContainsString( 'was not asked', $report['messages'][0] );
		$this->assertSame( array(), World::$now->requests );
	}

	public function test_shop_that_was_never_connected_is_silent(): void {
		$this->assertSame( array( 'data' => array(), 'done' => true ), $this->export() );
		$this->assertSame( array(), $this->erase()['messages'] );
		$this->assertSame( array(), World::$now->requests );
	}

	public function test_policy_is_suggested(): void {
		do_action( 'admin_init' );

		$this->assertCount( 1, World::$now->policies );
		$this->assertStringContainsString( 'Unless you agree to more, no cookie is set', World::$now->policies[0] );
		$this->assertStringContainsString( 'for 15 minutes', World::$now->policies[0] );
		$this->assertStringContainsString( 'a price of your own, which is lower', World::$now->policies[0] );
	}
}
