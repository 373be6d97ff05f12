"""Where the recipe keeps its files, and the one setting that says how big it is: a CPU or a GPU.

Every module of this package reads this one; nothing of it is used by the installed package.
"""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Fetched art and rendered sprites, and checkpoints; both are ignored by git.
DATA = Path(os.environ.get("MINI_DATA", HERE / "data"))
RUNS = Path(os.environ.get("MINI_RUNS", HERE / "runs"))
RUN = RUNS / "v2"  # checkpoints of the version in the making
# What ships.
MODEL = Path(os.environ.get("MINI_MODEL", HERE.parents[2] / "stickerforge" / "models" / "mini"))
CANDIDATE = HERE / "candidate"  # averaged weights that a training goes on from, as float16

SEED = 2026
DEVICE = os.environ.get("MINI_DEVICE", "cpu")  # "cpu" or "cuda": the only switch

PIXELS = 128  # side of the pictures the model makes
SPRITE_PIXELS = 192  # side of the rendered sprites that scenes are made of
LATENT_CHANNELS = 8  # never 4: stock img2img takes any 4-channel picture for latents
STYLES = ("noto", "twemoji", "fluent", "flat")
