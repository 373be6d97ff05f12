"""From the pictures of an image prompt to tokens beside the text.

Shapes: R references; P patches of a picture; E width of the encoder's features; S side in pixels of
what is sampled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stickerforge.adapters.image_prompt import AttachedImagePrompt
from stickerforge.adapters.kinds import Attached
from stickerforge.generation.image_prompts import ImagePrompt
from stickerforge.generation.image_references import ReferenceMask
from stickerforge.models.image_encoder import check_features, load_image_encoder
from stickerforge.sampling.image_tokens import ImageTokens


@dataclass(frozen=True)
class ImageFeatures:
    """What the encoder makes of the references of a call, and of no picture.

    Args:
        prompt: the references.
        seen: (R, E), or (R, P, E), float32.
        unseen: the same of no picture, as the variant of the adapter has it.
    """

    prompt: ImagePrompt
    seen: Tensor
    unseen: Tensor


def encode_references(
    prompt: ImagePrompt, device: torch.device, *, offline: bool, say: Callable[[str], None]
) -> ImageFeatures:
    """The features of every reference; a picture that is given twice is encoded once.

    Raises:
        InputError: the encoder cannot be read, or is not that of the adapter.
        EnvironmentFault: it cannot be had here.
    """
    encoder = load_image_encoder(prompt.encoder, device, offline=offline, say=say)
    variant, features = prompt.shape.variant, prompt.shape.features
    check_features(encoder, prompt.encoder, variant, features, prompt.source)
    red, green, blue = bytes.fromhex(prompt.ground)
    by_content: dict[str, Tensor] = {}
    for picture in (reference.picture for reference in prompt.references):
        if picture.sha256 not in by_content:
            image = Image.fromarray(picture.rgba())
            pixels = encoder.pixels(image, prompt.fit, (red, green, blue))
            by_content[picture.sha256] = encoder.features(pixels, variant)
    seen = torch.cat([by_content[reference.picture.sha256] for reference in prompt.references])
    unseen = encoder.no_features(variant)
    return ImageFeatures(prompt, seen, unseen.expand_as(seen))


def image_tokens(attached: Mapping[str, Attached], features: ImageFeatures) -> ImageTokens:
    """The tokens of a call; tells the adapter how strong each reference is, and where.

    Args:
        attached: every adapter of the call, by its source.

    Raises:
        InputError: the model has no such layers as the call asks for.
    """
    prompt = features.prompt
    adapter = cast(AttachedImagePrompt, attached[prompt.source])
    adapter.weigh(prompt.scales, prompt.layers, mask_tensor(prompt.masks))
    return ImageTokens(
        adapter.tokens(features.seen), adapter.tokens(features.unseen), prompt.start, prompt.end
    )


def mask_tensor(masks: Sequence[ReferenceMask]) -> Tensor | None:
    """Masks in [0, 1], float32 (R, 1, S, S); None where there are none."""
    if not masks:
        return None
    values = torch.from_numpy(np.stack([mask.values for mask in masks]))
    return values[:, None].float() / 255
