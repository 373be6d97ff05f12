"""How well a model denoises held out pictures with an image adapter, and what it draws of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.image_references import BESIDE_TEXT
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.generation.sampler import guidance_params, sample, sampling_params
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.sampling.image_tokens import ImageTokens
from stickerforge.stickers.alpha import unpremultiply
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.sheet import contact_sheet
from stickerforge.training.methods.image_prompt_tuning import ImagePromptTuning
from stickerforge.version import __version__

ROUNDS = 4  # over all pictures that are held out, each with other noise
DRAWN_EACH = 2  # from the reference alone, and with the caption


@dataclass(frozen=True)
class ImageValidator:
    """Measures an adapter on the same pictures with the same noise each time.

    Args:
        method: of the pictures that are held out, without drops and without other views.
        seed: of the first picture that is drawn; the others follow.
        sheets: the folder of a page for each validation.
        shown: how many references are drawn from.
    """

    method: ImagePromptTuning
    seed: int
    sheets: Path
    shown: int

    def validate(self, step: int) -> Mapping[str, float]:
        """The metrics of the adapter as it is now; writes the page of this step.

        "error" is the mean error of denoising, "error_without" that without the references;
        "score" the lower, the larger the first.

        Raises:
            EnvironmentFault: the disk is full or read-only.
        """
        method, seen, unseen = self.method, list[Tensor](), list[Tensor]()
        steps = -(-ROUNDS * len(method.examples) // method.config.batch)
        with torch.no_grad():
            for number in range(steps):
                for batch in method.split(method.batch(number)):
                    seen.append(method.errors(batch).cpu())
                    unseen.append(method.errors(batch, image=False).cpu())
        if self.shown:
            self.write_sheet(step)
        error, without = (float(torch.cat(errors).mean()) for errors in (seen, unseen))
        return {"score": -error, "error": error, "error_without": without}

    def write_sheet(self, step: int) -> None:
        """Write a page: references, what is drawn of them alone, and with their captions."""
        pictures, captions = list[Image.Image](), list[str]()
        for number, reference in enumerate(self.method.references.pictures[: self.shown]):
            caption = self.method.examples[number].caption.text
            shown = self.method.references.kept.rgba(reference)
            pictures += [Image.fromarray(shown), *self.draw(caption, number)]
            captions += ["reference", "drawn from it alone", caption]
        page = contact_sheet(pictures, captions, columns=1 + DRAWN_EACH)
        content = encode_image(
            np.asarray(page), {"steps": step}, f"stickerforge {__version__}", "png"
        )
        make_folder(self.sheets)
        write_whole(self.sheets / f"{step:06}.png", content)

    def draw(self, caption: str, number: int) -> Sequence[Image.Image]:
        """What the model draws of a reference, by its number, alone and with a caption."""
        method = self.method
        encoder, adapter = method.references.encoder, method.adapter
        features = encoder.features(method.references.plain(number), adapter.shape.variant)
        attached, model = adapter.attached, method.model
        tokens = ImageTokens(attached.tokens(features), attached.tokens(method.nothing))
        settings = sampling_settings(SamplingConfig(), model.card)
        sampling = sampling_params(settings, method.config.resolution)
        drawn = []
        for scale, text in ((1.0, ""), (BESIDE_TEXT, model.card.reword(caption))):
            attached.weigh([scale])
            guidance = guidance_params(settings)
            (pixels,) = sample(
                model, [text], [self.seed + number], sampling, guidance, images=tokens
            )
            drawn.append(Image.fromarray(unpremultiply(to_premultiplied(pixels, None))))
        attached.weigh([1.0])
        return drawn
