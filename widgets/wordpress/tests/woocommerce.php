<?php
/**
 * The functions of WooCommerce that the plugin calls, as far as it depends on them.
 *
 * @package Pannier
 */

namespace Automattic\WooCommerce\Utilities {

	/** What plugins declare. */
	class FeaturesUtil {

		public static function declare_compatibility( $feature, $file, $compatible ) {
			\World::$now->compatible[ $feature ] = $compatible && \PANNIER_FILE === $file;
		}
	}
}

namespace {

	/** WooCommerce itself. */
	class WooCommerce {

		/** @var WC_Cart|null */
		public $cart;
	}

	/** The cart. */
	class WC_Cart {

		/** @var array<string, array<string, mixed>> */
		private $lines;

		public function __construct( int ...$product_ids ) {
			foreach ( $product_ids as $place => $id ) {
				$this->lines[ 'line' . $place ] = array(
					'product_id'   => $id,
					'variation_id' => 0,
				);
			}
		}

		public function get_cart() {
			return $this->lines ?? array();
		}
	}

	/** A product. */
	class WC_Product {

		/** @var int */
		private $id;
		/** @var array<string, mixed> */
		private $fields;

		public function __construct( int $id, array $fields ) {
			$this->id     = $id;
			$this->fields = $fields + array(
				'type'        => 'simple',
				'status'      => 'publish',
				'name'        => 'Mug',
				'price'       => '8.5',
				'image'       => 0,
				'purchasable' => true,
				'in_stock'    => true,
			);
		}

		public function get_id() {
			return $this->id;
		}

		public function get_status() {
			return $this->fields['status'];
		}

		public function get_name() {
			return $this->fields['name'];
		}

		public function get_price() {
			return $this->fields['price'];
		}

		public function get_image_id() {
			return $this->fields['image'];
		}

		public function is_type( $type ) {
			return $type === $this->fields['type'];
		}

		public function is_purchasable() {
			return $this->fields['purchasable'];
		}

		public function is_in_stock() {
			return $this->fields['in_stock'];
		}
	}

	function WC() {
		$shop       = new WooCommerce();
		$shop->cart = World::$now->cart;
		return $shop;
	}

	function is_product() {
		return 'product' === World::$now->page;
	}

	function is_cart() {
		return 'cart' === World::$now->page;
	}

	function is_checkout() {
		return 'checkout' === World::$now->page;
	}

	function wc_get_product( $id ) {
		return World::$now->products[ $id ] ?? false;
	}

	function wc_get_price_to_display( $product ) {
		// A shop that shows prices with 19 % tax.
		return (float) $product->get_price() * 1.19;
	}

	function get_woocommerce_currency() {
		return World::$now->currency;
	}

	function wc_get_cart_url() {
		return 'https://shop.example/cart/';
	}
}
