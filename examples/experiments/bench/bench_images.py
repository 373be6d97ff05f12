"""Generated pictures and real renders of StickerBench's prompts."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from examples.experiments.bench.bench_items import Item
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.world import World
from stickerforge.errors import PartlyDone


def prompt_rows(items: Sequence[Item]) -> list[dict[str, object]]:
    """For `stickerforge generate --prompts`."""
    return [{"id": item.id, "prompt": item.prompt, "seed": item.seed} for item in items]


def write_prompts(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write a file of prompts, one a line."""
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")


def generate_images(items: Sequence[Item], out: Path, options: Sequence[str]) -> None:
    """Make what is missing of a bench's items.

    The prompts stay as they are and colours as they were drawn, since the model is measured.
    """
    settings = ("output.colours=drawn", "words.unknown=keep")
    fixed = [part for text in settings for part in ("--set", text)]
    run_generate(prompt_rows(items), out, [*fixed, *options])


def run_generate(rows: Sequence[Mapping[str, object]], out: Path, options: Sequence[str]) -> None:
    """Make what is missing in FOLDER/pictures, with the very command of a user.

    A prompt with nothing left to draw has no picture.

    Args:
        rows: of a file of prompts.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_prompts(rows, out / "prompts.jsonl")
    command = [sys.executable, "-m", "stickerforge", "generate"]
    command += ["--prompts", str(out / "prompts.jsonl"), "--out", str(out / "pictures")]
    command += ["--size", "native", "--set", "output.sheet=false", "--force", *options]
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if ended.returncode not in (0, PartlyDone.code):
        ended.check_returncode()


def find_picture(item: Item, folder: Path) -> Image.Image | None:
    """The generated picture; its name begins with the id."""
    path = next(
        iter(sorted(folder.glob(f"{item.id}.png")) or sorted(folder.glob(f"{item.id}-*.png"))), None
    )
    return Image.open(path).convert("RGBA") if path else None


def render_truth(item: Item, scenes: World) -> Image.Image:
    """What a perfect generator would have made; where no style is asked for in one of them."""
    truth = (
        replace(item.truth, style=STYLES[item.seed % len(STYLES)])
        if not item.truth.style
        else item.truth
    )
    rgba = scenes.draw(truth)[0]
    return to_image(rgba)
