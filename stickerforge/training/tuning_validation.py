"""Validation of a tuned model: diversity, drift and fit, over the same prompts and seeds each time.

What measures is not what is trained on, so that a gain which is none shows as a loss of the others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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

Planes = NDArray[np.float32]  # premultiplied, in [0, 1]
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
        pictures and prompts. "score" is the number of steps, or the lowest there is where the
        run is to end: the best state is the last good one.

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
        ended = end_reason(metrics, self.request.max_loss)
        return metrics | {"score": LOWEST if ended else float(step)}

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

    Of fewer than `MIN_PROMPTS` there is no interval.

    Args:
        values, first: paired, one for each prompt.
    """
    differences = (values - first) / max(float(first.mean()), 1e-9)
    change = {"diversity_change": float(differences.mean())}
    if len(differences) < MIN_PROMPTS:
        return change
    low, high = bca_interval(differences) or (change["diversity_change"],) * 2
    return change | {"low": low, "high": high}


def end_reason(metrics: Mapping[str, float], max_loss: float | None) -> str:
    """Why a run is to end, in words; "" where it is not.

    Args:
        metrics: of a validation, as they are measured or as they are logged.
        max_loss: share of the diversity whose loss is too much; None for any.
    """
    values = [value for name, value in metrics.items() if name != "score"]
    if not all(math.isfinite(value) and value > LOWEST for value in values):
        return "the pictures are no numbers"
    if max_loss is None or "high" not in metrics:
        return ""
    change, low, high = metrics["diversity_change"], metrics["low"], metrics["high"]
    if not (change < -max_loss and high < 0):
        return ""
    return f"the diversity has changed by {change:.1%} (95 % interval {low:.1%} to {high:.1%})"
