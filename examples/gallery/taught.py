"""The sheets of taught subjects and of a taught style: what `customize` makes of them with a class word, else by default.

python examples/gallery/taught.py        needs the art of examples/mini (fetch.py, art.py); about ten minutes

Six held-out subjects, each from its renders in noto, twemoji and fluent, and one held-out style, Fluent's
high contrast, from twelve drawings of learned subjects, named by their files. The sheets are the previews, and
one that shows every subject in four styles at two weights of consistency guidance; flat it was never shown in.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "mini"))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from art import drawing, load, render, slug  # noqa: E402
from settings import DATA, SPRITE_PIXELS, STYLES  # noqa: E402
from stickerforge.stickers.sheet import contact_sheet  # noqa: E402

SUBJECTS = {
    "flamingo": "bird",
    "pineapple": "fruit",
    "whale": "animal",
    "llama": "animal",
    "hedgehog": "animal",
    "tulip": "flower",
}
WANTED = ("noto", "twemoji", "sticker", "flat")
WEIGHTS = ("1", "2")  # of consistency guidance
DRAWINGS = (
    "cat face",
    "dog face",
    "bear",
    "frog",
    "owl",
    "red apple",
    "pear",
    "mushroom",
    "automobile",
    "rocket",
    "sailboat",
    "house",
)


def saved(premultiplied: np.ndarray, path: Path) -> None:
    """A render as PNG."""
    content = np.ascontiguousarray(premultiplied).tobytes()
    Image.frombuffer("RGBa", premultiplied.shape[1::-1], content, "raw", "RGBa", 0, 1).convert(
        "RGBA"
    ).save(path)


def stickerforge(home: Path, *arguments: str) -> None:
    """Run a command as a user would, on one core: as many run at once as there are cores."""
    environment = os.environ | {"STICKERFORGE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "stickerforge", *arguments], check=True, env=environment)


def subject(home: Path, name: str, folder: Path, codepoints: str) -> list[Image.Image]:
    """Teach a subject from its drawings in three styles; the taught one in each style, at each weight."""
    folder.mkdir()
    for style in STYLES[:3]:
        svg = drawing(style, codepoints, name)
        assert svg is not None
        saved(render(svg, SPRITE_PIXELS), folder / f"{style}.png")
    stickerforge(
        home, "customize", str(folder), "--subject", name, "--class", SUBJECTS[name], "--quiet"
    )
    shutil.copy(home / "adapters" / name / "preview.png", HERE / f"taught-{name}.png")
    prompts = folder.with_suffix(".csv")
    prompts.write_text(
        "\n".join(["prompt,style,seed,id", *(f"a <{name}>,{style},1,{style}" for style in WANTED)])
        + "\n"
    )
    for weight in WEIGHTS:
        out = folder / f"led-{weight}"
        stickerforge(
            home,
            "generate",
            "--prompts",
            str(prompts),
            "--consistency",
            weight,
            "--out",
            str(out),
            "--quiet",
        )
    return [
        Image.open(next((folder / f"led-{weight}").glob(f"{style}*.png"))).convert("RGBA")
        for style in WANTED
        for weight in WEIGHTS
    ]


def ink(home: Path, folder: Path) -> None:
    """Teach the style."""
    folder.mkdir()
    for name in DRAWINGS:
        svg = (DATA / "fluent" / "icons" / "high-contrast" / f"{slug(name)}.svg").read_text()
        saved(render(svg, SPRITE_PIXELS), folder / f"{slug(name.removesuffix(' face'))}.png")
    stickerforge(home, "customize", str(folder), "--style", "ink", "--quiet")
    shutil.copy(home / "adapters" / "ink" / "preview.png", HERE / "taught-ink-style.png")


def main(place: Path) -> None:
    """Teach, and copy the previews beside this script."""
    codepoints, home = {subject.name: subject.codepoints for subject in load()[0]}, place / "home"
    with ThreadPoolExecutor(os.cpu_count()) as cores:
        style = cores.submit(ink, home, place / "ink")
        found = list(
            cores.map(lambda name: subject(home, name, place / name, codepoints[name]), SUBJECTS)
        )
        style.result()
    captions = [
        f"{name}, {style}, weight {weight}"
        for name in SUBJECTS
        for style in WANTED
        for weight in WEIGHTS
    ]
    pictures = [picture for those in found for picture in those]
    contact_sheet(pictures, captions, columns=len(WANTED) * len(WEIGHTS)).save(
        HERE / "consistency.png", optimize=True
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
