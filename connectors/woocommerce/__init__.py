"""WooCommerce: its webhooks, translated into changes of the shared commerce model."""
