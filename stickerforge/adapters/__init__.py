"""Adapters: their weights, files, layers in a network, and where they are kept."""
