<?php
/**
 * Quotes in the cart.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/**
 * Sells a cart line at the price that Pannier has signed for it, as long as that lasts and never above the product's own
 * price. What stands in the request beside the signed quote is never a price.
 *
 * A quote is checked when it comes and again whenever WooCommerce adds the cart up, as it does before every order.
 */
final class Quoted_Prices {

	/** The field of a request, and of a cart line, that holds a quote. */
	public const FIELD = 'pannier_quote';

	/** The mark of an order line: number and expiry of its quote. */
	public const META = '_pannier_quote';

	private const CLAIMANT = 'pannier_claimant';
	private const PAID     = array( 'processing', 'completed', 'on-hold' );

	/**
	 * Whether the shop is connected.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * By which keys quotes count.
	 *
	 * @var Checkout_Keys
	 */
	private $keys;

	/**
	 * Which quotes were used.
	 *
	 * @var Quote_Claims
	 */
	private $claims;

	/**
	 * What to tell the shopper.
	 *
	 * @var Lapses
	 */
	private $lapses;

	/**
	 * What was set in this request, by cart line: the quoted price and the product's own, as WooCommerce writes prices.
	 *
	 * @var array<string, array{quoted: string, own: mixed}>
	 */
	private $set = array();

	/**
	 * Take what is needed to check quotes.
	 *
	 * @param Settings      $settings Whether the shop is connected.
	 * @param Checkout_Keys $keys     By which keys quotes count.
	 * @param Quote_Claims  $claims   Which quotes were used.
	 * @param Lapses        $lapses   What to tell the shopper.
	 */
	public function __construct( Settings $settings, Checkout_Keys $keys, Quote_Claims $claims, Lapses $lapses ) {
		$this->settings = $settings;
		$this->keys     = $keys;
		$this->claims   = $claims;
		$this->lapses   = $lapses;
	}

	/** Register the hooks: late, so that the product's own price is the one that other plugins have made. */
	public function hook(): void {
		add_filter( 'woocommerce_store_api_add_to_cart_data', array( $this, 'carry' ), 10, 2 );
		add_filter( 'woocommerce_add_cart_item_data', array( $this, 'take' ), 1000, 3 );
		add_action( 'woocommerce_before_calculate_totals', array( $this, 'apply' ), 900 );
		add_action( 'woocommerce_checkout_create_order_line_item', array( $this, 'note' ), 10, 3 );
		add_action( 'woocommerce_order_status_changed', array( $this, 'spend' ), 10, 4 );
	}

	/**
	 * Whether a cart line is sold at a quoted price. Offers leave it alone.
	 *
	 * @param array<string, mixed> $line The cart line.
	 */
	public static function has( array $line ): bool {
		return isset( $line[ self::FIELD ] );
	}

	/**
	 * Carry a quote from a request to the Store API to the cart line.
	 *
	 * @param mixed $data    What becomes the cart line.
	 * @param mixed $request The request.
	 * @return mixed
	 */
	public function carry( $data, $request ) {
		$token = is_array( $data ) && $request instanceof \WP_REST_Request ? $request->get_param( self::FIELD ) : null;
		if ( is_string( $token ) ) {
			$data['cart_item_data'][ self::FIELD ] = $token;
		}
		return $data;
	}

	/**
	 * Keep a quote that counts with the cart line, and drop any other.
	 *
	 * @param mixed $data         Data of the cart line.
	 * @param mixed $product_id   Its product.
	 * @param mixed $variation_id Its variation, 0 where there is none.
	 * @return mixed
	 */
	public function take( $data, $product_id, $variation_id = 0 ) {
		if ( ! is_array( $data ) ) {
			return $data;
		}
		// phpcs:ignore WordPress.Security -- adding to the cart has no nonce; a quote counts by its signature alone.
		$token = $data[ self::FIELD ] ?? $_REQUEST[ self::FIELD ] ?? null;
		unset( $data[ self::FIELD ] );
		if ( is_string( $token ) && null !== $this->read( $token, (int) $product_id, (int) $variation_id ) ) {
			$data[ self::FIELD ] = $token;
		}
		return $data;
	}

	/**
	 * Set the price of every line with a quote.
	 *
	 * @param mixed $cart The cart.
	 */
	public function apply( $cart ): void {
		if ( ! $cart instanceof \WC_Cart ) {
			return;
		}
		foreach ( $cart->get_cart() as $key => $line ) {
			if ( self::has( $line ) && $line['data'] instanceof \WC_Product ) {
				$this->apply_to( $cart, (string) $key, $line );
			}
		}
	}

	/**
	 * Note on an order line which quote its price comes from.
	 *
	 * @param mixed $item Line of the order.
	 * @param mixed $key  Key of the cart line.
	 * @param mixed $line The cart line.
	 */
	public function note( $item, $key, $line ): void {
		if ( ! $item instanceof \WC_Order_Item || ! is_array( $line ) || ! self::has( $line ) ) {
			return;
		}
		$quote = $this->read( $line[ self::FIELD ], (int) $line['product_id'], (int) $line['variation_id'] );
		if ( null !== $quote ) {
			$item->add_meta_data( self::META, $quote['nonce'] . '.' . $quote['expires'], true );
		}
	}

	/**
	 * A quote is used up with the order that was paid, or is waited for.
	 *
	 * @param mixed $order_id Number of the order.
	 * @param mixed $from     Its status before.
	 * @param mixed $to       Its status now.
	 * @param mixed $order    The order.
	 */
	public function spend( $order_id, $from, $to, $order ): void {
		if ( ! $order instanceof \WC_Order || ! in_array( $to, self::PAID, true ) ) {
			return;
		}
		foreach ( $order->get_items() as $item ) {
			$mark = explode( '.', (string) $item->get_meta( self::META ) );
			if ( 2 === count( $mark ) ) {
				$this->claims->spend( $mark[0], (int) $mark[1] );
			}
		}
	}

	/** Remove the marks from all order lines of this site. */
	public static function remove_all(): void {
		global $wpdb;
		$table = $wpdb->prefix . 'woocommerce_order_itemmeta';
		// phpcs:disable WordPress.DB.DirectDatabaseQuery -- there is no function for it, and uninstalling is done once.
		if ( $wpdb->get_var( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( $table ) ) ) === $table ) {
			$wpdb->delete( $table, array( 'meta_key' => self::META ) ); // phpcs:ignore WordPress.DB.SlowDBQuery
		}
		// phpcs:enable
	}

	/**
	 * Set the price of a line, or leave it its own where the quote does not count any more, or saves nothing.
	 *
	 * @param \WC_Cart             $cart The cart.
	 * @param string               $key  Key of the line.
	 * @param array<string, mixed> $line The line.
	 */
	private function apply_to( \WC_Cart $cart, string $key, array $line ): void {
		$product  = $line['data'];
		$currency = get_woocommerce_currency();
		$this->restore( $key, $product );
		$quote = $this->read( $line[ self::FIELD ], (int) $line['product_id'], (int) $line['variation_id'] );
		if ( null !== $quote && $quote['price'] < Money::minor_units( (float) $product->get_price(), $currency ) ) {
			$own               = $product->get_price( 'edit' );
			$quoted            = Money::main_units( $quote['price'], $currency );
			$this->set[ $key ] = compact( 'quoted', 'own' );
			$product->set_price( $quoted );
			return;
		}
		unset( $cart->cart_contents[ $key ][ self::FIELD ] );
		if ( null === $quote ) {
			/* translators: %s: name of a product */
			$this->lapses->remember( sprintf( __( 'Your price for “%s” has expired. It now costs what it costs everybody.', 'pannier' ), $product->get_name() ) );
		}
	}

	/**
	 * Give a line's product its own price back: carts are added up several times in a request. Where another plugin has
	 * set one since, that is it.
	 *
	 * @param string      $key     Key of the line.
	 * @param \WC_Product $product The line's product.
	 */
	private function restore( string $key, \WC_Product $product ): void {
		$set = $this->set[ $key ] ?? null;
		unset( $this->set[ $key ] );
		if ( null !== $set && (string) $product->get_price( 'edit' ) === $set['quoted'] ) {
			$product->set_price( $set['own'] );
		}
	}

	/**
	 * What a quote says to a line of this cart; null where it does not count.
	 *
	 * @param string $token        The quote.
	 * @param int    $product_id   Product of the line.
	 * @param int    $variation_id Variation of the line, 0 where there is none.
	 * @return array{price: int, nonce: string, expires: int}|null
	 */
	private function read( string $token, int $product_id, int $variation_id ): ?array {
		if ( ! $this->settings->is_connected() ) {
			return null;
		}
		$variant  = (string) ( $variation_id ? $variation_id : $product_id );
		$customer = get_current_user_id();
		$quote    = Quote::read( $token, $this->keys, time(), $variant, get_woocommerce_currency(), $customer ? (string) $customer : '' );
		if ( Quote::VALID !== $quote['word'] || ! $this->claims->take( $quote['nonce'], $quote['expires'], $this->claimant() ) ) {
			return null;
		}
		return $quote;
	}

	/** The secret by which this cart's session is known to the claims; it stays when the shopper signs in. */
	private function claimant(): string {
		$session = WC()->session;
		if ( ! $session ) {
			return '';
		}
		$claimant = $session->get( self::CLAIMANT );
		if ( ! is_string( $claimant ) || '' === $claimant ) {
			$claimant = wp_generate_password( 32, false );
			$session->set( self::CLAIMANT, $claimant );
		}
		return $claimant;
	}
}
