"""How well a decoder draws alpha on stickers that it is not trained on.

Shapes: pictures of S x S pixels, planes in [0, 1].
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from stickerforge.config.schema import AlphaLossConfig
from stickerforge.evaluation.metrics.cutout import REFERENCE, halo
from stickerforge.models.alpha_decoder import AlphaDecoder
from stickerforge.objectives.alpha import alpha_errors, premultiplied
from stickerforge.objectives.grounds import random_grounds
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.seeds import generator
from stickerforge.training.alpha_preview import preview_page, to_bytes
from stickerforge.training.methods.alpha_decoder import Canvas, decode_alpha, encode_mode
from stickerforge.training.sticker_pictures import Stickers

LIKE_CANVAS = 0.1  # difference of every channel up to which a colour is that of the canvas
INSIDE, FOUND = 0.98, 0.5  # alpha of what is inside a sticker, and from which it counts as found
MOST_DB = 100.0  # of a picture without an error
EDGE = 4  # pixels of a picture of 512 within which a halo is looked for


@dataclass
class Sums:
    """What is summed up over pictures, and over their pixels."""

    alpha: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)  # mean alpha
    loss: list[float] = field(default_factory=list)
    halo: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)  # mean squared, to the model's own decoder
    error: list[float] = field(default_factory=list)  # of the truth, weighted with its alpha
    own_error: list[float] = field(default_factory=list)  # of the truth by the model's own decoder
    canvas_colored: int = 0
    found: int = 0


@dataclass(frozen=True)
class AlphaValidator:
    """Measures a decoder on the same stickers in the same places each time.

    Args:
        stickers: that are held out.
        weights: of the errors that are trained on.
        sheets: the folder of a page for each validation.
        shown: how many stickers are on a page.
    """

    vae: AutoencoderKL
    decoder: AlphaDecoder
    stickers: Stickers
    canvas: Canvas
    weights: AlphaLossConfig
    seed: int
    sheets: Path
    shown: int

    def validate(self, step: int) -> Mapping[str, float]:
        """The metrics of the decoder as it is now; writes the page of this step."""
        sums, shown = Sums(), list[tuple[Tensor, Tensor]]()
        with torch.no_grad():
            for number in range(len(self.stickers.pictures)):
                seen, decoded = self.measure(number, sums)
                if len(shown) < self.shown:
                    shown.append((seen, decoded))
        if shown:
            make_folder(self.sheets)
            write_whole(self.sheets / f"{step:06}.png", preview_page(shown))
        return metrics(sums)

    def measure(self, number: int, sums: Sums) -> tuple[Tensor, Tensor]:
        """Add one sticker to the sums.

        Returns:
            It on the canvas, (3, S, S), and decoded, (4, S, S) with straight alpha.
        """
        random = generator(self.seed, "validation", item=number)
        planes = torch.from_numpy(self.stickers.planes(number)).float() / 255
        target = self.canvas.place([planes], random).to(self.vae.device)
        ground = random_grounds(1, self.canvas.side, random).to(target)
        seen = self.canvas.cover(target)
        latents = encode_mode(self.vae, seen)
        decoded = decode_alpha(self.decoder, latents)
        errors = alpha_errors(decoded, target, ground)
        own = self.vae.decode(latents).sample / 2 + 0.5
        decoded, own = decoded.clamp(0, 1), own.clamp(0, 1)
        shown = self.canvas.cover(premultiplied(decoded))
        weights = self.weights
        loss = weights.composite * errors.composite + weights.alpha * errors.alpha
        sums.loss.append(float(loss + weights.gradient * errors.gradient))
        sums.alpha.append(float((decoded[:, 3] - target[:, 3]).abs().mean()))
        sums.coverage.append(float(target[:, 3].mean()))
        sums.change.append(float((shown - own).square().mean()))
        # An exact clear ground, which the model's own decoder misses, makes up for no colour.
        alpha = target[:, 3:]
        sums.error.append(float((alpha * (shown - seen).square()).sum() / alpha.sum() / 3))
        sums.own_error.append(float((alpha * (own - seen).square()).sum() / alpha.sum() / 3))
        inside = target[:, 3] >= INSIDE
        inside &= (seen - self.canvas.color.to(seen)).abs().amax(1) <= LIKE_CANVAS
        sums.canvas_colored += int(inside.sum())
        sums.found += int((inside & (decoded[:, 3] >= FOUND)).sum())
        error = edge_halo(decoded[0])
        if math.isfinite(error):
            sums.halo.append(error)
        return seen[0].cpu(), decoded[0].cpu()


def edge_halo(decoded: Tensor) -> float:
    """The colour error of the edge of a picture (4, S, S), 0 to 255; NaN without an edge."""
    rgba = to_bytes(decoded)
    alpha: NDArray[np.float32] = rgba[..., 3].astype(np.float32) / np.float32(255)
    return halo(rgba, alpha, EDGE * max(alpha.shape) / REFERENCE)


def decibels(squared_errors: list[float]) -> float:
    """The peak signal-to-noise ratio of values in [0, 1]."""
    mean = float(np.mean(squared_errors))
    return min(MOST_DB, -10 * math.log10(mean)) if mean > 0 else MOST_DB


def metrics(sums: Sums) -> dict[str, float]:
    """Means over pictures; the "score" is the higher, the smaller what is trained on is.

    What no picture has is left out: colours of the canvas inside, soft edges.
    """
    coverage = float(np.mean(sums.coverage))
    values = {
        "score": -float(np.mean(sums.loss)),
        "alpha_error": float(np.mean(sums.alpha)),
        "constant_error": min(coverage, 1 - coverage),  # of what is opaque, or clear, everywhere
        "rgb_psnr": decibels(sums.change),
        "rgb_change": decibels(sums.error) - decibels(sums.own_error),
    }
    if sums.canvas_colored:
        values["white_recall"] = sums.found / sums.canvas_colored
    if sums.halo:
        values["halo"] = float(np.mean(sums.halo))
    return values
