<?php
/**
 * Leaves nothing behind, on every site of the network.
 *
 * @package Pannier
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;
defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/includes/autoload.php';

Pannier\Removal::everywhere();
