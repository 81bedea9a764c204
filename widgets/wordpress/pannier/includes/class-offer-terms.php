<?php
/**
 * What an offer must look like.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Checks every field of an offer. An offer has: k key, t title, c components (product number, quantity, variation
 * numbers or null), d discounted products, p hundredths of a percent or a minor units, u currency, s start and e end in
 * seconds since 1970, the end null or exclusive.
 */
final class Offer_Terms {

	private const FIELDS        = array( 'k', 't', 'c', 'd', 'u', 's', 'e' );
	private const MOST_PARTS    = 4;
	private const MOST_PIECES   = 1000;
	private const MOST_VARIANTS = 1000;
	private const MOST_AMOUNT   = 1000000000000;
	private const LONGEST_TITLE = 1000;

	/**
	 * Whether this is an offer.
	 *
	 * @param mixed $offer Decoded JSON.
	 */
	public static function are( $offer ): bool {
		return is_array( $offer ) && self::has_fields( $offer ) && self::has_words( $offer ) && self::has_times( $offer )
			&& self::has_components( $offer['c'] ) && self::has_discounted( $offer ) && self::has_discount( $offer );
	}

	/**
	 * Whether there are the fields of an offer, one of both kinds of discount, and no others.
	 *
	 * @param array<mixed> $offer Decoded JSON.
	 */
	private static function has_fields( array $offer ): bool {
		return Json_Form::has_fields( $offer, array_merge( self::FIELDS, array( 'p' ) ) ) || Json_Form::has_fields( $offer, array_merge( self::FIELDS, array( 'a' ) ) );
	}

	/**
	 * Whether key, title and currency are such.
	 *
	 * @param array<mixed> $offer Decoded JSON with its fields.
	 */
	private static function has_words( array $offer ): bool {
		return Json_Form::matches( $offer['k'], '/\A[A-Za-z0-9_-]{1,64}\z/' )
			&& is_string( $offer['t'] ) && '' !== $offer['t'] && strlen( $offer['t'] ) <= self::LONGEST_TITLE
			&& Json_Form::matches( $offer['u'], '/\A[A-Z]{3}\z/' );
	}

	/**
	 * Whether start and end are such.
	 *
	 * @param array<mixed> $offer Decoded JSON with its fields.
	 */
	private static function has_times( array $offer ): bool {
		return is_int( $offer['s'] ) && $offer['s'] >= 0 && ( null === $offer['e'] || is_int( $offer['e'] ) );
	}

	/**
	 * Whether these are two to four different products.
	 *
	 * @param mixed $components Decoded JSON.
	 */
	private static function has_components( $components ): bool {
		if ( ! Json_Form::is_list( $components, self::MOST_PARTS ) || count( $components ) < 2 ) {
			return false;
		}
		$products = array();
		foreach ( $components as $component ) {
			if ( ! Json_Form::is_list( $component, 3 ) || 3 !== count( $component ) ) {
				return false;
			}
			list( $product, $quantity, $variants ) = $component;
			if ( ! self::is_number( $product ) || isset( $products[ $product ] ) || ! Json_Form::is_whole( $quantity, self::MOST_PIECES ) ) {
				return false;
			}
			if ( null !== $variants && ! self::is_list_of_numbers( $variants, self::MOST_VARIANTS ) ) {
				return false;
			}
			$products[ $product ] = true;
		}
		return true;
	}

	/**
	 * Whether the discounted products are some of the components, each once.
	 *
	 * @param array<mixed> $offer Decoded JSON with sound components.
	 */
	private static function has_discounted( array $offer ): bool {
		$discounted = $offer['d'];
		return self::is_list_of_numbers( $discounted, self::MOST_PARTS ) && $discounted
			&& count( array_unique( $discounted ) ) === count( $discounted )
			&& ! array_diff( $discounted, array_column( $offer['c'], 0 ) );
	}

	/**
	 * Whether the discount lies in its range.
	 *
	 * @param array<mixed> $offer Decoded JSON with one of both.
	 */
	private static function has_discount( array $offer ): bool {
		return isset( $offer['p'] )
			? Json_Form::is_whole( $offer['p'], Reckoning::WHOLE )
			: isset( $offer['a'] ) && Json_Form::is_whole( $offer['a'], self::MOST_AMOUNT );
	}

	/**
	 * Whether this is a list of numbers of products or variations.
	 *
	 * @param mixed $value Decoded JSON.
	 * @param int   $most  How many there may be.
	 */
	private static function is_list_of_numbers( $value, int $most ): bool {
		return Json_Form::is_list( $value, $most ) && count( array_filter( $value, array( self::class, 'is_number' ) ) ) === count( $value );
	}

	/**
	 * Whether this is the number of a product or variation, as text.
	 *
	 * @param mixed $value Decoded JSON.
	 */
	private static function is_number( $value ): bool {
		return Json_Form::matches( $value, '/\A[1-9][0-9]{0,18}\z/' );
	}
}
