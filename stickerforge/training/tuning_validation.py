"""Validation of a tuned model: diversity, drift and fit, over the same prompts and seeds each time.

What measures is not what is trained on, so that a gain which is none shows as a loss of the others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.config.schema import SamplingConfig
from stickerforge.errors import InputError
from stickerforge.evaluation.metrics.diversity import prompt_diversity
from stickerforge.evaluation.statistics import MIN_PROMPTS, bca_interval
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
from stickerforge.training.best_checkpoint import LOWEST
from stickerforge.version import __version__

Planes = NDArray[np.float32]  # (4, H, W) or (3, H, W) in [0, 1], premultiplied
Score = Callable[[Sequence[Planes], Sequence[str]], Mapping[str, float]]
MAX_SHOWN = 48  # pictures of a contact sheet


@dataclass(frozen=True)
class ValidationRequest:
    """What is drawn at every validation.

    Args:
        prompts: each is drawn with `seeds` seeds, the same at every validation.
        seed: of the first picture; the others follow.
        resolution: side of the pictures in pixels.
        sheets: folder of the contact sheets.
        max_loss: share of the diversity whose loss is too much; None where it is only logged.
    """

    prompts: Sequence[str]
    seeds: int
    seed: int
    resolution: int
    sheets: Path
    max_loss: float | None = None

    @property
    def texts(self) -> list[str]:
        """The prompt of every picture."""
        return [prompt for prompt in self.prompts for _ in range(self.seeds)]


class TuningValidator:
    """Draws the same pictures at every validation, and compares them with the first ones."""

    def __init__(
        self,
        model: DiffusionModel,
        encoder: Encoder,
        request: ValidationRequest,
        score: Score | None = None,
    ) -> None:
        """Draw from the model as training begins with it, and compare with that from then on.

        Args:
            encoder: what measures, of images and texts.
            score: further metrics of pictures for their prompts, such as the reward that is trained
                on.

        Raises:
            InputError: the encoder reads no texts.
        """
        if not encoder.reads_text:
            raise InputError(
                f"{encoder.name} reads no text", "give validation.encoder=judge, clip or siglip"
            )
        self.model, self.encoder, self.request, self.score = model, encoder, request, score
        self.texts = encode_texts(encoder, request.texts)
        self.first_images = self.sample()
        self.first_diversity = self.diversity(self.features(self.first_images))

    def sample(self) -> list[Planes]:
        """One picture per prompt and seed, premultiplied (H, W, 4) in [0, 1]."""
        settings = sampling_settings(SamplingConfig(), self.model.card)
        sampling = sampling_params(settings, self.request.resolution)
        texts = [self.model.card.reword(text) for text in self.request.texts]
        seeds = range(self.request.seed, self.request.seed + len(texts))
        images = sample(self.model, texts, seeds, sampling, guidance_params(settings))
        return [to_premultiplied(pixels, None) for pixels in images]

    def features(self, images: Sequence[Planes]) -> NDArray[np.float32]:
        """Of the encoder, (N, D)."""
        return self.encoder.images(
            [Image.fromarray(unpremultiply(image)) for image in images], WHITE
        )

    def diversity(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean of 1 - cosine between the pictures of each prompt, (prompts,)."""
        keys = [str(row // self.request.seeds) for row in range(len(features))]
        return np.array(list(prompt_diversity(features, keys).values()))

    def validate(self, step: int) -> dict[str, float]:
        """Metrics of the model as it is now, after so many steps; keeps a contact sheet.

        "diversity" is the mean of 1 - cosine between pictures of one prompt, "diversity_change" its
        change as a share, with "low" and "high" of its 95 % interval over prompts; "drift" the root
        mean square difference from the first pictures; "alignment" the mean cosine between
        pictures and prompts. "score" is the number of steps, or the lowest there is where too much
        of the diversity is lost: the best state is the last good one.

        Raises:
            EnvironmentFault: the disk is full or read-only.
        """
        images = self.sample()
        self.write_sheet(images, step)
        features = self.features(images)
        change = relative_change(self.diversity(features), self.first_diversity)
        pairs = zip(images, self.first_images, strict=True)
        metrics = {
            "diversity": float(self.diversity(features).mean()),
            **change,
            "drift": float(
                np.mean([np.square(image - first).mean() ** 0.5 for image, first in pairs])
            ),
            "alignment": float((features * self.texts).sum(1).mean()),
        }
        if self.score:
            metrics |= self.score(
                [image.transpose(2, 0, 1) for image in images], self.request.texts
            )
        lost = loss_of_diversity(metrics, self.request.max_loss)
        return metrics | {"score": LOWEST if lost else float(step)}

    def write_sheet(self, images: Sequence[Planes], step: int) -> None:
        """Write the contact sheet of the images after so many steps."""
        shown = [Image.fromarray(unpremultiply(image)) for image in images[:MAX_SHOWN]]
        page = contact_sheet(shown, self.request.texts[: len(shown)], columns=self.request.seeds)
        content = encode_image(
            np.asarray(page), {"steps": step}, f"stickerforge {__version__}", "png"
        )
        make_folder(self.request.sheets)
        write_whole(self.request.sheets / f"{step:06}.png", content)


def relative_change(values: NDArray[np.float64], first: NDArray[np.float64]) -> dict[str, float]:
    """The change of a mean as a share of the first one, with its interval over prompts.

    Args:
        values, first: paired, one for each prompt.
    """
    scale = max(float(first.mean()), 1e-9)
    differences = (values - first) / scale
    change = float(differences.mean())
    found = bca_interval(differences) if len(differences) >= MIN_PROMPTS else None
    low, high = found or (change, change)
    return {"diversity_change": change, "low": low, "high": high}


def loss_of_diversity(metrics: Mapping[str, Any], max_loss: float | None) -> str:
    """Why a run is to end, in words; "" where it is not.

    Args:
        metrics: of a validation.
        max_loss: share of the diversity whose loss is too much; None for any.
    """
    change, low, high = (float(metrics[key]) for key in ("diversity_change", "low", "high"))
    if max_loss is None or not (change < -max_loss and high < 0):
        return "" if math.isfinite(change) else "the pictures are no numbers"
    return f"the diversity has changed by {change:.1%} (95 % interval {low:.1%} to {high:.1%})"
