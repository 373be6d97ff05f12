"""Whether a stranger's model can draw at all, found when it is loaded.

A configuration may fit its weights, and still ask for what no call gives, or hold a text where the
library wants a number: then the library fails in the middle of the work, in words of its own.
"""

import torch

from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.origin import PACKAGE, broken_model
from stickerforge.models.weights import load_faults

MAX_SIDE = 2048  # pixels, of the largest picture that any setting asks for


def try_model(model: DiffusionModel) -> None:
    """Put the smallest picture through every part of a model once; ours are known to work.

    Raises:
        InputError: a part fails, or makes numbers that are not finite.
        EnvironmentFault: likewise in what was fetched, or memory is full.
    """
    folder = model.card.folder
    side = 2 * model.multiple  # the deepest level of a network may normalize over its positions
    if folder.is_relative_to(PACKAGE) or side > MAX_SIDE:
        return
    with load_faults(folder, f"a {model.spec.pipeline} that draws pictures from prompts"):
        with torch.no_grad():
            latents = torch.zeros((1, *model.latent_shape(side)), device=model.device)
            timestep = torch.tensor(1, device=model.device)
            prediction = model.predict(latents, timestep, model.encode_prompt(["a"]))
            picture = model.decode(latents)[:, : 4 if model.takes_alpha else 3]
            mean, deviation = model.encode(picture)
        if mean.shape != latents.shape or prediction.shape != latents.shape:
            raise ValueError("its parts do not fit each other")
        if not all(bool(part.isfinite().all()) for part in (prediction, mean, deviation)):
            raise broken_model(folder, f"{folder} makes numbers that are not finite")
