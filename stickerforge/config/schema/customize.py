"""The settings of `stickerforge customize`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import MAX_SEED, class_words_setting, device_setting
from stickerforge.config.setting import UNSET, setting

Layers = Literal["attention", "all", "blocks"]
Objective = Literal["dco", "plain"]
Reduction = Literal["sample", "batch"]


@dataclass(frozen=True)
class TrainingConfig:
    """How an adapter is trained. What is UNSET the model's card fills in, else the method."""

    steps: int = setting(UNSET, "Training steps.", low=1, high=1_000_000, flag="--steps")
    batch: int = setting(UNSET, "Pictures per step.", low=1, high=256, flag="--batch")
    rank: int = setting(UNSET, "Rank of the LoRA.", low=1, high=1024, flag="--rank")
    layers: Layers = setting(
        UNSET,
        "Which layers of the denoiser are adapted.",
        details="attention; all, which is convolutions too; blocks, which is also feed-forward.",
    )
    lr: float = setting(UNSET, "Learning rate.", low=1e-8, high=1.0, flag="--lr")
    token_lr: float = setting(
        UNSET, "Learning rate of the embedding of a subject's new word.", low=0.0, high=1.0
    )
    beta: float | Literal["auto"] = setting(
        UNSET,
        "Of DCO: larger stays closer to the base model.",
        details="auto follows what was learned.",
        low=1e-6,
        high=1e6,
        flag="--beta",
        metavar="NUMBER|auto",
    )
    objective: Objective = setting(
        "dco", "dco, or plain for ordinary LoRA training.", flag="--objective"
    )
    reduction: Reduction = setting(
        "sample", "Whether DCO compares pictures one by one or a batch as a whole."
    )
    snr_gamma: float = setting(
        0.0,
        "Bound of the min-SNR weights (arXiv:2303.09556), which takes 5; 0 for none.",
        low=0.0,
        high=1000.0,
    )
    cached_noise: int = setting(
        0,
        "Noises per picture whose error under the base model is computed once and kept;"
        " 0 computes it anew in every step.",
        low=0,
        high=10_000,
        alias="training.draws",
    )
    prior_weight: float = setting(
        0.0,
        "How much pictures of the class count beside the references; 0 for none.",
        low=0.0,
        high=1000.0,
    )
    prior_count: int = setting(
        50, "Pictures of the class, which the base model draws first.", low=1, high=10_000
    )
    text_rank: int = setting(
        0, "Rank of the LoRA on the text encoders; 0 for none.", low=0, high=1024
    )
    text_lr: float = setting(
        UNSET,
        "Learning rate of the LoRA on the text encoders.",
        default_text="a fifth of training.lr",
        low=1e-8,
        high=1.0,
    )
    epsilon: float = setting(1e-8, "Epsilon of AdamW.", low=1e-12, high=1.0)
    resolution: int = setting(
        UNSET,
        "Side of the training pictures in pixels.",
        details="Pictures keep their shape and are brought to about this side squared.",
        low=16,
        high=2048,
        flag="--resolution",
    )
    offset_noise: float = setting(
        UNSET,
        "Strength of noise that a whole channel shares;"
        " it keeps the plain backgrounds of a style plain.",
        low=0.0,
        high=1.0,
    )
    weight_decay: float = setting(1e-4, "Weight decay of AdamW.", low=0.0, high=1.0)
    clip: float = setting(1.0, "Largest norm of a gradient.", low=1e-6, high=1e6)
    save_every: int = setting(50, "Steps between checkpoints.", low=1, high=1_000_000)
    tensorboard: bool = setting(
        False, "Whether the metrics of every step are written for TensorBoard, too."
    )


@dataclass(frozen=True)
class ValidationConfig:
    """How the adapter is measured during training."""

    every: int = setting(
        UNSET,
        "Steps between validations; 0 for none.",
        default_text="a sixth of the steps with --keep best, else none",
        low=0,
        high=1_000_000,
        alias="watch.every",
    )
    encoder: str = setting(
        "second",
        "What measures likeness and fit: a judge, clip, siglip, dinov2 or a folder.",
        alias="watch.encoder",
        path=True,
    )


@dataclass(frozen=True)
class PreviewConfig:
    """The sheet that shows what was learned."""

    prompts: tuple[str, ...] = setting(
        (),
        "Prompts of the sheet, with {} for the placeholder of a subject.",
        default_text="a few that suit",
    )
    count: int = setting(2, "Pictures per prompt; 0 makes no sheet.", low=0, high=100)
    style: str = setting("", "A preset for the pictures of a subject.")


@dataclass(frozen=True)
class CustomizeConfig:
    """`stickerforge customize`."""

    pictures: str = setting(
        "",
        "A folder of pictures of one subject, or in one style.",
        argument=True,
        path=True,
    )
    subject: str = setting(
        "", "Teach a subject; <NAME> will mean it.", flag="--subject", metavar="NAME"
    )
    style: str = setting(
        "", "Teach a style; --style NAME will apply it.", flag="--style", short="-s", metavar="NAME"
    )
    class_words: str = class_words_setting()
    name: str = setting(
        "",
        "Name of the adapter, which --adapter then takes.",
        default_text="that of the subject or style",
        flag="--name",
    )
    model: str = setting(
        "sticker-mini", "A model's name or folder.", flag="--model", short="-m", path=True
    )
    mask: str = setting(
        "auto",
        "What of the pictures counts.",
        default_text="auto: see the README",
        flag="--mask",
        metavar="auto|none|FOLDER",
        path=True,
    )
    keep: Literal["best", "last"] = setting(
        "last",
        "Which state to keep: the last, or the one that validated best.",
        flag="--keep",
        metavar="best|last",
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    training: TrainingConfig = TrainingConfig()
    validation: ValidationConfig = ValidationConfig()
    preview: PreviewConfig = PreviewConfig()
