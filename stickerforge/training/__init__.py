"""Teaching a model: draws, steps, checkpoints, records."""
