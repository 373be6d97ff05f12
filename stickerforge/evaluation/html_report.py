"""The report as one HTML file that needs nothing else: scores, plots, every picture to sort."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stickerforge.evaluation.metrics.base import METRICS, metric_of
from stickerforge.evaluation.scores import format_interval, format_value
from stickerforge.web.svg_plots import histogram
from stickerforge.web.template import fill_template, script_safe

INLINE_BYTES = 12_000_000  # of thumbnails; beyond, pictures are linked
HISTOGRAMS = 12  # at most
PROMPTS = 50  # without a picture that are listed, at most


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
        others: for each of them the baseline's picture of the same prompt, if there is one.
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
                "metrics": image_scores(report),
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
    encoder = f"encoder {report['encoder']['name']} {report['encoder']['sha256']}"
    return escape(f"{counts} · {encoder} · stickerforge {report['stickerforge']}")


def score_rows(report: Mapping[str, Any]) -> str:
    """The table of scores."""
    rows = []
    for name, entry in report["figures"].items():
        unit, pair = entry["unit"], report["against_baseline"].get(name)
        cells = (
            format_value(entry["value"], unit),
            "-" if entry["low"] is None else format_interval(entry["low"], entry["high"], unit),
            str(entry["n"]),
            f"{pair['change']:+.3f} (p {pair['p']:.3f})" if pair else "",
            {"higher": "more is better", "lower": "less is better"}.get(entry["better"], ""),
        )
        head = f'<th scope="row">{escape(name)}<small>{escape(entry["about"])}</small></th>'
        rows.append(f"<tr>{head}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "\n".join(rows)


def histograms(report: Mapping[str, Any]) -> str:
    """How each score of single pictures is spread over them."""
    plots: list[str] = []
    for name in image_scores(report):
        values = [row["values"][name] for row in report["pictures"] if name in row["values"]]
        # Of yes and no there is nothing to see.
        if len(set(values)) > 2 and len(plots) < HISTOGRAMS:
            plot = histogram(values, name)
            plots.append(f"<figure>{plot}<figcaption>{escape(name)}</figcaption></figure>")
    return "\n".join(plots)


def image_scores(report: Mapping[str, Any]) -> dict[str, str]:
    """{score with values of single pictures: which direction is better}."""
    names = dict.fromkeys(name for row in report["pictures"] for name in row["values"])
    return {name: metric_of(name).better for name in names}


def axes(report: Mapping[str, Any]) -> list[str]:
    """The two scores that the plot begins with, if there are two.

    Such as their metrics recommend by `axis`, since they pull against each other.
    """
    names = list(image_scores(report))
    recommended = [
        name for item in METRICS.values() for name in names if item.axis and metric_of(name) is item
    ]
    return (recommended + names)[:2]


def image_cards(
    report: Mapping[str, Any],
    pictures: Sequence[ReportImage],
    others: Sequence[ReportImage | None],
    home: Path,
) -> list[dict[str, Any]]:
    """What the page's script shows of each picture.

    Thumbnails are inlined until there are too many.
    """
    cards, inlined = [], 0
    for row, picture, other in zip(report["pictures"], pictures, others, strict=True):
        card = {
            "file": row["file"],
            "prompt": row["prompt"],
            "values": row["values"],
            "link": relative_url(picture.link, home),
        }
        for key, image in (("image", picture), ("other", other)):
            if image is None:
                continue
            inlined += len(image.thumbnail)
            data = "data:image/webp;base64," + base64.b64encode(image.thumbnail).decode()
            card[key] = data if inlined <= INLINE_BYTES else relative_url(image.link, home)
        cards.append(card)
    return cards


def relative_url(link: Path, home: Path) -> str:
    """A picture as the page links it, as a URL."""
    try:
        return quote(os.fsencode(os.path.relpath(link, home)).replace(os.sep.encode(), b"/"))
    except ValueError:  # another drive
        return link.as_uri()


def notes(report: Mapping[str, Any]) -> str:
    """What was refused, what could not be read, what has no picture."""
    lines = [f"not given: {line}" for line in report["refused"]]
    lines += [f"not read: {line}" for line in report["failed"]]
    prompts = report["prompts_without_picture"][:PROMPTS]
    lines += [f"no picture for the prompt: {prompt}" for prompt in prompts]
    return "".join(f"<li>{escape(line)}</li>" for line in lines)
