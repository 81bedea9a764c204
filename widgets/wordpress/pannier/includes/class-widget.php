<?php
/**
 * The widget's script tag.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Loads the widget from Pannier, in the footer and deferred: it never holds up the page. */
final class Widget {

	public const HANDLE = 'pannier-widget';
	public const SHOP   = 'pannier-shop';

	/**
	 * Address and key.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * Take the settings.
	 *
	 * @param Settings $settings Address and key.
	 */
	public function __construct( Settings $settings ) {
		$this->settings = $settings;
	}

	/** Register the hooks. */
	public function hook(): void {
		add_action( 'wp_enqueue_scripts', array( $this, 'load_on_shop_pages' ) );
		add_filter( 'wp_script_attributes', array( $this, 'configure' ) );
	}

	/** Load the widget on product, cart, checkout and search pages. */
	public function load_on_shop_pages(): void {
		if ( is_product() || is_cart() || is_checkout() || is_search() ) {
			$this->load();
		}
	}

	/** Load the widget on this page; twice is once. False where the shop is not connected: then nothing is loaded. */
	public function load(): bool {
		if ( ! $this->settings->is_connected() ) {
			return false;
		}
		$how = array(
			'in_footer' => true,
			'strategy'  => 'defer',
		);
		// No version in the address: the service says itself how long the script may be kept.
		wp_enqueue_script( self::HANDLE, $this->settings->address() . '/v1/widget.js', array(), null, $how ); // phpcs:ignore WordPress.WP.EnqueuedResourceParameters.MissingVersion
		wp_enqueue_script( self::SHOP, plugins_url( 'assets/shop.js', PANNIER_FILE ), array(), PANNIER_VERSION, $how );
		return true;
	}

	/**
	 * Put the widget's settings on its script tag.
	 *
	 * @param mixed $attributes Attributes of a script tag, by name.
	 * @return mixed
	 */
	public function configure( $attributes ) {
		if ( ! is_array( $attributes ) || self::HANDLE . '-js' !== ( $attributes['id'] ?? '' ) ) {
			return $attributes;
		}
		$ours = array(
			'data-key'        => $this->settings->key(),
			'data-platform'   => 'woocommerce',
			// Said in words, so that an optimiser which serves a copy of the script does not lose it.
			'data-api'        => $this->settings->address() . '/v1/',
			'data-wc-root'    => rest_url(),
			'data-cart-url'   => wc_get_cart_url(),
			'data-product-id' => is_product() ? (string) get_queried_object_id() : '',
			'data-identity'   => Identity::address(),
		);
		return $attributes + array_filter( $ours );
	}
}
