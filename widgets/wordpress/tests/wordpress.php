<?php
/**
 * The functions of WordPress that the plugin calls, as far as it depends on them.
 *
 * @package Pannier
 */

function add_filter( $hook, $callback, $priority = 10, $arguments = 1 ) {
	// WordPress hands a callback as many arguments as it has asked for, and no more.
	World::$now->hooks[ $hook ][ $priority ][] = static function ( ...$all ) use ( $callback, $arguments ) {
		return $callback( ...array_slice( $all, 0, $arguments ) );
	};
	return true;
}

function has_filter( $hook ) {
	return ! empty( World::$now->hooks[ $hook ] );
}

function add_action( $hook, $callback, $priority = 10, $arguments = 1 ) {
	return add_filter( $hook, $callback, $priority, $arguments );
}

function apply_filters( $hook, $value, ...$rest ) {
	$callbacks = World::$now->hooks[ $hook ] ?? array();
	ksort( $callbacks );
	foreach ( array_merge( ...array_values( $callbacks ) ) as $callback ) {
		$value = $callback( $value, ...$rest );
	}
	return $value;
}

function do_action( $hook, ...$arguments ) {
	$callbacks = World::$now->hooks[ $hook ] ?? array();
	ksort( $callbacks );
	foreach ( array_merge( ...array_values( $callbacks ) ) as $callback ) {
		$callback( ...$arguments );
	}
}

function __return_true() {
	return true;
}

function plugin_basename( $file ) {
	return basename( dirname( $file ) ) . '/' . basename( $file );
}

function plugins_url( $path, $file ) {
	return 'https://shop.example/wp-content/plugins/' . basename( dirname( $file ) ) . '/' . $path;
}

function get_option( $name, $fallback = false ) {
	if ( 'home' === $name ) {
		return 'https://shop.example';
	}
	return World::$now->options[ World::$now->blog ][ $name ] ?? $fallback;
}

function update_option( $name, $value, $autoload = true ) {
	World::$now->options[ World::$now->blog ][ $name ] = $value;
	World::$now->autoload[ $name ]                     = $autoload;
	return true;
}

function delete_option( $name ) {
	unset( World::$now->options[ World::$now->blog ][ $name ] );
	return true;
}

function get_transient( $name ) {
	return World::$now->transients[ World::$now->blog ][ $name ] ?? false;
}

function set_transient( $name, $value, $seconds ) {
	World::$now->transients[ World::$now->blog ][ $name ] = $value;
	return $seconds > 0;
}

function delete_transient( $name ) {
	unset( World::$now->transients[ World::$now->blog ][ $name ] );
	return true;
}

function is_admin() {
	return World::$now->is_admin;
}

function is_multisite() {
	return World::$now->is_multisite;
}

function get_sites( $query ) {
	$all = array_keys( World::$now->options );
	// WordPress returns 100 sites at most unless `number` is 0.
	return 'ids' === ( $query['fields'] ?? '' ) ? array_slice( $all, 0, $query['number'] ? $query['number'] : null ) : array();
}

function switch_to_blog( $blog ) {
	World::$now->blog = $blog;
}

function restore_current_blog() {
	World::$now->blog = 1;
}

function current_user_can( $capability ) {
	return 'manage_woocommerce' === $capability && World::$now->is_manager;
}

function get_current_user_id() {
	return World::$now->user;
}

function check_admin_referer( $action ) {
	if ( 'nonce:' . $action !== ( $_POST['_wpnonce'] ?? '' ) ) {
		throw new Died( 'nonce' );
	}
}

function wp_nonce_field( $action ) {
	echo '<input type="hidden" name="_wpnonce" value="nonce:' . esc_attr( $action ) . '">';
}

function wp_die( $message ) {
	throw new Died( $message );
}

function wp_redirect( $location ) {
	throw new Redirected( $location );
}

function wp_safe_redirect( $location ) {
	if ( 'shop.example' !== parse_url( $location, PHP_URL_HOST ) ) {
		throw new Redirected( 'https://shop.example/wp-admin/' );
	}
	throw new Redirected( $location );
}

function wp_generate_password( $length, $special ) {
	return substr( bin2hex( random_bytes( $length ) ), 0, $length );
}

function home_url( $path ) {
	return 'https://shop.example' . $path;
}

function admin_url( $path ) {
	return 'https://shop.example/wp-admin/' . $path;
}

function rest_url( $path = '' ) {
	return 'https://shop.example/wp-json/' . $path;
}

function register_rest_route( $space, $route, $options ) {
	World::$now->routes[ $space . $route ] = $options;
}

function wp_create_nonce( $action ) {
	return 'nonce:' . $action;
}

function is_user_logged_in() {
	return World::$now->is_signed_in;
}

function wp_specialchars_decode( $text, $quotes ) {
	return htmlspecialchars_decode( $text, $quotes );
}

function add_query_arg( $name, $value, $address = '' ) {
	$fields = is_array( $name ) ? $name : array( $name => $value );
	$base   = is_array( $name ) ? $value : $address;
	return $base . '?' . http_build_query( $fields );
}

function wp_parse_url( $address ) {
	return parse_url( $address );
}

function wp_unslash( $value ) {
	return is_array( $value ) ? array_map( 'wp_unslash', $value ) : stripslashes( $value );
}

function sanitize_text_field( $text ) {
	return trim( preg_replace( '/[\r\n\t ]+/', ' ', strip_tags( $text ) ) );
}

function sanitize_key( $text ) {
	return preg_replace( '/[^a-z0-9_-]/', '', strtolower( $text ) );
}

function wp_strip_all_tags( $text ) {
	return trim( strip_tags( $text ) );
}

function wp_kses_post( $html ) {
	return $html;
}

function esc_attr( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES );
}

function esc_html( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES );
}

function esc_url( $address ) {
	return htmlspecialchars( $address, ENT_QUOTES );
}

function __( $text, $domain ) {
	if ( 'pannier' !== $domain ) {
		throw new InvalidArgumentException( 'Wrong text domain: ' . $domain );
	}
	return World::$now->words[ $text ] ?? $text;
}

function load_plugin_textdomain( $domain, $deprecated, $folder ) {
	$file = dirname( __DIR__ ) . '/' . $folder . '/' . $domain . '-' . World::$now->locale . '.l10n.php';
	if ( is_file( $file ) ) {
		World::$now->words = ( require $file )['messages'];
	}
}

function esc_html__( $text, $domain ) {
	return esc_html( __( $text, $domain ) );
}

function checked( $value, $current, $print ) {
	return $value === $current ? " checked='checked'" : '';
}

function add_submenu_page( $parent, $title, $label, $capability, $slug, $callback ) {
	World::$now->hooks[ 'page:' . $parent . ':' . $slug . ':' . $capability ][10][] = $callback;
}

function wp_enqueue_script( $handle, $src, $deps, $version, $how ) {
	World::$now->scripts[ $handle ] = compact( 'src', 'deps', 'version', 'how' );
}

function add_shortcode( $tag, $callback ) {
	World::$now->shortcodes[ $tag ] = $callback;
}

function shortcode_atts( $defaults, $given ) {
	return array_intersect_key( (array) $given, $defaults ) + $defaults;
}

function has_shortcode( $text, $tag ) {
	return false !== strpos( $text, '[' . $tag );
}

function has_block( $name, $text ) {
	return false !== strpos( $text, '<!-- wp:' . $name . ' ' );
}

function register_block_type( $folder, $options ) {
	World::$now->blocks[ $folder ] = $options;
}

function get_block_wrapper_attributes() {
	return 'class="wp-block-pannier-recommendations"';
}

function is_feed() {
	return 'feed' === World::$now->page;
}

function get_post() {
	return World::$now->post;
}

function is_search() {
	return 'search' === World::$now->page;
}

function get_queried_object_id() {
	return get_the_ID();
}

function get_the_ID() {
	return World::$now->post ? World::$now->post->ID : false;
}

function get_post_type( $id ) {
	return World::$now->post && World::$now->post->ID === $id ? World::$now->post->post_type : false;
}

function wp_get_attachment_image_url( $id, $size ) {
	return $id > 0 ? "https://shop.example/{$size}-{$id}.jpg" : false;
}

function wp_add_privacy_policy_content( $name, $text ) {
	World::$now->policies[] = $text;
}

function wp_json_encode( $value ) {
	return json_encode( $value );
}

function wp_remote_get( $address, $options ) {
	World::$now->requests[] = array( 'GET', $address, $options );
	return World::$now->answer;
}

function wp_remote_post( $address, $options ) {
	World::$now->requests[] = array( 'POST', $address, $options );
	return World::$now->answer;
}

function is_wp_error( $thing ) {
	return $thing instanceof WP_Error;
}

function wp_remote_retrieve_response_code( $answer ) {
	return $answer['status'];
}

function wp_remote_retrieve_body( $answer ) {
	return $answer['body'];
}

/** An error as WordPress hands it around. */
class WP_Error {

	/** @var array<int|string, string[]> */
	private $messages = array();
	/** @var mixed */
	private $data;

	public function __construct( $code = '', $message = '', $data = '' ) {
		if ( $code ) {
			$this->add( $code, $message );
			$this->data = $data;
		}
	}

	public function add( $code, $message ) {
		$this->messages[ $code ][] = $message;
	}

	public function get_error_code() {
		return array_key_first( $this->messages ) ?? '';
	}

	public function get_error_message() {
		return $this->messages ? reset( $this->messages )[0] : '';
	}

	public function get_error_messages() {
		return array_merge( array(), ...array_values( $this->messages ) );
	}

	public function get_error_data() {
		return $this->data;
	}
}

/** A request to the REST API. */
class WP_REST_Request {

	/** @var string */
	private $body;

	public function __construct( string $body = '' ) {
		$this->body = $body;
	}

	public function get_body() {
		return $this->body;
	}

	public function get_json_params() {
		return json_decode( $this->body, true );
	}

	public function get_param( $name ) {
		return $this->get_json_params()[ $name ] ?? null;
	}
}

/** A post. */
class WP_Post {

	/** @var int */
	public $ID;
	/** @var string */
	public $post_type;
	/** @var string */
	public $post_content;

	public function __construct( int $id, string $type, string $content = '' ) {
		$this->ID           = $id;
		$this->post_type    = $type;
		$this->post_content = $content;
	}
}

/** As much of the database as the plugin asks for: options, and the marks of orders and their lines. */
final class Database {

	/** @var string */
	public $prefix = 'wp_';
	/** @var string */
	public $options = 'wp_options';

	public function esc_like( $text ) {
		return addcslashes( $text, '_%\\' );
	}

	public function prepare( $query, ...$values ) {
		foreach ( $values as $value ) {
			$query = preg_replace_callback(
				'/%s/',
				static function () use ( $value ) {
					return "'" . str_replace( array( '\\', "'" ), array( '\\\\', "\\'" ), $value ) . "'";
				},
				$query,
				1
			);
		}
		return $query;
	}

	public function get_var( $query ) {
		if ( preg_match( "/^SELECT option_value FROM wp_options WHERE option_name = '([a-z0-9_]+)'$/", $query, $found ) ) {
			return World::$now->options[ World::$now->blog ][ $found[1] ] ?? null;
		}
		foreach ( array_keys( World::$now->marks ) as $table ) {
			if ( $this->prepare( 'SHOW TABLES LIKE %s', $this->esc_like( $table ) ) === $query ) {
				return $table;
			}
		}
		return null;
	}

	public function query( $query ) {
		$options = &World::$now->options[ World::$now->blog ];
		if ( preg_match( "/^INSERT IGNORE INTO wp_options \(option_name, option_value, autoload\) VALUES \('([a-z0-9_]+)', '(\w+)', 'no'\)$/", $query, $found ) ) {
			if ( isset( $options[ $found[1] ] ) ) {
				return 0;
			}
			$options[ $found[1] ] = $found[2];
			return 1;
		}
		if ( preg_match( "/^DELETE FROM wp_options WHERE option_name LIKE '([^']+)%'(?: AND option_name < '(\w+)')?$/", $query, $found ) ) {
			foreach ( array_keys( $options ) as $name ) {
				if ( 0 === strpos( $name, str_replace( '\\', '', $found[1] ) ) && ( ! isset( $found[2] ) || strcmp( $name, $found[2] ) < 0 ) ) {
					unset( $options[ $name ] );
				}
			}
			return 1;
		}
		throw new InvalidArgumentException( $query );
	}

	public function update( $table, $values, $where ) {
		$options = &World::$now->options[ World::$now->blog ];
		if ( 'wp_options' === $table && isset( $options[ $where['option_name'] ] ) ) {
			$options[ $where['option_name'] ] = $values['option_value'];
			return 1;
		}
		return 0;
	}

	public function delete( $table, $where ) {
		World::$now->marks[ $table ] = array_values( array_diff( World::$now->marks[ $table ], array( $where['meta_key'] ) ) );
	}
}

$GLOBALS['wpdb'] = new Database();

function delete_post_meta_by_key( $key ) {
	$GLOBALS['wpdb']->delete( 'wp_postmeta', array( 'meta_key' => $key ) );
}

/** An answer of the REST API. */
class WP_REST_Response {

	/** @var mixed */
	public $data;
	/** @var int */
	public $status;
	/** @var array<string, string> */
	public $headers;

	public function __construct( $data, $status, $headers ) {
		$this->data    = $data;
		$this->status  = $status;
		$this->headers = $headers;
	}
}
