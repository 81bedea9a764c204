<?php
/**
 * What the settings page says after an action.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The sentences, by name. Only names travel in addresses, so nobody can put words into our mouth. */
final class Settings_Notices {

	/**
	 * The kind of notice and its sentence; null for an unknown name.
	 *
	 * @param string $name Name of the notice.
	 * @return array{0: string, 1: string}|null
	 */
	public static function find( string $name ): ?array {
		$success = self::successes();
		if ( isset( $success[ $name ] ) ) {
			return array( 'success', $success[ $name ] );
		}
		$errors = self::errors();
		return isset( $errors[ $name ] ) ? array( 'error', $errors[ $name ] ) : null;
	}

	/**
	 * What went well.
	 *
	 * @return array<string, string>
	 */
	private static function successes(): array {
		return array(
			'saved'              => __( 'The settings are saved.', 'pannier' ),
			'answers'            => __( 'Pannier answers and knows your key.', 'pannier' ),
			'disconnected'       => __( 'Disconnected. Your shop shows nothing of Pannier any more.', 'pannier' ),
			Handshake::CONNECTED => __( 'Connected. Pannier now reads your orders; recommendations appear as soon as it has found products that are bought together.', 'pannier' ),
		);
	}

	/**
	 * What went wrong, and what to do.
	 *
	 * @return array<string, string>
	 */
	private static function errors(): array {
		return array(
			'wrong_address'      => __( 'Nothing was saved: the address of Pannier must begin with https:// and may not hold a user name, a question mark or a number sign. (http:// is accepted for localhost only.)', 'pannier' ),
			'wrong_secret'       => __( 'Nothing was saved: a secret key begins with sk_ and holds letters, digits, - and _ only.', 'pannier' ),
			'not_connected'      => __( 'Not connected yet: press “Connect” first.', 'pannier' ),
			'refused'            => __( 'Pannier answers, but does not accept your key. Press “Connect” to get a new one.', 'pannier' ),
			'unreachable'        => __( 'Pannier cannot be reached from your server. Check the address, and whether your host allows outgoing connections.', 'pannier' ),
			'trouble'            => __( 'Something answers at this address, but not as Pannier should. Check the address, or try again in a few minutes.', 'pannier' ),
			Handshake::DECLINED  => __( 'Not connected: the access was not granted. Nothing was changed.', 'pannier' ),
			Handshake::STALE     => __( 'Not connected: this answer of Pannier has expired or was meant for somebody else. Press “Connect” again.', 'pannier' ),
			Handshake::WRONG_KEY => __( 'Nothing was saved: a publishable key begins with pk_ and holds letters, digits, - and _ only.', 'pannier' ),
		);
	}
}
