"""Offers: products that cost less together, from the proposal to the discount in the shop's checkout."""
