"""Metrics of pictures, and the reports that show them."""
