"""Pictures that a model draws with image prompts, without the command line.

Shapes: B pictures, T tokens, D text width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn

from examples.experiments.ip_adapter.references import Reference
from stickerforge.adapters.image_prompt import attach_image_prompt
from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.generation.sampler import guidance_params, sample, sampling_params
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.image_encoder import ImageEncoder
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.image_tokens import ImageTokens
from stickerforge.stickers.alpha import unpremultiply
from stickerforge.stickers.color import WHITE

Prompts = Callable[[Reference, float], ImageTokens | None]
FIRST_SEED = 500


@dataclass(frozen=True)
class AppendedTokens(ImageTokens):
    """Tokens that follow those of the text, in the same attention."""

    def beside(self, text: Conditioning) -> Conditioning:
        """Prompts with the references behind them."""
        return append_tokens(text, self.seen)

    def beside_negative(self, text: Conditioning) -> Conditioning:
        """Negative prompts with no picture behind them."""
        return append_tokens(text, self.unseen)


def append_tokens(text: Conditioning, tokens: Tensor) -> Conditioning:
    """Texts, each followed by these tokens (1, T, D)."""
    hidden = text["hidden"]
    return text.including("hidden", torch.cat([hidden, tokens.expand(len(hidden), -1, -1)], 1))


def no_prompt(reference: Reference, scale: float) -> None:
    """No image prompt."""


@contextmanager
def adapter_prompts(
    model: DiffusionModel, weights: ImagePromptWeights, encoder: ImageEncoder
) -> Iterator[Prompts]:
    """Within, references are read by an image adapter."""
    attached = attach_image_prompt(model, weights, "it")
    attached.activate(1.0)
    nothing = attached.tokens(encoder.no_features("base"))

    def prompts(reference: Reference, scale: float) -> ImageTokens:
        attached.weigh([scale])
        return ImageTokens(attached.tokens(features_of(encoder, reference)), nothing)

    yield prompts
    attached.deactivate()


def appended_token_prompts(projection: nn.Module, encoder: ImageEncoder) -> Prompts:
    """References whose tokens follow those of the text."""

    @torch.inference_mode()
    def prompts(reference: Reference, scale: float) -> ImageTokens:
        seen, nothing = (
            projection(features)
            for features in (features_of(encoder, reference), encoder.no_features("base"))
        )
        return AppendedTokens(seen, nothing)

    return prompts


def features_of(encoder: ImageEncoder, reference: Reference) -> Tensor:
    """What the encoder makes of a reference, (1, E)."""
    return encoder.features(encoder.pixels(reference.picture, "crop", WHITE), "base")


def draw(
    model: DiffusionModel,
    references: Sequence[Reference],
    prompt_of: Callable[[Reference], str],
    prompts: Prompts,
    scale: float,
) -> list[Image.Image]:
    """One picture for each reference, with the same seeds each time.

    Args:
        prompt_of: the words beside a reference; "" for none.
        scale: of the image prompt.
    """
    settings = sampling_settings(SamplingConfig(), model.card)
    sampling, guidance = sampling_params(settings, model.pixels), guidance_params(settings)
    pictures = []
    for number, reference in enumerate(references):
        text, seed = prompt_of(reference), FIRST_SEED + number
        (pixels,) = sample(
            model, [text], [seed], sampling, guidance, images=prompts(reference, scale)
        )
        pictures.append(Image.fromarray(unpremultiply(to_premultiplied(pixels, None))))
    return pictures
