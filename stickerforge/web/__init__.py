"""Pages that are one file, and a server for this machine's browser alone."""
