"""Between a store and its platform: installing, fetching the past, keeping up, leaving."""
