"""sticker-mini with a style merged into its weights: a house of two inks on cream."""

import os
from pathlib import Path
from unittest.mock import patch

import torch

from examples.experiments.alpha.opaque_model import fuse
from examples.experiments.ip_adapter.references import references
from examples.experiments.style_tailoring.two_inks import two_inks
from stickerforge.adapters import store
from stickerforge.commands.customize import customize
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.registry import find_model, load_model

NAME, PICTURES = "two-inks", 8
MODEL = "sticker-mini"


def merged_model(folder: Path) -> DiffusionModel:
    """The model with a style of eight drawings, taught in 300 steps, in its weights.

    Args:
        folder: where the drawings and the adapter are kept.
    """
    with patch.dict(os.environ, {"STICKERFORGE_HOME": str(folder / "home")}):
        if not store.exists(NAME):
            teach(folder / "drawings")
        weights = store.read_weights(store.find(NAME))
    model = load_model(find_model(MODEL), torch.device("cpu"), torch.float32)
    fuse(model.networks[model.spec.denoiser], weights)
    return model


def teach(drawings: Path) -> None:
    """Draw the pictures of the style, and teach it."""
    drawings.mkdir(parents=True, exist_ok=True)
    others = [each for each in references(128) if each.style == "flat" and not each.withheld]
    for number, each in enumerate(others[-PICTURES:]):  # none that is prompted with
        two_inks(each.picture).save(drawings / f"{number}.png")
        (drawings / f"{number}.txt").write_text(f"a {each.name}")
    customize(drawings, settings={"style": NAME, "preview.count": 0})
