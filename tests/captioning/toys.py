"""A folder to be captioned, and what lies in it."""

import json

from PIL import Image


def write_toys(folder):
    """A yellow thing on three grounds."""
    folder.mkdir()
    for name, ground in (("one", "#4a86e2"), ("two", "#e23c3c"), ("three", "#5cb25c")):
        picture = Image.new("RGB", (96, 96), ground)
        picture.paste("#fcd450", (24, 24, 72, 72))
        picture.save(folder / f"{name}.png")
    return folder


def texts(folder):
    return {path.stem: path.read_text().strip() for path in folder.glob("*.txt")}


def record(folder):
    return {
        row["picture"]: row
        for row in map(json.loads, (folder / "captions.jsonl").read_text().splitlines())
    }


def edit(name, caption, was):
    return {"picture": name, "caption": caption, "was": was}
