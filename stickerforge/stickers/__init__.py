"""Pure functions of finished pictures: alpha, size, flat colours, files, contact sheets."""
