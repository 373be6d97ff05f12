"""The settings of `stickerforge tailor alpha`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import MAX_SEED, device_setting
from stickerforge.config.setting import UNSET, setting


@dataclass(frozen=True)
class DecoderTrainingConfig:
    """How a decoder is trained."""

    steps: int = setting(
        UNSET, "Training steps.", default_text="2000", low=1, high=1_000_000, flag="--steps"
    )
    batch: int = setting(8, "Pictures per step.", low=1, high=4096, flag="--batch")
    lr: float = setting(1e-4, "Learning rate.", low=1e-8, high=1.0, flag="--lr")
    lr_decay: float = setting(
        0.5,
        "Share of the steps, the last ones, in which the learning rate falls to 0.",
        details="Without, colours waver to the end. In a run that --resume --steps teaches on it"
        " rises again, and falls at the new end.",
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
    weight_decay: float = setting(0.0, "Weight decay of AdamW.", low=0.0, high=1.0)
    clip: float = setting(1.0, "Largest norm of a gradient.", low=1e-6, high=1e6)
    save_every: int = setting(100, "Steps between checkpoints.", low=1, high=1_000_000)
    tensorboard: bool = setting(
        False, "Whether the metrics of every step are written for TensorBoard, too."
    )


@dataclass(frozen=True)
class DecoderConfig:
    """What the decoder is before any training."""

    start: Literal["mean", "opaque"] = setting(
        "mean",
        "What alpha is before any training.",
        details="mean of red, green and blue, or opaque everywhere; colours are the same.",
    )


@dataclass(frozen=True)
class CanvasConfig:
    """What stickers lie on when they are encoded, and where."""

    color: str = setting(
        "ffffff", "The ground that the model draws stickers on, as rrggbb.", metavar="RRGGBB"
    )
    scale_low: float = setting(
        0.5, "The smallest side of a sticker, as a share of the canvas.", low=0.05, high=1.0
    )
    scale_high: float = setting(
        1.0, "The largest side of a sticker, as a share of the canvas.", low=0.05, high=1.0
    )


@dataclass(frozen=True)
class AlphaLossConfig:
    """How much each error counts."""

    composite: float = setting(
        1.0, "Weight of the error of colours over random grounds.", low=0.0, high=1000.0
    )
    alpha: float = setting(1.0, "Weight of the error of alpha.", low=0.0, high=1000.0)
    gradient: float = setting(
        1.0, "Weight of the error of the edges of alpha, at three scales.", low=0.0, high=1000.0
    )


@dataclass(frozen=True)
class GroundsConfig:
    """The random grounds that stickers are compared over."""

    photos: str = setting(
        "",
        "A folder of photographs, parts of which are grounds.",
        default_text="scenes that are made up",
        path=True,
    )


@dataclass(frozen=True)
class AlphaValidationConfig:
    """How the decoder is measured during training, by pictures that it is not trained on."""

    every: int = setting(
        UNSET,
        "Steps between validations; 0 for none, and the last state is kept.",
        default_text="a sixth of the steps",
        low=0,
        high=1_000_000,
    )
    share: float = setting(0.1, "Share of the pictures that is held out.", low=0.01, high=0.9)
    pictures: int = setting(64, "The most pictures that are held out.", low=1, high=10_000)


@dataclass(frozen=True)
class AlphaPreviewConfig:
    """What is shown of every validation: stickers on black, white, green and a chequerboard."""

    count: int = setting(6, "How many stickers are shown; 0 for none.", low=0, high=100)


@dataclass(frozen=True)
class TailorAlphaConfig:
    """`stickerforge tailor alpha`."""

    pictures: str = setting(
        "", "A folder of pictures with a transparent ground.", argument=True, path=True
    )
    name: str = setting("", "Name of the adapter, which --adapter then takes.", flag="--name")
    model: str = setting(
        "", "A model that draws no alpha, by name or folder.", flag="--model", short="-m", path=True
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    training: DecoderTrainingConfig = DecoderTrainingConfig()
    decoder: DecoderConfig = DecoderConfig()
    canvas: CanvasConfig = CanvasConfig()
    loss: AlphaLossConfig = AlphaLossConfig()
    grounds: GroundsConfig = GroundsConfig()
    validation: AlphaValidationConfig = AlphaValidationConfig()
    preview: AlphaPreviewConfig = AlphaPreviewConfig()
