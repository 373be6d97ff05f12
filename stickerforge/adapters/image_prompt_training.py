"""An image adapter in training, on a model whose own weights stay as they are.

Shapes: B pictures; E width of the encoder's features; P their patches; T tokens; D text width.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stickerforge.adapters.image_projection import build_projection, load_projection
from stickerforge.adapters.image_prompt import (
    AttachedImagePrompt,
    attach_image_prompt,
    cross_attentions,
    image_prompt_weights,
    initial_pairs,
    text_width,
)
from stickerforge.adapters.image_prompt_weights import (
    BASE_TOKENS,
    HEAD_WIDTH,
    ImagePromptShape,
    ImagePromptWeights,
    Variant,
)
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.seeds import derive_seed

PLUS_TOKENS = 16
MAX_HIDDEN = 1280  # of the official resamplers, that for XL
PROJECTION, KEY, VALUE = "projection/", "key/", "value/"  # in a checkpoint


class MasterLinear(nn.Linear):
    """A linear layer without bias, kept in float32, that computes in the precision of its input."""

    def __init__(self, weight: Tensor) -> None:
        """Args:
        weight: (outputs, inputs).
        """
        with torch.device("meta"):
            super().__init__(weight.shape[1], weight.shape[0], bias=False)
        self.weight = nn.Parameter(weight.float().clone())

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        return F.linear(x, self.weight.to(x.dtype))


class TrainableImagePrompt:
    """An image adapter on a model, switched on with scale 1, and what is trained of it."""

    def __init__(self, model: DiffusionModel, weights: ImagePromptWeights) -> None:
        """Put it on the model.

        Args:
            weights: those that training begins with.

        Raises:
            InputError: it is for another model.
        """
        self.attached: AttachedImagePrompt = attach_image_prompt(model, weights, "it")
        self.shape, self.encoder = weights.shape, weights.encoder
        # On a CPU the projection still shares its memory with the weights.
        own = {name: value.float().clone() for name, value in weights.tensors.items()}
        projection = load_projection(replace(weights, tensors=own)).to(model.device)
        self.projection = self.attached.projection = projection.requires_grad_(True)
        for _, processor in self.attached.layers.values():
            processor.key = MasterLinear(processor.key.weight)
            processor.value = MasterLinear(processor.value.weight)
        self.attached.weigh([1.0])
        self.attached.activate(1.0)

    def tokens(self, features: Tensor) -> Tensor:
        """One reference for each picture, with gradient: (B, 1, T, D) from (B, E) or (B, P, E)."""
        tokens: Tensor = self.projection(features.float())
        return tokens[:, None].to(self.attached.dtype)

    def parameters(self) -> list[nn.Parameter]:
        """What is trained, always in the same order."""
        parameters = list(self.projection.parameters())
        for _, own in self.attached.layers.values():
            parameters += [*own.key.parameters(), *own.value.parameters()]
        return parameters

    def tensors(self) -> dict[str, Tensor]:
        """The adapter as it is now, as a checkpoint names its tensors, on the CPU."""
        state = self.projection.state_dict()
        tensors = {PROJECTION + name: value for name, value in state.items()}
        for name, (_, own) in self.attached.layers.items():
            tensors |= {KEY + name: own.key.weight, VALUE + name: own.value.weight}
        return {name: value.detach().cpu().clone() for name, value in tensors.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        state = self.projection.state_dict()
        self.projection.load_state_dict({name: tensors[PROJECTION + name] for name in state})
        for name, (_, own) in self.attached.layers.items():
            own.key.weight.copy_(tensors[KEY + name])
            own.value.weight.copy_(tensors[VALUE + name])

    def weights(self) -> ImagePromptWeights:
        """A copy of the adapter as it is now, on the CPU, float32."""
        layers = self.attached.layers.values()
        pairs = {
            number: (own.key.weight.clone(), own.value.weight.clone())
            for number, (_, own) in zip(self.shape.layers, layers, strict=True)
        }
        return image_prompt_weights(self.shape, self.projection, pairs, self.encoder)


def new_image_prompt(
    model: DiffusionModel, variant: Variant, features: int, *, encoder: str, seed: int
) -> ImagePromptWeights:
    """An image adapter before any training: W'_k and W'_v are those of the text.

    Args:
        features: width of what the image encoder makes.
        encoder: what it is called.
        seed: decides the projection.
    """
    denoiser = model.networks[model.spec.denoiser]
    layers = {number: own.inner_kv_dim for number, (_, own) in cross_attentions(denoiser)}
    width = text_width(denoiser)
    # As the official ones: 12 heads for a width of 768, 20 for XL's 2048.
    hidden = min(width, MAX_HIDDEN) if variant == "plus" else 0
    shape = ImagePromptShape(
        variant,
        PLUS_TOKENS if hidden else BASE_TOKENS,
        width,
        features,
        hidden,
        max(1, hidden // HEAD_WIDTH) if hidden else 0,
        layers,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "projection"))
        projection = build_projection(shape, torch.device("cpu"))
    return image_prompt_weights(shape, projection, initial_pairs(denoiser), encoder)
