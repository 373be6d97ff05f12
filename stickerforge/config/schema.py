"""Every setting and its default: one frozen dataclass per command, and the only place that holds defaults."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

Format = Literal["png", "webp"]
ColorMode = Literal["auto", "flat", "drawn"]
Scheduler = Literal["model", "ddim", "euler", "dpm++"]


@dataclass(frozen=True)
class Sampling:
    """How a picture is denoised. None means: what the model recommends."""

    steps: int | None = None  # network evaluations with guidance count as one step
    guidance: float | None = None  # classifier-free guidance scale; 1 switches it off
    guidance_rescale: float | None = (
        None  # share of the guided spread that is put back (arXiv:2305.08891)
    )
    consistency: float | None = (
        None  # weight of what adapters taught, led by the base (arXiv:2402.12004); None: adapters lead themselves
    )
    consistency_start: float | None = (
        None  # shares of the steps between which it counts, 0 and 1 without
    )
    consistency_end: float | None = None
    scheduler: Scheduler = "model"
    batch: int = 1  # pictures denoised together; always this many, the last ones padded
    pixels: int | None = (
        None  # side of the square that is sampled, before it becomes the file's size
    )


@dataclass(frozen=True)
class Output:
    """What is written, and where."""

    folder: str = "stickers"
    size: int = 512  # side of the file in pixels; 0 keeps the size that was sampled
    format: Format = "png"
    colours: ColorMode = "auto"  # flat: each area of a figure in one colour; auto: in styles without shading; drawn: as they are
    prompt: bool = True  # whether the picture remembers its prompt
    sheet: bool = True  # a contact sheet beside them, where there is more than one
    columns: int | None = None  # of the contact sheet; None makes it about square


@dataclass(frozen=True)
class GenerateConfig:
    """`stickerforge generate`."""

    prompt: tuple[str, ...] = ()
    prompts: str = ""  # a file of prompts: txt, csv or jsonl
    negative: str = ""
    style: str = ""  # a preset, a style adapter, or a name that is both
    subject: tuple[
        str, ...
    ] = ()  # adapters whose class word in the prompt becomes their placeholder
    adapter: tuple[
        str, ...
    ] = ()  # NAME or FILE, each with its scale after a colon where that is not 1
    model: str = ""  # without: the base of the adapters in use, else sticker-mini
    count: int = 1  # pictures per prompt
    seed: int | None = None  # item i of a call uses seed + i; None draws one and prints it
    matting: str = "auto"  # "auto", "none", or the name of a matting model
    device: str = "auto"
    sampling: Sampling = field(default_factory=Sampling)
    output: Output = field(default_factory=Output)

    # Bounds that a value must keep, by dotted name: (lowest, highest).
    BOUNDS: ClassVar = {
        "count": (1, 10_000),
        "seed": (0, 2**63 - 1),
        "sampling.steps": (1, 1000),
        "sampling.guidance": (0.0, 50.0),
        "sampling.guidance_rescale": (0.0, 1.0),
        "sampling.consistency": (0.0, 50.0),
        "sampling.consistency_start": (0.0, 1.0),
        "sampling.consistency_end": (0.0, 1.0),
        "sampling.batch": (1, 64),
        "sampling.pixels": (16, 2048),
        "output.size": (0, 4096),
        "output.columns": (1, 100),
    }


@dataclass(frozen=True)
class Training:
    """How something is taught. None means: what the model recommends, else the paper of DCO."""

    steps: int | None = None
    batch: int | None = None
    rank: int | None = None  # of the low-rank factors
    layers: Literal["attention", "all"] | None = (
        None  # which of the denoiser's layers get factors; all: convolutions too
    )
    lr: float | None = None  # learning rate of the factors
    token_lr: float | None = None  # of the new embedding
    beta: float | Literal["auto"] | None = (
        None  # of DCO: larger stays closer to the base; auto follows what was learned
    )
    objective: Literal["dco", "plain"] = "dco"
    reduction: Literal["sample", "batch"] = (
        "sample"  # whether DCO looks at pictures one by one or at a batch as a whole
    )
    snr_gamma: float = (
        0.0  # bound of the min-SNR weights (arXiv:2303.09556), which takes 5; 0 for none
    )
    cached_noise: int = 0  # noises per picture that the base is asked about, once each; 0 asks it anew in every step
    prior_weight: float = (
        0.0  # how much pictures of the class count beside the references; 0 for none
    )
    prior_count: int = 50  # pictures of the class, which the base model draws first
    text_rank: int = 0  # of factors on the text encoders; 0 for none
    text_lr: float | None = None  # their learning rate; without: a fifth of lr
    epsilon: float = 1e-8  # of AdamW
    resolution: int | None = None  # pictures are brought to about this side squared, in pixels
    offset_noise: float | None = (
        None  # noise that a whole channel shares; keeps the plain grounds of a style plain
    )
    weight_decay: float = 1e-4
    clip: float = 1.0  # largest norm of a gradient
    save_every: int = 50  # steps between checkpoints
    tensorboard: bool = False  # write the figures of every step for TensorBoard, too


@dataclass(frozen=True)
class Preview:
    """The sheet that shows what was learned."""

    prompts: tuple[
        str, ...
    ] = ()  # with {} for the placeholder of a subject; without: a few that suit
    count: int = 2  # pictures per prompt; 0 makes no preview
    style: str = ""  # a preset for the pictures of a subject


@dataclass(frozen=True)
class Validation:
    """Looks at what is drawn while something is taught."""

    every: int | None = (
        None  # steps between looks, 0 for none; without: six looks where the best state is to be kept, else none
    )
    encoder: str = (
        "second"  # what measures likeness and fit: a judge, clip, siglip, dinov2 or a folder
    )


@dataclass(frozen=True)
class CustomizeConfig:
    """`stickerforge customize`."""

    pictures: str = ""  # a folder of references
    subject: str = ""  # what is taught: a subject ...
    style: str = ""  # ... or a style
    class_words: str = ""  # the class of the subject ("dog"), where its name does not say it
    name: str = ""  # of the adapter; without: that of the subject or style
    model: str = "sticker-mini"
    mask: str = "auto"  # what of a picture counts: "auto", "none", or a folder of masks
    keep: Literal["best", "last"] = "last"  # which state becomes the adapter
    seed: int = 0
    device: str = "auto"
    training: Training = field(default_factory=Training)
    validation: Validation = field(default_factory=Validation)
    preview: Preview = field(default_factory=Preview)

    BOUNDS: ClassVar = {
        "seed": (0, 2**63 - 1),
        "training.steps": (1, 1_000_000),
        "training.batch": (1, 256),
        "training.rank": (1, 1024),
        "training.lr": (1e-8, 1.0),
        "training.token_lr": (0.0, 1.0),
        "training.beta": (1e-6, 1e6),
        "training.snr_gamma": (0.0, 1000.0),
        "training.cached_noise": (0, 10_000),
        "training.prior_weight": (0.0, 1000.0),
        "training.prior_count": (1, 10_000),
        "training.text_rank": (0, 1024),
        "training.text_lr": (1e-8, 1.0),
        "training.epsilon": (1e-12, 1.0),
        "training.resolution": (16, 2048),
        "training.offset_noise": (0.0, 1.0),
        "training.weight_decay": (0.0, 1.0),
        "training.clip": (1e-6, 1e6),
        "training.save_every": (1, 1_000_000),
        "validation.every": (0, 1_000_000),
        "preview.count": (0, 100),
    }


@dataclass(frozen=True)
class MergeConfig:
    """`stickerforge merge`."""

    parents: tuple[str, ...] = ()  # NAME, with its weight after a colon where that is not 1
    name: str = ""
    rename: tuple[str, ...] = ()  # PARENT:OLD=NEW, for parents that share a placeholder

    BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {}


@dataclass(frozen=True)
class EvaluateConfig:
    """`stickerforge evaluate`."""

    pictures: str = ""  # a folder
    prompts: str = ""  # a file; ids are file stems. Without: what the pictures remember
    reference: str = ""  # pictures of the subject
    style_reference: str = ""  # pictures in the style
    baseline: str = ""  # a folder of pictures for the same prompts
    encoder: str = "judge"
    metrics: tuple[str, ...] = ()  # names of metrics or of groups; none means all that can be had
    reward: tuple[str, ...] = ()  # KIND or KIND=PLACE: pickscore, hpsv2, aesthetic, vqascore, lpips
    fail_under: tuple[str, ...] = ()  # METRIC=VALUE
    device: str = "auto"  # of an encoder other than the judges
    allow_small: bool = False  # give distances even of sets that are too small for them
    out: str = "evaluation"  # folder of the report

    BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {}


@dataclass(frozen=True)
class CaptionConfig:
    """`stickerforge caption`."""

    pictures: str = ""  # a folder
    subject: str = (
        ""  # what all of them show; captions will hold its new word. Without: what is seen is named
    )
    class_words: str = ""  # the class of the subject ("dog"), where its name does not say it
    captioner: str = "embedded"  # or a transformers folder, or owner/name of the hub
    form: Literal["long", "short", "tags"] = "long"
    device: str = "auto"

    BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {}
