"""Render the art: every subject that all four sets draw, as sprites of one size.

python examples/mini/art.py          data/sprites.npy and data/subjects.json, about four minutes

A subject is a Unicode emoji without skin tone, flags and keycaps left out; its name and keywords are
CLDR's. Sprites are uint8 RGBA with premultiplied alpha, so that they can be resized as they are.
"""

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from settings import DATA, HERE, SPRITE_PIXELS, STYLES

HELD_OUT = HERE.parent / "bench" / "held_out_subjects.tsv"
SKIN_TONES = {f"1f3f{tone}" for tone in "bcdef"}


@dataclass(frozen=True)
class Subject:
    """One thing that can be drawn: its CLDR name, its keywords, and what kind of thing it is."""

    index: int  # row of the sprite array
    codepoints: str
    name: str
    keywords: tuple[str, ...]
    kind: str  # "" where sticker-mini does not learn it


def slug(name: str) -> str:
    """The Fluent package's file stem for a CLDR name."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub("[’']", "", name.lower())).strip("-")


def kinds() -> dict[str, str]:
    """CLDR name -> kind, for the subjects that sticker-mini learns (subjects.txt)."""
    found = {}
    for line in (HERE / "subjects.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            kind, names = line.split(": ", 1)
            found |= {name.strip(): kind for name in names.split(";")}
    return found


def withheld_names() -> set[str]:
    """CLDR names never trained on: the held-out subjects and their near twins."""
    rows = [line.split("\t") for line in HELD_OUT.read_text().splitlines()[1:]]
    names = {row[1] for row in rows}
    for line in (HERE / "near_twins.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            names |= {name.strip() for name in line.split(": ", 1)[1].split(";")}
    return names


@cache
def noto() -> tuple[dict, dict]:
    """Iconify's files of the Noto set: code points -> icon name, icon name -> drawing."""
    read = lambda name: json.loads((DATA / "noto" / name).read_text())  # noqa: E731
    return read("chars.json"), read("icons.json")


def drawing(style: str, codepoints: str, name: str) -> str | None:
    """The SVG of a subject in a style, or None where the set does not draw it."""
    if style == "noto":
        characters, icons = noto()
        if codepoints not in characters:
            return None
        body = icons["icons"][characters[codepoints]]["body"]
        return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 128 128">{body}</svg>'
    if style == "twemoji":
        candidates = [DATA / "twemoji" / f"{codepoints}.svg"]
    else:
        folder = DATA / "fluent" / "icons" / {"fluent": "modern"}.get(style, style)
        candidates = [folder / f"{slug(name)}{tail}.svg" for tail in ("", "-default")]
    return next((path.read_text() for path in candidates if path.exists()), None)


def all_subjects() -> list[Subject]:
    """Every subject that all four sets draw, in CLDR's order; flags and variants are left out."""
    path = DATA / "cldr" / "annotations" / "en" / "annotations.json"
    annotations = json.loads(path.read_text())["annotations"]["annotations"]
    known, found = kinds(), []
    for emoji, entry in annotations.items():
        codes = [f"{ord(c):x}" for c in emoji if ord(c) != 0xFE0F]
        name = entry.get("tts", [""])[0]
        if not name or "flag" in name or "keycap" in name or SKIN_TONES & set(codes):
            continue
        if all(drawing(style, "-".join(codes), name) for style in STYLES):
            keywords = tuple(word for word in entry.get("default", []) if word != name)
            codepoints = "-".join(codes)
            found.append(Subject(len(found), codepoints, name, keywords, known.get(name, "")))
    missing = set(known) - {subject.name for subject in found}
    assert not missing, f"subjects.txt names what the four sets do not share: {sorted(missing)}"
    clash = set(known) & withheld_names()
    assert not clash, f"subjects.txt names withheld subjects: {sorted(clash)}"
    return found


def render(svg: str, pixels: int) -> np.ndarray:
    """A drawing as uint8 RGBA with premultiplied alpha, (pixels, pixels, 4), centred."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=pixels, skip_system_fonts=True)
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBa")
    if picture.size != (pixels, pixels):
        picture.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        square = Image.new("RGBa", (pixels, pixels))
        square.paste(picture, ((pixels - picture.width) // 2, (pixels - picture.height) // 2))
        picture = square
    return np.frombuffer(picture.tobytes(), np.uint8).reshape(pixels, pixels, 4)


def load() -> tuple[list[Subject], np.ndarray]:
    """Subjects and their sprites, uint8 premultiplied (subject, style, pixels, pixels, 4)."""
    rows = json.loads((DATA / "subjects.json").read_text())
    known = kinds()
    subjects = [Subject(i, r["codepoints"], r["name"], tuple(r["keywords"]), known.get(r["name"], "")) for i, r in enumerate(rows)]
    return subjects, np.load(DATA / "sprites.npy", mmap_mode="r")


def write(path: Path) -> None:
    """Render every subject in every style into one array on disk."""
    subjects = all_subjects()
    shape = (len(subjects), len(STYLES), SPRITE_PIXELS, SPRITE_PIXELS, 4)
    partial = path.with_name("partial.npy")
    sprites = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)

    def draw(subject: Subject) -> None:
        for column, style in enumerate(STYLES):
            svg = drawing(style, subject.codepoints, subject.name)
            assert svg is not None
            sprites[subject.index, column] = render(svg, SPRITE_PIXELS)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(draw, subjects))
    rows = [{"codepoints": s.codepoints, "name": s.name, "keywords": s.keywords} for s in subjects]
    (path.parent / "subjects.json").write_text(json.dumps(rows, indent=0, ensure_ascii=False))
    sprites.flush()
    partial.rename(path)
    print(f"{len(subjects)} subjects x {len(STYLES)} styles, {len(kinds())} of them to learn")


if __name__ == "__main__":
    write(DATA / "sprites.npy")
