"""Base models: what there is, how weights are verified and loaded, one family per architecture."""
