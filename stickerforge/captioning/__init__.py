"""What is in pictures, in words, beside them."""
