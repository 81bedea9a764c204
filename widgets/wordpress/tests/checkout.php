<?php
/**
 * WooCommerce's cart and coupons, as far as offers and quotes depend on them. What is reckoned here is reckoned in the
 * order and with the rounding of WC_Cart_Totals and WC_Discounts of WooCommerce 10.5; taxes are left out.
 *
 * @package Pannier
 */

/** The cart. */
class WC_Cart {

	/** @var array<string, array<string, mixed>> */
	public $cart_contents = array();
	/** @var string[] */
	public $applied_coupons = array();
	/** @var array<string, float> What each coupon has taken off, in the main unit. */
	public $coupon_discount_totals = array();
	/** @var array<string, array<string, float>> What each coupon has taken off each line, in the main unit. */
	public $parts = array();
	/** @var float */
	public $total = 0.0;
	/** @var int How often the cart was added up. */
	public $calculated = 0;

	/** A cart of one piece of each of these products. */
	public function __construct( int ...$product_ids ) {
		foreach ( $product_ids as $place => $id ) {
			$this->put( 'line' . $place, $id, 0, 1, array() );
		}
	}

	public function get_cart() {
		return $this->cart_contents;
	}

	public function add_to_cart( $product_id, $quantity = 1, $variation_id = 0, $variation = array(), $cart_item_data = array() ) {
		$data = (array) apply_filters( 'woocommerce_add_cart_item_data', $cart_item_data, $product_id, $variation_id, $quantity );
		$key  = md5( $product_id . '_' . $variation_id . '_' . http_build_query( $data ) );
		if ( isset( $this->cart_contents[ $key ] ) ) {
			$quantity += $this->cart_contents[ $key ]['quantity'];
		}
		$this->put( $key, $product_id, $variation_id, $quantity, $data );
		$this->calculate_totals();
		return $key;
	}

	private function put( string $key, int $product_id, int $variation_id, $quantity, array $data ): void {
		$product = wc_get_product( $variation_id ? $variation_id : $product_id );
		// Each line has a product of its own.
		$this->cart_contents[ $key ] = $data + compact( 'key', 'product_id', 'variation_id', 'quantity' ) + array( 'data' => $product ? clone $product : null );
	}

	public function set_quantity( $key, $quantity ) {
		$this->cart_contents[ $key ]['quantity'] = $quantity;
		$this->calculate_totals();
	}

	public function remove_cart_item( $key ) {
		unset( $this->cart_contents[ $key ] );
		$this->calculate_totals();
	}

	public function get_applied_coupons() {
		return $this->applied_coupons;
	}

	public function set_applied_coupons( $value = array() ) {
		$this->applied_coupons = (array) $value;
	}

	/** As in WooCommerce: the new coupon first throws out the others where it is for use alone, and stays out where one of them is. */
	public function apply_coupon( $code ) {
		if ( ! wc_coupons_enabled() ) {
			return false;
		}
		$coupon = new WC_Coupon( $code );
		if ( true !== ( new WC_Discounts( $this ) )->is_coupon_valid( $coupon ) ) {
			return false;
		}
		if ( in_array( $code, $this->applied_coupons, true ) ) {
			return false;
		}
		if ( $coupon->get_individual_use() ) {
			foreach ( $this->applied_coupons as $other ) {
				$this->remove_coupon( $other );
			}
		}
		foreach ( $this->applied_coupons as $other ) {
			if ( ( new WC_Coupon( $other ) )->get_individual_use() ) {
				return false;
			}
		}
		$this->applied_coupons[] = $code;
		$this->calculate_totals();
		return true;
	}

	/** As in WooCommerce, which adds the cart up after each coupon that goes. */
	public function remove_coupon( $code ) {
		$this->applied_coupons = array_diff( $this->applied_coupons, array( $code ) );
		$this->calculate_totals();
	}

	public function calculate_totals() {
		++$this->calculated;
		$this->coupon_discount_totals = array();
		$this->parts                  = array();
		$this->total                  = 0.0;
		if ( ! $this->cart_contents ) {
			return;
		}
		do_action( 'woocommerce_before_calculate_totals', $this );
		$coupons = array();
		foreach ( $this->applied_coupons as $code ) {
			$coupon       = new WC_Coupon( $code );
			$coupon->sort = array( 'fixed_product' => 1, 'percent' => 2, 'fixed_cart' => 3 )[ $coupon->get_discount_type() ] ?? 0;
			$coupon->sort = apply_filters( 'woocommerce_coupon_sort', $coupon->sort, $coupon );
			$coupons[]    = $coupon;
		}
		usort(
			$coupons,
			static function ( $one, $other ) {
				return $one->sort <=> $other->sort;
			}
		);
		$discounts = new WC_Discounts( $this );
		foreach ( $discounts->items as $item ) {
			$item->price *= World::$now->abroad;
		}
		foreach ( $coupons as $coupon ) {
			$discounts->apply_coupon( $coupon );
		}
		foreach ( $discounts->discounts as $code => $parts ) {
			$this->parts[ $code ]                  = array_map( 'wc_remove_number_precision', array_filter( $parts ) );
			$this->coupon_discount_totals[ $code ] = wc_remove_number_precision( array_sum( $parts ) );
		}
		foreach ( $discounts->items as $item ) {
			$this->total += wc_remove_number_precision( $item->price - $discounts->taken_off( $item->key ) );
		}
		do_action( 'woocommerce_after_calculate_totals', $this );
	}
}

/** A coupon: virtual where a plugin describes it, or one of the merchant's. */
class WC_Coupon {

	const E_WC_COUPON_INVALID_FILTERED = 100;
	const E_WC_COUPON_INVALID_REMOVED  = 101;

	/** @var int */
	public $sort = 0;
	/** @var string */
	private $code;
	/** @var array<string, mixed>|null */
	private $data;

	public function __construct( $code ) {
		$this->code = strtolower( $code );
		$data       = apply_filters( 'woocommerce_get_shop_coupon_data', false, $code, $this );
		$this->data = $data ? $data : World::$now->coupons[ $this->code ] ?? null;
		if ( $data && ! in_array( $data['discount_type'], array( 'fixed_cart', 'fixed_product', 'percent' ), true ) ) {
			throw new InvalidArgumentException( 'Invalid discount type.' );
		}
	}

	public function exists() {
		return null !== $this->data;
	}

	public function get_code() {
		return $this->code;
	}

	public function get_discount_type() {
		return $this->data['discount_type'] ?? 'fixed_cart';
	}

	public function get_amount() {
		return $this->data['amount'] ?? 0;
	}

	public function get_individual_use() {
		return $this->data['individual_use'] ?? false;
	}
}

/** What coupons take off, in steps of the smallest displayed unit. */
class WC_Discounts {

	/** @var array<string, stdClass> */
	public $items = array();
	/** @var array<string, array<string, float>> */
	public $discounts = array();
	/** @var mixed */
	private $object;

	public function __construct( $object ) {
		$this->object = $object;
		if ( ! $object instanceof WC_Cart ) {
			return;
		}
		foreach ( $object->get_cart() as $key => $line ) {
			$this->items[ $key ] = (object) array(
				'key'      => $key,
				'object'   => $line,
				'quantity' => $line['quantity'],
				'price'    => wc_add_number_precision( (float) $line['data']->get_price() * (float) $line['quantity'] ),
			);
		}
		uasort(
			$this->items,
			static function ( $one, $other ) {
				return $other->price * $other->quantity <=> $one->price * $one->quantity;
			}
		);
	}

	public function get_object() {
		return $this->object;
	}

	public function get_items() {
		return $this->items;
	}

	/** What all coupons so far have taken off a line. */
	public function taken_off( string $key ): float {
		return array_sum( array_column( $this->discounts, $key ) );
	}

	private function left( stdClass $item ): float {
		return abs( round( $item->price - $this->taken_off( $item->key ) ) );
	}

	/** True, or an error with the message that plugins made of it. */
	public function is_coupon_valid( $coupon ) {
		$valid = $coupon->exists() && apply_filters( 'woocommerce_coupon_is_valid', true, $coupon, $this );
		return $valid ? true : new WP_Error( 'invalid_coupon', apply_filters( 'woocommerce_coupon_error', 'Coupon is not valid.', 100, $coupon ) );
	}

	public function apply_coupon( $coupon, $validate = true ) {
		if ( $validate && true !== $this->is_coupon_valid( $coupon ) ) {
			return;
		}
		$code  = $coupon->get_code();
		$items = array();
		foreach ( $this->items as $key => $item ) {
			$this->discounts[ $code ][ $key ] = 0;
			if ( $this->left( $item ) > 0 && $item->quantity > 0 ) {
				$items[] = $item;
			}
		}
		if ( 'percent' === $coupon->get_discount_type() ) {
			foreach ( $items as $item ) {
				$discount                               = floor( round( $item->price ) * $coupon->get_amount() / 100 );
				$this->discounts[ $code ][ $item->key ] += min( $this->left( $item ), $this->filtered( $discount, $item, $coupon ) );
			}
		} else {
			$this->apply_fixed( $coupon, $items, wc_add_number_precision( $coupon->get_amount() ) );
		}
	}

	/** A fixed amount, spread over pieces; with the amount 0 it still passes the filters. */
	private function apply_fixed( WC_Coupon $coupon, array $items, float $amount ): void {
		$pieces = array_sum( array_column( $items, 'quantity' ) );
		foreach ( $items as $item ) {
			$discount = floor( $amount / $pieces ) * $item->quantity;
			$this->discounts[ $coupon->get_code() ][ $item->key ] += min( $this->left( $item ), $this->filtered( $discount, $item, $coupon ) );
		}
	}

	private function filtered( float $discount, stdClass $item, WC_Coupon $coupon ): float {
		if ( ! $this->object instanceof WC_Cart || ! has_filter( 'woocommerce_coupon_get_discount_amount' ) ) {
			return $discount;
		}
		return wc_add_number_precision( apply_filters( 'woocommerce_coupon_get_discount_amount', wc_remove_number_precision( $discount ), wc_remove_number_precision( $item->price ), $item->object, false, $coupon ) );
	}
}

function wc_add_number_precision( $value ) {
	return round( $value * 10 ** World::$now->decimals, 6 - World::$now->decimals );
}

function wc_remove_number_precision( $value ) {
	return $value / 10 ** World::$now->decimals;
}

function wc_coupons_enabled() {
	return World::$now->takes_coupons;
}

function wc_get_coupon_id_by_code( $code ) {
	return isset( World::$now->coupons[ strtolower( $code ) ] ) ? 77 : 0;
}

function wc_print_notice( $message, $kind ) {
	World::$now->notices[] = array( $message, $kind );
}

function woocommerce_store_api_register_endpoint_data( $extension ) {
	World::$now->extensions[ $extension['endpoint'] . '/' . $extension['namespace'] ] = $extension;
}
