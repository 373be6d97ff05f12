"""The report as one HTML file that needs nothing else: figures, plots, and every picture to sort and filter."""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from stickerforge.evaluation.figures import METRICS, shown
from stickerforge.evaluation.plots import histogram, pareto

INLINE_BYTES = 12_000_000  # of thumbnails; beyond, pictures are linked
SPREADS = 12  # histograms at most


def page_of(report: Mapping[str, Any], thumbnails: Sequence[bytes], links: Sequence[Path], home: Path) -> str:
    """The page.

    Args:
        report: as `evaluate` writes it to report.json.
        thumbnails: WebP of the pictures, in the order of the report.
        links: the picture files.
        home: the folder that the page will lie in.
    """
    template = resources.files("stickerforge.evaluation").joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "title": escape(f"{report['folder']}: {report['counts']['pictures']} stickers"),
        "summary": summary(report), "figures": figure_rows(report), "plots": plots(report), "notes": notes(report),
        "data": script_safe({"pictures": cards(report, thumbnails, links, home), "metrics": metrics(report)}),
    }  # fmt: skip
    for name, text in parts.items():
        template = template.replace(f"<!--{name}-->", text)
    return template


def script_safe(value: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")


def summary(report: Mapping[str, Any]) -> str:
    """What was measured, by what."""
    counts = ", ".join(f"{count} {role.replace('_', ' ')}" for role, count in report["counts"].items())
    encoder = report["encoder"]
    return escape(f"{counts} · encoder {encoder['name']} {encoder['sha256']} · stickerforge {report['stickerforge']}")


def figure_rows(report: Mapping[str, Any]) -> str:
    """The table of figures."""
    rows = []
    for name, entry in report["figures"].items():
        spread = f"{shown(entry['low'])} to {shown(entry['high'])}" if entry["prompts"] > 1 else ""
        pair = report["against_baseline"].get(name)
        change = f"{pair['change']:+.3f} (p {pair['p']:.3f})" if pair else ""
        wish = {"higher": "more is better", "lower": "less is better"}.get(entry["better"], "")
        cells = (shown(entry["value"], entry["unit"]), spread, str(entry["n"]), change, wish)
        head = f'<th scope="row">{escape(name)}<small>{escape(entry["about"])}</small></th>'
        rows.append(f"<tr>{head}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "\n".join(rows)


def plots(report: Mapping[str, Any]) -> str:
    """How each metric is spread over the pictures, and the two that pull against each other."""
    columns = {name: [row["values"].get(name) for row in report["pictures"]] for name in metrics(report)}
    found = []
    for name, values in list(columns.items())[:SPREADS]:
        known = [value for value in values if value is not None]
        if len(known) > 1:
            found.append(f"<figure>{histogram(known, name)}<figcaption>{escape(name)}</figcaption></figure>")
    wishes = ("alignment", "subject_similarity", "style_similarity", "legibility")
    names = [next((name for name in columns if name.partition("@")[0] == wish), "") for wish in wishes]
    pair = [name for name in names if name][:2]
    if len(pair) == 2:
        both = [(a, b) for a, b in zip(columns[pair[0]], columns[pair[1]], strict=True) if a is not None and b is not None]
        if len(both) > 1:
            plot = pareto([a for a, _ in both], [b for _, b in both], (pair[0], pair[1]))
            found.append(f"<figure>{plot}<figcaption>full: no picture beats it in both</figcaption></figure>")
    return "\n".join(found)


def metrics(report: Mapping[str, Any]) -> dict[str, str]:
    """{metric with values of single pictures: which direction is better}."""
    names = dict.fromkeys(name for row in report["pictures"] for name in row["values"])
    return {name: METRICS[name.partition("@")[0]].better for name in names}


def cards(report: Mapping[str, Any], thumbnails: Sequence[bytes], links: Sequence[Path], home: Path) -> list[dict[str, Any]]:
    """What the page's script shows of each picture; thumbnails are inlined until there are too many."""
    found, inlined = [], 0
    for row, thumbnail, link in zip(report["pictures"], thumbnails, links, strict=True):
        inlined += len(thumbnail)
        target = relative(link, home)
        image = "data:image/webp;base64," + base64.b64encode(thumbnail).decode() if inlined <= INLINE_BYTES else target
        found.append({"file": row["file"], "prompt": row["prompt"], "values": row["values"], "image": image, "link": target})
    return found


def relative(link: Path, home: Path) -> str:
    """A picture as seen from the page, as a URL."""
    from urllib.parse import quote

    try:
        return quote(os.fsencode(os.path.relpath(link, home)).replace(os.sep.encode(), b"/"))
    except ValueError:  # another drive
        return link.as_uri()


def notes(report: Mapping[str, Any]) -> str:
    """What was refused, what could not be read, what has no picture."""
    lines = [f"not given: {line}" for line in report["refused"]] + [f"not read: {line}" for line in report["failed"]]
    lines += [f"no picture for the prompt: {prompt}" for prompt in report["prompts_without_picture"][:50]]
    return "".join(f"<li>{escape(line)}</li>" for line in lines)
