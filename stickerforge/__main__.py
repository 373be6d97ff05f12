"""`python -m stickerforge`."""

from stickerforge.cli.app import main

if __name__ == "__main__":
    main()
