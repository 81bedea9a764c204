"""Groups of customers: by recency, frequency and money, and by the merchant's own conditions."""
