"""The machine: devices, seeds, files, signals, and what is said while working."""
