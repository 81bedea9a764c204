<?php
/**
 * What the visitor agreed to.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Asks the WP Consent API. Without it nobody has agreed to anything. */
final class Consent {

	/** Whether the visitor agreed to statistics. */
	public static function to_statistics(): bool {
		// Global Privacy Control, https://www.w3.org/TR/gpc/: the browser says no to everything.
		$refused = isset( $_SERVER['HTTP_SEC_GPC'] ) && '1' === $_SERVER['HTTP_SEC_GPC'];
		return ! $refused && function_exists( 'wp_has_consent' ) && true === wp_has_consent( 'statistics' );
	}
}
