"""Finished pictures: alpha, size, contact sheets, and what a file remembers."""
