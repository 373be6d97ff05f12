"""One module per command: plan, run, dry_run, Result."""
