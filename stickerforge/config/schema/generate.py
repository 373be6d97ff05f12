"""The settings of `stickerforge generate`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import MAX_SEED, device_setting
from stickerforge.config.schema.control import ControlConfig
from stickerforge.config.schema.image_prompt import ImagePromptConfig
from stickerforge.config.setting import UNSET, setting

Format = Literal["png", "webp"]
ColorMode = Literal["auto", "flat", "drawn"]
Scheduler = Literal["model", "ddim", "euler", "dpm++"]

MAX_COUNT = 10_000  # pictures per prompt


@dataclass(frozen=True)
class SamplingConfig:
    """How a picture is denoised."""

    steps: int = setting(
        UNSET,
        "Denoising steps.",
        details="An evaluation of the network with guidance counts as one step.",
        low=1,
        high=1000,
        flag="--steps",
    )
    guidance: float = setting(
        UNSET,
        "How closely to follow the prompt.",
        details="The scale of classifier-free guidance; 1 switches it off.",
        low=0.0,
        high=50.0,
        flag="--guidance",
    )
    guidance_rescale: float = setting(
        UNSET,
        "How far the spread of the guided prediction is brought back to that of the prediction"
        " for the prompt alone (arXiv:2305.08891).",
        low=0.0,
        high=1.0,
    )
    consistency: float | None = setting(
        None,
        "Lead adapters by the base: 0 is the base alone.",
        details="The weight of what adapters add to the base's guidance (arXiv:2402.12004);"
        " without it adapters guide themselves.",
        low=0.0,
        high=50.0,
    )
    consistency_start: float | None = setting(
        None,
        "The share of the steps after which adapters are led by the base.",
        default_text="0",
        low=0.0,
        high=1.0,
    )
    consistency_end: float | None = setting(
        None,
        "The share of the steps until which adapters are led by the base.",
        default_text="1",
        low=0.0,
        high=1.0,
    )
    scheduler: Scheduler = setting("model", "The sampler: that of the model, or another.")
    batch: int = setting(
        1, "Pictures denoised together; always this many, the last ones padded.", low=1, high=64
    )
    pixels: int = setting(
        UNSET,
        "Side in pixels of the square that is sampled, before it becomes the file's size.",
        low=16,
        high=2048,
    )


@dataclass(frozen=True)
class InitConfig:
    """The picture that denoising starts from, instead of noise alone."""

    file: str = setting(
        "",
        "Start from a picture; init.strength and init.mask say how much changes, and where.",
        details="It is brought to a square without distortion; what is missing beside it is clear,"
        " white for a model without alpha.",
        flag="--init",
        metavar="FILE",
        path=True,
    )
    strength: float | None = setting(
        None,
        "How much of the picture of --init changes.",
        details="The share of the steps that are taken; 1 begins with noise alone.",
        default_text="0.6",
        low=0.001,
        high=1.0,
    )
    mask: str = setting(
        "",
        "A picture that is white where that of --init is painted anew, black where it stays.",
        details="Grey mixes both. It has the shape of the picture of --init.",
        path=True,
    )


@dataclass(frozen=True)
class OutputConfig:
    """What is written, and where."""

    folder: str = setting(
        "stickers", "Where to write.", flag="--out", short="-o", metavar="FOLDER", path=True
    )
    size: int = setting(
        512,
        "Side of the file in pixels, or native.",
        details="0 (native) keeps the size that was sampled.",
        low=0,
        high=4096,
        flag="--size",
        words={"native": 0},
    )
    format: Format = setting("png", "png or webp.", flag="--format")
    colours: ColorMode = setting(
        "auto",
        "Whether each area of a figure gets one colour.",
        details="flat: it does; drawn: colours stay as they were drawn;"
        " auto: flat in styles without shading.",
    )
    prompt: bool = setting(True, "Whether the picture remembers its prompt.")
    sheet: bool = setting(True, "Whether more than one picture get a contact sheet.")
    columns: int | None = setting(
        None, "Columns of the contact sheet.", default_text="about as many as rows", low=1, high=100
    )


@dataclass(frozen=True)
class WordsConfig:
    """What happens to words of a prompt."""

    unknown: Literal["replace", "keep"] = setting(
        "replace",
        "Whether what a model cannot draw is replaced by what is near, or left out.",
        details="Only for models whose card has a table of things, as that of sticker-mini;"
        " keep gives them the prompt as it stands.",
    )


@dataclass(frozen=True)
class GenerateConfig:
    """`stickerforge generate`."""

    prompt: tuple[str, ...] = setting(
        (), 'What to draw, for example "cat astronaut".', argument=True
    )
    prompts: str = setting(
        "",
        "Prompts from a txt, csv or jsonl file.",
        flag="--prompts",
        metavar="FILE",
        path=True,
    )
    negative: str = setting("", "What to avoid.", flag="--negative")
    style: str = setting(
        "",
        "sticker, flat, noto, twemoji, or the name of a style adapter.",
        details="A name may be both a preset and an adapter: then both apply.",
        flag="--style",
        short="-s",
    )
    subject: tuple[str, ...] = setting(
        (),
        "A taught subject, meant by its class word in the prompt.",
        details="The class word is replaced by the adapter's placeholder.",
        flag="--subject",
        metavar="NAME",
    )
    adapter: tuple[str, ...] = setting(
        (),
        "An adapter, or a LoRA's file or folder; may be given again.",
        details="Its scale follows a colon where that is not 1.",
        flag="--adapter",
        metavar="NAME|FILE[:SCALE]",
        path=True,
    )
    model: str = setting(
        "",
        "A model's name or folder. (default: the adapters' base, else sticker-mini)",
        flag="--model",
        short="-m",
        path=True,
    )
    count: int = setting(
        1, "Pictures per prompt.", low=1, high=MAX_COUNT, flag="--count", short="-n"
    )
    seed: int | None = setting(
        None,
        "Picture i uses seed + i; without it one is drawn and printed.",
        low=0,
        high=MAX_SEED,
        flag="--seed",
    )
    matting: str = setting("auto", "auto, none, or a matting model, for models without alpha.")
    device: str = device_setting()
    init: InitConfig = InitConfig()
    image_prompt: ImagePromptConfig = ImagePromptConfig()
    control: ControlConfig = ControlConfig()
    sampling: SamplingConfig = SamplingConfig()
    output: OutputConfig = OutputConfig()
    words: WordsConfig = WordsConfig()
