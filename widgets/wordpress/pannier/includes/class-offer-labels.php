<?php
/**
 * What shoppers read of offers.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Calls offers by their titles, where WooCommerce would show the codes of their coupons. */
final class Offer_Labels {

	/** Handle of the script for the cart and checkout blocks. */
	public const HANDLE = 'pannier-checkout';

	private const SPACE = 'pannier';

	/**
	 * The offers.
	 *
	 * @var Offer_Book
	 */
	private $book;

	/**
	 * Take the offers.
	 *
	 * @param Offer_Book $book The offers.
	 */
	public function __construct( Offer_Book $book ) {
		$this->book = $book;
	}

	/** Register the hooks of cart and checkout, classic and block. */
	public function hook(): void {
		add_filter( 'woocommerce_cart_totals_coupon_label', array( $this, 'label' ), 10, 2 );
		add_filter( 'woocommerce_cart_totals_coupon_html', array( $this, 'leave_out_removal' ), 10, 3 );
		add_filter( 'woocommerce_coupon_error', array( $this, 'explain' ), 10, 3 );
		add_action( 'init', array( $this, 'extend_cart' ) );
		add_action( 'woocommerce_blocks_enqueue_cart_block_scripts_after', array( $this, 'load' ) );
		add_action( 'woocommerce_blocks_enqueue_checkout_block_scripts_after', array( $this, 'load' ) );
	}

	/**
	 * The label beside the discount in the classic cart.
	 *
	 * @param mixed $label  HTML so far.
	 * @param mixed $coupon The coupon.
	 * @return mixed
	 */
	public function label( $label, $coupon ) {
		$offer = $this->offer_of( $coupon );
		return null === $offer ? $label : esc_html( self::words( $offer ) );
	}

	/**
	 * Show no link to remove an offer in the classic cart: it goes with its products.
	 *
	 * @param mixed $html   The amount and the link.
	 * @param mixed $coupon The coupon.
	 * @param mixed $amount The amount alone.
	 * @return mixed
	 */
	public function leave_out_removal( $html, $coupon, $amount = '' ) {
		return null === $this->offer_of( $coupon ) ? $html : $amount;
	}

	/**
	 * Say why an offer's coupon does not count, to somebody who entered its code or changed the cart.
	 *
	 * @param mixed $message The message so far.
	 * @param mixed $why     WooCommerce's number of the error.
	 * @param mixed $coupon  The coupon.
	 * @return mixed
	 */
	public function explain( $message, $why, $coupon = null ) {
		$offer = $this->offer_of( $coupon );
		if ( null === $offer ) {
			return $message;
		}
		/* translators: %s: title of an offer */
		return esc_html( sprintf( __( '“%s” is taken off by itself as long as all its products are in the cart.', 'pannier' ), $offer['t'] ) );
	}

	/** Tell the cart and checkout blocks the labels. */
	public function extend_cart(): void {
		if ( ! function_exists( 'woocommerce_store_api_register_endpoint_data' ) ) {
			return;
		}
		woocommerce_store_api_register_endpoint_data(
			array(
				'endpoint'        => 'cart',
				'namespace'       => self::SPACE,
				'data_callback'   => array( $this, 'labels' ),
				'schema_callback' => array( $this, 'schema' ),
				'schema_type'     => ARRAY_A,
			)
		);
	}

	/**
	 * The labels of the offers in the cart, by the codes of their coupons.
	 *
	 * @return array{labels: object}
	 */
	public function labels(): array {
		$labels = array();
		$cart   = WC()->cart;
		foreach ( $cart ? $cart->get_applied_coupons() : array() as $code ) {
			$offer = $this->book->find( (string) $code );
			if ( null !== $offer ) {
				$labels[ $code ] = self::words( $offer );
			}
		}
		return array( 'labels' => (object) $labels );
	}

	/**
	 * What the labels are, in the words of a JSON schema.
	 *
	 * @return array<string, mixed>
	 */
	public function schema(): array {
		return array(
			'labels' => array(
				'description' => __( 'Titles of the offers in the cart, by the codes of their coupons.', 'pannier' ),
				'type'        => 'object',
				'context'     => array( 'view', 'edit' ),
				'readonly'    => true,
			),
		);
	}

	/** Load the script that shows the labels in the blocks. */
	public function load(): void {
		wp_enqueue_script( self::HANDLE, plugins_url( 'assets/checkout.js', PANNIER_FILE ), array( 'wc-blocks-checkout', 'wp-data' ), PANNIER_VERSION, array( 'in_footer' => true ) );
	}

	/**
	 * What a shopper reads.
	 *
	 * @param array<string, mixed> $offer The offer.
	 */
	private static function words( array $offer ): string {
		/* translators: %s: title of an offer */
		return sprintf( __( 'Offer: %s', 'pannier' ), $offer['t'] );
	}

	/**
	 * The offer that a coupon stands for; null where it is none of ours.
	 *
	 * @param mixed $coupon A coupon, or anything else.
	 * @return array<string, mixed>|null
	 */
	private function offer_of( $coupon ): ?array {
		return $coupon instanceof \WC_Coupon ? $this->book->find( (string) $coupon->get_code() ) : null;
	}
}
