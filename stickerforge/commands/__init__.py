"""One file per command: the pipeline in reading order. The only place where parts meet."""
