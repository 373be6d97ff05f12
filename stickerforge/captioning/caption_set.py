"""A folder's captions: what `caption` returns."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.data.caption_files import PERSON, RECORD_FILE, CaptionRecord
from stickerforge.data.captions import Caption, caption_pair
from stickerforge.runtime.text import plural


@dataclass(frozen=True)
class Subject:
    """What all pictures of a folder show; both are "" where they show different things.

    Args:
        placeholder: "<rex>".
        class_words: "dog".
    """

    placeholder: str = ""
    class_words: str = ""

    def pair(self, text: str) -> Caption:
        """The caption that a text becomes, with the placeholder once, and the one for the base."""
        text = text or self.placeholder or "a picture"
        if self.placeholder:
            return caption_pair(text, self.placeholder, self.class_words)
        return Caption(text, text)


@dataclass
class CaptionSet:
    """The captions of a folder, and what a call changed.

    Args:
        folder: of the pictures.
        records: one per picture, in their order; those without a caption are in `failed`.
        num_new: how many captions a captioner wrote in this call.
        edits: the pictures whose captions people changed in this call, on the page or in what it
            saved.
        failed: a line for each picture without a caption and each edit that was refused.
    """

    folder: Path
    subject: Subject = Subject()
    records: list[CaptionRecord] = field(default_factory=list)
    num_new: int = 0
    edits: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "captions": [asdict(record) for record in self.records],
            "made": self.num_new,
            "taken": sorted(self.edits),
            "failed": self.failed,
            "record": str(self.folder / RECORD_FILE),
        }

    def lines(self) -> list[str]:
        """For people and pipes."""
        return [f"{record.picture}\t{record.caption}" for record in self.records]

    def note(self) -> str:
        """For people."""
        by_people = sum(
            record.source == PERSON and record.picture not in self.edits for record in self.records
        )
        parts = [f"{plural(self.num_new, 'caption')} written beside the pictures"]
        if self.edits:
            parts.append(f"{len(self.edits)} changed by you")
        if by_people:
            parts.append(f"{by_people} by people left as they are")
        return "; ".join(parts)
