"""The sheets of learned subjects and of a learned style that README shows.

python -m examples.gallery.adapter_sheets        about ten minutes

They are what `customize` makes with a class word, else by default. Six held-out subjects, each from
its renders in noto, twemoji and fluent, and one held-out style, Fluent's high contrast, from twelve
drawings of learned subjects, named by their files. The sheets are the previews, and one that shows
every subject in four styles at two weights of consistency guidance; flat it was never shown in.
Needs the art of the recipe (fetch.py, art.py).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from examples.recipes.mini.art import load_subjects, read_svg, render, slug
from examples.recipes.mini.settings import DATA, SPRITE_PIXELS, STYLES
from examples.recipes.mini.sprites import to_image
from stickerforge.stickers.sheet import contact_sheet

HERE = Path(__file__).parent

SUBJECTS = {
    "flamingo": "bird",
    "llama": "animal",
    "rhinoceros": "animal",
    "blowfish": "fish",
    "ox": "animal",
    "axe": "tool",
}
SHEET_STYLES = ("noto", "twemoji", "sticker", "flat")
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


def save_sprite(premultiplied: np.ndarray, path: Path) -> None:
    """A render as PNG."""
    to_image(premultiplied).save(path)


def run_command(home: Path, *arguments: str) -> None:
    """Run a command as a user would, on one core: as many run at once as there are cores."""
    environment = os.environ | {"STICKERFORGE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "stickerforge", *arguments], check=True, env=environment)


def customize_subject(home: Path, name: str, folder: Path, codepoints: str) -> list[Image.Image]:
    """Teach a subject from its drawings in three styles.

    The taught one in each style, at each weight.
    """
    folder.mkdir()
    for style in STYLES[:3]:
        svg = read_svg(style, codepoints, name)
        assert svg is not None
        save_sprite(render(svg, SPRITE_PIXELS), folder / f"{style}.png")
    run_command(
        home, "customize", str(folder), "--subject", name, "--class", SUBJECTS[name], "--quiet"
    )
    shutil.copy(home / "adapters" / name / "preview.png", HERE / f"taught-{name}.png")
    prompts = folder.with_suffix(".csv")
    prompts.write_text(
        "\n".join(
            ["prompt,style,seed,id", *(f"a <{name}>,{style},1,{style}" for style in SHEET_STYLES)]
        )
        + "\n"
    )
    for weight in WEIGHTS:
        out = folder / f"led-{weight}"
        run_command(
            home,
            "generate",
            "--prompts",
            str(prompts),
            "--set",
            f"sampling.consistency={weight}",
            "--out",
            str(out),
            "--quiet",
        )
    return [
        Image.open(next((folder / f"led-{weight}").glob(f"{style}*.png"))).convert("RGBA")
        for style in SHEET_STYLES
        for weight in WEIGHTS
    ]


def customize_ink(home: Path, folder: Path) -> None:
    """Teach the style."""
    folder.mkdir()
    for name in DRAWINGS:
        svg = (DATA / "fluent" / "icons" / "high-contrast" / f"{slug(name)}.svg").read_text()
        save_sprite(render(svg, SPRITE_PIXELS), folder / f"{slug(name.removesuffix(' face'))}.png")
    run_command(home, "customize", str(folder), "--style", "ink", "--quiet")
    shutil.copy(home / "adapters" / "ink" / "preview.png", HERE / "taught-ink-style.png")


def main(place: Path) -> None:
    """Teach, and copy the previews beside this script."""
    codepoints, home = (
        {subject.name: subject.codepoints for subject in load_subjects()[0]},
        place / "home",
    )
    with ThreadPoolExecutor(os.cpu_count()) as cores:
        style = cores.submit(customize_ink, home, place / "ink")
        result = list(
            cores.map(
                lambda name: customize_subject(home, name, place / name, codepoints[name]), SUBJECTS
            )
        )
        style.result()
    captions = [
        f"{name}, {style}, weight {weight}"
        for name in SUBJECTS
        for style in SHEET_STYLES
        for weight in WEIGHTS
    ]
    pictures = [picture for those in result for picture in those]
    contact_sheet(pictures, captions, columns=len(SHEET_STYLES) * len(WEIGHTS)).save(
        HERE / "consistency.png", optimize=True
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
