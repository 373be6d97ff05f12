"""The sheets of taught subjects and of a taught style: what a new user gets from `customize` with default settings.

python examples/gallery/taught.py        needs the art of examples/mini (fetch.py, art.py); about five minutes

Three held-out subjects, each from its renders in noto, twemoji and fluent, and one held-out style, Fluent's
high contrast, from twelve drawings of learned subjects, named by their files. The sheets are the previews.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "mini"))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from art import drawing, load, render, slug  # noqa: E402
from settings import DATA, SPRITE_PIXELS, STYLES  # noqa: E402

SUBJECTS = ("flamingo", "pineapple", "whale")
DRAWINGS = (
    "cat face", "dog face", "bear", "frog", "owl", "red apple", "pear", "mushroom", "automobile", "rocket", "sailboat", "house",
)  # fmt: skip


def saved(premultiplied: np.ndarray, path: Path) -> None:
    """A render as PNG."""
    content = np.ascontiguousarray(premultiplied).tobytes()
    Image.frombuffer("RGBa", premultiplied.shape[1::-1], content, "raw", "RGBa", 0, 1).convert("RGBA").save(path)


def customize(home: Path, pictures: Path, *options: str) -> None:
    """Run the command as a user would."""
    command = [sys.executable, "-m", "stickerforge", "customize", str(pictures), *options]
    subprocess.run(command, check=True, env=os.environ | {"STICKERFORGE_HOME": str(home)})


def main(place: Path) -> None:
    """Teach, and copy the previews beside this script."""
    subjects, _ = load()
    by_name = {subject.name: subject for subject in subjects}
    for name in SUBJECTS:
        folder = place / name
        folder.mkdir()
        for style in STYLES[:3]:
            svg = drawing(style, by_name[name].codepoints, name)
            assert svg is not None
            saved(render(svg, SPRITE_PIXELS), folder / f"{style}.png")
        customize(place / "home", folder, "--subject", name)
        shutil.copy(place / "home" / "adapters" / name / "preview.png", HERE / f"taught-{name}.png")
    folder = place / "ink"
    folder.mkdir()
    for name in DRAWINGS:
        svg = (DATA / "fluent" / "icons" / "high-contrast" / f"{slug(name)}.svg").read_text()
        saved(render(svg, SPRITE_PIXELS), folder / f"{slug(name.removesuffix(' face'))}.png")
    customize(place / "home", folder, "--style", "ink")
    shutil.copy(place / "home" / "adapters" / "ink" / "preview.png", HERE / "taught-ink-style.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
