"""Whether image prompts do what IP-Adapter (arXiv:2308.06721) claims, on sticker-mini."""
