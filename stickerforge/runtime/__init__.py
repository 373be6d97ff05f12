"""The machine: devices, seeds, files, signals, the console."""
