"""What `caption` made, as it is told."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.data.caption_files import PERSON, RECORD_FILE, CaptionRecord


@dataclass
class CaptionSet:
    """What a call made.

    Args:
        folder: of the pictures.
        told: one line per picture, in their order; those without a caption are in `failed`.
        made: how many were written now.
        taken: the pictures whose captions people changed now, on the page or in what it saved.
    """

    folder: Path
    placeholder: str = ""
    words: str = ""
    told: list[CaptionRecord] = field(default_factory=list)
    made: int = 0
    taken: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        told = [asdict(one) for one in self.told]
        return {
            "captions": told,
            "made": self.made,
            "taken": sorted(self.taken),
            "failed": self.failed,
            "record": str(self.folder / RECORD_FILE),
        }

    def lines(self) -> list[str]:
        """For people and pipes."""
        return [f"{one.picture}\t{one.caption}" for one in self.told]

    def note(self) -> str:
        """For people."""
        people = sum(one.source == PERSON and one.picture not in self.taken for one in self.told)
        said = [f"{self.made} caption{'s' if self.made != 1 else ''} written beside the pictures"]
        said += [f"{len(self.taken)} changed by you"] if self.taken else []
        return "; ".join(said + ([f"{people} by people left as they are"] if people else []))
