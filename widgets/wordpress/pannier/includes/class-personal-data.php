<?php
/**
 * Exports and erasures of personal data.
 *
 * @package Pannier
 */

namespace Pannier;

defined( 'ABSPATH' ) || exit;

/** Forwards WordPress's requests about a person to Pannier, and says what became of them. */
final class Personal_Data {

	private const NAME = 'pannier';

	/**
	 * Whether the shop is connected, and with which keys.
	 *
	 * @var Settings
	 */
	private $settings;

	/**
	 * Who is asked.
	 *
	 * @var Service
	 */
	private $service;

	/**
	 * Take the settings and the service.
	 *
	 * @param Settings $settings Whether the shop is connected, and with which keys.
	 * @param Service  $service  Who is asked.
	 */
	public function __construct( Settings $settings, Service $service ) {
		$this->settings = $settings;
		$this->service  = $service;
	}

	/** Register exporter, eraser and the text for the privacy policy. */
	public function hook(): void {
		add_filter( 'wp_privacy_personal_data_exporters', array( $this, 'add_exporter' ) );
		add_filter( 'wp_privacy_personal_data_erasers', array( $this, 'add_eraser' ) );
		add_action( 'admin_init', array( $this, 'suggest_policy' ) );
	}

	/**
	 * Add the exporter.
	 *
	 * @param mixed $exporters The exporters so far.
	 * @return array<string, mixed>
	 */
	public function add_exporter( $exporters ): array {
		$ours = array(
			'exporter_friendly_name' => __( 'Pannier', 'pannier' ),
			'callback'               => array( $this, 'export' ),
		);
		return array( self::NAME => $ours ) + (array) $exporters;
	}

	/**
	 * Add the eraser.
	 *
	 * @param mixed $erasers The erasers so far.
	 * @return array<string, mixed>
	 */
	public function add_eraser( $erasers ): array {
		$ours = array(
			'eraser_friendly_name' => __( 'Pannier', 'pannier' ),
			'callback'             => array( $this, 'erase' ),
		);
		return array( self::NAME => $ours ) + (array) $erasers;
	}

	/**
	 * What Pannier holds about a person, in the shape WordPress wants.
	 *
	 * @param string $email The person's e-mail address.
	 * @return array<string, mixed>|\WP_Error An error where Pannier could not be asked: an export without its part would be false.
	 */
	public function export( string $email ) {
		if ( '' === $this->settings->address() ) {
			return self::exported( array() );
		}
		if ( '' === $this->settings->secret() ) {
			return self::exported( array( self::remark( self::not_asked() ) ) );
		}
		$answer = $this->service->post( '/v1/privacy/exports', array( 'email' => $email ) );
		if ( 404 === $answer['status'] ) {
			return self::exported( array( self::remark( self::nothing_held() ) ) );
		}
		$body = is_array( $answer['body'] ) ? $answer['body'] : array();
		if ( 202 === $answer['status'] || 'open' === ( $body['status'] ?? '' ) ) {
			return self::exported( array( self::remark( __( 'Pannier has accepted the request and answers it separately; its part is not in this file.', 'pannier' ) ) ) );
		}
		if ( 200 !== $answer['status'] || ! isset( $body['data'] ) || ! is_array( $body['data'] ) ) {
			return new \WP_Error( 'pannier_export', self::failed( $answer['status'] ) );
		}
		$pairs = self::pairs( $body['data'] );
		return self::exported( $pairs ? $pairs : array( self::remark( self::nothing_held() ) ) );
	}

	/**
	 * Have Pannier erase what it holds about a person.
	 *
	 * @param string $email The person's e-mail address.
	 * @return array<string, mixed> The shape WordPress wants.
	 */
	public function erase( string $email ): array {
		if ( '' === $this->settings->address() ) {
			return self::erased( false, false, '' );
		}
		if ( '' === $this->settings->secret() ) {
			return self::erased( false, true, self::not_asked() );
		}
		$status = $this->service->post( '/v1/privacy/erasures', array( 'email' => $email ) )['status'];
		if ( 404 === $status ) {
			return self::erased( false, false, self::nothing_held() );
		}
		if ( 202 === $status ) {
			return self::erased( true, false, __( 'Pannier has accepted the erasure and is carrying it out.', 'pannier' ) );
		}
		return 200 === $status || 204 === $status ? self::erased( true, false, '' ) : self::erased( false, true, self::failed( $status ) );
	}

	/** Suggest a text for the shop's privacy policy. */
	public function suggest_policy(): void {
		$policy = '<p>' . esc_html__( 'To recommend products that go together, our shop works with the service Pannier. It learns from orders which products are bought together: it uses the articles of an order, its number, its date and a pseudonym of the customer account, but neither names, addresses, e-mail addresses nor telephone numbers.', 'pannier' ) . '</p>'
			. '<p>' . esc_html__( 'When you look at a product or at your cart, your browser asks Pannier for recommendations that go with it. In doing so it sends the numbers of the products and, as with every request in the internet, your IP address. Unless you agree to more, no cookie is set, nothing is stored in your browser, and no identifier of yours is sent; everybody gets the same recommendations.', 'pannier' ) . '</p>'
			. '<p>' . esc_html__( 'Only if you have agreed to statistics, your browser also tells Pannier which articles are in your cart and how many of each, under a hash of the number that our shop has given to the cart. The hash is kept with your order, so that Pannier learns whether the cart was bought. This does not happen if you are signed in.', 'pannier' ) . '</p>'
			. '<p>' . esc_html__( 'With the same consent, your browser tells Pannier under a random number, which it keeps, what you look at and put into your cart. If you are signed in and have agreed to preferences as well, our shop also signs the number of your customer account for it, for 15 minutes, so that recommendations fit what you bought before. Nothing of all this happens if your browser sends Global Privacy Control.', 'pannier' ) . '</p>'
			. '<p>' . esc_html__( 'Our shop may offer you a price of your own, which is lower than the one that everybody pays and holds for some minutes. It can follow from what you bought before. Your cart then carries the price in a signed form that does not show who you are, and your order is marked with its number.', 'pannier' ) . '</p>';
		wp_add_privacy_policy_content( __( 'Pannier', 'pannier' ), wp_kses_post( $policy ) );
	}

	/** Why Pannier was not asked. */
	private static function not_asked(): string {
		return __( 'Pannier was not asked, because no secret key is stored under WooCommerce → Pannier.', 'pannier' );
	}

	/** That there is nothing. */
	private static function nothing_held(): string {
		return __( 'Pannier holds nothing under this e-mail address.', 'pannier' );
	}

	/**
	 * That Pannier failed, and what to do.
	 *
	 * @param int $status HTTP status; 0 where Pannier could not be reached.
	 */
	private static function failed( int $status ): string {
		if ( 401 === $status || 403 === $status ) {
			return __( 'Pannier does not accept the secret key that is stored under WooCommerce → Pannier.', 'pannier' );
		}
		if ( 0 === $status ) {
			return __( 'Pannier could not be reached. Please try again later.', 'pannier' );
		}
		/* translators: %d: HTTP status */
		return sprintf( __( 'Pannier could not do this (status %d). Please try again later.', 'pannier' ), $status );
	}

	/**
	 * A remark in an export.
	 *
	 * @param string $sentence What is to be said.
	 * @return array{name: string, value: string}
	 */
	private static function remark( string $sentence ): array {
		return array(
			'name'  => __( 'Remark', 'pannier' ),
			'value' => $sentence,
		);
	}

	/**
	 * Every value in the answer with the path to it, `orders › 0 › number`.
	 *
	 * @param array<int|string, mixed> $body The answer.
	 * @param string                   $path The path to it.
	 * @return array<int, array{name: string, value: string}>
	 */
	private static function pairs( array $body, string $path = '' ): array {
		$pairs = array();
		foreach ( $body as $name => $value ) {
			$here = '' === $path ? (string) $name : $path . ' › ' . $name;
			if ( is_array( $value ) ) {
				$pairs = array_merge( $pairs, self::pairs( $value, $here ) );
			} elseif ( null !== $value ) {
				$pairs[] = array(
					'name'  => esc_html( $here ),
					'value' => esc_html( is_bool( $value ) ? ( $value ? 'true' : 'false' ) : (string) $value ),
				);
			}
		}
		return $pairs;
	}

	/**
	 * An export as WordPress wants it.
	 *
	 * @param array<int, array{name: string, value: string}> $pairs What is exported.
	 * @return array<string, mixed>
	 */
	private static function exported( array $pairs ): array {
		$item = array(
			'group_id'          => self::NAME,
			'group_label'       => __( 'Pannier', 'pannier' ),
			'group_description' => __( 'What the recommendation service holds.', 'pannier' ),
			'item_id'           => self::NAME,
			'data'              => $pairs,
		);
		return array(
			'data' => $pairs ? array( $item ) : array(),
			'done' => true,
		);
	}

	/**
	 * An erasure as WordPress wants it.
	 *
	 * @param bool   $removed  Whether something was erased.
	 * @param bool   $retained Whether something may have been kept.
	 * @param string $message  What the merchant should know; empty for nothing.
	 * @return array<string, mixed>
	 */
	private static function erased( bool $removed, bool $retained, string $message ): array {
		return array(
			'items_removed'  => $removed,
			'items_retained' => $retained,
			'messages'       => '' === $message ? array() : array( $message ),
			'done'           => true,
		);
	}
}
