<?php
/**
 * Plugin Name:          Pannier for WooCommerce
 * Description:          Shows what is really bought together, learned from the orders of your own shop.
 * Version:              0.2.0
 * Requires at least:    6.5
 * Requires PHP:         7.4
 * Requires Plugins:     woocommerce
 * Author:               Pannier
 * License:              GPL-2.0-or-later
 * License URI:          https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:          pannier
 * Domain Path:          /languages
 * WC requires at least: 9.0
 * WC tested up to:      10.5
 *
 * @package Pannier
 */

defined( 'ABSPATH' ) || exit;

define( 'PANNIER_VERSION', '0.2.0' );
define( 'PANNIER_FILE', __FILE__ );

require_once __DIR__ . '/includes/autoload.php';

( new Pannier\Plugin() )->hook();
