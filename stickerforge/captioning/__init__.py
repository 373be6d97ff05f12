"""Captions for a folder of pictures: made by a captioner, changed by people, kept beside them."""
