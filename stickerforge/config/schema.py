"""Every setting: one frozen dataclass per command, and the only place that holds defaults.

Fields stand in the order in which configuration files are written.
"""

from dataclasses import dataclass
from typing import Any, Literal

from stickerforge.config.setting import UNSET, setting

Format = Literal["png", "webp"]
ColorMode = Literal["auto", "flat", "drawn"]
Scheduler = Literal["model", "ddim", "euler", "dpm++"]
Layers = Literal["attention", "all"]
Objective = Literal["dco", "plain"]
Reduction = Literal["sample", "batch"]

MAX_SEED = 2**63 - 1
MAX_COUNT = 10_000  # pictures per prompt


def device_setting(details: str = "") -> Any:
    """The setting of where a model runs, the same in each command that has one."""
    return setting(
        "auto",
        "auto, cpu, cuda, cuda:1 or mps.",
        details=details,
        flag="--device",
        panel="Common",
    )


def class_words_setting() -> Any:
    """The setting of a subject's class, the same where references are captioned or learned from."""
    return setting(
        "",
        "What kind of thing the subject is.",
        details='For example "dog", where its name does not say it.',
        default_text="its name",
        flag="--class",
        metavar="WORDS",
        alias="words",
    )


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
        flag="--consistency",
        metavar="WEIGHT",
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
        1,
        "Pictures denoised together; always this many, the last ones padded.",
        low=1,
        high=64,
    )
    pixels: int = setting(
        UNSET,
        "Side in pixels of the square that is sampled, before it becomes the file's size.",
        low=16,
        high=2048,
    )


@dataclass(frozen=True)
class OutputConfig:
    """What is written, and where."""

    folder: str = setting("stickers", "Where to write.", flag="--out", short="-o", metavar="FOLDER")
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
        None,
        "Columns of the contact sheet.",
        default_text="about as many as rows",
        low=1,
        high=100,
    )


@dataclass(frozen=True)
class GenerateConfig:
    """`stickerforge generate`."""

    prompt: tuple[str, ...] = setting(
        (), 'What to draw, for example "cat astronaut".', argument=True
    )
    prompts: str = setting(
        "", "Prompts from a txt, csv or jsonl file.", flag="--prompts", metavar="FILE"
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
        "An adapter or LoRA file; may be given again.",
        details="Its scale follows a colon where that is not 1.",
        flag="--adapter",
        metavar="NAME|FILE[:SCALE]",
    )
    model: str = setting(
        "",
        "A model's name or folder. (default: the adapters' base, else sticker-mini)",
        flag="--model",
        short="-m",
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
    matting: str = setting(
        "auto",
        "auto, none, or a matting model, for models without alpha.",
        flag="--matting",
    )
    device: str = device_setting()
    sampling: SamplingConfig = SamplingConfig()
    output: OutputConfig = OutputConfig()


@dataclass(frozen=True)
class TrainingConfig:
    """How an adapter is trained. What is UNSET the model's card fills in, else the method."""

    steps: int = setting(UNSET, "Training steps.", low=1, high=1_000_000, flag="--steps")
    batch: int = setting(UNSET, "Pictures per step.", low=1, high=256, flag="--batch")
    rank: int = setting(UNSET, "Rank of the LoRA.", low=1, high=1024, flag="--rank")
    layers: Layers = setting(
        UNSET,
        "Which layers of the denoiser are adapted.",
        details="attention, or all, which is convolutions too.",
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
    )


@dataclass(frozen=True)
class CustomizeConfig:
    """`stickerforge customize`."""

    pictures: str = setting(
        "", "A folder of pictures of one subject, or in one style.", argument=True
    )
    subject: str = setting(
        "", "Teach a subject; <NAME> will mean it.", flag="--subject", metavar="NAME"
    )
    style: str = setting(
        "",
        "Teach a style; --style NAME will apply it.",
        flag="--style",
        short="-s",
        metavar="NAME",
    )
    class_words: str = class_words_setting()
    name: str = setting(
        "",
        "Name of the adapter, which --adapter then takes.",
        default_text="that of the subject or style",
        flag="--name",
    )
    model: str = setting("sticker-mini", "A model's name or folder.", flag="--model", short="-m")
    mask: str = setting(
        "auto",
        "What of the pictures counts.",
        default_text="auto: see the README",
        flag="--mask",
        metavar="auto|none|FOLDER",
    )
    keep: Literal["best", "last"] = setting(
        "last",
        "Which state to keep; best looks at pictures on the way.",
        flag="--keep",
        metavar="best|last",
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    training: TrainingConfig = TrainingConfig()
    validation: ValidationConfig = ValidationConfig()
    preview: PreviewConfig = PreviewConfig()


@dataclass(frozen=True)
class MergeConfig:
    """`stickerforge merge`."""

    parents: tuple[str, ...] = setting(
        (),
        "The adapters, for example dog crayon:0.8.",
        argument=True,
        metavar="NAME[:WEIGHT]...",
    )
    name: str = setting("", "Name of the merged adapter.", flag="--name")
    rename: tuple[str, ...] = setting(
        (),
        "Another placeholder, where two parents share one.",
        flag="--rename",
        metavar="PARENT:OLD=NEW",
    )


@dataclass(frozen=True)
class EvaluateConfig:
    """`stickerforge evaluate`."""

    pictures: str = setting("", "A folder of stickers.", argument=True)
    prompts: str = setting(
        "",
        "What was asked for; ids are file names.",
        details="Without it: what the pictures remember.",
        flag="--prompts",
        metavar="FILE",
    )
    reference: str = setting("", "Pictures of the subject.", flag="--reference", metavar="FOLDER")
    style_reference: str = setting(
        "", "Pictures in the style.", flag="--style-reference", metavar="FOLDER"
    )
    baseline: str = setting(
        "", "Stickers for the same prompts.", flag="--baseline", metavar="FOLDER"
    )
    encoder: str = setting(
        "judge",
        "judge, second, clip, siglip, dinov2 or a folder.",
        flag="--encoder",
        metavar="NAME|FOLDER",
    )
    metrics: tuple[str, ...] = setting(
        (),
        "Only these, for example cutout,alignment.",
        details="Names of metrics or of groups; without it all that can be had.",
        flag="--metrics",
    )
    reward: tuple[str, ...] = setting(
        (),
        "pickscore, aesthetic, vqascore, hpsv2=FOLDER or lpips=FILE.",
        flag="--reward",
        metavar="KIND[=PLACE]",
    )
    fail_under: tuple[str, ...] = setting(
        (),
        "Exit 5 where a figure is worse; may be given again.",
        flag="--fail-under",
        metavar="METRIC=VALUE",
    )
    device: str = device_setting("Of an encoder other than the judges.")
    allow_small: bool = setting(False, "Give distances even of sets that are too small for them.")
    out: str = setting(
        "evaluation",
        "Where to write the report.",
        flag="--out",
        short="-o",
        metavar="FOLDER",
    )


@dataclass(frozen=True)
class CaptionConfig:
    """`stickerforge caption`."""

    pictures: str = setting("", "A folder of pictures.", argument=True)
    subject: str = setting(
        "",
        "What all of them show; captions say <NAME> once.",
        details="Without it captions name what is seen.",
        flag="--subject",
        metavar="NAME",
    )
    class_words: str = class_words_setting()
    captioner: str = setting(
        "embedded",
        "An image-text model.",
        details="embedded, a folder of transformers, or owner/name of the hub.",
        flag="--captioner",
        metavar="NAME|FOLDER",
    )
    form: Literal["long", "short", "tags"] = setting(
        "long",
        "Form of the captions.",
        flag="--style",
        short="-s",
        metavar="long|short|tags",
    )
    device: str = device_setting()
