"""What stops working is noticed: freshness, drift, slots that do harm, and telling the merchant."""
