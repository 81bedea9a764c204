"""A stand-in for Shopify: its Admin API executed on its own schema, its sign-in, its exports and its webhooks.

``state`` holds the shops, ``app`` serves them, ``hooks`` tells an app of what happens in them. Everything stays
on loopback and in memory.
"""
