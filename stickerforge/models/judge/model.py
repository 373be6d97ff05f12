"""The judges that ship: their weights, checked, and their verdicts on images of any size.

`judge` judges; wherever the tool itself learns from a score or chooses by one, it asks `second`,
which has another size, another seed and other scenes behind it, so that the first can keep judging.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from stickerforge.config.description import (
    Bounds,
    DescriptionError,
    FileName,
    Sha256,
    read_description,
)
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.card import MAX_BYTES
from stickerforge.models.checksums import file_sha256
from stickerforge.models.judge.network import JudgeNet, JudgeShape, Readings, fold, pad_tokens
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

FOLDER = Path(__file__).parent
CARD = "card.json"
GROUND = (255, 255, 255)
# Probability from which a style is believed. Of 400 scenes of StickerWorld it is right in 86 to
# 92 % between 0.7 and 0.8, in 80 % below that, and below 0.6 in half.
SURE_STYLE = 0.7
Name = Literal["judge", "second"]


@dataclass(frozen=True)
class JudgeEntry:
    """A judge in the card: its weights, and the arguments of `JudgeShape`."""

    file: FileName
    shape: dict[
        str, Annotated[int, Bounds(1, 10_000)] | tuple[Annotated[int, Bounds(1, 4096)], ...]
    ]


@dataclass(frozen=True)
class JudgeCard:
    """The schema of card.json; `Judge` says what the entries are."""

    judges: dict[str, JudgeEntry]
    words: FileName
    labels: tuple[str, ...]
    styles: tuple[str, ...]
    colours: tuple[str, ...]
    label_of: dict[str, str]
    files: dict[FileName, Sha256]

    def __post_init__(self) -> None:
        """Make sure that the sums of all files are known, so that what is read was published.

        Raises:
            DescriptionError: one is not, or a judge is missing.
        """
        if missing := set(get_args(Name)) - self.judges.keys():
            raise DescriptionError(f"it has no {min(missing)}")
        used = {self.words, *(entry.file for entry in self.judges.values())}
        if unlisted := used - self.files.keys():
            raise DescriptionError(f"there is no sha256 of {min(unlisted)}")


@dataclass(frozen=True)
class Judge:
    """A judge with its weights.

    Args:
        labels: what it tells apart; several subjects may share one (`label_of`).
        styles, colours: in the order of its logits.
        label_of: CLDR name -> label.
        sha256: of its weights.
    """

    name: str
    network: JudgeNet
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    styles: tuple[str, ...]
    colours: tuple[str, ...]
    label_of: dict[str, str]
    sha256: str

    def pictures(
        self, images: Sequence[Image.Image], ground: tuple[int, int, int] = GROUND
    ) -> Tensor:
        """Images of any size and mode as the judge takes them, (B, 4, P, P) in [0, 1].

        Args:
            ground: sRGB colour that they are laid on; their alpha is the fourth channel.
        """
        side = self.network.shape.pixels
        return (
            torch.stack([fit_square(image, side, ground) for image in images])
            if images
            else torch.zeros((0, 4, side, side))
        )

    @torch.inference_mode()
    def read(self, pictures: Tensor) -> Readings:
        """What the heads read in pictures (B, 4, P, P)."""
        readings: Readings = self.network.read(self.network.features(pictures))
        return readings

    @torch.inference_mode()
    def encode_and_read(self, pictures: Tensor) -> tuple[Tensor, Readings]:
        """Unit vectors and readings in one pass."""
        features = self.network.features(pictures)
        return torch.nn.functional.normalize(
            self.network.joint(features.content), dim=-1
        ), self.network.read(features)

    @torch.inference_mode()
    def sure_style(self, logits: Tensor) -> str:
        """The style of a picture from its logits, (styles,); "" where the judge is not sure."""
        probability, index = logits.softmax(0).max(0)
        return self.styles[int(index)] if float(probability) >= SURE_STYLE else ""

    def encode_image(self, pictures: Tensor) -> Tensor:
        """Unit vectors (B, D)."""
        return self.network.encode_image(pictures)

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (B, D).

        Raises:
            InputError: a text is empty.
        """
        if any(not text.strip() for text in texts):
            raise InputError("there is an empty text among those to be compared", "leave it out")
        encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return self.network.encode_text(
            *pad_tokens([encoding.ids for encoding in encodings], self.network.shape.length)
        )

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied with before softmax."""
        return float(self.network.logit_scale.detach().exp().clamp(max=100))


def on_ground(image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    """An image of any mode as RGB, laid on a ground."""
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (*ground, 255)), rgba).convert("RGB")


def fit_square(image: Image.Image, side: int, ground: tuple[int, int, int]) -> Tensor:
    """An image fitted into a square: laid on a ground, and its alpha, (4, side, side) in [0, 1].

    It is resized with premultiplied alpha.
    """
    fitted = image.convert("RGBA").convert("RGBa")
    scale = side / max(fitted.size)
    size = (max(1, round(fitted.width * scale)), max(1, round(fitted.height * scale)))
    if size != fitted.size:
        fitted = fitted.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    planes = np.zeros((side, side, 4), np.float32)
    left, top = (side - fitted.width) // 2, (side - fitted.height) // 2
    planes[top : top + fitted.height, left : left + fitted.width] = (
        np.asarray(fitted, np.float32) / 255
    )
    planes[..., :3] += (1 - planes[..., 3:]) * np.array(ground, np.float32) / 255
    return torch.from_numpy(planes.clip(0, 1)).permute(2, 0, 1)


@cache
def load_judge(name: Name = "judge", folder: Path = FOLDER) -> Judge:
    """Load a judge, once.

    Raises:
        EnvironmentFault: a file is missing or not the one that was published.
    """
    card = read_card(folder)
    entry = card["judges"][name]
    sizes: dict[str, Any] = entry["shape"]
    lists = {"widths": tuple(sizes["widths"]), "depths": tuple(sizes["depths"])}
    shape = JudgeShape(**sizes | lists)
    network = fold(JudgeNet(shape))
    network.load_state_dict(
        {key: value.float() for key, value in load_file(folder / entry["file"]).items()}
    )
    return Judge(
        name,
        network.requires_grad_(False),
        Tokenizer.from_file(str(folder / card["words"])),
        tuple(card["labels"]),
        tuple(card["styles"]),
        tuple(card["colours"]),
        dict(card["label_of"]),
        card["files"][entry["file"]],
    )


def read_card(folder: Path) -> dict[str, Any]:
    """The card, after the sums of all files were compared with it.

    Raises:
        EnvironmentFault: something is missing or damaged.
    """
    try:
        card: dict[str, Any] = parse_json(read_text(folder / CARD, MAX_BYTES))
        read_description(JudgeCard, card)
        for name, expected in card["files"].items():
            if file_sha256(folder / name) != expected:
                raise EnvironmentFault(
                    f"{folder / name} is damaged: its sha256 is not the published one",
                    "install stickerforge again",
                )
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            f"the judges in {folder} cannot be read: {error}", "install stickerforge again"
        ) from None
    return card
