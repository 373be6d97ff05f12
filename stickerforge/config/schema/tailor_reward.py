"""The settings of `stickerforge tailor reward`."""

from dataclasses import dataclass

from stickerforge.config.schema.common import MAX_SEED, device_setting
from stickerforge.config.schema.mixture import MixtureConfig
from stickerforge.config.schema.tailor import SharedValidationConfig, TuningConfig
from stickerforge.config.setting import UNSET, setting


@dataclass(frozen=True)
class CandidatesConfig:
    """The pictures that are chosen from, and those that measure: how they are drawn."""

    count: int = setting(
        8, "Pictures of each prompt to choose from.", low=1, high=1000, flag="--count", short="-n"
    )
    steps: int = setting(UNSET, "Denoising steps of a picture.", low=1, high=1000)
    guidance: float = setting(UNSET, "Guidance scale of the pictures.", low=0.0, high=50.0)
    batch: int = setting(1, "Pictures denoised together.", low=1, high=64)
    pixels: int = setting(UNSET, "Side of the pictures in pixels.", low=16, high=2048)
    matting: str = setting("auto", "auto, none, or a matting model, for models without alpha.")


@dataclass(frozen=True)
class SelectionConfig:
    """Which pictures are trained on: of a prompt at most the best one."""

    quantile: float = setting(
        0.5,
        "The share of the prompts that is left out, those whose best picture is worst.",
        details="A quantile of the best scores; 0 takes the best picture of every prompt.",
        low=0.0,
        high=1.0,
    )
    threshold: float | None = setting(
        None,
        "The least score of a picture that is trained on, in place of a quantile.",
        details="In the unit of the aspect: give one aspect only.",
        default_text="by selection.quantile",
        low=-1e9,
        high=1e9,
    )


@dataclass(frozen=True)
class HeldOutConfig:
    """The prompts that are not trained on, by which the base and every LoRA are measured."""

    file: str = setting(
        "",
        "A file of prompts that measure; those of --prompts that are in it are not trained on.",
        default_text="a share of --prompts",
        path=True,
    )
    share: float = setting(
        0.25, "The share of --prompts that measures; at least six.", low=0.0, high=0.9
    )
    count: int = setting(2, "Pictures of each of these prompts.", low=2, high=100)


@dataclass(frozen=True)
class AlignmentConfig:
    """What measures how well pictures fit their prompts."""

    model: str = setting(
        "second",
        "Whose opinion chooses: a judge, clip, siglip, a folder, or owner/name of the hub.",
        details="The other judge measures beside it, as whoever chooses is no measure.",
        path=True,
    )
    direction: str = setting(
        "",
        "A file of at least 5000 prompts, whose mean is what all prompts have in common.",
        details="Or the direction.json of a run of tailor prompt. It is taken out of the score.",
        default_text="what ships for the judges",
        path=True,
    )


@dataclass(frozen=True)
class GuardConfig:
    """What a LoRA may cost, measured on prompts that it was not trained on."""

    loss: float = setting(
        0.2,
        "By how much any other aspect may fall, in standard deviations of the base's scores.",
        details="What falls by more, with its 95 % interval below 0, is not made an adapter.",
        low=0.0,
        high=1000.0,
    )


@dataclass(frozen=True)
class TailorRewardConfig:
    """`stickerforge tailor reward`."""

    prompts: str = setting(
        "",
        "A file of prompts: one a line, or csv or jsonl.",
        flag="--prompts",
        metavar="FILE",
        path=True,
    )
    aspects: tuple[str, ...] = setting(
        ("alignment",),
        "What pictures are chosen by, for example alignment,validity.",
        details="alignment (with the prompt), style (that the prompt names), validity (of the"
        " sticker: one part, closed, inside, margin, clean edge, legible at 64 px); on weights"
        " that you have aesthetic, pickscore, vqascore, hpsv2=FOLDER. One LoRA each.",
        flag="--aspects",
        metavar="NAMES",
    )
    name: str = setting(
        "",
        "Name of the adapter; with several aspects NAME-ASPECT each, and NAME mixes them.",
        flag="--name",
    )
    model: str = setting(
        "sticker-mini", "A model's name or folder.", flag="--model", short="-m", path=True
    )
    rounds: int = setting(
        1,
        "At most how often pictures are drawn, chosen and learned from.",
        details="A further round goes on from the last one, until the gain is below its standard"
        " error, or the diversity falls.",
        low=1,
        high=100,
        flag="--rounds",
    )
    seed: int = setting(0, "Decides all randomness.", low=0, high=MAX_SEED, flag="--seed")
    device: str = device_setting()
    candidates: CandidatesConfig = CandidatesConfig()
    selection: SelectionConfig = SelectionConfig()
    held_out: HeldOutConfig = HeldOutConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    guard: GuardConfig = GuardConfig()
    training: TuningConfig = TuningConfig()
    mixture: MixtureConfig = MixtureConfig()

    @property
    def validation(self) -> SharedValidationConfig:
        """None while it trains: what comes of it is measured by the guard."""
        return SharedValidationConfig(every=0, encoder="judge")
