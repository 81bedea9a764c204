<?php
/**
 * The block pannier/recommendations.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The dynamic block; its editor side is blocks/recommendations/editor.js. */
final class Block {

	public const NAME = 'pannier/recommendations';

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

	/** Register the hook. */
	public function hook(): void {
		add_action( 'init', array( $this, 'register' ) );
	}

	/** Register the block. */
	public function register(): void {
		register_block_type( dirname( PANNIER_FILE ) . '/blocks/recommendations', array( 'render_callback' => array( $this, 'draw' ) ) );
	}

	/**
	 * The box as HTML.
	 *
	 * @param mixed $attributes What the editor chose.
	 * @param mixed $content    Nothing: the block holds no others.
	 * @param mixed $block      The block with its context.
	 */
	public function draw( $attributes, $content = '', $block = null ): string {
		$attributes = (array) $attributes;
		$context    = is_object( $block ) && isset( $block->context ) ? (array) $block->context : array();
		$own        = (int) ( $attributes['productId'] ?? 0 );
		$around     = 'product' === ( $context['postType'] ?? '' ) ? (int) ( $context['postId'] ?? 0 ) : 0;
		$box        = $this->box->html(
			'cart' === ( $attributes['slot'] ?? '' ) ? 'cart' : 'product',
			array(
				'product_id' => $own > 0 ? $own : $around,
				'limit'      => $attributes['limit'] ?? 0,
				'heading'    => $attributes['heading'] ?? '',
			)
		);
		return '' === $box ? '' : sprintf( '<div %s>%s</div>', get_block_wrapper_attributes(), $box );
	}
}
