"""Training adapters: datasets, methods, the loop, checkpoints, logs."""
