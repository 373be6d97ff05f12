"""Render the art: every subject that all four sets draw, as sprites of one size.

python -m examples.recipes.mini.art     data/sprites.npy and data/subjects.json, about four minutes

A subject is a Unicode emoji without skin tone, flags and keycaps left out; its name and keywords
are CLDR's. Sprites are uint8 RGBA with premultiplied alpha, so that they can be resized as they
are.
"""

import io
import json
import lzma
import re
from dataclasses import dataclass
from functools import cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from examples.recipes.mini.settings import DATA, HERE, SPRITE_PIXELS, STYLES

HELD_OUT = {
    version: HERE / name
    for version, name in ((2, "held_out_subjects.tsv"), (3, "held_out_subjects_3.tsv"))
}
LEARNED = {2: ("subjects.txt",), 3: ("subjects.txt", "subjects_3.txt")}
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


def learned_kinds(version: int = 2) -> dict[str, str]:
    """CLDR name -> kind, for the subjects that a version of sticker-mini learns."""
    results = {}
    for line in "".join((HERE / name).read_text() for name in LEARNED[version]).splitlines():
        if line and not line.startswith("#"):
            kind, names = line.split(": ", 1)
            results |= {name.strip(): kind for name in names.split(";")}
    return results


def withheld_names(version: int = 2) -> set[str]:
    """CLDR names that a version is never trained on: its held-out subjects and their near twins."""
    rows = [line.split("\t") for line in HELD_OUT[version].read_text().splitlines()[1:]]
    held_out = {row[1] for row in rows}
    names = set(held_out)
    for line in (HERE / "near_twins.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            subject, twins = line.split(": ", 1)
            names |= {name.strip() for name in twins.split(";")} if subject in held_out else set()
    return names


@cache
def noto_icons() -> tuple[dict, dict]:
    """Iconify's files of the Noto set: code points -> icon name, icon name -> drawing."""
    read = lambda name: json.loads((DATA / "noto" / name).read_text())  # noqa: E731
    return read("chars.json"), read("icons.json")


def read_svg(style: str, codepoints: str, name: str) -> str | None:
    """The SVG of a subject in a style, or None where the set does not draw it."""
    if style == "noto":
        characters, icons = noto_icons()
        if codepoints not in characters:
            return None
        body = icons["icons"][characters[codepoints]]["body"]
        names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {names} viewBox="0 0 128 128">{body}</svg>'
    if style == "twemoji":
        candidates = [DATA / "twemoji" / f"{codepoints}.svg"]
    else:
        folder = DATA / "fluent" / "icons" / {"fluent": "modern"}.get(style, style)
        candidates = [folder / f"{slug(name)}{tail}.svg" for tail in ("", "-default")]
    return next((path.read_text() for path in candidates if path.exists()), None)


def list_subjects() -> list[Subject]:
    """Every subject that all four sets draw, in CLDR's order; flags and variants are left out."""
    path = DATA / "cldr" / "annotations" / "en" / "annotations.json"
    annotations = json.loads(path.read_text())["annotations"]["annotations"]
    known, results = learned_kinds(), []
    for emoji, entry in annotations.items():
        codes = [f"{ord(c):x}" for c in emoji if ord(c) != 0xFE0F]
        name = entry.get("tts", [""])[0]
        if not name or "flag" in name or "keycap" in name or SKIN_TONES & set(codes):
            continue
        if all(read_svg(style, "-".join(codes), name) for style in STYLES):
            keywords = tuple(word for word in entry.get("default", []) if word != name)
            codepoints = "-".join(codes)
            results.append(Subject(len(results), codepoints, name, keywords, known.get(name, "")))
    for version, names in LEARNED.items():
        missing = set(learned_kinds(version)) - {subject.name for subject in results}
        assert not missing, f"{names} name what the four sets do not share: {sorted(missing)}"
        clash = set(learned_kinds(version)) & withheld_names(version)
        assert not clash, f"{names} name withheld subjects: {sorted(clash)}"
    return results


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


def render_sprites(drawings: list[str]) -> np.ndarray:
    """Drawings as sprites, (drawing, SPRITE_PIXELS, SPRITE_PIXELS, 4)."""
    return np.stack([render(svg, SPRITE_PIXELS) for svg in drawings])


def pack_drawings(path: Path) -> None:
    """Write every subject with its drawings to one file, for `write_sprites` on other machines."""
    rows = [
        subject_record(s)
        | {"drawings": [read_svg(style, s.codepoints, s.name) for style in STYLES]}
        for s in list_subjects()
    ]
    path.write_bytes(lzma.compress(json.dumps(rows, ensure_ascii=False).encode(), preset=6))


def subject_record(subject: Subject) -> dict[str, object]:
    """What subjects.json keeps of a subject."""
    return {"codepoints": subject.codepoints, "name": subject.name, "keywords": subject.keywords}


def load_subjects(version: int = 2) -> tuple[list[Subject], np.ndarray]:
    """Subjects with the kinds of a version, and their sprites.

    Sprites are premultiplied uint8 (subject, style, SPRITE_PIXELS, SPRITE_PIXELS, 4).
    """
    rows = json.loads((DATA / "subjects.json").read_text())
    known = learned_kinds(version)
    subjects = [
        Subject(i, r["codepoints"], r["name"], tuple(r["keywords"]), known.get(r["name"], ""))
        for i, r in enumerate(rows)
    ]
    return subjects, np.load(DATA / "sprites.npy", mmap_mode="r")


def write_sprites(path: Path, packed: Path | None = None, workers: int | None = None) -> None:
    """Render every subject in every style into one array on disk.

    Args:
        packed: a file of `pack_drawings`; by default the fetched sets are rendered.
        workers: processes; by default as many as there are cores.
    """
    if packed:
        rows = json.loads(lzma.decompress(packed.read_bytes()))
        drawings = [each.pop("drawings") for each in rows]
    else:
        subjects = list_subjects()
        rows = [subject_record(subject) for subject in subjects]
        drawings = [[read_svg(style, s.codepoints, s.name) for style in STYLES] for s in subjects]
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(rows), len(STYLES), SPRITE_PIXELS, SPRITE_PIXELS, 4)
    partial = path.with_name("partial.npy")
    sprites = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)

    with Pool(workers) as pool:
        for index, rendered in enumerate(pool.imap(render_sprites, drawings, chunksize=8)):
            sprites[index] = rendered
    (path.parent / "subjects.json").write_text(json.dumps(rows, indent=0, ensure_ascii=False))
    sprites.flush()
    partial.rename(path)
    print(
        f"{len(rows)} subjects x {len(STYLES)} styles, {len(learned_kinds())} of them learned "
        f"by version 2, {len(learned_kinds(3))} by version 3"
    )


if __name__ == "__main__":
    write_sprites(DATA / "sprites.npy")
