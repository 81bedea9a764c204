<?php
/**
 * Which reported cart became an order.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Writes the hash under which the widget reports the cart to the order, where the visitor agreed to statistics. */
final class Cart_Mark {

	public const META = '_pannier_cart';

	/**
	 * Whether the shop is connected.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * Take the settings.
	 *
	 * @param Settings $settings Whether the shop is connected.
	 */
	public function __construct( Settings $settings ) {
		$this->settings = $settings;
	}

	/** Register the hooks of both checkouts. */
	public function hook(): void {
		add_action( 'woocommerce_checkout_create_order', array( $this, 'mark' ) );
		add_action( 'woocommerce_store_api_checkout_update_order_meta', array( $this, 'mark_and_save' ) );
		add_action( 'woocommerce_store_api_checkout_order_processed', array( $this, 'mark_and_save' ) );
	}

	/**
	 * Mark an order of the classic checkout, which saves it itself. True where there is something to save.
	 *
	 * @param mixed $order The order.
	 */
	public function mark( $order ): bool {
		if ( ! $order instanceof \WC_Order || ! $this->settings->is_connected() || ! Consent::to_statistics() ) {
			return false;
		}
		$session = WC()->session;
		// What the payload of the Cart-Token calls user_id.
		$key = $session ? (string) $session->get_customer_id() : '';
		// A signed-in customer's session is called by the number of the account, which no hash can hide.
		if ( '' === $key || ctype_digit( $key ) ) {
			return false;
		}
		$mark = hash( 'sha256', 'pannier:' . $key );
		if ( $order->get_meta( self::META ) === $mark ) {
			return false;
		}
		$order->update_meta_data( self::META, $mark );
		return true;
	}

	/**
	 * Mark an order of the block checkout and save it: each save sends a webhook, so only what is new is saved.
	 *
	 * @param mixed $order The order.
	 */
	public function mark_and_save( $order ): void {
		if ( $this->mark( $order ) ) {
			$order->save();
		}
	}

	/** Remove the marks from all orders of this site, wherever WooCommerce keeps them. */
	public static function remove_all(): void {
		global $wpdb;
		delete_post_meta_by_key( self::META );
		$table = $wpdb->prefix . 'wc_orders_meta';
		// phpcs:disable WordPress.DB.DirectDatabaseQuery -- there is no function for it, and uninstalling is done once.
		if ( $wpdb->get_var( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( $table ) ) ) === $table ) {
			$wpdb->delete( $table, array( 'meta_key' => self::META ) ); // phpcs:ignore WordPress.DB.SlowDBQuery
		}
		// phpcs:enable
	}
}
