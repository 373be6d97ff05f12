"""The settings of `stickerforge tailor`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import MAX_SEED, device_setting
from stickerforge.config.setting import UNSET, setting


@dataclass(frozen=True)
class TuningConfig:
    """How a model is tuned. What is UNSET the model's card fills in, else LongAlign's values."""

    steps: int = setting(UNSET, "Training steps.", low=1, high=1_000_000, flag="--steps")
    batch: int = setting(UNSET, "Pictures per step.", low=1, high=4096, flag="--batch")
    rank: int = setting(UNSET, "Rank of the LoRA.", low=1, high=1024, flag="--rank")
    lr: float = setting(UNSET, "Learning rate.", low=1e-8, high=1.0, flag="--lr")
    caption_dropout: float = setting(
        0.1, "Share of the pictures that are learned without their caption.", low=0.0, high=1.0
    )
    resolution: int = setting(
        UNSET,
        "Side of the pictures in pixels.",
        details="Pictures keep their shape and are brought to about this side squared.",
        low=16,
        high=2048,
        flag="--resolution",
    )
    memory: float = setting(
        0.0,
        "Gigabytes that a step may take; a batch is then computed in parts. 0 for no limit.",
        low=0.0,
        high=10_000.0,
    )
    epsilon: float = setting(1e-8, "Epsilon of AdamW.", low=1e-12, high=1.0)
    weight_decay: float = setting(1e-2, "Weight decay of AdamW.", low=0.0, high=1.0)
    clip: float = setting(0.3, "Largest norm of a gradient.", low=1e-6, high=1e6)
    save_every: int = setting(50, "Steps between checkpoints.", low=1, high=1_000_000)
    tensorboard: bool = setting(
        False, "Whether the metrics of every step are written for TensorBoard, too."
    )


@dataclass(frozen=True)
class LongPromptsConfig:
    """How the tuned model reads prompts; the adapter carries it."""

    mode: Literal["longalign", "compat"] = setting(
        UNSET,
        "How prompts are read.",
        default_text="longalign, or with --reward as the model or --adapter does",
        details="longalign reads every prompt sentence by sentence, into one length;"
        " compat reads what fits as ever, and longer prompts in windows of whole sentences.",
    )
    length: int = setting(
        240, "Tokens of a prompt that longalign reads.", low=2, high=8192, flag="--length"
    )
    splitter: Literal["unicode", "official"] = setting(
        "unicode",
        "What longalign divides prompts by.",
        details="unicode finds the sentences of any language, official is the released code's.",
    )


@dataclass(frozen=True)
class PreferenceConfig:
    """The reward that --reward trains by: how well pictures fit their prompts."""

    model: str = setting(
        "second",
        "Whose opinion is trained on.",
        details="A judge, clip, siglip, pickscore, hpsv2=FOLDER, a folder, or owner/name of the"
        " hub.",
        flag="--reward-model",
        path=True,
    )
    weight: float = setting(
        0.3,
        "How much of the reward that is the same for every prompt counts; 1 for all of it.",
        low=0.0,
        high=1.0,
    )
    direction: str = setting(
        "",
        "A file of at least 5000 prompts, whose mean is what all prompts have in common.",
        details="Or the direction.json of an earlier run.",
        default_text="what ships for the judges, else the prompts of --reward",
        path=True,
    )
    steps: int = setting(50, "Denoising steps of a picture.", low=1, high=1000)
    gradient_every: int = setting(10, "Every how many steps a gradient is taken.", low=1, high=1000)
    guidance: float = setting(UNSET, "Guidance scale of the pictures.", low=1.0, high=100.0)
    crop: float = setting(
        504 / 512, "Side of the random crop that is judged, as a share.", low=0.1, high=1.0
    )


@dataclass(frozen=True)
class SharedValidationConfig:
    """How the tuned model is measured during training, by what it is not trained on."""

    every: int = setting(
        UNSET,
        "Steps between validations; 0 for none.",
        default_text="a sixth of the steps",
        low=0,
        high=1_000_000,
    )
    encoder: str = setting(
        UNSET,
        "What measures diversity and fit: a judge, clip, siglip or a folder.",
        default_text="judge; second where judge is the reward",
        path=True,
    )
    prompts: int = setting(8, "How many prompts are drawn.", low=1, high=1000)
    seeds: int = setting(4, "Pictures per prompt.", low=2, high=100)


@dataclass(frozen=True)
class TuningValidationConfig(SharedValidationConfig):
    """With what ends a run of `tailor prompt`."""

    diversity: float = setting(
        0.05,
        "With --reward, the share of the diversity whose loss ends the run.",
        details="It ends where the interval of the change lies below 0, too, which takes six"
        " prompts; the last state before is kept. 1 lets it run.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class TailorPromptConfig:
    """`stickerforge tailor prompt`."""

    data: str = setting(
        "",
        "A folder of pictures with captions, or a .jsonl file that lists them.",
        argument=True,
        path=True,
    )
    reward: str = setting(
        "",
        "A file of prompts: train on these alone, by a reward.",
        flag="--reward",
        metavar="PROMPTS",
        path=True,
    )
    name: str = setting("", "Name of the adapter, which --adapter then takes.", flag="--name")
    model: str = setting(
        "sticker-mini", "A model's name or folder.", flag="--model", short="-m", path=True
    )
    adapter: str = setting(
        "",
        "An adapter that tailor prompt made, from which this one begins.",
        default_text="none",
        flag="--adapter",
        metavar="NAME",
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    training: TuningConfig = TuningConfig()
    long_prompts: LongPromptsConfig = LongPromptsConfig()
    preference: PreferenceConfig = PreferenceConfig()
    validation: TuningValidationConfig = TuningValidationConfig()
