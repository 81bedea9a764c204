<?php
/** @package Pannier */

use Pannier\Checkout_Keys;
use Pannier\Quote;
use PHPUnit\Framework\Attributes\DataProvider;

/** Quotes say to the plugin what they say to Pannier: the cases are those of the reference. */
final class QuoteTest extends ShopTestCase {

	private static function cases(): array {
		return json_decode( (string) file_get_contents( dirname( __DIR__, 3 ) . '/tests/payloads/quotes.json' ), true );
	}

	/** @dataProvider quotes */
	#[DataProvider( 'quotes' )]
	public function test_quote( array $case ): void {
		$keys = new Checkout_Keys();
		$this->assertTrue( $keys->replace( self::cases()['keys'] ) );

		$says = Quote::read( $case['token'], $keys, $case['unix'], $case['variant_id'], $case['currency'], (string) $case['customer_id'] );

		$this->assertSame( $case['word'], $says['word'] );
		$this->assertSame( $case['price'] ?? null, $says['price'] ?? null );
	}

	public static function quotes(): array {
		$cases = array();
		foreach ( self::cases()['cases'] as $case ) {
			$cases[ $case['name'] ] = array( $case );
		}
		return $cases;
	}

	public function test_key_that_is_taken_back_before_its_time_ends_its_quotes(): void {
		$case = self::cases()['cases'][0];
		$keys = new Checkout_Keys();
		$keys->replace(
			array_map(
				static function ( array $key ) use ( $case ): array {
					return array( 'not_after' => $case['unix'] ) + $key;
				},
				self::cases()['keys']
			)
		);

		$this->assertSame( array( 'word' => 'expired' ), Quote::read( $case['token'], $keys, $case['unix'], $case['variant_id'], $case['currency'], $case['customer_id'] ) );
	}

	public function test_there_are_cases_of_each_word(): void {
		$words = array_unique( array_column( self::cases()['cases'], 'word' ) );
		sort( $words );

		$this->assertSame( array( 'expired', 'forged', 'malformed', 'other_currency', 'other_customer', 'other_variant', 'unknown_key', 'valid' ), $words );
	}
}
