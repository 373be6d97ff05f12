"""What image tokens cost: a step of sticker-mini with a reference against one without.

python -m examples.experiments.ip_adapter.cost

Steps are measured in turns, so that what else the machine does meets both; an adapter that is not
trained yet takes as long as one that is. Shares of weights are printed beside the paper's.
"""

import json
from collections.abc import Callable

import torch

from examples.experiments.longalign.cost import ratio
from stickerforge.adapters.image_prompt import attach_image_prompt
from stickerforge.adapters.image_prompt_training import new_image_prompt
from stickerforge.models.image_encoder import JudgeImageEncoder
from stickerforge.models.image_encoder_place import JUDGE
from stickerforge.models.registry import find_model, load_model

MODEL, ROUNDS, BATCH = "sticker-mini", 60, 4
PAPER = "22 M of 870 M (arXiv:2308.06721)"


def costs() -> dict[str, object]:
    """Ratios of steps with one reference and with three by one without, and shares of weights."""
    model = load_model(find_model(MODEL), torch.device("cpu"), torch.float32)
    width = JudgeImageEncoder().width("base")
    weights = new_image_prompt(model, "base", width, encoder=JUDGE, seed=0)
    attached = attach_image_prompt(model, weights, "it")
    attached.activate(1.0)
    text = model.encode_prompt(["a cat astronaut"] * BATCH)
    tokens = attached.tokens(torch.randn(1, width))
    noisy = torch.randn(BATCH, *model.latent_shape(model.pixels))
    timesteps = torch.full((BATCH,), 500)

    @torch.inference_mode()
    def plain() -> object:
        return model.predict(noisy, timesteps, text)

    def prompts(references: int) -> Callable[[], object]:
        attached.weigh([0.5] * references)
        beside = tokens[None].expand(BATCH, references, -1, -1)

        @torch.inference_mode()
        def step() -> object:
            return model.predict(noisy, timesteps, text.including("image_tokens", beside))

        return step

    by_references = {f"{count} by none": ratio(plain, prompts(count), ROUNDS) for count in (1, 3)}
    own = sum(value.numel() for value in weights.tensors.values())
    denoiser = model.networks[model.spec.denoiser]
    layers = [processor for _, processor in attached.layers.values()]
    inside = {id(value) for layer in layers for value in layer.parameters()}
    base = sum(value.numel() for value in denoiser.parameters() if id(value) not in inside)
    return by_references | {
        "weights": f"{own / 1e6:.2f} M of {base / 1e6:.2f} M, {own / base:.1%}; paper {PAPER}"
    }


if __name__ == "__main__":
    print(json.dumps(costs(), indent=1))
