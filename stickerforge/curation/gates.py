"""The gates of the content stage: which candidates are taken out before people see them."""

from dataclasses import replace
from pathlib import Path

from stickerforge.config.schema.tailor_style import GatesConfig
from stickerforge.curation.candidate_tables import (
    Drawn,
    GatedCandidate,
    inner_name,
    place_picture,
    read_drawn,
    write_tables,
)
from stickerforge.curation.filters import build_report, sift
from stickerforge.curation.report import FilterReport
from stickerforge.curation.screening import Entry, Removal
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import PICTURES, REMOVED_PICTURES
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import locked

SECTION = "gates"
UNREADABLE = "unreadable"


def gate_candidates(
    folder: Path,
    settings: GatesConfig,
    console: Console,
    *,
    device: str = "cpu",
    offline: bool = False,
) -> FilterReport:
    """Take the candidates of a set that a gate rejects out of it, into removed/ and removed.jsonl.

    All pictures are judged, those that were taken out before, too: with other settings they may
    come back. `check()` of the report says where no candidate is left.

    Raises:
        InputError: the set holds no picture, a table of it is broken, or a model that the settings
            name cannot be used.
        EnvironmentFault: something that they ask for is missing, or the disk is full.
    """
    if not folder.is_dir():
        raise InputError(f"there is no set {folder}", "draw candidates first")
    with locked(folder, wait=False) as free:
        if not free:
            raise InputError(f"another call is drawing into {folder}", "wait for it")
        drawn = read_drawn(folder)
        if not drawn:
            raise InputError(f"{folder} holds no candidates", "draw candidates first")
        entries = [Entry(one.path, one.row.text, one.row.prompt_id) for one in drawn]
        selection, screened = sift(
            entries, settings, console, "gating candidates", device=device, offline=offline
        )
        faults = {one.entry: one for one in selection.removed}
        for number in screened.unreadable:
            faults[number] = Removal(number, UNREADABLE, 0.0, 0.0)
        for number, one in enumerate(drawn):
            place_picture(folder, one, REMOVED_PICTURES if number in faults else PICTURES)
        write_tables(
            folder,
            [drawn[number].row for number in selection.kept],
            [gated_row(drawn[number], faults[number]) for number in sorted(faults)],
        )
        moved = [
            replace(
                entry,
                path=folder
                / inner_name(
                    REMOVED_PICTURES if number in faults else PICTURES, drawn[number].row.file_name
                ),
            )
            for number, entry in enumerate(entries)
        ]
    return build_report(moved, settings, SECTION, selection, screened)


def gated_row(drawn: Drawn, fault: Removal) -> GatedCandidate:
    """The row of a picture that a gate took out."""
    row = drawn.row
    other = f"{PICTURES}/{fault.other}" if fault.other else ""
    return GatedCandidate(
        inner_name(REMOVED_PICTURES, row.file_name),
        row.text,
        fault.name,
        fault.value,
        fault.limit,
        other,
        row.prompt,
        row.seed,
        row.model,
        row.family,
    )
