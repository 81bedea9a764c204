"""What ``make bench`` measures, each beside a baseline of the same run."""
