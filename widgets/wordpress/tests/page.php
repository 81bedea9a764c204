<?php
/**
 * Prints what the plugin puts into a product page, for the tests in a browser, as JSON.
 *
 * Usage: php page.php ADDRESS KEY TYPE
 *
 * @package Pannier
 */

require __DIR__ . '/bootstrap.php';

list( , $address, $key, $kind ) = $argv;
do_action( 'plugins_loaded' );
$settings = new Pannier\Settings();
$settings->set_address( $address );
$settings->set_key( $key );
World::$now->page          = 'product';
World::$now->currency      = 'GBP';
World::$now->products[201] = new WC_Product( 201, array( 'name' => 'Teapot', 'type' => $kind ) );
$GLOBALS['product']        = World::$now->products[201];
ob_start();
do_action( 'woocommerce_after_single_product_summary' );
echo json_encode(
	array(
		'box' => ob_get_clean(),
		'src' => World::$now->scripts[ Pannier\Widget::HANDLE ]['src'],
		'tag' => apply_filters( 'wp_script_attributes', array( 'id' => Pannier\Widget::HANDLE . '-js' ) ),
	)
);
