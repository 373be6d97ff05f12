"""Generated pictures and real renders of StickerBench's prompts."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from examples.experiments.bench.bench_items import Item
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.world import World
from stickerforge.errors import PartlyDone


def write_prompts(items: Sequence[Item], path: Path) -> None:
    """For `stickerforge generate --prompts`."""
    rows = [
        json.dumps({"id": item.id, "prompt": item.prompt, "seed": item.seed}, ensure_ascii=False)
        for item in items
    ]
    path.write_text("\n".join(rows) + "\n")


def generate_images(items: Sequence[Item], out: Path, options: Sequence[str]) -> None:
    """Make what is missing, with the very command of a user.

    The prompts stay as they are and colours as they were drawn, since the model is measured; where
    the options say otherwise, a prompt with nothing left to draw has no picture.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_prompts(items, out / "prompts.jsonl")
    command = [
        sys.executable,
        "-m",
        "stickerforge",
        "generate",
        "--prompts",
        str(out / "prompts.jsonl"),
        "--out",
        str(out / "pictures"),
    ]
    settings = ["output.sheet=false", "output.colours=drawn", "words.unknown=keep"]
    command += ["--size", "native", "--force"]
    command += [part for text in settings for part in ("--set", text)]
    ended = subprocess.run([*command, *options], check=False, stdout=subprocess.DEVNULL)
    if ended.returncode not in (0, PartlyDone.code):
        ended.check_returncode()


def find_picture(item: Item, folder: Path) -> Image.Image | None:
    """The generated picture; its name begins with the id."""
    path = next(
        iter(sorted(folder.glob(f"{item.id}.png")) or sorted(folder.glob(f"{item.id}-*.png"))), None
    )
    return Image.open(path).convert("RGBA") if path else None


def render_truth(item: Item, scenes: World) -> Image.Image:
    """What a perfect generator would have made; for "diversity" one of the styles."""
    truth = (
        replace(item.truth, style=STYLES[item.seed % len(STYLES)])
        if item.family == "diversity"
        else item.truth
    )
    rgba = scenes.draw(truth)[0]
    return to_image(rgba)
