"""Teach sticker-mini's own image adapter, and ship it.

python -m examples.recipes.mini.image_adapter [--pairs 9000] [--steps 4000]
python -m examples.recipes.mini.image_adapter --ship FILE     one that is taught already

A start that needs no training (`image_adapter_start`), pairs of `image_pairs`, `stickerforge tailor
image` from that start, then the file beside the weights and its place in stickerforge.json. A run
that was stopped goes on. About an hour of one core.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

from examples.recipes.mini.image_adapter_start import write_start
from examples.recipes.mini.image_pairs import SEED, write_pairs
from examples.recipes.mini.package import CARD_FILE, checksums
from examples.recipes.mini.settings import MODEL, RUNS
from stickerforge.adapters import image_prompt_format, store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import IMAGE
from stickerforge.commands.tailor_image import tailor_image
from stickerforge.models.checksums import fingerprint
from stickerforge.training.run_folder import run_folder

PAIRS, HOME = RUNS / "image-pairs", RUNS / "image-adapter"
START = HOME / "start.safetensors"
NAME, FILE = "mini-image", "image-adapter.safetensors"
MAX_BYTES = 4_000_000
SETTINGS = {
    "name": NAME,
    "training.batch": 32,
    "training.lr": 5e-4,
    "training.weight_decay": 0.0,
    "training.save_every": 250,
    "drops.text": 0.15,  # so that a picture alone is drawn from often
}


def teach(pairs: int, steps: int) -> Path:
    """The file of an adapter that is taught on so many pairs, for the weights that ship now."""
    made = f"{pairs}-{SEED}"
    os.environ["STICKERFORGE_HOME"] = str(HOME / f"{fingerprint(MODEL)}-{made}-{steps}")
    folder = PAIRS / made
    if not (folder / "metadata.jsonl").exists():
        write_pairs(folder, pairs)
    if not store.exists(NAME):
        write_start(START)
        settings = SETTINGS | {"training.steps": steps, "adapter": str(START)}
        going_on = run_folder(NAME, "tailor image").checkpoint_info() is not None
        tailor_image(folder, settings=settings, resume=going_on)
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
    parser.add_argument("--pairs", type=int, default=9000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--ship", type=Path, metavar="FILE")
    args = parser.parse_args()
    ship(args.ship or teach(args.pairs, args.steps))
