<?php
/**
 * The state of the WordPress that the tests run in.
 *
 * @package Pannier
 */

/** What the stubs remember and answer. Every test begins with a new one. */
final class World {

	/** @var World */
	public static $now;

	/** @var array<int, array<string, mixed>> Options by blog. */
	public $options = array( 1 => array() );
	/** @var array<string, bool> Which options are loaded on every page. */
	public $autoload = array();
	/** @var array<int, array<string, mixed>> Transients by blog. */
	public $transients = array( 1 => array() );
	/** @var array<string, array<int, array<int, callable>>> */
	public $hooks = array();
	/** @var array<string, callable> */
	public $shortcodes = array();
	/** @var array<string, array<string, mixed>> Enqueued scripts. */
	public $scripts = array();
	/** @var array<int, array{0: string, 1: string, 2: array<string, mixed>}> Requests that were sent. */
	public $requests = array();
	/** @var array{status: int, body: string}|WP_Error What the service answers. */
	public $answer = array(
		'status' => 200,
		'body'   => '{}',
	);
	/** @var int */
	public $user = 1;
	/** @var bool Whether the visitor is signed in, with the nonce that WordPress asks for. */
	public $is_signed_in = false;
	/** @var array<string, array<string, mixed>> REST routes. */
	public $routes = array();
	/** @var array<int, WC_Webhook> */
	public $webhooks = array();
	/** @var bool */
	public $is_manager = true;
	/** @var bool */
	public $is_admin = true;
	/** @var bool */
	public $is_multisite = false;
	/** @var int */
	public $blog = 1;
	/** @var string One of product, cart, checkout, search, feed, page. */
	public $page = 'page';
	/** @var array<int, WC_Product> */
	public $products = array();
	/** @var WP_Post|null */
	public $post = null;
	/** @var string */
	public $currency = 'EUR';
	/** @var WC_Cart|null */
	public $cart = null;
	/** @var WC_Session|null */
	public $session = null;
	/** @var bool|null What the visitor said to statistics; null where the WP Consent API is not there. */
	public $consent = null;
	/** @var array<string, string[]> Marks of orders by the table they are in; an absent table is not there. */
	public $marks = array( 'wp_postmeta' => array() );
	/** @var bool Whether the shop takes coupons. */
	public $takes_coupons = true;
	/** @var array<string, array<string, mixed>> The merchant's coupons by code. */
	public $coupons = array();
	/** @var float What prices are multiplied by for the customer's country. */
	public $abroad = 1.0;
	/** @var int Decimals that the shop displays. */
	public $decimals = 2;
	/** @var array<int, array{0: string, 1: string}> Notices that were printed: sentence and kind. */
	public $notices = array();
	/** @var array<string, array<string, mixed>> What the Store API was extended with. */
	public $extensions = array();
	/** @var int|null What the plugin's clock shows; null for the real time. */
	public $time = null;
	/** @var string */
	public $locale = 'en_US';
	/** @var array<string, string> Translations. */
	public $words = array();
	/** @var string[] */
	public $policies = array();
	/** @var array<string, mixed> */
	public $compatible = array();
	/** @var array<string, array<string, mixed>> Registered blocks by folder. */
	public $blocks = array();

	/** Begin anew. */
	public static function begin(): void {
		self::$now = new self();
		$_GET      = array();
		$_POST     = array();
		$_REQUEST  = array();
		unset( $_SERVER['HTTP_SEC_GPC'] );
		unset( $GLOBALS['product'], $GLOBALS['_wp_current_template_content'] );
	}
}

/** WordPress has sent the browser elsewhere; the request ends. */
final class Redirected extends Exception {}

/** WordPress has refused; the request ends. */
final class Died extends Exception {}

World::begin();
