<?php
/**
 * Finds the classes of this plugin: Pannier\Settings_Page lives in class-settings-page.php.
 *
 * @package Pannier
 */

defined( 'ABSPATH' ) || exit;

spl_autoload_register(
	static function ( $name ) {
		if ( 0 !== strpos( $name, 'Pannier\\' ) ) {
			return;
		}
		$subject = strtolower( str_replace( '_', '-', substr( $name, strlen( 'Pannier\\' ) ) ) );
		$file    = __DIR__ . '/class-' . $subject . '.php';
		if ( is_readable( $file ) ) {
			require_once $file;
		}
	}
);
