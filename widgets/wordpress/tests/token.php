<?php
/**
 * Prints the token that the plugin signs for customer 7, for the tests of those who read it.
 *
 * Usage: php token.php SERVICE DELIVERY_URL SECRET
 *
 * @package Pannier
 */

require __DIR__ . '/bootstrap.php';

list( , $service, $delivery_url, $secret ) = $argv;
do_action( 'plugins_loaded' );
do_action( 'rest_api_init' );
$settings = new Pannier\Settings();
$settings->set_address( $service );
$settings->set_key( 'pk_0123456789abcdefABCD-_' );
World::$now->user     = 7;
World::$now->consent  = true;
World::$now->webhooks = array( 1 => new WC_Webhook( $delivery_url, $secret ) );
echo call_user_func( World::$now->routes['pannier/v1/identity']['callback'] )->data['customer_token'];
