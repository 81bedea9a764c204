"""A synthetic store: everything that it does is planted by a seed, so that what Pannier finds can be judged.

``world`` is the planted truth and draws everything; ``bodies`` says it as Shopify would; ``line`` carries it to the
service (``inside``: to one in this process); ``shoppers`` and ``crowd`` visit the store; ``findings`` compares what was
found with what was planted; ``run`` puts them in order. See docs/synth.md.
"""
