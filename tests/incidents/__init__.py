"""Folding alerts into incidents, and who is called."""
