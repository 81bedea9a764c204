"""What goes together: co-purchase counts, what they mean, and the answers made of them."""
