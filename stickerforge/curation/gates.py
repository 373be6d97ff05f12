"""The gates of the content stage: which candidates are taken out before people see them."""

from dataclasses import replace
from pathlib import Path

from stickerforge.config.schema.picture_sets import GatesConfig
from stickerforge.curation.candidate_tables import (
    UNREADABLE,
    Drawn,
    GatedCandidate,
    inner_name,
    place_picture,
    read_drawn,
    write_tables,
)
from stickerforge.curation.filters import build_report, sift
from stickerforge.curation.report import FilterReport
from stickerforge.curation.screening import Entry, Removal, Screens
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import PICTURES, REMOVED_PICTURES
from stickerforge.runtime.console import Console

SECTION = "gates"


def gate_candidates(
    folder: Path, settings: GatesConfig, screens: Screens, console: Console
) -> FilterReport:
    """Take the candidates of a set that a gate rejects out of it, into removed/ and removed.jsonl.

    All pictures are judged, those that were taken out before, too: with other settings they may
    come back. `check()` of the report says where no candidate is left. The caller holds the lock
    of the set.

    Raises:
        InputError: the set holds no picture, or a table of it is broken.
        EnvironmentFault: the disk is full.
    """
    if not folder.is_dir():
        raise InputError(f"there is no set {folder}", "draw candidates first")
    drawn = read_drawn(folder)
    if not drawn:
        raise InputError(f"{folder} holds no candidates", "draw candidates first")
    entries = [Entry(one.path, one.row.text, one.row.prompt_id) for one in drawn]
    selection, screened = sift(entries, settings, screens, console, "gating candidates")
    faults = {one.entry: one for one in selection.removed}
    for number in screened.unreadable:
        faults[number] = Removal(number, UNREADABLE, 0.0, 0.0)
    places = [REMOVED_PICTURES if at in faults else PICTURES for at in range(len(drawn))]
    gated, moved = [], []
    for number, (one, place) in enumerate(zip(drawn, places, strict=True)):
        place_picture(folder, one, place)
        path = folder / inner_name(place, one.row.file_name)
        row = gated_row(one, faults[number]) if number in faults else None
        gated.append(Drawn(one.row, path, row))
        moved.append(replace(entries[number], path=path))
    write_tables(folder, gated)
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
