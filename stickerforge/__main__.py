"""`python -m stickerforge`."""

from stickerforge.cli import main

if __name__ == "__main__":
    main()
