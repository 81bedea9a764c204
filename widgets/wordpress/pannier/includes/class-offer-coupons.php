<?php
/**
 * Offers in the cart.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Grants each offer that the cart fulfils by a coupon of its own, which exists only in this cart: no row in the shop, no
 * code to be passed on, and a clean record in the order.
 *
 * To WooCommerce it is a discount on the cart of amount 0 whose part of each line comes from a filter: WooCommerce sends
 * such a coupon through its filters (WC_Discounts::apply_coupon_fixed_cart), caps what comes back at what is left of the
 * line, and can add an order up again when this plugin is gone, which a type of our own would prevent.
 */
final class Offer_Coupons {

	/**
	 * Whether the shop is connected.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * The offers.
	 *
	 * @var Offer_Book
	 */
	private $book;

	/**
	 * What to tell the shopper.
	 *
	 * @var Lapses
	 */
	private $lapses;

	/**
	 * Code of the coupon that was confirmed last.
	 *
	 * @var string
	 */
	private $confirmed = '';

	/**
	 * What it takes off each line, in minor units.
	 *
	 * @var array<string, int>
	 */
	private $parts = array();

	/**
	 * Take the offers.
	 *
	 * @param Settings   $settings Whether the shop is connected.
	 * @param Offer_Book $book     The offers.
	 * @param Lapses     $lapses   What to tell the shopper.
	 */
	public function __construct( Settings $settings, Offer_Book $book, Lapses $lapses ) {
		$this->settings = $settings;
		$this->book     = $book;
		$this->lapses   = $lapses;
	}

	/** Register the hooks. Prices are made before: by Quoted_Prices, and by other plugins. */
	public function hook(): void {
		add_filter( 'woocommerce_get_shop_coupon_data', array( $this, 'describe' ), 10, 2 );
		add_action( 'woocommerce_before_calculate_totals', array( $this, 'apply' ), 1000 );
		add_filter( 'woocommerce_coupon_sort', array( $this, 'put_first' ), 10, 2 );
		add_filter( 'woocommerce_coupon_is_valid', array( $this, 'confirm' ), 1000, 3 );
		add_filter( 'woocommerce_coupon_get_discount_amount', array( $this, 'part' ), 1000, 5 );
	}

	/**
	 * Describe an offer's coupon to WooCommerce.
	 *
	 * @param mixed $data What another plugin knows of the coupon.
	 * @param mixed $code Its code.
	 * @return mixed
	 */
	public function describe( $data, $code ) {
		if ( $data || ! is_string( $code ) || null === $this->book->find( $code ) ) {
			return $data;
		}
		return array(
			'discount_type' => 'fixed_cart',
			'amount'        => 0,
		);
	}

	/**
	 * Give the cart the coupons of exactly those offers that it fulfils.
	 *
	 * Only the list of coupons is changed, just before WooCommerce reads it: nothing is added up a second time.
	 *
	 * @param mixed $cart The cart.
	 */
	public function apply( $cart ): void {
		if ( ! $cart instanceof \WC_Cart ) {
			return;
		}
		$applied = $cart->get_applied_coupons();
		$ours    = array_values( array_filter( $applied, array( $this, 'is_ours' ) ) );
		$others  = array_values( array_diff( $applied, $ours ) );
		$offers  = $this->offers();
		$wanted  = $this->fulfilled( $cart, $offers, $others );
		$this->remember_ended( $ours, $offers );
		if ( array_diff( $ours, $wanted ) || array_diff( $wanted, $ours ) ) {
			$cart->set_applied_coupons( array_merge( $others, $wanted ) );
		}
	}

	/**
	 * Let offers be taken off before other coupons.
	 *
	 * @param mixed $place  Where WooCommerce would put the coupon.
	 * @param mixed $coupon The coupon.
	 * @return mixed
	 */
	public function put_first( $place, $coupon ) {
		return $this->is_of_offer( $coupon ) ? 0 : $place;
	}

	/**
	 * Whether a coupon of ours counts for the cart, as its lines and prices are at this moment.
	 *
	 * @param mixed $valid     What others say.
	 * @param mixed $coupon    The coupon.
	 * @param mixed $discounts What WooCommerce reckons with; its prices are those of the customer's country.
	 * @return mixed
	 */
	public function confirm( $valid, $coupon, $discounts = null ) {
		if ( ! $this->is_of_offer( $coupon ) ) {
			return $valid;
		}
		$this->confirmed = $coupon->get_code();
		$this->parts     = $valid && $discounts instanceof \WC_Discounts ? $this->parts_of( $coupon->get_code(), $discounts ) : array();
		return array() !== $this->parts;
	}

	/**
	 * What the coupon that was just confirmed takes off a line.
	 *
	 * @param mixed $amount Amount so far, in the currency's main unit.
	 * @param mixed $price  Price of the line.
	 * @param mixed $line   The cart line.
	 * @param mixed $single Whether a single piece is meant.
	 * @param mixed $coupon The coupon.
	 * @return mixed
	 */
	public function part( $amount, $price, $line, $single, $coupon ) {
		if ( ! $this->is_of_offer( $coupon ) ) {
			return $amount;
		}
		$key  = is_array( $line ) && ! $single ? (string) ( $line['key'] ?? '' ) : '';
		$part = $coupon->get_code() === $this->confirmed ? $this->parts[ $key ] ?? 0 : 0;
		return (float) Money::main_units( $part, get_woocommerce_currency() );
	}

	/**
	 * Whether a coupon of the cart is one of ours, of an offer of today or of yesterday.
	 *
	 * @param mixed $code Code of a coupon.
	 */
	public function is_ours( $code ): bool {
		return null !== $this->book->find( (string) $code ) || ( 0 === strpos( (string) $code, Offer_Book::PREFIX ) && ! wc_get_coupon_id_by_code( (string) $code ) );
	}

	/**
	 * The offers that hold now; none where the shop takes no coupons.
	 *
	 * @return array<int, array<string, mixed>>
	 */
	private function offers(): array {
		return $this->settings->is_connected() && wc_coupons_enabled() ? $this->book->current( get_woocommerce_currency(), time() ) : array();
	}

	/**
	 * The codes of the offers that the cart fulfils.
	 *
	 * @param \WC_Cart                         $cart   The cart.
	 * @param array<int, array<string, mixed>> $offers The offers that hold now.
	 * @param string[]                         $others Codes of the merchant's coupons in the cart.
	 * @return string[]
	 */
	private function fulfilled( \WC_Cart $cart, array $offers, array $others ): array {
		if ( ! $offers ) {
			return array();
		}
		$price = static function ( string $key, array $line ): float {
			return (float) $line['data']->get_price();
		};
		$codes = array();
		foreach ( Reckoning::reckon( self::lines( $cart, $price ), $offers ) as $grant ) {
			$codes[] = Offer_Book::code( $grant['key'] );
		}
		return array_values( array_filter( $codes, $this->allowed_beside( $others ) ) );
	}

	/**
	 * The question whether a coupon of ours may stand beside the merchant's: some are for use alone.
	 *
	 * @param string[] $others Codes of the merchant's coupons in the cart.
	 */
	private function allowed_beside( array $others ): callable {
		$alone = array();
		foreach ( $others as $code ) {
			$coupon = new \WC_Coupon( $code );
			if ( $coupon->get_individual_use() ) {
				$alone[] = $coupon;
			}
		}
		return static function ( string $code ) use ( $alone, $others ): bool {
			foreach ( $alone as $coupon ) {
				// What WooCommerce asks when a shopper enters a code.
				if ( ! apply_filters( 'woocommerce_apply_with_individual_use_coupon', false, new \WC_Coupon( $code ), $coupon, $others ) ) {
					return false;
				}
			}
			return true;
		};
	}

	/**
	 * Remember what to tell the shopper of offers that have ended in this cart.
	 *
	 * @param string[]                         $ours   Codes of our coupons in the cart.
	 * @param array<int, array<string, mixed>> $offers The offers that hold now.
	 */
	private function remember_ended( array $ours, array $offers ): void {
		$current = array_map( array( Offer_Book::class, 'code' ), array_column( $offers, 'k' ) );
		if ( array_diff( $ours, $current ) ) {
			$this->lapses->remember( __( 'An offer has ended, and its discount is no longer part of your total.', 'pannier' ) );
		}
	}

	/**
	 * What a coupon takes off each line, of the offers that are in the cart.
	 *
	 * @param string        $code      Code of the coupon.
	 * @param \WC_Discounts $discounts What WooCommerce reckons with.
	 * @return array<string, int> Minor units by the line's key.
	 */
	private function parts_of( string $code, \WC_Discounts $discounts ): array {
		$cart = $discounts->get_object();
		if ( ! $cart instanceof \WC_Cart ) {
			return array();
		}
		$codes  = $cart->get_applied_coupons();
		$offers = array_filter(
			$this->offers(),
			static function ( array $offer ) use ( $codes ): bool {
				return in_array( Offer_Book::code( $offer['k'] ), $codes, true );
			}
		);
		$items  = $discounts->get_items();
		$price  = static function ( string $key, array $line ) use ( $items ): float {
			return isset( $items[ $key ] ) ? wc_remove_number_precision( $items[ $key ]->price ) / (float) $line['quantity'] : 0.0;
		};
		foreach ( Reckoning::reckon( self::lines( $cart, $price ), array_values( $offers ) ) as $grant ) {
			if ( Offer_Book::code( $grant['key'] ) === $code ) {
				return array_column( $grant['lines'], 2, 0 );
			}
		}
		return array();
	}

	/**
	 * The lines of the cart that offers may use, as Reckoning wants them. Quoted prices are not reduced further.
	 *
	 * @param \WC_Cart $cart  The cart.
	 * @param callable $price What one piece of a line costs, in the currency's main unit.
	 * @return array<int, array{line: string, product: string, variant: string|null, quantity: int, price: int}>
	 */
	private static function lines( \WC_Cart $cart, callable $price ): array {
		$currency = get_woocommerce_currency();
		$lines    = array();
		foreach ( $cart->get_cart() as $key => $line ) {
			if ( Quoted_Prices::has( $line ) || ! $line['data'] instanceof \WC_Product || $line['quantity'] <= 0 ) {
				continue;
			}
			$lines[] = array(
				'line'     => (string) $key,
				'product'  => (string) $line['product_id'],
				'variant'  => $line['variation_id'] ? (string) $line['variation_id'] : null,
				'quantity' => (int) floor( (float) $line['quantity'] ),
				'price'    => Money::minor_units( max( 0.0, $price( (string) $key, $line ) ), $currency ),
			);
		}
		return $lines;
	}

	/**
	 * Whether this is the coupon of an offer.
	 *
	 * @param mixed $coupon A coupon, or anything else.
	 */
	private function is_of_offer( $coupon ): bool {
		return $coupon instanceof \WC_Coupon && null !== $this->book->find( (string) $coupon->get_code() );
	}
}
