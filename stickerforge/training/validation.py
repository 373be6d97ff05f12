"""What the model in training draws: how like the references, how well it fits the prompts, how far the base has drifted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.config.schema import SamplingConfig
from stickerforge.data.pictures import Picture, PictureFolder
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.generation.sampler import guidance_params, sample, sampling_params
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.stickers.alpha import unpremultiply
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.sheet import contact_sheet
from stickerforge.training.loss_masks import LossMasks
from stickerforge.training.plan import TrainingPlan
from stickerforge.version import __version__

if TYPE_CHECKING:
    from stickerforge.models.families.base import DiffusionModel

WHITE = (255, 255, 255)
SUBJECT = ("{}", "{} wearing a crown", "red {}", "small {} on a blue background")
PHOTO_SUBJECT = ("a photo of a {}", "a {} on a beach", "a {} wearing a crown", "a painting of a {}")
THINGS = ("cat", "rocket", "tree", "car")


def masked_image(picture: Picture, counting: LossMasks) -> Image.Image:
    """A reference with what does not count cleared away."""
    rgba = picture.rgba()
    mask = counting.of(picture, rgba)
    if mask is not None:
        rgba[..., 3] = np.minimum(rgba[..., 3], mask)
    return Image.fromarray(rgba)


class Validator:
    """Draws the same prompts with the same noise whenever it is asked, by the code of `generate`."""

    def __init__(
        self,
        family: "DiffusionModel",
        whole: TrainingPlan,
        folder: PictureFolder,
        counting: LossMasks,
        sheets: Path,
        console: Console,
        *,
        offline: bool,
    ) -> None:
        from stickerforge.adapters.lora_layers import AdapterSet
        from stickerforge.models.encoders import load_encoder

        self.family, self.seed, self.sheets = family, whole.config.seed, sheets
        settings = sampling_settings(SamplingConfig(), whole.card)
        self.sampling = sampling_params(settings, whole.resolution)
        self.guidance = guidance_params(settings)
        self.encoder = load_encoder(
            whole.config.validation.encoder,
            device=whole.config.device,
            offline=offline,
            say=console.say,
        )
        # One by one: large photographs side by side would fill the memory.
        self.references = np.concatenate(
            [
                self.encoder.images([masked_image(picture, counting)], WHITE)
                for picture in folder.pictures
            ]
        )
        asked = SUBJECT if whole.card.knows_styles else PHOTO_SUBJECT
        if whole.placeholder:
            self.prompts = [prompt.format(whole.placeholder) for prompt in asked]
            self.plain = [prompt.format(whole.words) for prompt in asked]
        else:
            self.prompts = [f"{thing}, {whole.phrase}" for thing in THINGS]
            self.plain = list(THINGS)
        self.wanted = self.encoder.texts(self.plain) if self.encoder.reads_text else None
        with AdapterSet(family).disabled():
            self.before = self.drawn(self.plain)

    def drawn(self, prompts: Sequence[str]) -> list[NDArray[np.float32]]:
        """One picture per prompt, premultiplied (H, W, 4) in [0, 1]."""
        texts = [self.family.card.reword(prompt) for prompt in prompts]
        seeds = range(self.seed, self.seed + len(texts))
        pictures = sample(self.family, texts, seeds, self.sampling, self.guidance)
        return [to_premultiplied(picture, None) for picture in pictures]

    def look(self, done: int) -> dict[str, float]:
        """Figures of the model as it is now, after so many steps; what it draws is kept as a sheet.

        "similarity" is the mean cosine with the references, "alignment" that with the prompts in plain words, "drift" the root mean
        square difference from the base's pictures for plain words. "score" is their sum (drift subtracted where no text is read).
        """
        pictures = [Image.fromarray(unpremultiply(picture)) for picture in self.drawn(self.prompts)]
        self.keep(pictures, done)
        vectors = self.encoder.images(pictures, WHITE)
        similarity = float((vectors @ self.references.T).mean())
        now = self.drawn(self.plain)
        drift = float(
            np.mean([np.square(a - b).mean() ** 0.5 for a, b in zip(now, self.before, strict=True)])
        )
        if self.wanted is None:
            return {"similarity": similarity, "drift": drift, "score": similarity - drift}
        alignment = float((vectors * self.wanted).sum(1).mean())
        return {
            "similarity": similarity,
            "alignment": alignment,
            "drift": drift,
            "score": similarity + alignment,
        }

    def keep(self, pictures: Sequence[Image.Image], done: int) -> None:
        """Write a sheet of what was drawn after so many steps.

        Raises:
            EnvironmentFault: the disk is full or read-only.
        """
        make_folder(self.sheets)
        sheet = contact_sheet(pictures, self.prompts, columns=len(pictures))
        write_whole(
            self.sheets / f"{done:06}.png",
            encode_image(np.asarray(sheet), {"steps": done}, f"stickerforge {__version__}", "png"),
        )
