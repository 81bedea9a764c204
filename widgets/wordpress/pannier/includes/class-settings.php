<?php
/**
 * What the plugin keeps in the shop's database.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** The stored settings. Everything that is stored has its name here, so that uninstalling finds it. */
final class Settings {

	public const ADDRESS    = 'pannier_address';
	public const KEY        = 'pannier_key';
	public const SECRET     = 'pannier_secret';
	public const PLACEMENTS = 'pannier_placements';

	/** What Offer_Book and Checkout_Keys store. */
	public const OFFERS        = 'pannier_offers';
	public const CHECKOUT_KEYS = 'pannier_checkout_keys';

	/** Every option of this plugin. */
	public const OPTIONS = array( self::ADDRESS, self::KEY, self::SECRET, self::PLACEMENTS, self::OFFERS, self::CHECKOUT_KEYS );

	/** Where a box is placed without being asked for: the names of Placements' switches. */
	public const AUTOMATIC = array( 'product', 'cart' );

	private const TOKEN = '[A-Za-z0-9_-]{16,128}';

	/** The service's address without a slash at its end; empty where none is set. */
	public function address(): string {
		// Validated again: an option can be changed from elsewhere, and keys are sent there.
		return Address::normalize( (string) get_option( self::ADDRESS, '' ) );
	}

	/** The publishable key, `pk_…`; empty where none is set. */
	public function key(): string {
		$key = (string) get_option( self::KEY, '' );
		return self::is_key( $key ) ? $key : '';
	}

	/** The secret key, `sk_…`; empty where none is set. Never printed. */
	public function secret(): string {
		return (string) get_option( self::SECRET, '' );
	}

	/** Whether the shop's pages can ask for recommendations. */
	public function is_connected(): bool {
		return '' !== $this->address() && '' !== $this->key();
	}

	/**
	 * Whether a box is placed by itself.
	 *
	 * @param string $placement One of AUTOMATIC.
	 */
	public function places( string $placement ): bool {
		return in_array( $placement, (array) get_option( self::PLACEMENTS, self::AUTOMATIC ), true );
	}

	/**
	 * Store the address. The keys belong to the address they were made for: a new one forgets them.
	 *
	 * @param string $address A normalized address.
	 */
	public function set_address( string $address ): void {
		if ( $address === $this->address() ) {
			return;
		}
		$this->forget_keys();
		update_option( self::ADDRESS, $address );
	}

	/**
	 * Store the publishable key.
	 *
	 * @param string $key A key that is_key() accepts.
	 */
	public function set_key( string $key ): void {
		update_option( self::KEY, $key );
	}

	/**
	 * Store the secret key, which no page of the shop needs to load.
	 *
	 * @param string $secret A key that is_secret() accepts.
	 */
	public function set_secret( string $secret ): void {
		update_option( self::SECRET, $secret, false );
	}

	/**
	 * Store where boxes are placed by themselves.
	 *
	 * @param string[] $placements Names; unknown ones are dropped.
	 */
	public function set_placements( array $placements ): void {
		update_option( self::PLACEMENTS, array_values( array_intersect( self::AUTOMATIC, $placements ) ) );
	}

	/** Forget the publishable key. */
	public function forget_key(): void {
		delete_option( self::KEY );
	}

	/** Forget the secret key. */
	public function forget_secret(): void {
		delete_option( self::SECRET );
	}

	/** Forget both keys, the offers and what they were signed with: from now on the shop shows, grants and forwards nothing. */
	public function forget_keys(): void {
		$this->forget_key();
		$this->forget_secret();
		delete_option( self::OFFERS );
		delete_option( self::CHECKOUT_KEYS );
	}

	/**
	 * Whether this looks like a publishable key.
	 *
	 * @param string $key What was typed or handed over.
	 */
	public static function is_key( string $key ): bool {
		return 1 === preg_match( '/\Apk_' . self::TOKEN . '\z/', $key );
	}

	/**
	 * Whether this looks like a secret key.
	 *
	 * @param string $secret What was typed.
	 */
	public static function is_secret( string $secret ): bool {
		return 1 === preg_match( '/\Ask_' . self::TOKEN . '\z/', $secret );
	}
}
