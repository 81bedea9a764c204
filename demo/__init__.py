"""Two small shops, one like Shopify's and one like WooCommerce's, built from real orders.

They know Pannier by its public addresses only: everything they tell it goes over HTTP, in the platforms' own
formats and signed as the platforms sign. Only ``run``, the command that starts both sides, imports the
application; the shops do not.

What differs by platform stands in modules that begin with its name: ``…_shop`` says which webhooks are sent when,
``…_products``, ``…_customers`` and ``…_orders`` make their bodies, ``…_format`` knows how ids, moments and JSON are
written, and ``…_cart`` answers a storefront's scripts. ``peers`` are the platforms themselves, as far as Pannier asks
them.
"""
