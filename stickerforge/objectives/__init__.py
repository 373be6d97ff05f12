"""What is minimised: pure functions of predictions."""
