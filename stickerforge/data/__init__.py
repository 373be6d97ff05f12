"""What users bring: prompts, later pictures and captions."""
