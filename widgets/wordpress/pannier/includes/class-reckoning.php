<?php
/**
 * What a cart gets of the offers.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Reckons offers in whole minor units, without one float. Pannier reckons in the same way, and so does its function on
 * Shopify: tests compare them cart by cart.
 *
 * An offer is granted once per cart, and a piece counts for one offer. Of several that are fulfilled the one that gives
 * most goes first, of equals the one with the smaller key. A component takes the dearest pieces first, of equally dear
 * ones those that stand further up in the cart.
 */
final class Reckoning {

	/** Percentages are in hundredths of a percent. */
	public const WHOLE = 10000;

	/**
	 * What the cart gets, in the order of granting; an offer that gives nothing is not granted.
	 *
	 * @param array<int, array{line: string, product: string, variant: string|null, quantity: int, price: int}> $cart   Lines; the price is of one piece.
	 * @param array<int, array<string, mixed>>                                                                $offers Offers in the form of Offer_Terms, which hold now and are in the cart's currency.
	 * @return array<int, array{key: string, amount: int, lines: array<int, array{0: string, 1: int, 2: int}>}> Of each line: its key, how many pieces, and their part of the amount.
	 */
	public static function reckon( array $cart, array $offers ): array {
		$products = self::by_product( $cart );
		$free     = array_column( $cart, 'quantity' );
		$waiting  = array_filter(
			$offers,
			static function ( array $offer ) use ( $products ): bool {
				return ! array_diff_key( array_flip( array_column( $offer['c'], 0 ) ), $products );
			}
		);
		$grants   = array();
		while ( $waiting ) {
			$best = null;
			foreach ( $waiting as $place => $offer ) {
				$found = self::found( $offer, $products, $free );
				if ( null === $found ) {
					// Pieces are only ever used up: what is not fulfilled now never will be.
					unset( $waiting[ $place ] );
				} elseif ( null === $best || self::goes_before( $found, $best ) ) {
					$best = $found + array( 'place' => $place );
				}
			}
			if ( null === $best ) {
				break;
			}
			unset( $waiting[ $best['place'] ] );
			foreach ( $best['taken'] as list( $piece, $count ) ) {
				$free[ $piece['at'] ] -= $count;
			}
			$grants[] = self::granted( $best );
		}
		return $grants;
	}

	/**
	 * Share an amount out in whole parts that are in proportion to weights and add up to it.
	 *
	 * Every part is rounded down first; what is left goes one unit each to the parts with the largest remainders, of
	 * equal ones to those further up.
	 *
	 * @param int   $amount  Not more than the weights together.
	 * @param int[] $weights Not negative.
	 * @return int[]
	 */
	public static function share_out( int $amount, array $weights ): array {
		$total = array_sum( $weights );
		if ( $total <= 0 ) {
			return array_fill( 0, count( $weights ), 0 );
		}
		$parts = array();
		$order = array();
		foreach ( array_values( $weights ) as $place => $weight ) {
			list( $parts[ $place ], $left ) = self::part( $amount, $weight, $total );
			$order[]                        = array( -$left, $place );
		}
		sort( $order );
		foreach ( array_slice( $order, 0, $amount - array_sum( $parts ) ) as list( , $place ) ) {
			++$parts[ $place ];
		}
		return $parts;
	}

	/**
	 * What a discount takes off a total: half a unit rounds up, never more than all of it.
	 *
	 * @param int                  $total Minor units.
	 * @param array<string, mixed> $offer The offer.
	 */
	private static function discount_on( int $total, array $offer ): int {
		if ( isset( $offer['a'] ) ) {
			return min( $offer['a'], $total );
		}
		// Whole and rest apart, so that no product is larger than an integer can be.
		$whole = intdiv( $total, self::WHOLE ) * $offer['p'];
		return min( $whole + intdiv( $total % self::WHOLE * $offer['p'] + intdiv( self::WHOLE, 2 ), self::WHOLE ), $total );
	}

	/**
	 * The cart's lines by product, the dearest first.
	 *
	 * @param array<int, array<string, mixed>> $cart Lines.
	 * @return array<int|string, array<int, array<string, mixed>>>
	 */
	private static function by_product( array $cart ): array {
		foreach ( array_values( $cart ) as $at => $line ) {
			$cart[ $at ] = $line + array( 'at' => $at );
		}
		usort(
			$cart,
			static function ( array $one, array $other ): int {
				return array( $other['price'], $one['at'] ) <=> array( $one['price'], $other['at'] );
			}
		);
		$products = array();
		foreach ( $cart as $line ) {
			$products[ $line['product'] ][] = $line;
		}
		return $products;
	}

	/**
	 * An offer with the pieces that it takes and what it gives for them; null where it gives nothing.
	 *
	 * @param array<string, mixed>                                $offer    The offer.
	 * @param array<int|string, array<int, array<string, mixed>>> $products Lines by product.
	 * @param int[]                                               $free     Pieces of each line that no offer has taken.
	 * @return array{offer: array<string, mixed>, amount: int, taken: array<int, array{0: array<string, mixed>, 1: int}>}|null
	 */
	private static function found( array $offer, array $products, array $free ): ?array {
		$taken = array();
		foreach ( $offer['c'] as list( $product, $missing, $variants ) ) {
			foreach ( $products[ $product ] as $piece ) {
				if ( null !== $variants && ! in_array( $piece['variant'], $variants, true ) ) {
					continue;
				}
				$count = min( $missing, $free[ $piece['at'] ] );
				if ( $count > 0 ) {
					$taken[]  = array( $piece, $count );
					$missing -= $count;
				}
			}
			if ( $missing > 0 ) {
				return null;
			}
		}
		$worth  = array_sum( array_column( self::paying( $offer, $taken ), 2 ) );
		$amount = self::discount_on( $worth, $offer );
		return $amount > 0 ? compact( 'offer', 'amount', 'taken' ) : null;
	}

	/**
	 * Whether one find is granted before another.
	 *
	 * @param array<string, mixed> $one   What found() returned.
	 * @param array<string, mixed> $other Likewise.
	 */
	private static function goes_before( array $one, array $other ): bool {
		if ( $one['amount'] !== $other['amount'] ) {
			return $one['amount'] > $other['amount'];
		}
		return strcmp( $one['offer']['k'], $other['offer']['k'] ) < 0;
	}

	/**
	 * The taken pieces that the discount is on: their line, how many, and what they cost together.
	 *
	 * @param array<string, mixed>                                 $offer The offer.
	 * @param array<int, array{0: array<string, mixed>, 1: int}> $taken What it takes.
	 * @return array<int, array{0: string, 1: int, 2: int}>
	 */
	private static function paying( array $offer, array $taken ): array {
		$paying = array();
		foreach ( $taken as list( $piece, $count ) ) {
			if ( in_array( $piece['product'], $offer['d'], true ) ) {
				$paying[] = array( $piece['line'], $count, $piece['price'] * $count );
			}
		}
		return $paying;
	}

	/**
	 * What is granted, line by line.
	 *
	 * @param array<string, mixed> $best What found() returned.
	 * @return array{key: string, amount: int, lines: array<int, array{0: string, 1: int, 2: int}>}
	 */
	private static function granted( array $best ): array {
		$paying = self::paying( $best['offer'], $best['taken'] );
		$lines  = array();
		foreach ( self::share_out( $best['amount'], array_column( $paying, 2 ) ) as $place => $share ) {
			if ( $share > 0 ) {
				$lines[] = array( $paying[ $place ][0], $paying[ $place ][1], $share );
			}
		}
		return array(
			'key'    => $best['offer']['k'],
			'amount' => $best['amount'],
			'lines'  => $lines,
		);
	}

	/**
	 * Amount × weight ÷ total, rounded down, and the remainder.
	 *
	 * @param int $amount Not more than the total.
	 * @param int $weight Not more than the total.
	 * @param int $total  Less than 2^62.
	 * @return array{0: int, 1: int}
	 */
	private static function part( int $amount, int $weight, int $total ): array {
		if ( 0 === $weight || $amount <= intdiv( PHP_INT_MAX, $weight ) ) {
			return array( intdiv( $amount * $weight, $total ), $amount * $weight % $total );
		}
		// The product would be a float: multiply bit by bit, and divide at each step.
		$part = 0;
		$left = 0;
		for ( $bit = 62; $bit >= 0; $bit-- ) {
			$left *= 2;
			$part *= 2;
			if ( $left >= $total ) {
				$left -= $total;
				++$part;
			}
			if ( $weight >> $bit & 1 ) {
				$left += $amount;
			}
			if ( $left >= $total ) {
				$left -= $total;
				++$part;
			}
		}
		return array( $part, $left );
	}
}
