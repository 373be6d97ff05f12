"""Training sets that people decide on: what is filtered, drawn and gated before they see it."""
