<?php
/**
 * The shortcode [pannier_recommendations].
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** `[pannier_recommendations slot="product" product_id="12" limit="3" heading="…"]`, all optional. */
final class Shortcode {

	public const TAG = 'pannier_recommendations';

	/**
	 * What is drawn.
	 *
	 * @var Box
	 */
	private $box;

	/**
	 * Take the box.
	 *
	 * @param Box $box What is drawn.
	 */
	public function __construct( Box $box ) {
		$this->box = $box;
	}

	/** Register the shortcode. */
	public function hook(): void {
		add_shortcode( self::TAG, array( $this, 'draw' ) );
	}

	/**
	 * The box as HTML.
	 *
	 * @param mixed $attributes What the author wrote: an array, or an empty string.
	 */
	public function draw( $attributes ): string {
		$defaults = array(
			'slot'       => 'product',
			'product_id' => '',
			'limit'      => '',
			'heading'    => '',
		);
		$wishes   = shortcode_atts( $defaults, $attributes, self::TAG );
		return in_array( $wishes['slot'], array( 'product', 'cart' ), true ) ? $this->box->html( $wishes['slot'], $wishes ) : '';
	}
}
