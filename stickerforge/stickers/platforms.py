"""What each platform takes as a static sticker, and whether a file can be sent there as it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """One platform's rules; where sources differ, the strictest.

    Args:
        sides: of the longer side, in pixels; empty where anything up to 512 will do.
        square: whether both sides must be the same.
        formats: as Pillow calls them.
        bytes: largest file.
    """

    name: str
    sides: tuple[int, ...]
    square: bool
    formats: tuple[str, ...]
    bytes: int

    @property
    def about(self) -> str:
        """The rules in words."""
        sides = " or ".join(map(str, self.sides)) or "at most 512"
        shape = "square" if self.square else "longer side"
        formats = " or ".join(self.formats)
        return (
            f"share that can be sent as they are: {formats}, {shape} {sides} px, "
            f"at most {self.bytes // 1000} kB"
        )

    def takes(self, form: str, pixels: tuple[int, int], size: int) -> bool:
        """Whether a file of a format, (width, height) and so many bytes is accepted."""
        side = max(pixels)
        fits = side in self.sides if self.sides else side <= 512
        return (
            form in self.formats
            and fits
            and size <= self.bytes
            and (not self.square or pixels[0] == pixels[1])
        )


PLATFORMS = (
    Platform("whatsapp", (512,), True, ("WEBP",), 100_000),
    Platform("telegram", (512,), False, ("PNG", "WEBP"), 512_000),
    Platform("signal", (), False, ("PNG", "WEBP"), 300_000),
    Platform("imessage", (300, 408, 618), True, ("PNG", "GIF", "JPEG"), 500_000),
    Platform("discord", (320,), True, ("PNG",), 500_000),
)
