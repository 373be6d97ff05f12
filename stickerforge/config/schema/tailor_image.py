"""The settings of `stickerforge tailor image`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import MAX_SEED, device_setting
from stickerforge.config.schema.image_prompt import ImageFit
from stickerforge.config.setting import UNSET, setting

ImageVariant = Literal["base", "plus"]


@dataclass(frozen=True)
class ImageTrainingConfig:
    """How an image adapter is trained."""

    steps: int = setting(
        UNSET, "Training steps.", default_text="4000", low=1, high=10_000_000, flag="--steps"
    )
    batch: int = setting(
        UNSET, "Pictures per step.", default_text="8", low=1, high=4096, flag="--batch"
    )
    lr: float = setting(
        UNSET, "Learning rate.", default_text="1e-4", low=1e-8, high=1.0, flag="--lr"
    )
    lr_decay: float = setting(
        0.5,
        "Share of the steps, the last ones, in which the learning rate falls to 0.",
        details="In a run that --resume --steps teaches on it rises again, and falls at the new"
        " end.",
        low=0.0,
        high=1.0,
    )
    resolution: int = setting(
        UNSET, "Side of the pictures in pixels.", low=16, high=2048, flag="--resolution"
    )
    memory: float = setting(
        0.0,
        "Gigabytes that a step may take; a batch is then computed in parts. 0 for no limit.",
        low=0.0,
        high=10_000.0,
    )
    epsilon: float = setting(1e-8, "Epsilon of AdamW.", low=1e-12, high=1.0)
    weight_decay: float = setting(0.01, "Weight decay of AdamW.", low=0.0, high=1.0)
    clip: float = setting(1.0, "Largest norm of a gradient.", low=1e-6, high=1e6)
    save_every: int = setting(100, "Steps between checkpoints.", low=1, high=1_000_000)
    tensorboard: bool = setting(
        False, "Whether the metrics of every step are written for TensorBoard, too."
    )


@dataclass(frozen=True)
class DropConfig:
    """Shares of the pictures that are trained without what they are prompted with."""

    image: float = setting(0.05, "Share without the reference.", low=0.0, high=1.0)
    text: float = setting(0.05, "Share without the caption.", low=0.0, high=1.0)
    both: float = setting(0.05, "Share without either.", low=0.0, high=1.0)


@dataclass(frozen=True)
class AugmentConfig:
    """How references are changed in every step, so that they are not copied."""

    crop: float = setting(0.7, "The least share of its area that is seen.", low=0.05, high=1.0)
    flip: float = setting(0.5, "Probability of mirroring it.", low=0.0, high=1.0)
    color: float = setting(
        0.1, "How far brightness, contrast and saturation change at most.", low=0.0, high=0.9
    )
    ground: bool = setting(
        True, "Whether a random colour is behind what is transparent, and around fit=pad."
    )


@dataclass(frozen=True)
class ReferenceConfig:
    """How references are read."""

    encoder: str = setting(
        "",
        "The image encoder: a folder, owner/name or owner/name/folder of the hub, or second, the"
        " judge that ships.",
        default_text="second for sticker-mini, else that of the official files",
        path=True,
    )
    fit: ImageFit = setting(
        "crop",
        "How a picture becomes the square that the encoder reads.",
        details="crop takes its middle, stretch squeezes all of it, pad lays it on its ground.",
    )


@dataclass(frozen=True)
class ImageValidationConfig:
    """How the adapter is measured during training, by pictures that it is not trained on."""

    every: int = setting(
        UNSET,
        "Steps between validations; 0 for none, and the last state is kept.",
        default_text="a sixth of the steps",
        low=0,
        high=1_000_000,
    )
    share: float = setting(0.1, "Share of the pictures that is held out.", low=0.01, high=0.9)
    pictures: int = setting(64, "The most pictures that are held out.", low=1, high=10_000)
    shown: int = setting(
        6, "How many of them are drawn from at every validation; 0 for none.", low=0, high=64
    )


@dataclass(frozen=True)
class TailorImageConfig:
    """`stickerforge tailor image`."""

    data: str = setting(
        "",
        "A folder of captioned pictures, or a .jsonl file that lists them, each perhaps with a"
        " condition picture of its own.",
        argument=True,
        path=True,
    )
    name: str = setting("", "Name of the adapter, which --adapter then takes.", flag="--name")
    model: str = setting(
        "sticker-mini", "The model, by name or folder.", flag="--model", short="-m", path=True
    )
    adapter: str = setting(
        "",
        "An image adapter from which this one begins, by name or file: an official one, say.",
        default_text="none",
        flag="--adapter",
        metavar="NAME",
        path=True,
    )
    variant: ImageVariant = setting(
        "base",
        "base reads a picture as one vector, plus as all of its patches.",
        flag="--variant",
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    training: ImageTrainingConfig = ImageTrainingConfig()
    image_prompt: ReferenceConfig = ReferenceConfig()
    drops: DropConfig = DropConfig()
    augment: AugmentConfig = AugmentConfig()
    validation: ImageValidationConfig = ImageValidationConfig()
