"""What users bring: prompts, pictures and their captions."""
