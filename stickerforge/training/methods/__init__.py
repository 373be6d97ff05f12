"""What a training step minimizes: one module per method."""
