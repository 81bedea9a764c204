"""Local stand-ins for the platforms' servers."""
