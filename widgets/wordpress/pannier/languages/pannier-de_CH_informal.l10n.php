<?php
/**
 * The words of de_DE, which suit here too.
 *
 * @package Pannier
 */

defined( 'ABSPATH' ) || exit;

return require __DIR__ . '/pannier-de_DE.l10n.php';
