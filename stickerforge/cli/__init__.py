"""The command line: Typer reads it, commands do the work."""
