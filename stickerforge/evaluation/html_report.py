"""The report as one HTML file that needs nothing else: figures, plots, and every picture to sort and filter."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from stickerforge.evaluation.metrics.base import METRICS, format_interval, format_value
from stickerforge.web.svg_plots import histogram
from stickerforge.web.template import fill_template, script_safe

INLINE_BYTES = 12_000_000  # of thumbnails; beyond, pictures are linked
SPREADS = 12  # histograms at most


@dataclass(frozen=True)
class ReportImage:
    """A picture as the page shows it.

    Args:
        thumbnail: WebP.
        link: the picture's file.
    """

    thumbnail: bytes
    link: Path


def render_report(
    report: Mapping[str, Any],
    pictures: Sequence[ReportImage],
    others: Sequence[ReportImage | None],
    home: Path,
) -> str:
    """The page.

    Args:
        report: as `evaluate` writes it to report.json.
        pictures: in the order of the report.
        others: for each of them the baseline's picture of the same prompt, where there is one.
        home: the folder that the page will lie in.
    """
    parts = {
        "title": escape(f"{report['folder']}: {report['counts']['pictures']} stickers"),
        "summary": summary(report),
        "figures": score_rows(report),
        "plots": histograms(report),
        "notes": notes(report),
        "data": script_safe(
            {
                "pictures": image_cards(report, pictures, others, home),
                "metrics": metrics(report),
                "axes": axes(report),
            }
        ),
    }
    return fill_template("stickerforge.evaluation", "report.html", parts)


def summary(report: Mapping[str, Any]) -> str:
    """What was measured, by what."""
    counts = ", ".join(
        f"{count} {role.replace('_', ' ')}" for role, count in report["counts"].items()
    )
    encoder = report["encoder"]
    return escape(
        f"{counts} · encoder {encoder['name']} {encoder['sha256']} · stickerforge {report['stickerforge']}"
    )


def score_rows(report: Mapping[str, Any]) -> str:
    """The table of figures."""
    rows = []
    for name, entry in report["figures"].items():
        between = (
            format_interval(entry["low"], entry["high"], entry["unit"])
            if entry["prompts"] > 1
            else ""
        )
        pair = report["against_baseline"].get(name)
        change = f"{pair['change']:+.3f} (p {pair['p']:.3f})" if pair else ""
        wish = {"higher": "more is better", "lower": "less is better"}.get(entry["better"], "")
        cells = (
            format_value(entry["value"], entry["unit"]),
            between,
            str(entry["n"]),
            change,
            wish,
        )
        head = f'<th scope="row">{escape(name)}<small>{escape(entry["about"])}</small></th>'
        rows.append(f"<tr>{head}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "\n".join(rows)


def histograms(report: Mapping[str, Any]) -> str:
    """How each metric is spread over the pictures."""
    columns = {
        name: [row["values"][name] for row in report["pictures"] if name in row["values"]]
        for name in metrics(report)
    }
    found: list[str] = []
    for name, known in columns.items():
        if len(set(known)) > 2 and len(found) < SPREADS:  # of yes and no there is nothing to see
            found.append(
                f"<figure>{histogram(known, name)}<figcaption>{escape(name)}</figcaption></figure>"
            )
    return "\n".join(found)


def metrics(report: Mapping[str, Any]) -> dict[str, str]:
    """{metric with values of single pictures: which direction is better}."""
    names = dict.fromkeys(name for row in report["pictures"] for name in row["values"])
    return {name: METRICS[name.partition("@")[0]].better for name in names}


def axes(report: Mapping[str, Any]) -> list[str]:
    """The two metrics that the plot begins with: such as pull against each other, if there are two."""
    names = list(metrics(report))
    wishes = ("alignment", "subject_similarity", "style_similarity", "legibility", "bytes")
    found = [name for wish in wishes for name in names if name.partition("@")[0] == wish]
    return (found + names)[:2]


def image_cards(
    report: Mapping[str, Any],
    pictures: Sequence[ReportImage],
    others: Sequence[ReportImage | None],
    home: Path,
) -> list[dict[str, Any]]:
    """What the page's script shows of each picture; thumbnails are inlined until there are too many."""
    found, inlined = [], 0
    for row, picture, other in zip(report["pictures"], pictures, others, strict=True):
        card = {
            "file": row["file"],
            "prompt": row["prompt"],
            "values": row["values"],
            "link": relative_url(picture.link, home),
        }
        for key, shown_there in (("image", picture), ("other", other)):
            if shown_there is None:
                continue
            inlined += len(shown_there.thumbnail)
            data = "data:image/webp;base64," + base64.b64encode(shown_there.thumbnail).decode()
            card[key] = data if inlined <= INLINE_BYTES else relative_url(shown_there.link, home)
        found.append(card)
    return found


def relative_url(link: Path, home: Path) -> str:
    """A picture as seen from the page, as a URL."""
    from urllib.parse import quote

    try:
        return quote(os.fsencode(os.path.relpath(link, home)).replace(os.sep.encode(), b"/"))
    except ValueError:  # another drive
        return link.as_uri()


def notes(report: Mapping[str, Any]) -> str:
    """What was refused, what could not be read, what has no picture."""
    lines = [f"not given: {line}" for line in report["refused"]] + [
        f"not read: {line}" for line in report["failed"]
    ]
    lines += [
        f"no picture for the prompt: {prompt}" for prompt in report["prompts_without_picture"][:50]
    ]
    return "".join(f"<li>{escape(line)}</li>" for line in lines)
