"""Rewards of pictures for prompts, with a gradient: what `tailor prompt` learns from.

Shapes: B pictures; N texts; H, W rows and columns; D features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from stickerforge.errors import InputError
from stickerforge.models.encoders import Encoder, HubEncoder, encode_texts, load_encoder
from stickerforge.models.judge.model import Judge
from stickerforge.models.reward_names import (
    GIVE,
    PREFERENCES,
    check_reward_name,
    no_text,
    reward_parts,
)
from stickerforge.models.weights import LOAD_ERRORS
from stickerforge.runtime.device import memory_fault
from stickerforge.stickers.color import WHITE

MODES = {Image.Resampling.NEAREST: "bilinear", Image.Resampling.BILINEAR: "bilinear"}
# What unit vectors may differ by from those of the model's own processor, in half precision.
TOLERANCE = 0.02


class PromptReward(Protocol):
    """Vectors of pictures and texts, whose products are the reward.

    Args:
        name: of the model.
        digest: changes with its weights.
    """

    name: str
    digest: str

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Vectors (N, D) without a gradient, as `encoders.encode_texts` has them.

        Those of texts that do not fit are the mean over their parts, not normalized.
        """

    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, D) with the gradient of the pixels, where `encode_texts` has its own.

        Args:
            pixels: in [0, 1], (B, 3, H, W), or premultiplied (B, 4, H, W); they are laid on white.
        """


class JudgeReward:
    """A judge that ships, on the CPU.

    The gradient is that of what a picture shows, in which its alpha takes no part.
    """

    def __init__(self, judge: Judge, encoder: Encoder) -> None:
        self.judge, self.encoder = judge, encoder
        self.name, self.digest = encoder.name, encoder.digest

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """See PromptReward."""
        return torch.from_numpy(encode_texts(self.encoder, texts))

    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """See PromptReward."""
        network, side = self.judge.network, self.judge.network.shape.pixels
        rgb = resize(on_white_square(pixels.float().cpu()), (side, side), "bicubic")
        return F.normalize(network.joint(network.content(rgb)), dim=-1)


@dataclass(frozen=True)
class Preparation:
    """What a processor of transformers makes of square pictures, with a gradient.

    Args:
        size: rows and columns that pictures are resized to.
        crop: rows and columns that are cut from the middle, or padded to.
        mode: of the interpolation.
        scale, mean, std: of the values: (scale * pixels - mean) / std per channel.
    """

    size: tuple[int, int]
    crop: tuple[int, int]
    mode: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, rgb: Tensor) -> Tensor:
        """Squares (B, 3, H, W) in [0, 1] as the network takes them."""
        fit = F.pad(resize(rgb, self.size, self.mode), self.margins())
        mean, std = fit.new_tensor(self.mean), fit.new_tensor(self.std)
        return (self.scale * fit - mean[:, None, None]) / std[:, None, None]

    def margins(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom of the crop; below 0 where something is cut off."""
        (high, wide), (rows, columns) = self.size, self.crop
        left, top = -((wide - columns) // 2), -((high - rows) // 2)
        return left, columns - wide - left, top, rows - high - top


class HubReward:
    """A CLIP or the like, of transformers.

    Raises:
        InputError: it reads no text, or its processor does with pictures what has no gradient here.
        EnvironmentFault: it runs out of memory.
    """

    def __init__(self, encoder: HubEncoder) -> None:
        self.encoder, self.name, self.digest = encoder, encoder.name, encoder.digest
        if not encoder.reads_text:
            raise no_text(encoder.name)
        self.model = encoder.model.requires_grad_(False)
        if self.model.dtype == torch.float16:
            self.model.float()  # in which the gradients of single pixels do not become 0
        self.check()

    def check(self) -> None:
        """Make sure that pictures get the vectors that the model's own processor leads to."""
        try:
            self.prepare = preparation(self.encoder.processor)
            side = max(self.prepare.size)
            ramp = torch.linspace(0, 255, side * side * 3).byte().view(1, side, side, 3)
            with torch.no_grad():
                ours = self.encode_pixels(ramp.permute(0, 3, 1, 2) / 255).cpu()
            picture = Image.fromarray(ramp[0].numpy())
            theirs = torch.from_numpy(self.encoder.images([picture], WHITE))
        except LOAD_ERRORS as error:
            if memory := memory_fault(error, "use a smaller reward, or --device cpu"):
                raise memory from error
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise InputError(f"{self.name} cannot reward pictures: {reason}", GIVE) from None
        if not (ours - theirs).abs().max() < TOLERANCE:
            raise InputError(
                f"{self.name} prepares pictures in a way through which no gradient is known", GIVE
            )

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """See PromptReward."""
        return torch.from_numpy(encode_texts(self.encoder, texts)).to(self.encoder.device)

    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """See PromptReward."""
        inputs = self.prepare(on_white_square(pixels.float().to(self.encoder.device)))
        return self.encoder.image_features({"pixel_values": inputs})


def preparation(processor: Any) -> Preparation:
    """What a processor does with pictures, from its configuration.

    Raises:
        Exception: it has none of CLIP's kind, see `weights.LOAD_ERRORS`.
    """
    size = sides(processor.size)
    cuts = getattr(processor, "do_center_crop", False)
    normalizes, rescales = processor.do_normalize, processor.do_rescale
    return Preparation(
        size,
        sides(processor.crop_size) if cuts else size,
        MODES.get(processor.resample, "bicubic"),
        255 * float(processor.rescale_factor) if rescales else 255.0,
        tuple(map(float, processor.image_mean)) if normalizes else (0.0,) * 3,
        tuple(map(float, processor.image_std)) if normalizes else (1.0,) * 3,
    )


def sides(size: Any) -> tuple[int, int]:
    """Rows and columns of a processor's size, for squares."""
    values = dict(size)
    if edge := values.get("shortest_edge"):
        return int(edge), int(edge)
    return int(values["height"]), int(values["width"])


def on_white_square(pixels: Tensor) -> Tensor:
    """Pixels (B, 3, H, W), or premultiplied (B, 4, H, W), in the middle of a white square."""
    rgb = pixels[:, :3] + (1 - pixels[:, 3:]) if pixels.shape[1] == 4 else pixels
    rows, columns = rgb.shape[2:]
    left, top = max(0, rows - columns) // 2, max(0, columns - rows) // 2
    right, bottom = max(0, rows - columns) - left, max(0, columns - rows) - top
    return F.pad(rgb, (left, right, top, bottom), value=1.0)


def resize(rgb: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 1] in another size, likewise; smaller ones without aliasing."""
    if rgb.shape[2:] == size:
        return rgb
    return F.interpolate(rgb, size, mode=mode, antialias=True).clamp(0, 1)


def check_scores(scores: Tensor, pixels: Tensor, name: str) -> None:
    """Make sure that a reward gave numbers for pictures.

    Where the pixels are none themselves it is not its fault, and nothing is said.

    Args:
        scores: of any shape.
        pixels: what it was given.
        name: of the reward.

    Raises:
        InputError: it did not.
    """
    if not scores.isfinite().all() and pixels.isfinite().all():
        raise InputError(
            f"the reward {name} gives no number for one of {len(pixels)} pictures",
            "check its weights, or give another one",
        )


def load_prompt_reward(
    name: str,
    *,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> PromptReward:
    """A reward by name: one of NAMES, KIND=PLACE of the last two, a folder, or owner/name.

    The judges stay on the CPU.

    Raises:
        InputError: nothing is called that, it cannot be read, or cannot reward pictures.
        EnvironmentFault: it is real but cannot be had here.
    """
    check_reward_name(name)
    kind, place = reward_parts(name)
    if kind in PREFERENCES and Path(place).is_dir():
        place = str(Path(place).resolve())  # also where it is called like a judge
    encoder = load_encoder(place, device=device, offline=offline, say=say)
    if judge := encoder.judge:
        return JudgeReward(judge, encoder)
    assert isinstance(encoder, HubEncoder)
    return HubReward(encoder)
