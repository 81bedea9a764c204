"""The shared commerce model: stores, products, customers, orders, carts, and what may change them."""
