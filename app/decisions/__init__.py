"""What was shown to whom and why: the log of every decision."""
