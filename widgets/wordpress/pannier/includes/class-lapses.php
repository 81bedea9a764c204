<?php
/**
 * What a cart has lost without its shopper doing anything.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Tells shoppers once when a price or an offer has ended while it was in their cart: nobody pays more than was on the
 * screen without having been told.
 */
final class Lapses {

	private const KEY = 'pannier_lapses';

	/** Register the hooks of cart and checkout, classic and block. */
	public function hook(): void {
		add_action( 'woocommerce_before_cart', array( $this, 'tell_on_page' ), 5 );
		add_action( 'woocommerce_before_checkout_form', array( $this, 'tell_on_page' ), 5 );
		add_action( 'woocommerce_after_checkout_validation', array( $this, 'tell_in_errors' ), 10, 2 );
		add_action( 'woocommerce_store_api_cart_errors', array( $this, 'tell_in_cart_errors' ) );
	}

	/**
	 * Remember that something has ended.
	 *
	 * @param string $sentence What to tell the shopper.
	 */
	public function remember( string $sentence ): void {
		$session = WC()->session;
		if ( $session ) {
			$session->set( self::KEY, array_values( array_unique( array_merge( $this->remembered(), array( $sentence ) ) ) ) );
		}
	}

	/** Tell it above the classic cart or checkout, which already shows the new prices. */
	public function tell_on_page(): void {
		foreach ( $this->told() as $sentence ) {
			wc_print_notice( esc_html( $sentence ), 'notice' );
		}
	}

	/**
	 * Hold the order of the classic checkout up once, so that the shopper sees the new total.
	 *
	 * @param mixed $posted What was filled in.
	 * @param mixed $errors Where errors are collected.
	 */
	public function tell_in_errors( $posted, $errors ): void {
		if ( ! $errors instanceof \WP_Error ) {
			return;
		}
		foreach ( $this->told() as $sentence ) {
			$errors->add( 'pannier_ended', esc_html( $sentence ) );
		}
	}

	/**
	 * The same in the block cart and checkout.
	 *
	 * @param mixed $errors Where errors are collected.
	 */
	public function tell_in_cart_errors( $errors ): void {
		$this->tell_in_errors( null, $errors );
	}

	/**
	 * What is to be told, which is forgotten with that.
	 *
	 * @return string[]
	 */
	private function told(): array {
		$sentences = $this->remembered();
		if ( $sentences ) {
			WC()->session->set( self::KEY, null );
		}
		return $sentences;
	}

	/**
	 * What is to be told.
	 *
	 * @return string[]
	 */
	private function remembered(): array {
		$session = WC()->session;
		return $session ? array_filter( (array) $session->get( self::KEY, array() ), 'is_string' ) : array();
	}
}
