"""How an adapter was made, for its description."""

from collections.abc import Mapping
from typing import Any

import diffusers
import peft
import torch
import transformers

from stickerforge.data.picture_folder import PictureFolder
from stickerforge.training.dataset import TrainingSet
from stickerforge.training.plan import TrainingPlan
from stickerforge.version import __version__


def provenance(
    plan: TrainingPlan, folder: PictureFolder, data: TrainingSet, metrics: Mapping[str, float]
) -> dict[str, Any]:
    """The settings, the pictures, the metrics at the end, and the versions of what did it."""
    training = plan.config.training
    return {
        "objective": training.objective,
        "steps": training.steps,
        "batch": training.batch,
        "rank": training.rank,
        "layers": training.layers,
        "resolution": training.resolution,
        "beta": training.beta if training.objective == "dco" else None,
        "seed": plan.config.seed,
        "pictures": [picture.sha256 for picture in folder.pictures],
        "captions": sorted({example.caption.text for example in data.examples}),
        "settings": plan.settings_digest(),
        "data": data.digest,
        "figures": metrics,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """What made an adapter."""
    libraries = (torch, diffusers, transformers, peft)
    own = {library.__name__: library.__version__ for library in libraries}
    return {"stickerforge": __version__} | own
