"""The settings of `stickerforge tailor style` that decide what is trained."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import MAX_SEED, device_setting
from stickerforge.config.schema.picture_sets import ContentConfig, DomainConfig, GatesConfig
from stickerforge.config.schema.tailor import SharedValidationConfig, TuningConfig
from stickerforge.config.setting import UNSET, setting

Stage = Literal["domain", "content", "style", "joint"]
Arm = Literal["prompt", "domain", "content", "style", "sequential", "mixed", "reversed", "joint"]
Origin = Literal["model", "domain", "content", "style"]


@dataclass(frozen=True)
class StyleSetConfig:
    """The pictures of the house style."""

    data: str = setting(
        "",
        "A folder of pictures in the house style with captions, or a .jsonl file.",
        details="They count as picked, unless a rater leaves them out.",
        path=True,
    )
    drawn: bool = setting(
        False,
        "Whether pictures that people passed as content are asked about, too.",
    )
    phrase: str = setting(
        "", "Words that ask the model for the style: what --arm prompt adds to prompts."
    )
    guideline: str = setting(
        "", "What raters of the style go by.", default_text="a general question"
    )


@dataclass(frozen=True)
class JointConfig:
    """How the noise of a picture decides from which set it comes."""

    threshold: float = setting(
        UNSET,
        "Noise level between the sets, as the logarithm of the signal-to-noise ratio.",
        default_text="the model's, else -4.244",
        details="-4.244 is timestep 900 of 1000 in Stable Diffusion's schedule.",
        low=-1000.0,
        high=1000.0,
    )
    content: Literal["noisy", "clean"] = setting(
        "noisy",
        "The side of the threshold on which content is learned; the style on the other.",
    )
    stratified: bool = setting(
        False,
        "Whether half of each batch comes from each set, with weights.",
        details="The same in the mean, with less chance in it.",
    )
    objective: Literal["plain", "dco"] = setting(
        "plain",
        "What is minimized: the denoising error, or the loss of DCO.",
        details="dco stays closer to the stage that training begins from: for few pictures.",
    )
    beta: float | Literal["auto"] = setting(
        "auto", "How close dco stays; larger is closer.", low=1e-3, high=1e6
    )


@dataclass(frozen=True)
class TailorStyleConfig:
    """`stickerforge tailor style`."""

    name: str = setting(
        "", "Name of the tailored model, which --adapter then takes.", flag="--name"
    )
    stage: Stage = setting(
        "joint",
        "What is done: domain trains on sticker-like pictures, content and style draw and"
        " collect pictures for people to decide about, joint trains on what they took.",
        flag="--stage",
        metavar="STAGE",
    )
    arm: Arm = setting(
        "joint",
        "With --stage joint, what is trained instead, to compare with it: prompt, domain, content,"
        " style, sequential, mixed or reversed.",
        details="prompt trains nothing and adds style.phrase to prompts; content and style train"
        " on one set; sequential on content and then on style; mixed on both at every noise level;"
        " reversed with the sets exchanged; domain is the stage of that name. Each is an adapter"
        " of its own, NAME-ARM.",
        flag="--arm",
        metavar="ARM",
    )
    init_from: Origin = setting(
        "domain",
        "What training begins from, and what draws candidates: model, domain, content or style.",
        flag="--init-from",
        metavar="STAGE",
    )
    ratings: str = setting(
        "", "A file of ratings to take in, as rate exports them.", flag="--ratings", path=True
    )
    model: str = setting(
        "sticker-mini", "A model's name or folder.", flag="--model", short="-m", path=True
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    domain: DomainConfig = DomainConfig()
    content: ContentConfig = ContentConfig()
    gates: GatesConfig = GatesConfig()
    style: StyleSetConfig = StyleSetConfig()
    joint: JointConfig = JointConfig()
    training: TuningConfig = TuningConfig()
    validation: SharedValidationConfig = SharedValidationConfig()
