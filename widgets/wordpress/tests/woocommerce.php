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

namespace Pannier {

	/** The plugin's question whether there is a WP Consent API: tests run in one process, and differ in this. */
	function function_exists( $name ) {
		return 'wp_has_consent' === $name ? null !== \World::$now->consent : \function_exists( $name );
	}

	/** The plugin's clock. */
	function time() {
		return \World::$now->time ?? \time();
	}
}

namespace {

	/** The WP Consent API. */
	function wp_has_consent( $category ) {
		return 'statistics' === $category && World::$now->consent;
	}

	/** WooCommerce itself. */
	class WooCommerce {

		/** @var WC_Cart|null */
		public $cart;
		/** @var WC_Session|null */
		public $session;
	}

	/** The session of a shopper. */
	class WC_Session {

		/** @var int|string */
		private $key;
		/** @var array<string, mixed> */
		private $data = array();

		public function __construct( $key ) {
			$this->key = $key;
		}

		public function get_customer_id() {
			return $this->key;
		}

		public function get( $name, $fallback = null ) {
			return $this->data[ $name ] ?? $fallback;
		}

		public function set( $name, $value ) {
			$this->data[ $name ] = $value;
		}
	}

	/** An order. */
	class WC_Order {

		/** @var array<string, mixed> */
		public $meta = array();
		/** @var int How often it was saved. */
		public $saved = 0;

		public function get_meta( $key ) {
			return $this->meta[ $key ] ?? '';
		}

		public function update_meta_data( $key, $value ) {
			$this->meta[ $key ] = $value;
		}

		public function save() {
			++$this->saved;
		}

		/** @var WC_Order_Item[] */
		public $items = array();

		public function get_items() {
			return $this->items;
		}
	}

	/** A line of an order. */
	class WC_Order_Item {

		/** @var array<string, mixed> */
		public $meta = array();

		public function get_meta( $key ) {
			return $this->meta[ $key ] ?? '';
		}

		public function add_meta_data( $key, $value, $unique ) {
			$this->meta[ $key ] = $value;
		}
	}

	/** A webhook. */
	class WC_Webhook {

		/** @var string */
		private $address;
		/** @var string */
		private $secret;
		/** @var string */
		public $status;

		public function __construct( string $address, string $secret, string $status = 'active' ) {
			$this->address = $address;
			$this->secret  = $secret;
			$this->status  = $status;
		}

		public function get_delivery_url() {
			return $this->address;
		}

		public function get_secret() {
			return $this->secret;
		}
	}

	/** Where webhooks are kept. */
	class WC_Data_Store {

		public static function load( $kind ) {
			return 'webhook' === $kind ? new self() : null;
		}

		public function get_webhooks_ids( $status ) {
			$found = array();
			foreach ( World::$now->webhooks as $id => $webhook ) {
				if ( $status === $webhook->status ) {
					$found[] = $id;
				}
			}
			return $found;
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

		public function get_price( $context = 'view' ) {
			return 'view' === $context ? apply_filters( 'woocommerce_product_get_price', $this->fields['price'], $this ) : $this->fields['price'];
		}

		public function set_price( $price ) {
			$this->fields['price'] = $price;
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
		$shop          = new WooCommerce();
		$shop->cart    = World::$now->cart;
		$shop->session = World::$now->session;
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

	function wc_get_webhook( $id ) {
		return World::$now->webhooks[ $id ] ?? null;
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
