"""Pictures of the class, drawn by the base model, by which training is to keep what else the model knows."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.data.captions import Caption
from stickerforge.errors import InputError
from stickerforge.generation.pipeline import run_plan
from stickerforge.generation.plan import plan_generation
from stickerforge.runtime.console import Console
from stickerforge.runtime.seeds import derive_seed
from stickerforge.training.plan import TrainingPlan

if TYPE_CHECKING:
    from stickerforge.models.families.base import DiffusionModel
    from stickerforge.training.batches import TrainingExample

FOLDER = "prior"


def class_prompt(whole: TrainingPlan) -> str:
    """What the base is asked for."""
    return whole.card.class_prompt.format(whole.words)


def draw_class_images(whole: TrainingPlan, console: Console, *, offline: bool) -> list[Path]:
    """Draw what is missing of them into the run's folder; none where they do not count.

    Raises:
        InputError: not one could be drawn.
    """
    training = whole.config.training
    if not training.prior_weight:
        return []
    own = (
        derive_seed(whole.config.seed, "prior pictures") >> 16
    )  # apart from those of previews and looks
    settings = {
        "prompt": [class_prompt(whole)],
        "count": training.prior_count,
        "seed": own,
        "model": whole.base.name,
        "device": whole.config.device,
        "matting": "none",
        "output.folder": str(whole.folder / FOLDER),
        "output.size": 0,
        "output.sheet": False,
        "output.colours": "drawn",
        "sampling.pixels": whole.resolution,
    }
    console.say(f"drawing {training.prior_count} pictures of {class_prompt(whole)!r}")
    quiet = Console(quiet=True)
    plan = plan_generation(resolve(GenerateConfig, settings), quiet, offline=offline)
    made = run_plan(plan, quiet, offline=offline)
    if made.failed:
        console.warn(
            f"{len(made.failed)} of {training.prior_count} pictures of the class failed: {made.failed[0]}"
        )
    if not made.jobs:
        raise InputError(
            f"{whole.card.title} drew no picture of {class_prompt(whole)!r}",
            "leave training.prior_weight out",
        )
    return [job.path for job in made.jobs]


def encode_class_images(
    family: "DiffusionModel", whole: TrainingPlan, pictures: list[Path]
) -> "list[TrainingExample]":
    """Encode them as references are."""
    import torch

    from stickerforge.data.buckets import crop_to_bucket, on_white
    from stickerforge.training.batches import TrainingExample

    found, caption = [], Caption(class_prompt(whole), class_prompt(whole))
    for path in pictures:
        with Image.open(path) as picture:
            ready = crop_to_bucket(
                np.array(picture.convert("RGBA")), whole.resolution, family.multiple
            )
        planes = ready.premultiplied if family.has_alpha else on_white(ready.premultiplied)
        with torch.no_grad():
            mean, deviation = family.encode(torch.from_numpy(planes)[None])
        found.append(
            TrainingExample(path.name, caption, mean[0].cpu(), deviation[0].cpu(), ready.frame)
        )
    return found
