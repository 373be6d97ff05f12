"""Training objectives: pure functions of predictions."""
