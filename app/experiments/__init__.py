"""Experiments: who sees what by hash, who saw it, and what it was worth."""
