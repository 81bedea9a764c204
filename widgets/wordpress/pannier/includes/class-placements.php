<?php
/**
 * Where boxes stand without being asked for.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The automatic places: product page and cart, in classic and in block themes. */
final class Placements {

	/**
	 * Which places are switched on.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * What stands there.
	 *
	 * @var Box
	 */
	private $box;

	/**
	 * Take the settings and the box.
	 *
	 * @param Settings $settings Which places are switched on.
	 * @param Box      $box      What stands there.
	 */
	public function __construct( Settings $settings, Box $box ) {
		$this->settings = $settings;
		$this->box      = $box;
	}

	/** Register the hooks. */
	public function hook(): void {
		// Block themes run this hook, too. 5: before tabs, upsells and related products.
		add_action( 'woocommerce_after_single_product_summary', array( $this, 'draw_on_product' ), 5 );
		add_action( 'woocommerce_after_cart', array( $this, 'draw_on_cart' ) );
		// The cart block runs none of the classic cart's hooks.
		add_filter( 'render_block_woocommerce/cart', array( $this, 'append_to_cart_block' ) );
	}

	/** Draw the box of the product page, unless the merchant has put one there by hand. */
	public function draw_on_product(): void {
		if ( $this->settings->places( 'product' ) && ! $this->box->is_drawn( 'product' ) && ! self::is_placed_by_hand() ) {
			echo $this->box->html( 'product' ); // phpcs:ignore WordPress.Security.EscapeOutput -- Box escapes.
		}
	}

	/** Draw the box below the classic cart. */
	public function draw_on_cart(): void {
		echo $this->cart_box(); // phpcs:ignore WordPress.Security.EscapeOutput -- Box escapes.
	}

	/**
	 * Put the box below the cart block.
	 *
	 * @param mixed $html The block as HTML.
	 */
	public function append_to_cart_block( $html ): string {
		return (string) $html . $this->cart_box();
	}

	/** The box of the cart; empty where it is switched off or stands on the page already. */
	private function cart_box(): string {
		return $this->settings->places( 'cart' ) && ! $this->box->is_drawn( 'cart' ) ? $this->box->html( 'cart' ) : '';
	}

	/** Whether the product's text or the theme's template holds the block or the shortcode, drawn sooner or later. */
	private static function is_placed_by_hand(): bool {
		global $_wp_current_template_content;
		$post    = get_post();
		$content = ( $post ? (string) $post->post_content : '' ) . (string) $_wp_current_template_content;
		return has_block( Block::NAME, $content ) || has_shortcode( $content, Shortcode::TAG );
	}
}
