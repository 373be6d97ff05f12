"""What the filters or gates removed, and why: JSON, and a page that is one file."""

import base64
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from stickerforge.config.schema.picture_sets import PictureFilters
from stickerforge.config.toml import to_tree
from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.text import plural
from stickerforge.web.svg_plots import histogram
from stickerforge.web.template import fill_template

SAMPLES = 24  # of each filter
THUMBNAIL = 160  # pixels
UNREADABLE = 50  # that the page lists, at most


@dataclass(frozen=True)
class FilterKind:
    """A filter as people are told of it.

    Args:
        setting: that decides it.
        about: what it takes out.
        figure: under which its measurements are kept.
    """

    setting: str
    about: str
    figure: str = ""


FILTERS = {  # in the order in which they are applied
    "size": FilterKind("min_side", "the shorter side has fewer pixels than this", "size"),
    "alpha": FilterKind("alpha", "no pixel is transparent"),
    "coverage": FilterKind(
        "coverage_min and coverage_max", "too little or too much of it is visible", "coverage"
    ),
    "border": FilterKind("border", "more of the border is visible than this", "border"),
    "prompt": FilterKind("prompt_score", "the cosine with its prompt is below this", "prompt"),
    "safety": FilterKind("safety_limit", "more likely unsafe than this", "safety"),
    "text": FilterKind("text_area", "text covers more of it than this", "text"),
    "prompt share": FilterKind("prompt_share", "the lowest cosines with their prompts", "prompt"),
    "duplicate": FilterKind("duplicates", "nearly the same as a picture that stays"),
    "best": FilterKind("best", "other pictures of its prompt have better cosines", "prompt"),
}


@dataclass(frozen=True)
class Reported:
    """A picture in a report.

    Args:
        name: of the filter that removed it; "" where it stays.
        value: what was measured; of one that stays its cosine with the prompt.
        limit: that it did not keep.
    """

    path: Path
    caption: str
    name: str
    value: float
    limit: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class FilterReport:
    """What came of some pictures.

    Args:
        section: of the settings: "domain" or "gates".
        total: pictures that were judged.
        kept, removed: in their order.
        unreadable: a line for each picture that cannot be read.
        settings: in force.
        figures: {measure: values}.
        scored: whether the value of those that stay is a cosine.
    """

    section: str
    total: int
    kept: Sequence[Reported]
    removed: Sequence[Reported]
    unreadable: Sequence[str]
    settings: PictureFilters
    figures: Mapping[str, Sequence[float]] = field(default_factory=dict)
    scored: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """{filter: how many it removed}, in the order in which they are applied."""
        found = Counter(one.name for one in self.removed)
        return {name: found[name] for name in FILTERS if found[name]}

    def lines(self) -> list[str]:
        """What was removed, for people: a line for each filter."""
        return [
            f"{name}: {plural(count, 'picture')} removed ({self.section}.{FILTERS[name].setting})"
            for name, count in self.counts.items()
        ]

    def check(self, report: Path | None = None) -> None:
        """Make sure that a picture is left.

        Args:
            report: the page that shows what was removed.

        Raises:
            InputError: none is; it says which filter took out most, and its setting.
        """
        if self.kept:
            return
        see = f"; {report} shows them" if report else ""
        if not self.total:
            raise InputError("there is no picture to filter", "give some with captions")
        if not self.counts:
            raise InputError(f"none of {plural(self.total, 'picture')} can be read", "mend them")
        counts = sorted(self.counts.items(), key=lambda item: -item[1])
        name, most = counts[0]
        others = "".join(f", {other} {count}" for other, count in counts[1:])
        who = "all" if most == self.total else f"{most} of"
        raise InputError(
            f"no picture is left: the filter {name} removed {who} {self.total}{others}",
            f"change {self.section}.{FILTERS[name].setting}{see}",
        )

    def record(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "pictures": self.total,
            "kept": len(self.kept),
            "removed": self.counts,
            "unreadable": list(self.unreadable),
            "settings": {self.section: to_tree(self.settings)},
            "pictures_removed": [
                {
                    "file_name": str(one.path),
                    "text": one.caption,
                    "filter": one.name,
                    "value": one.value,
                    "limit": one.limit,
                    "note": one.note,
                }
                for one in self.removed
            ],
        }

    def write(self, folder: Path) -> Path:
        """Write filters.json and filters.html (gates.* for gates); returns the page.

        Raises:
            InputError, EnvironmentFault: the folder cannot be written.
        """
        make_folder(folder)
        stem = "filters" if self.section == "domain" else self.section
        text = json.dumps(self.record(), ensure_ascii=False, indent=1)
        write_whole(folder / f"{stem}.json", text.encode("utf-8", "replace"))
        page = folder / f"{stem}.html"
        write_whole(page, render_report(self).encode("utf-8", "replace"))
        return page


def render_report(report: FilterReport) -> str:
    """The page."""
    kept, removed = len(report.kept), len(report.removed)
    title = f"{kept} of {plural(report.total, 'picture')} kept"
    parts = {
        "title": escape(title),
        "summary": escape(
            f"{removed} removed, {len(report.unreadable)} could not be read. Of each filter at most"
            f" {SAMPLES} pictures are shown, from the lowest value to the highest."
        ),
        "rows": funnel(report),
        "sections": "\n".join(section(name, report) for name in report.counts),
        "kept": cards(evenly(report.kept, SAMPLES), scored=report.scored),
        "notes": "".join(
            f"<li>not read: {escape(line)}</li>" for line in report.unreadable[:UNREADABLE]
        ),
    }
    return fill_template("stickerforge.curation", "report.html", parts)


def funnel(report: FilterReport) -> str:
    """A row for each filter: its setting, what it removed, what was left."""
    left, rows = report.total - len(report.unreadable), []
    for name, count in report.counts.items():
        left -= count
        cells = (f"{report.section}.{FILTERS[name].setting}", str(count), str(left))
        head = f'<th scope="row"><a href="#{anchor(name)}">{escape(name)}</a></th>'
        rows.append(f"<tr>{head}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "\n".join(rows)


def section(name: str, report: FilterReport) -> str:
    """What one filter removed."""
    removed = sorted((one for one in report.removed if one.name == name), key=lambda one: one.value)
    values = report.figures.get(FILTERS[name].figure, ())
    plot = f"<figure>{histogram(values, name)}</figure>" if len(set(values)) > 2 else ""
    return (
        f'<h2 id="{anchor(name)}">{escape(name)}: {plural(len(removed), "picture")}</h2>'
        f"<p>{escape(FILTERS[name].about)}</p>{plot}"
        f'<div class="grid">{cards(evenly(removed, SAMPLES), scored=True)}</div>'
    )


def anchor(name: str) -> str:
    """The name of a filter as an element's id."""
    return name.replace(" ", "-")


def evenly(items: Sequence[Reported], count: int) -> list[Reported]:
    """At most so many items, from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[round(at * (len(items) - 1) / (count - 1))] for at in range(count)]


def cards(items: Sequence[Reported], *, scored: bool) -> str:
    """Pictures with what is known of them."""
    return "\n".join(card(one, scored=scored) for one in items)


def card(one: Reported, *, scored: bool) -> str:
    """A picture with its caption and what was measured."""
    value = f"{one.value:.3g}" if scored else ""
    if one.name:
        value += f" (limit {one.limit:.3g})"
    picture = thumbnail(one.path)
    image = (
        f'<img alt="" src="data:image/webp;base64,{picture}">' if picture else "<p>not there</p>"
    )
    return (
        f'<figure class="card">{image}<figcaption><b>{escape(value)}</b>'
        f"<span>{escape(one.caption[:200])}</span><small>{escape(one.path.name)}"
        f"{escape(f', {one.note}' if one.note else '')}</small></figcaption></figure>"
    )


def thumbnail(path: Path) -> str:
    """A small WebP with alpha, in base 64; "" where the picture cannot be read any more."""
    try:
        image = Image.fromarray(load_picture(path)[1].rgba).convert("RGBa")
    except InputError:
        return ""
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    image.convert("RGBA").save(stream, "WEBP", quality=80, method=2)
    return base64.b64encode(stream.getvalue()).decode()
