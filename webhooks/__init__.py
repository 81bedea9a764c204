"""The way in: signed deliveries of the platforms, kept durably, translated and applied."""
