"""Slow, readable second implementations, written from the papers and not from the package."""
