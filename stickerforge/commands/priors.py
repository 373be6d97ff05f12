"""Pictures of the class, drawn by the base model, by which training is to keep what else the model knows."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stickerforge.commands import generate
from stickerforge.commands.courses import Plan
from stickerforge.config.load import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.data.captions import ANY, PHOTO, Caption
from stickerforge.errors import InputError
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.seeds import derived_seed

if TYPE_CHECKING:
    from stickerforge.models.family import Family
    from stickerforge.training.examples import Example

FOLDER = "prior"


def prior_prompt(whole: Plan) -> str:
    """What the base is asked for."""
    return (ANY if whole.card.words_file else PHOTO).format(whole.words)


def prior_pictures(whole: Plan, messages: Messages, *, offline: bool) -> list[Path]:
    """Draw what is missing of them into the run's folder; none where they do not count.

    Raises:
        InputError: not one could be drawn.
    """
    training = whole.config.training
    if not training.prior_weight:
        return []
    own = derived_seed(whole.config.seed, "prior pictures") >> 16  # apart from those of previews and looks
    settings = {
        "prompt": [prior_prompt(whole)], "count": training.prior_count, "seed": own, "model": whole.base.name,
        "device": whole.config.device, "matting": "none", "output.folder": str(whole.folder / FOLDER), "output.size": 0,
        "output.sheet": False, "output.colours": "drawn", "sampling.pixels": whole.resolution,
    }  # fmt: skip
    messages.say(f"drawing {training.prior_count} pictures of {prior_prompt(whole)!r}")
    made = generate.run(resolve(GenerateConfig, settings), Messages(quiet=True), offline=offline)
    if made.failed:
        messages.warn(f"{len(made.failed)} of {training.prior_count} pictures of the class failed: {made.failed[0]}")
    if not made.outputs:
        raise InputError(f"{whole.card.title} drew no picture of {prior_prompt(whole)!r}", "leave training.prior_weight out")
    return [Path(output["path"]) for output in made.outputs]


def prior_examples(family: "Family", whole: Plan, pictures: list[Path]) -> "list[Example]":
    """Encode them as references are."""
    import torch

    from stickerforge.data.buckets import framed, on_white
    from stickerforge.training.examples import Example

    found, caption = [], Caption(prior_prompt(whole), prior_prompt(whole))
    for path in pictures:
        with Image.open(path) as picture:
            ready = framed(np.array(picture.convert("RGBA")), whole.resolution, family.multiple)
        planes = ready.premultiplied if family.has_alpha else on_white(ready.premultiplied)
        with torch.no_grad():
            mean, deviation = family.encode(torch.from_numpy(planes)[None])
        found.append(Example(path.name, caption, mean[0].cpu(), deviation[0].cpu(), ready.frame))
    return found
