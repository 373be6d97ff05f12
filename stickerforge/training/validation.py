"""Validation during training: sample fixed prompts, score the images, keep a contact sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.config.schema import SamplingConfig
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.generation.sampler import guidance_params, sample, sampling_params
from stickerforge.models.encoders import Encoder, encode_texts
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.stickers.alpha import unpremultiply
from stickerforge.stickers.color import WHITE
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.sheet import contact_sheet
from stickerforge.training.loss_masks import LossMasks
from stickerforge.version import __version__


class Validator:
    """Samples the same prompts with the same seeds every time, as `generate` does."""

    def __init__(
        self,
        model: DiffusionModel,
        encoder: Encoder,
        reference: NDArray[np.float32],
        prompts: Sequence[str],
        base_prompts: Sequence[str],
        *,
        resolution: int,
        seed: int,
        sheets: Path,
    ) -> None:
        """Sample the base prompts from the model, which nothing must have changed yet.

        Args:
            encoder: of images, and of texts if it can.
            reference: features of the user's pictures by that encoder, (N, D).
            prompts: about the concept.
            base_prompts: the same in words that the base model knows.
            resolution: side of the images in pixels.
            seed: of the first prompt; the others follow.
            sheets: folder of the contact sheets.
        """
        self.model, self.encoder, self.reference = model, encoder, reference
        self.prompts, self.base_prompts = prompts, base_prompts
        settings = sampling_settings(SamplingConfig(), model.card)
        self.sampling = sampling_params(settings, resolution)
        self.guidance = guidance_params(settings)
        self.seed, self.sheets = seed, sheets
        self.text = encode_texts(encoder, base_prompts) if encoder.reads_text else None
        self.base_images = self.sample(base_prompts)

    def sample(self, prompts: Sequence[str]) -> list[NDArray[np.float32]]:
        """One image per prompt, premultiplied (H, W, 4) in [0, 1]."""
        texts = [self.model.card.reword(prompt) for prompt in prompts]
        seeds = range(self.seed, self.seed + len(texts))
        images = sample(self.model, texts, seeds, self.sampling, self.guidance)
        return [to_premultiplied(pixels, None) for pixels in images]

    def validate(self, step: int) -> dict[str, float]:
        """Metrics of the model as it is now, after so many steps; keeps a contact sheet.

        "similarity" is the mean cosine between images for `prompts` and the user's pictures,
        "alignment" that between these images and `base_prompts`, "drift" the root mean square
        difference for `base_prompts` from the base model's images. "score" is similarity +
        alignment, or similarity - drift for an encoder that reads no text.

        Raises:
            EnvironmentFault: the disk is full or read-only.
        """
        images = [Image.fromarray(unpremultiply(image)) for image in self.sample(self.prompts)]
        self.write_sheet(images, step)
        features = self.encoder.images(images, WHITE)
        similarity = float((features @ self.reference.T).mean())
        pairs = zip(self.sample(self.base_prompts), self.base_images, strict=True)
        drift = float(np.mean([np.square(image - base).mean() ** 0.5 for image, base in pairs]))
        if self.text is None:
            return {"similarity": similarity, "drift": drift, "score": similarity - drift}
        alignment = float((features * self.text).sum(1).mean())
        return {
            "similarity": similarity,
            "alignment": alignment,
            "drift": drift,
            "score": similarity + alignment,
        }

    def write_sheet(self, images: Sequence[Image.Image], step: int) -> None:
        """Write the contact sheet of the images after so many steps."""
        make_folder(self.sheets)
        sheet = np.asarray(contact_sheet(images, self.prompts, columns=len(images)))
        content = encode_image(sheet, {"steps": step}, f"stickerforge {__version__}", "png")
        write_whole(self.sheets / f"{step:06}.png", content)


def reference_features(
    encoder: Encoder, pictures: Sequence[Picture], masks: LossMasks
) -> NDArray[np.float32]:
    """Features of the user's pictures, (N, D), with what does not count in training cleared.

    Raises:
        InputError: none can be read any more.
    """
    features, fault = [], InputError("no picture")
    for picture in pictures:  # one by one: large photographs side by side would fill the memory
        try:
            features.append(encoder.images([masked_image(picture, masks)], WHITE))
        except InputError as error:  # it has gone since it was encoded for training
            fault = error
    if not features:
        raise fault
    return np.concatenate(features)


def masked_image(picture: Picture, masks: LossMasks) -> Image.Image:
    """A picture whose alpha is cleared where it does not count."""
    rgba = picture.rgba()
    mask = masks.of(picture, rgba)
    if mask is not None:
        rgba[..., 3] = np.minimum(rgba[..., 3], mask)
    return Image.fromarray(rgba)
