"""Two small shops, one like Shopify's and one like WooCommerce's, built from real orders.

They know Pannier by its public addresses only: everything they tell it goes over HTTP, in the platforms' own
formats and signed as the platforms sign. Only ``run``, the command that starts both sides, imports the
application; the shops do not.
"""
