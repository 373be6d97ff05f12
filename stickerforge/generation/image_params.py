"""What is asked for, item by item: prompt, seed, and the recipe that names a file and is kept inside it."""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.schema import GenerateConfig
from stickerforge.config.style_presets import StylePreset
from stickerforge.config.toml import flatten
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard
from stickerforge.models.registry import EMBEDDED
from stickerforge.stickers.image_files import read_params

HUB = re.compile(r"[\w.-]+/[\w.-]+")  # owner/name
RESERVED = ("contact-sheet.png", "contact-sheet.webp")
REPEATED = (
    "prompt",
    "negative",
    "style",
    "subject",
    "adapter",
    "model",
    "seed",
    "matting",
)  # settings that a recipe brings back


@dataclass(frozen=True)
class ImageJob:
    """One picture to make.

    Args:
        prompt: as the user wrote it; `text` and `negative` are what the model is told.
        recipe: everything that decides the pixels, plain JSON values; `digest` is its short hash.
        uses: the adapters that are on while it is made.
        inks: the colours of its style, as "rrggbb", where it is to be flat and they are known.
    """

    prompt: str
    text: str
    negative: str
    seed: int
    style: str
    id: str
    recipe: dict[str, Any]
    path: Path
    uses: tuple[ActiveAdapter, ...] = ()
    inks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of the recipe."""
        return str(self.recipe["digest"])

    def for_base(self, text: str) -> str:
        """A text without new words: with what each placeholder stands for."""
        for used in self.uses:
            for token, words in zip(used.tokens, used.words, strict=True):
                text = text.replace(token, words)
        return text


def image_jobs(
    config: GenerateConfig,
    requests: list[Request],
    card: ModelCard,
    fingerprint: str,
    sampling: dict[str, Any],
    matting: str,
) -> list[ImageJob]:
    """Every picture of the call, in order; item i uses seed + i where its row has no seed of its own.

    Args:
        sampling: the settings in force, with the model's recommendations filled in.
        matting: the matting model that will be used, or "none".
    """
    assert config.seed is not None
    made: dict[Path, ImageJob] = {}
    plain = 0
    for request in requests:
        row = request.row
        count = row.count or config.count
        for index in range(count):
            seed = config.seed + plain if row.seed is None else row.seed + index
            plain += row.seed is None
            one = image_job(config, request, seed, count, card, fingerprint, sampling, matting)
            if one.path.name in RESERVED or (row.id and one.path in made):
                raise InputError(
                    f"id {row.id!r} would make {one.path.name}, which is taken",
                    "give it another id",
                )
            made.setdefault(one.path, one)  # a row that is there twice makes one picture
    return list(made.values())


def image_job(
    config: GenerateConfig,
    request: Request,
    seed: int,
    count: int,
    card: ModelCard,
    fingerprint: str,
    sampling: dict[str, Any],
    matting: str,
) -> ImageJob:
    """One picture, with its recipe and the file it will be."""
    row = request.row
    negative = row.negative or config.negative
    text, avoid = apply_preset(
        request.text, negative, request.preset, trained_on_styles=card.knows_styles
    )
    text = card.reword(text)
    style = flat_style(request, text, card)
    flat = config.output.colours == "flat" or (config.output.colours == "auto" and bool(style))
    inks = (
        card.inks[style] if flat and style and not request.uses else ()
    )  # what was taught keeps its colours
    output = {
        "size": config.output.size,
        "format": config.output.format,
        "colours": config.output.colours,
    }
    if not request.uses:  # without an adapter there is nothing to be consistent with
        sampling = {
            name: value for name, value in sampling.items() if not name.startswith("consistency")
        }
    recipe: dict[str, Any] = {
        "prompt": row.prompt,
        "negative": negative,
        "style": request.style,
        "adapters": [used.described() | base_words(used, sampling) for used in request.uses],
        "text": text,
        "avoid": avoid,
        "seed": seed,
        "model": card.title,
        "fingerprint": fingerprint,
        "matting": config.matting,
        "cut_out_by": matting,
        "sampling": sampling,
        "output": output | ({"flat": flat_digest(inks)} if flat else {}),
    }
    named = [Path(text).name for text in config.adapter]  # folders tell of their owner
    recipe["digest"] = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:8]
    recipe |= {
        "subject": list(config.subject),
        "adapter": named,
    }  # how it was asked for; what it was is in "adapters"
    stem = (
        f"{file_slug(row.prompt) if config.output.prompt else 'sticker'}-{seed}-{recipe['digest']}"
    )
    if row.id:
        stem = row.id if count == 1 else f"{row.id}-{seed}"
    path = Path(config.output.folder) / f"{stem}.{config.output.format}"
    return ImageJob(
        row.prompt, text, avoid, seed, request.style, row.id, recipe, path, request.uses, inks
    )


def flat_style(request: Request, text: str, card: ModelCard) -> str:
    """The style without shading that is asked for: the preset, else what the text names; "" for none, and for a style that was taught."""
    if any(used.source == request.style for used in request.uses):
        return ""
    if request.preset:
        return card.flat_style(request.preset.words) if card.knows_styles else ""
    return "" if request.style else card.flat_style(text)


def flat_digest(inks: tuple[str, ...]) -> str:
    """What decides flat colours, as a few digits."""
    from stickerforge.stickers.flat_colors import palette_digest

    return palette_digest(inks)


def base_words(used: ActiveAdapter, sampling: dict[str, Any]) -> dict[str, Any]:
    """What consistency guidance tells the base in place of the words of a file, which depends on what is installed."""
    return (
        {"words": list(used.words)}
        if used.base is None and used.words and sampling.get("consistency") is not None
        else {}
    )


def apply_preset(
    prompt: str, negative: str, preset: StylePreset | None, *, trained_on_styles: bool
) -> tuple[str, str]:
    """(what the model is told, what it is told to avoid).

    Args:
        trained_on_styles: whether the model knows a preset by its words; others get its template.
    """
    prompt = " ".join(prompt.split())
    if preset is None:
        return prompt, negative
    if trained_on_styles:
        return f"{prompt}, {preset.words}", negative
    return preset.template.replace("{prompt}", prompt), ", ".join(
        filter(None, [negative, preset.negative])
    )


def file_slug(prompt: str) -> str:
    """The beginning of the prompt as part of a file name: a-z, 0-9 and dashes, at most 48 characters."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "sticker"


def public_params(recipe: dict[str, Any], *, prompt: bool) -> dict[str, Any]:
    """What the file keeps of a recipe; without its prompt where the user wants that."""
    private = (
        () if prompt else ("prompt", "negative", "text", "avoid", "subject", "adapter", "adapters")
    )
    return {key: value for key, value in recipe.items() if key not in private}


def read_settings(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that made a picture, as {dotted name: value} for `resolve`, and its whole recipe.

    Raises:
        InputError: the file is no picture of ours, or was made to forget its prompt.
    """
    try:
        recipe = read_params(path)
    except FileNotFoundError:
        raise InputError(f"no picture {path}", "check the path") from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a PNG or WebP picture"
        ) from None
    except ValueError:
        raise InputError(
            f"{path} is no PNG or WebP picture", "give one that stickerforge made"
        ) from None
    if recipe is None or "seed" not in recipe:
        raise InputError(
            f"{path} does not say how it was made",
            "give a picture that stickerforge made; chat apps strip it",
        )
    if "prompt" not in recipe:
        raise InputError(
            f"{path} was made without its prompt (output.prompt=false)",
            "give the prompt and its settings again",
        )
    settings = {name: recipe[name] for name in REPEATED if name in recipe}
    model = str(recipe.get("model", ""))
    if model.partition("@")[0] not in EMBEDDED and (
        not HUB.fullmatch(model) or Path(model).exists()
    ):
        settings.pop("model", None)  # a folder, which may be anywhere: the call names it
    for name in {"adapter", "subject"} & set(
        settings
    ):  # a stranger's picture says nothing about folders here
        said = settings[name] if isinstance(settings[name], list) else [settings[name]]
        settings[name] = [Path(str(text)).name for text in said]
    if isinstance(recipe.get("sampling"), dict):
        settings |= dict(flatten(recipe["sampling"], "sampling."))
    settings["output.colours"] = "drawn"  # as all were, before pictures said so
    if isinstance(recipe.get("output"), dict):
        settings |= {
            f"output.{name}": recipe["output"][name]
            for name in ("size", "format")
            if name in recipe["output"]
        }
        settings |= (
            {"output.colours": recipe["output"]["colours"]} if "colours" in recipe["output"] else {}
        )
    return settings, recipe
