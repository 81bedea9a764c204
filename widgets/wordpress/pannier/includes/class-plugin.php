<?php
/**
 * The one place that knows every part of the plugin.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Builds the parts and ties them to WordPress. */
final class Plugin {

	/** Register every hook; nothing else happens while WordPress loads its plugins. */
	public function hook(): void {
		add_action( 'before_woocommerce_init', array( $this, 'declare_compatibility' ) );
		add_action( 'plugins_loaded', array( $this, 'start' ) );
		// Carts are reported with consent to statistics only; this tells the WP Consent API that it is asked.
		add_filter( 'wp_consent_api_registered_' . plugin_basename( PANNIER_FILE ), '__return_true' );
	}

	/** Tell WooCommerce that order tables and the cart and checkout blocks are no obstacle. */
	public function declare_compatibility(): void {
		$features = '\Automattic\WooCommerce\Utilities\FeaturesUtil';
		if ( class_exists( $features ) ) {
			$features::declare_compatibility( 'custom_order_tables', PANNIER_FILE, true );
			$features::declare_compatibility( 'cart_checkout_blocks', PANNIER_FILE, true );
		}
	}

	/** Start the parts, where WooCommerce is there. */
	public function start(): void {
		if ( ! class_exists( 'WooCommerce' ) ) {
			return;
		}
		$settings = new Settings();
		$service  = new Service( $settings );
		$widget   = new Widget( $settings );
		$box      = new Box( $widget );
		$widget->hook();
		( new Placements( $settings, $box ) )->hook();
		( new Shortcode( $box ) )->hook();
		( new Block( $box ) )->hook();
		( new Cart_Mark( $settings ) )->hook();
		( new Identity( $settings ) )->hook();
		( new Personal_Data( $settings, $service ) )->hook();
		$this->start_checkout( $settings );
		add_action( 'init', array( $this, 'load_words' ) );
		if ( is_admin() ) {
			$handshake = new Handshake( $settings );
			( new Settings_Page( $settings ) )->hook();
			( new Settings_Actions( $settings, $handshake, $service ) )->hook();
		}
	}

	/** Load the translation of what shoppers read. */
	public function load_words(): void {
		load_plugin_textdomain( 'pannier', false, dirname( plugin_basename( PANNIER_FILE ) ) . '/languages' );
	}

	/**
	 * Start what grants offers and quoted prices.
	 *
	 * @param Settings $settings Whether the shop is connected.
	 */
	private function start_checkout( Settings $settings ): void {
		$book   = new Offer_Book();
		$keys   = new Checkout_Keys();
		$claims = new Quote_Claims();
		$lapses = new Lapses();
		$lapses->hook();
		( new Checkout_Routes( $settings, $book, $keys, $claims ) )->hook();
		( new Quoted_Prices( $settings, $keys, $claims, $lapses ) )->hook();
		( new Offer_Coupons( $settings, $book, $lapses ) )->hook();
		( new Offer_Labels( $book ) )->hook();
	}
}
