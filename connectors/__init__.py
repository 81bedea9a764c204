"""One package per platform, with equal file names. The only place that knows platform formats."""
