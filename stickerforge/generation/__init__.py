"""Prompts to image files: requests, parameters, sampling, writing."""
