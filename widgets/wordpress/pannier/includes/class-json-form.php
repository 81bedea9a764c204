<?php
/**
 * The form of JSON that came from outside.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Questions to decoded JSON. */
final class Json_Form {

	/**
	 * Whether this is an object with exactly these fields: a field that is not understood may be a condition.
	 *
	 * @param mixed    $value  Decoded JSON.
	 * @param string[] $fields Names of fields.
	 */
	public static function has_fields( $value, array $fields ): bool {
		return is_array( $value ) && count( $value ) === count( $fields ) && ! array_diff_key( array_flip( $fields ), $value );
	}

	/**
	 * Whether this is a list of no more than so many.
	 *
	 * @param mixed $value Decoded JSON.
	 * @param int   $most  How many there may be.
	 */
	public static function is_list( $value, int $most ): bool {
		return is_array( $value ) && count( $value ) <= $most && array_values( $value ) === $value;
	}

	/**
	 * Whether this is text of a form.
	 *
	 * @param mixed  $value Decoded JSON.
	 * @param string $form  Regular expression.
	 */
	public static function matches( $value, string $form ): bool {
		return is_string( $value ) && 1 === preg_match( $form, $value );
	}

	/**
	 * Whether this is a whole number from 1.
	 *
	 * @param mixed $value Decoded JSON.
	 * @param int   $most  How large it may be.
	 */
	public static function is_whole( $value, int $most ): bool {
		return is_int( $value ) && $value >= 1 && $value <= $most;
	}
}
