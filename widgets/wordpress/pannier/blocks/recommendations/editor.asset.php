<?php
/**
 * What editor.js needs, as register_block_type() reads it.
 *
 * @package Pannier
 */

defined( 'ABSPATH' ) || exit;

return array(
	'dependencies' => array( 'wp-block-editor', 'wp-blocks', 'wp-components', 'wp-element', 'wp-i18n' ),
	'version'      => '0.2.0',
);
