"""Denoising: pure functions of a prediction."""
