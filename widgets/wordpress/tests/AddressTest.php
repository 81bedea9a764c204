<?php
/** @package Pannier */

use Pannier\Address;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** Which addresses of the service are acceptable. */
final class AddressTest extends TestCase {

	/** @dataProvider accepted */
	#[DataProvider( 'accepted' )]
	public function test_address_is_brought_into_its_one_spelling( string $typed, string $expected ): void {
		$this->assertSame( $expected, Address::normalize( $typed ) );
	}

	public static function accepted(): array {
		return array(
			'plain'          => array( 'https://pannier.example', 'https://pannier.example' ),
			'slash, capital' => array( ' HTTPS://Pannier.Example/ ', 'https://pannier.example' ),
			'no scheme'      => array( 'pannier.example', 'https://pannier.example' ),
			'port and path'  => array( 'https://shops.example:8443/pannier//', 'https://shops.example:8443/pannier' ),
			'localhost'      => array( 'http://localhost:8000', 'http://localhost:8000' ),
			'loopback'       => array( 'http://127.0.0.1:8000/', 'http://127.0.0.1:8000' ),
			'loopback, IPv6' => array( 'http://[::1]:8000', 'http://[::1]:8000' ),
		);
	}

	/** @dataProvider refused */
	#[DataProvider( 'refused' )]
	public function test_address_is_refused( string $typed ): void {
		$this->assertSame( '', Address::normalize( $typed ) );
	}

	public static function refused(): array {
		return array(
			'empty'                 => array( '' ),
			'http'                  => array( 'http://pannier.example' ),
			'looks like localhost'  => array( 'http://localhost.evil.example' ),
			'looks like 127.0.0.1'  => array( 'http://127.0.0.1.evil.example' ),
			'script'                => array( 'javascript://pannier.example/%0aalert(1)' ),
			'user and password'     => array( 'https://user:pass@pannier.example' ),
			'query'                 => array( 'https://pannier.example/?to=evil' ),
			'fragment'              => array( 'https://pannier.example/#x' ),
			'no host'               => array( 'https://' ),
			'quote in the host'     => array( 'https://pannier".example' ),
			'markup in the path'    => array( 'https://pannier.example/<b>' ),
			'port out of range'     => array( 'https://pannier.example:99999' ),
		);
	}
}
