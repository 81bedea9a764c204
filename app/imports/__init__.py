"""Orders from files: shop tills and other systems that send no webhooks."""
