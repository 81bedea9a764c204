<?php
/**
 * What shoppers read, in German.
 *
 * @package Pannier
 */

defined( 'ABSPATH' ) || exit;

return array(
	'domain'       => 'pannier',
	'language'     => 'de_DE',
	'plural-forms' => 'nplurals=2; plural=(n != 1);',
	'messages'     => array(
		'Offer: %s' => 'Angebot: %s',
		'“%s” is taken off by itself as long as all its products are in the cart.' => '„%s“ wird von selbst abgezogen, solange alle zugehörigen Artikel im Warenkorb liegen.',
		'An offer has ended, and its discount is no longer part of your total.' => 'Ein Angebot ist zu Ende gegangen; sein Rabatt ist in der Summe nicht mehr enthalten.',
		'Your price for “%s” has expired. It now costs what it costs everybody.' => 'Der Ihnen genannte Preis für „%s“ ist abgelaufen. Es gilt jetzt der Preis, den alle zahlen.',
	),
);
