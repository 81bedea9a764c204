"""Two small shops, one like Shopify's and one like WooCommerce's, built from real orders.

They know Pannier by its public addresses only: everything they tell it goes over HTTP, in the platforms' own
formats and signed as the platforms sign. Nothing here imports the application, and the application imports
nothing from here but the entry points that ``pannier demo`` calls.
"""
