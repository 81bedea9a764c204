"""From a stored store to its platform, to be asked and to be told."""
