"""Settings of the training sets of `stickerforge tailor style`: filters, drawing, gates."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.setting import UNSET, setting

Choice = Literal["auto", "on", "off"]
Duplicates = Literal["hash", "encoder", "either", "both", "off"]


@dataclass(frozen=True)
class PictureFilters:
    """By what pictures are left out, whoever drew them."""

    encoder: str = setting(
        "judge",
        "What compares pictures with their prompts, and with each other.",
        details="judge, second, clip, siglip, a folder, or owner/name of the hub.",
        path=True,
    )
    prompt_score: float | None = setting(
        None,
        "The least cosine of a picture and its prompt.",
        details="Cosines of one encoder say nothing of another's. -1 for none.",
        default_text="0.2 with a judge, none with others",
        low=-1.0,
        high=1.0,
    )
    prompt_share: float = setting(
        0.0,
        "The share of the pictures with the lowest cosines that is left out.",
        low=0.0,
        high=0.99,
    )
    text: Choice = setting(
        "auto",
        "Whether pictures are searched for written text.",
        details="auto does where rapidocr is installed, which carries the weights:"
        " pip install 'stickerforge[text]'.",
    )
    text_area: float = setting(
        0.08, "The largest share of a picture that text may cover.", low=0.0, high=1.0
    )
    duplicates: Duplicates = setting(
        "hash",
        "By what two pictures are nearly the same.",
        details="hash: a perceptual hash and colours; encoder: the cosine of their vectors;"
        " either or both of them; off.",
    )
    hash_distance: int = setting(
        6, "In how many bits of 64 two pictures may differ that are the same.", low=0, high=32
    )
    duplicate_cosine: float = setting(
        0.98, "The cosine from which two pictures are nearly the same.", low=0.0, high=1.0
    )
    keep: Literal["larger", "first"] = setting(
        "larger", "Which one of pictures that are nearly the same stays."
    )
    min_side: int = setting(
        64, "The least number of pixels of a picture's shorter side.", low=16, high=16_384
    )
    alpha: Literal["any", "required"] = setting(
        "any", "Whether pictures without transparency are left out."
    )
    coverage_min: float = setting(
        0.02, "The least share of a picture with alpha that is visible.", low=0.0, high=1.0
    )
    coverage_max: float = setting(
        1.0, "The largest share of a picture with alpha that is visible.", low=0.0, high=1.0
    )
    border: float = setting(
        1.0,
        "The largest share of the border of a picture with alpha that is visible.",
        details="Where the prompt names a place, the figure may fill its square.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class DomainConfig(PictureFilters):
    """The weakly aligned pictures of the domain stage, and by what they are filtered."""

    data: str = setting(
        "",
        "A folder of sticker-like pictures with captions, or a .jsonl file that lists them.",
        path=True,
    )


@dataclass(frozen=True)
class ContentConfig:
    """The prompts of the content stage, and how candidate pictures are drawn of them."""

    prompts: int = setting(150, "How many prompts are taken of the bank.", low=1, high=100_000)
    file: str = setting(
        "",
        "A file of prompts (txt, csv or jsonl) that are all taken, in place of the bank.",
        default_text="the prompt bank",
        path=True,
    )
    families: tuple[str, ...] = setting(
        ("emotion", "pair", "activity"), "Families of the bank: emotion, pair, activity."
    )
    count: int = setting(4, "Pictures per prompt.", low=1, high=1000)
    duplicate_encoder: str = setting(
        "",
        "An encoder by which prompts that mean the same are left out.",
        details="judge, second, clip, siglip, a folder, or owner/name of the hub.",
        default_text="none: by their words alone",
        path=True,
    )
    duplicate_cosine: float = setting(
        0.95, "The cosine above which two prompts mean the same.", low=0.0, high=1.0
    )
    guideline: str = setting(
        "", "What raters of the content go by.", default_text="a general question"
    )
    language_model: str = setting(
        "",
        "A language model that rewrites prompts of the bank into scenes: a folder or owner/name.",
        details="In the format of transformers. What it makes unusable stays as it was.",
        default_text="none",
        path=True,
    )
    temperature: float = setting(
        0.0, "Of the language model; 0 takes the likeliest words.", low=0.0, high=5.0
    )
    steps: int = setting(UNSET, "Denoising steps.", low=1, high=1000)
    guidance: float = setting(UNSET, "Guidance scale of the pictures.", low=0.0, high=50.0)
    batch: int = setting(1, "Pictures denoised together.", low=1, high=64)
    pixels: int = setting(UNSET, "Side of the pictures in pixels.", low=16, high=2048)
    matting: str = setting("auto", "auto, none, or a matting model, for models without alpha.")


@dataclass(frozen=True)
class GatesConfig(PictureFilters):
    """By what candidates are taken out before people see them."""

    prompt_share: float = setting(
        0.2,
        "The share of the pictures with the lowest cosines that is left out.",
        low=0.0,
        high=0.99,
    )
    min_side: int = setting(
        16, "The least number of pixels of a picture's shorter side.", low=16, high=16_384
    )
    border: float = setting(
        0.5,
        "The largest share of the border of a picture with alpha that is visible.",
        details="Where the prompt names a place, the figure may fill its square.",
        low=0.0,
        high=1.0,
    )
    hash_distance: int = setting(
        4, "In how many bits of 64 two pictures may differ that are the same.", low=0, high=32
    )
    keep: Literal["larger", "first"] = setting(
        "first", "Which one of pictures of a prompt that are nearly the same stays."
    )
    safety: str = setting(
        "",
        "A classifier of unsafe pictures: a folder or owner/name of the hub.",
        details="In the format of transformers' image classification.",
        default_text="none",
        path=True,
    )
    safety_labels: tuple[str, ...] = setting(
        (
            "nsfw",
            "unsafe",
            "porn",
            "hentai",
            "sexy",
            "explicit",
            "nude",
            "nudity",
            "violence",
            "gore",
        ),
        "The classifier's labels that mean unsafe.",
    )
    safety_limit: float = setting(
        0.5, "The largest sum of the probabilities of these labels.", low=0.0, high=1.0
    )
    best: int = setting(
        0,
        "Pictures that each prompt keeps, those with the best cosines; 0 for all.",
        low=0,
        high=1000,
    )
