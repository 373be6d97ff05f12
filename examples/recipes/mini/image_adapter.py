"""Teach sticker-mini's own image adapter, and ship it.

python -m examples.recipes.mini.image_adapter [--pairs 12000] [--steps 6000]
python -m examples.recipes.mini.image_adapter --ship FILE     one that is taught already

Pairs of `image_pairs`, then `stickerforge tailor image`, then the file beside the weights and its
place in stickerforge.json. A run that was stopped goes on. About 80 minutes of one core.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

from examples.recipes.mini.image_pairs import write_pairs
from examples.recipes.mini.package import CARD_FILE, checksums
from examples.recipes.mini.settings import MODEL, RUNS
from stickerforge.adapters import image_prompt_format, store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import IMAGE
from stickerforge.commands.tailor_image import tailor_image
from stickerforge.training.run_folder import run_folder

PAIRS, HOME = RUNS / "image-pairs", RUNS / "image-adapter"
NAME, FILE = "mini-image", "image-adapter.safetensors"
MAX_BYTES = 4_000_000
SETTINGS = {
    "name": NAME,
    "training.batch": 32,
    "training.lr": 2e-3,
    "training.weight_decay": 0.0,
    "training.save_every": 250,
    "drops.text": 0.15,  # so that a picture alone is drawn from often
}


def teach(pairs: int, steps: int) -> Path:
    """The file of an adapter that is taught on so many pairs."""
    os.environ["STICKERFORGE_HOME"] = str(HOME)
    if not (PAIRS / "metadata.jsonl").exists():
        write_pairs(PAIRS, pairs)
    settings = SETTINGS | {"training.steps": steps}
    going_on = run_folder(NAME, "tailor image").checkpoint_info() is not None
    tailor_image(PAIRS, settings=settings, resume=going_on)
    return store.find(NAME).path


def ship(path: Path) -> None:
    """Write an adapter beside the weights of sticker-mini, in half precision.

    Raises:
        SystemExit: it is too large.
    """
    weights = IMAGE.read(read_file(path))
    halves = {name: value.half() for name, value in weights.tensors.items()}
    content = image_prompt_format.encode(replace(weights, tensors=halves))
    if len(content) > MAX_BYTES:
        raise SystemExit(f"{path} takes {len(content) / 1e6:.1f} MB in half precision")
    (MODEL / FILE).write_bytes(content)
    (MODEL / FILE).chmod(0o644)
    card = json.loads((MODEL / CARD_FILE).read_text())
    card |= {"image_adapter": FILE, "files": checksums(MODEL)}
    (MODEL / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n")
    print(f"{len(content) / 1e6:.2f} MB in {MODEL / FILE}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=12_000)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--ship", type=Path, metavar="FILE")
    args = parser.parse_args()
    ship(args.ship or teach(args.pairs, args.steps))
