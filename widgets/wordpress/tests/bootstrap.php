<?php
/**
 * Loads as much of WordPress as the plugin asks for, and then the plugin.
 *
 * @package Pannier
 */

define( 'ABSPATH', __DIR__ . '/' );
define( 'HOUR_IN_SECONDS', 3600 );
define( 'ARRAY_A', 'ARRAY_A' );
error_reporting( E_ALL );

require_once __DIR__ . '/World.php';
require_once __DIR__ . '/wordpress.php';
require_once __DIR__ . '/woocommerce.php';
require_once __DIR__ . '/checkout.php';
require_once dirname( __DIR__ ) . '/pannier/pannier.php';

if ( class_exists( PHPUnit\Framework\TestCase::class ) ) {
	require_once __DIR__ . '/ShopTestCase.php';
}
