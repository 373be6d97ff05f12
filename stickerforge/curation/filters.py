"""The filters of the domain stage: which weakly aligned pictures are trained on."""

from dataclasses import dataclass, replace

from stickerforge.config.schema.picture_sets import DomainConfig, PictureFilters
from stickerforge.curation.report import FilterReport, Reported
from stickerforge.curation.screening import (
    Entry,
    Screened,
    Screens,
    load_screens,
    screen_pictures,
)
from stickerforge.curation.selection import Selection, select_pictures
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.runtime.console import Console

SECTION = "domain"


@dataclass(frozen=True)
class Filtered:
    """What the filters left.

    Args:
        pictures: those that stay; the unreadable ones of before and those found now are in it.
        report: what each filter removed.
    """

    pictures: CaptionedPictures
    report: FilterReport


def filter_pictures(
    captioned: CaptionedPictures,
    settings: DomainConfig,
    console: Console,
    *,
    device: str = "cpu",
    offline: bool = False,
) -> Filtered:
    """Filter pictures with captions; `report.check()` says where none is left.

    Raises:
        InputError: a model that the settings name cannot be used.
        EnvironmentFault: something that they ask for is not installed or cannot be fetched.
    """
    entries = [Entry(picture.path, caption) for picture, caption in captioned.pictures]
    screens = load_screens(settings, console, device=device, offline=offline)
    selection, screened = sift(entries, settings, screens, console, "filtering pictures")
    unreadable = [*captioned.unreadable, *selection.unreadable]
    kept = [captioned.pictures[number] for number in selection.kept]
    report = build_report(entries, settings, SECTION, selection, screened)
    return Filtered(
        replace(captioned, pictures=kept, unreadable=unreadable),
        replace(report, total=len(entries) + len(captioned.unreadable), unreadable=unreadable),
    )


def sift(
    entries: list[Entry],
    settings: PictureFilters,
    screens: Screens,
    console: Console,
    title: str,
) -> tuple[Selection, Screened]:
    """(what stays and what does not, what was measured) of some pictures."""
    with console.progress(title, len(entries)) as advance:
        screened = screen_pictures(entries, settings, screens, advance)
    return select_pictures(entries, settings, screened), screened


def build_report(
    entries: list[Entry],
    settings: PictureFilters,
    section: str,
    selection: Selection,
    screened: Screened,
) -> FilterReport:
    """The report of a selection.

    Args:
        section: of the settings, for what is said of them.
    """
    removed = [
        Reported(
            entries[one.entry].path,
            entries[one.entry].caption,
            one.name,
            one.value,
            one.limit,
            one.note,
        )
        for one in selection.removed
    ]
    kept = [
        Reported(
            entries[number].path, entries[number].caption, "", screened.scores.get(number, 0.0)
        )
        for number in selection.kept
    ]
    return FilterReport(
        section,
        len(entries),
        kept,
        removed,
        selection.unreadable,
        settings,
        screened.figures,
        bool(screened.scores),
    )
