"""Where the recipe keeps its files, and the one setting that says how big it is: a CPU or a GPU.

Every script of this folder reads this module; nothing of it is used by the installed package.
"""

import os
from pathlib import Path

HERE = Path(__file__).parent
DATA = Path(
    os.environ.get("MINI_DATA", HERE / "data")
)  # fetched art and rendered sprites, ignored by git
RUNS = Path(os.environ.get("MINI_RUNS", HERE / "runs"))  # checkpoints, ignored by git
RUN = RUNS / "v2"  # those of the version in the making
MODEL = Path(
    os.environ.get("MINI_MODEL", HERE.parent.parent / "stickerforge" / "models" / "mini")
)  # what ships

SEED = 2026
DEVICE = os.environ.get("MINI_DEVICE", "cpu")  # "cpu" or "cuda": the only switch

PIXELS = 128  # side of the pictures the model makes
SPRITE_PIXELS = 192  # side of the rendered sprites that scenes are made of
LATENT_CHANNELS = 8  # never 4: stock img2img takes any 4-channel picture for latents
STYLES = ("noto", "twemoji", "fluent", "flat")
