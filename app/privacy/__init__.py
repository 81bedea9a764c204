"""What people may ask of their data."""
