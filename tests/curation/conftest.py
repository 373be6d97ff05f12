"""What tests of curation share: pictures with captions, and a set of them."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stickerforge.curation.candidates import draw_candidates
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.runtime.console import Console
from tests.curation.drawn_set import PROMPTS, SETTINGS


def sticker(seed, side=128):
    """A few discs on a clear ground, away from the border."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(image)
    for _ in range(5):
        x, y, r = (int(value * side) for value in rng.uniform((0.25, 0.25, 0.06), (0.7, 0.7, 0.18)))
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(*color, 255))
    return image


@pytest.fixture
def quiet():
    return Console(quiet=True)


@pytest.fixture
def captioned(tmp_path):
    """Write pictures with captions, and read them as a table: {name: (picture, caption)}."""

    def write(pictures):
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        rows = []
        for name, (picture, caption) in pictures.items():
            if isinstance(picture, bytes):
                (folder / name).write_bytes(picture)
            else:
                picture.save(folder / name)
            rows.append(json.dumps({"file_name": name, "text": caption}))
        (folder / "metadata.jsonl").write_text("\n".join(rows))
        return read_captioned_pictures(folder)

    return write


@pytest.fixture
def draw(tiny_sd, tmp_path, quiet):
    def run(prompts=PROMPTS, folder="set", settings=SETTINGS, **options):
        return draw_candidates(
            prompts,
            tmp_path / folder,
            settings,
            quiet,
            **{"model": str(tiny_sd), "device": "cpu"} | options,
        )

    return run
