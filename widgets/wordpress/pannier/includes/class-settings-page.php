<?php
/**
 * The page WooCommerce → Pannier.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Draws the settings page. What its buttons do stands in Settings_Actions. */
final class Settings_Page {

	public const SLUG       = 'pannier';
	public const CAPABILITY = 'manage_woocommerce';

	/**
	 * What is shown.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * Take the settings.
	 *
	 * @param Settings $settings What is shown.
	 */
	public function __construct( Settings $settings ) {
		$this->settings = $settings;
	}

	/** Register the page and the link to it. */
	public function hook(): void {
		add_action( 'admin_menu', array( $this, 'add' ), 60 );
		add_filter( 'plugin_action_links_' . plugin_basename( PANNIER_FILE ), array( $this, 'link' ) );
	}

	/** Add the page to WooCommerce's menu. */
	public function add(): void {
		add_submenu_page( 'woocommerce', __( 'Pannier', 'pannier' ), __( 'Pannier', 'pannier' ), self::CAPABILITY, self::SLUG, array( $this, 'draw' ) );
	}

	/**
	 * Put a link to the page into the list of plugins.
	 *
	 * @param mixed $links The links of this plugin.
	 * @return string[]
	 */
	public function link( $links ): array {
		$address = add_query_arg( 'page', self::SLUG, admin_url( 'admin.php' ) );
		$ours    = sprintf( '<a href="%s">%s</a>', esc_url( $address ), esc_html__( 'Settings', 'pannier' ) );
		return array_merge( array( $ours ), (array) $links );
	}

	/** Draw the page. */
	public function draw(): void {
		if ( ! current_user_can( self::CAPABILITY ) ) {
			return;
		}
		echo '<div class="wrap"><h1>' . esc_html__( 'Pannier', 'pannier' ) . '</h1>';
		$this->draw_notice();
		$this->draw_status();
		$this->draw_form();
		if ( $this->settings->is_connected() ) {
			$this->draw_button( 'pannier_check', __( 'Check the connection', 'pannier' ) );
			$this->draw_button( 'pannier_disconnect', __( 'Disconnect', 'pannier' ) );
			echo '<p class="description">' . esc_html__( 'Disconnecting hides the recommendations, ends all offers and signed prices in carts, and forgets the keys. Your orders are no longer sent only when you also disconnect the shop in Pannier, or delete its webhooks and its key under WooCommerce → Settings → Advanced.', 'pannier' ) . '</p>';
		}
		echo '</div>';
	}

	/** Say what the last action did. */
	private function draw_notice(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only chooses among our own sentences.
		$name   = isset( $_GET['pannier_notice'] ) && is_string( $_GET['pannier_notice'] ) ? sanitize_key( wp_unslash( $_GET['pannier_notice'] ) ) : '';
		$notice = Settings_Notices::find( $name );
		if ( null !== $notice ) {
			printf( '<div class="notice notice-%s"><p>%s</p></div>', esc_attr( $notice[0] ), esc_html( $notice[1] ) );
		}
	}

	/** Say how things stand. */
	private function draw_status(): void {
		$status = __( 'Not connected. Enter the address of Pannier and press “Connect”.', 'pannier' );
		if ( $this->settings->is_connected() ) {
			/* translators: %s: address of the Pannier service */
			$status = sprintf( __( 'Connected to %s.', 'pannier' ), $this->settings->address() );
		}
		echo '<p><strong>' . esc_html__( 'Status:', 'pannier' ) . '</strong> ' . esc_html( $status ) . '</p>';
	}

	/** Draw the form of all settings. */
	private function draw_form(): void {
		printf( '<form method="post" action="%s">', esc_url( admin_url( 'admin-post.php' ) ) );
		echo '<input type="hidden" name="action" value="pannier_save">';
		wp_nonce_field( 'pannier_save' );
		echo '<table class="form-table" role="presentation">';
		$this->draw_field( 'pannier_address', __( 'Address of Pannier', 'pannier' ), 'text', $this->settings->address(), __( 'Begins with https://', 'pannier' ) );
		$this->draw_field( 'pannier_key', __( 'Publishable key', 'pannier' ), 'text', $this->settings->key(), __( '“Connect” fills this in. It stands in your shop’s pages and may be seen by everybody.', 'pannier' ) );
		$this->draw_secret();
		$this->draw_placements();
		echo '</table><p class="submit">';
		printf( '<button type="submit" class="button button-primary">%s</button> ', esc_html__( 'Save settings', 'pannier' ) );
		printf( '<button type="submit" class="button" name="pannier_connect" value="1">%s</button>', esc_html__( 'Connect', 'pannier' ) );
		echo '</p></form>';
	}

	/**
	 * Draw one row of the form.
	 *
	 * @param string $name        Name of the field.
	 * @param string $label       Its label.
	 * @param string $type        Type of the input.
	 * @param string $value       What it holds.
	 * @param string $description What to know about it.
	 */
	private function draw_field( string $name, string $label, string $type, string $value, string $description ): void {
		printf(
			'<tr><th scope="row"><label for="%1$s">%2$s</label></th><td><input class="regular-text code" id="%1$s" name="%1$s" type="%3$s" value="%4$s" autocomplete="off" spellcheck="false" aria-describedby="%1$s-about"><p class="description" id="%1$s-about">%5$s</p>',
			esc_attr( $name ),
			esc_html( $label ),
			esc_attr( $type ),
			esc_attr( $value ),
			esc_html( $description )
		);
		echo '</td></tr>';
	}

	/** Draw the row of the secret key, which is never printed. */
	private function draw_secret(): void {
		$stored = '' !== $this->settings->secret();
		$about  = $stored
			? __( 'A secret key is stored. Leave this empty to keep it.', 'pannier' )
			: __( 'Optional. With it, exports and erasures of personal data under “Tools” are forwarded to Pannier.', 'pannier' );
		$this->draw_field( 'pannier_secret', __( 'Secret key', 'pannier' ), 'password', '', $about );
		if ( $stored ) {
			printf( '<tr><th></th><td><label><input type="checkbox" name="pannier_forget_secret" value="1"> %s</label></td></tr>', esc_html__( 'Forget the stored secret key', 'pannier' ) );
		}
	}

	/** Draw the row of the automatic placements. */
	private function draw_placements(): void {
		$labels = array(
			'product' => __( 'On product pages, below the product’s summary', 'pannier' ),
			'cart'    => __( 'On the cart page, below the cart', 'pannier' ),
		);
		echo '<tr><th scope="row">' . esc_html__( 'Show recommendations', 'pannier' ) . '</th><td><fieldset><legend class="screen-reader-text">' . esc_html__( 'Show recommendations', 'pannier' ) . '</legend>';
		foreach ( Settings::AUTOMATIC as $placement ) {
			printf(
				'<label><input type="checkbox" name="pannier_placements[]" value="%s"%s> %s</label><br>',
				esc_attr( $placement ),
				checked( $this->settings->places( $placement ), true, false ),
				esc_html( $labels[ $placement ] )
			);
		}
		echo '<p class="description">' . esc_html__( 'Anywhere else: the block “Bought together”, or the shortcode [pannier_recommendations].', 'pannier' ) . '</p></fieldset></td></tr>';
	}

	/**
	 * Draw a form of one button.
	 *
	 * @param string $action Name of the action and of its nonce.
	 * @param string $label  What stands on the button.
	 */
	private function draw_button( string $action, string $label ): void {
		printf( '<form method="post" action="%s" style="display:inline">', esc_url( admin_url( 'admin-post.php' ) ) );
		printf( '<input type="hidden" name="action" value="%s">', esc_attr( $action ) );
		wp_nonce_field( $action, '_wpnonce', true );
		printf( '<button type="submit" class="button">%s</button></form> ', esc_html( $label ) );
	}
}
