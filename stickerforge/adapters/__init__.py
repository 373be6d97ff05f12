"""What is taught: low-rank factors and tokens, their files, and where they are kept."""
