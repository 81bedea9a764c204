"""Pannier: what the product does. Knows no platform; platforms live in ``connectors``."""
