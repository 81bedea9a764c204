"""A stand-in for Shopify: its Admin API executed on its own schema, its sign-in, its exports and its webhooks.

``state`` holds the shops, ``app`` serves them, ``hooks`` tells an app of what happens in them, ``checkout`` reckons
what a cart gets of a shop's discounts, with the app's own ``function``. Everything stays on loopback and in memory.
"""
