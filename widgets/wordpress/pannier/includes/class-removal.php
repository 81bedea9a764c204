<?php
/**
 * What uninstalling removes.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Removes everything the plugin has stored. It stores options, one transient, used quotes, and marks on orders; no tables, user meta or files. */
final class Removal {

	/** Remove it from this site, or from every site of a network. */
	public static function everywhere(): void {
		if ( ! is_multisite() ) {
			self::here();
			return;
		}
		$sites = get_sites(
			array(
				'fields' => 'ids',
				'number' => 0,
			)
		);
		foreach ( $sites as $site ) {
			switch_to_blog( (int) $site );
			self::here();
			restore_current_blog();
		}
	}

	/** Remove it from the current site. */
	private static function here(): void {
		array_map( 'delete_option', Settings::OPTIONS );
		delete_transient( Handshake::TRANSIENT );
		Cart_Mark::remove_all();
		Quote_Claims::remove_all();
		Quoted_Prices::remove_all();
	}
}
