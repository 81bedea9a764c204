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
		if ( is_admin() ) {
			$handshake = new Handshake( $settings );
			( new Settings_Page( $settings ) )->hook();
			( new Settings_Actions( $settings, $handshake, $service ) )->hook();
		}
	}
}
