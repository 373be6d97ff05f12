"""All things of a model on one page."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stickerforge.config.schema import GenerateConfig, OutputConfig, SamplingConfig, WordsConfig
from stickerforge.data.pictures import load_picture
from stickerforge.generation.pipeline import run_plan
from stickerforge.generation.plan import plan_generation
from stickerforge.models.card import ModelCard
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.sheet import contact_sheet
from stickerforge.version import __version__

CELL_PX = 96
BATCH = 8
SEED = 1


def write_things_sheet(
    path: Path, card: ModelCard, names: Sequence[str], style: str, console: Console
) -> list[str]:
    """Draw each thing once, and write them on one page as PNG.

    Args:
        names: what prompts call them.
        style: a style preset; "" for none.

    Returns:
        A line for each thing that could not be drawn.

    Raises:
        StickerforgeError: weights are damaged or missing, or the page cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        prompts = Path(folder, "prompts.jsonl")
        rows = [
            json.dumps({"prompt": name, "id": f"thing-{number}", "seed": SEED})
            for number, name in enumerate(names)
        ]
        prompts.write_text("\n".join(rows) + "\n", encoding="utf-8")
        config = GenerateConfig(
            prompts=str(prompts),
            style=style,
            model=str(card.folder),
            seed=SEED,
            sampling=SamplingConfig(batch=BATCH),
            output=OutputConfig(folder=folder, size=0, sheet=False),
            words=WordsConfig(unknown="keep"),
        )
        plan = plan_generation(config, console, offline=True)
        images = run_plan(plan, Console(quiet=True), offline=True)
        cells = []
        for job in images.jobs:
            cell = Image.fromarray(load_picture(job.path)[1].rgba)
            cell.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
            cells.append(cell)
    page = contact_sheet(cells, [job.prompt for job in images.jobs], cell_px=CELL_PX)
    params = {"sheet_of": len(cells)}
    write_whole(path, encode_image(np.asarray(page), params, f"stickerforge {__version__}", "png"))
    return images.failed
