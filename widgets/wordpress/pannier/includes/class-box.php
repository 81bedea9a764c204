<?php
/**
 * The widget's element.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Writes `<pannier-bundle>`; it takes no room until the widget has something to show. */
final class Box {

	private const MOST_IN_CART = 100;

	/**
	 * Loads the script that brings the element to life.
	 *
	 * @var Widget
	 */
	private $widget;

	/**
	 * Slots of which a box stands on this page already.
	 *
	 * @var array<string, true>
	 */
	private $drawn = array();

	/**
	 * Take the widget.
	 *
	 * @param Widget $widget Loads the script.
	 */
	public function __construct( Widget $widget ) {
		$this->widget = $widget;
	}

	/**
	 * Whether a box of this slot stands on the page already.
	 *
	 * @param string $slot `product` or `cart`.
	 */
	public function is_drawn( string $slot ): bool {
		return isset( $this->drawn[ $slot ] );
	}

	/**
	 * The box of a slot as HTML; empty where there is nothing to ask for or nobody to ask.
	 *
	 * @param string               $slot    `product` or `cart`.
	 * @param array<string, mixed> $wishes  `product_id`, `limit` and `heading`, each optional.
	 */
	public function html( string $slot, array $wishes = array() ): string {
		$attributes = 'cart' === $slot ? self::of_cart() : self::of_product( (int) ( $wishes['product_id'] ?? 0 ) );
		if ( ! $attributes || is_feed() || ! $this->widget->load() ) {
			return '';
		}
		$this->drawn[ $slot ] = true;
		return self::element( $attributes + self::looks( $wishes ) );
	}

	/**
	 * What the widget has to know of a product.
	 *
	 * @param int $product_id Number of the product; 0 for the page's own.
	 * @return array<string, string> Empty where there is no such product for everybody to see.
	 */
	private static function of_product( int $product_id ): array {
		$product_id = $product_id > 0 ? $product_id : self::product_of_page();
		$product    = $product_id > 0 ? wc_get_product( $product_id ) : null;
		if ( ! $product instanceof \WC_Product || 'publish' !== $product->get_status() ) {
			return array();
		}
		$currency   = get_woocommerce_currency();
		$attributes = array(
			'product-id'    => (string) $product->get_id(),
			'product-title' => wp_strip_all_tags( $product->get_name() ),
			'product-image' => (string) wp_get_attachment_image_url( (int) $product->get_image_id(), 'woocommerce_thumbnail' ),
			'currency'      => $currency,
		);
		if ( $product->is_type( 'variable' ) ) {
			// The shop's script tells which variation is chosen, and needs to know what a minor unit is.
			return $attributes + array( 'data-decimals' => (string) Money::decimals( $currency ) );
		}
		if ( $product->is_type( 'simple' ) && $product->is_purchasable() && $product->is_in_stock() ) {
			$attributes['variant-id'] = $attributes['product-id'];
		}
		if ( is_numeric( $product->get_price() ) ) {
			$attributes['product-price'] = (string) Money::minor_units( (float) wc_get_price_to_display( $product ), $currency );
		}
		return $attributes;
	}

	/**
	 * What the widget has to know of the cart: the product that was added last, and what else is in it.
	 *
	 * @return array<string, string> Empty where the cart is.
	 */
	private static function of_cart(): array {
		$cart  = WC()->cart ?? null;
		$lines = $cart instanceof \WC_Cart ? $cart->get_cart() : array();
		$ids   = array_values( array_unique( array_map( 'intval', array_column( $lines, 'product_id' ) ) ) );
		$ids   = array_slice( $ids, -self::MOST_IN_CART );
		if ( ! $ids ) {
			return array();
		}
		return array(
			'product-id' => (string) end( $ids ),
			'cart'       => implode( ',', $ids ),
		);
	}

	/** The number of the product that this page, or this turn of a loop, is about; 0 for none. */
	private static function product_of_page(): int {
		global $product;
		if ( $product instanceof \WC_Product ) {
			return $product->get_id();
		}
		$id = (int) get_the_ID();
		return 'product' === get_post_type( $id ) ? $id : 0;
	}

	/**
	 * How the box is to look.
	 *
	 * @param array<string, mixed> $wishes `limit` and `heading`, each optional.
	 * @return array<string, string>
	 */
	private static function looks( array $wishes ): array {
		$limit   = (int) ( $wishes['limit'] ?? 0 );
		$heading = sanitize_text_field( (string) ( $wishes['heading'] ?? '' ) );
		return array(
			'limit'   => $limit > 0 ? (string) min( $limit, 10 ) : '',
			'heading' => $heading,
		);
	}

	/**
	 * The element with its attributes; empty ones are left out.
	 *
	 * @param array<string, string> $attributes Values by name.
	 */
	private static function element( array $attributes ): string {
		$html = '<pannier-bundle';
		foreach ( $attributes as $name => $value ) {
			if ( '' !== $value ) {
				$html .= sprintf( ' %s="%s"', $name, esc_attr( $value ) );
			}
		}
		return $html . '></pannier-bundle>';
	}
}
