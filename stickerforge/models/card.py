"""From the name of a model to a folder that holds it: the embedded one, a folder, or a hub repository.

Imports neither torch nor diffusers, so that names can be checked and listed at once.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.errors import InputError
from stickerforge.models.hub import KNOWN_ON_HUB

INK = re.compile(r"[0-9a-f]{6}")
CARD = "stickerforge.json"  # what a model folder of ours says about itself
BASIC_PARTS = ("model_index.json", "unet", "text_encoder", "tokenizer", "vae", "scheduler")
DICTS = ("sampling", "customizing", "wordings")  # of a card
REQUIRED_PARTS = {
    "StableDiffusionPipeline": BASIC_PARTS,
    "StableDiffusionXLPipeline": (*BASIC_PARTS, "text_encoder_2", "tokenizer_2"),
}


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model before its weights are read.

    Args:
        version: of the weights, such as "2.1"; "" where a model has none.
        alpha: "premultiplied" or "straight" where the autoencoder makes RGBA, else "".
        words_file: the words the model was trained on, one a line; "" where unknown.
        sampling: recommended steps, guidance, guidance_rescale and pixels.
        customizing: recommended training of a "subject" and of a "style".
        wordings: {what people say: what the model's captions said instead}.
        inks: {name of a style that has no shading: the colours it is drawn in, as "rrggbb"}.
    """

    name: str
    folder: Path
    version: str
    licence: str
    about: str
    alpha: str
    words_file: str
    sampling: dict[str, Any]
    customizing: dict[str, Any]
    wordings: dict[str, str] = field(default_factory=dict)
    inks: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def spoken(self, text: str) -> str:
        """A prompt as the model's captions would have put it; new words, such as <blue-background>, stay what they are."""
        for said, learned in self.wordings.items():
            parts = re.split(r"(<[^<>\s]+>)", text)
            parts[::2] = [
                re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", learned, part, flags=re.IGNORECASE)
                for part in parts[::2]
            ]
            text = "".join(parts)
        return text

    def flat_style(self, text: str) -> str:
        """The style without shading that a prompt names first, as the model is told it ("in flat style"); "" for none."""
        names = "|".join(map(re.escape, self.inks))
        named = (
            re.search(
                rf"(?:^|[,;.:] ?|\bin )(?:the )?({names}) style\b", text, re.IGNORECASE | re.ASCII
            )
            if names
            else None
        )
        return named[1].lower() if named else ""

    @property
    def title(self) -> str:
        """`sticker-mini@2.1`, or the plain name of a model without versions."""
        return f"{self.name}@{self.version}" if self.version else self.name


def check_folder(path: Path) -> Path:
    """The path, if it is a diffusers folder of a pipeline that can be used.

    Raises:
        InputError: it is a file, something is missing, or it is another kind of pipeline.
    """
    if not path.is_dir():
        raise InputError(
            f"{path} is a file, not a model folder", "give the folder that holds model_index.json"
        )
    known = (
        (path / BASIC_PARTS[0]).exists() and REQUIRED_PARTS.get(pipeline_class(path)) or BASIC_PARTS
    )
    missing = [part for part in known if not (path / part).exists()]
    if missing:
        raise InputError(
            f"{path} is no diffusers model: it has no {missing[0]}",
            "give the folder that holds model_index.json",
        )
    kind = pipeline_class(path)
    if kind not in REQUIRED_PARTS:
        raise InputError(
            f"{path} holds a {kind or 'nameless pipeline'}",
            f"{' and '.join(REQUIRED_PARTS)} folders work as yet",
        )
    return path


def pipeline_class(folder: Path) -> str:
    """The class that a model folder names in its model_index.json."""
    return str(read_json(folder / BASIC_PARTS[0]).get("_class_name", ""))


def read_card(folder: Path, name: str) -> ModelCard:
    """What the folder says about itself, with defaults for folders that are not ours."""
    said = read_json(folder / CARD) if (folder / CARD).exists() else {}
    if not isinstance(said.get("version", ""), str | int) or not all(
        isinstance(said.get(key, {}), dict) for key in DICTS
    ):
        raise InputError(f"{folder / CARD} is broken", "fetch the model again")
    licence, about = KNOWN_ON_HUB.get(name, ("unknown", "a Stable Diffusion folder"))
    return ModelCard(
        name=str(said.get("name", name)),
        folder=folder,
        version=str(said.get("version") or ""),
        licence=str(said.get("licence", licence)),
        about=str(said.get("about", about)),
        alpha=str(said.get("alpha", "")),
        words_file=str(said.get("words", "")),
        sampling=dict(said.get("sampling", {})),
        customizing=dict(said.get("customizing", {})),
        wordings={str(key): str(value) for key, value in said.get("wordings", {}).items()},
        inks=read_inks(folder / Path(str(said["inks"])).name) if said.get("inks") else {},
    )


def read_inks(path: Path) -> dict[str, tuple[str, ...]]:
    """{style in lower case: colours as "rrggbb"}.

    Raises:
        InputError: the file is broken.
    """
    found = {
        name.lower(): tuple(str(code).lower() for code in codes)
        for name, codes in read_json(path).items()
        if isinstance(codes, list)
    }
    if not found or not all(
        name.strip() and codes and all(map(INK.fullmatch, codes)) for name, codes in found.items()
    ):
        raise InputError(f"{path} is broken", "fetch the model again")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises:
        InputError: the file is broken.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", "fetch the model again") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object", "fetch the model again")
    return value


def pipeline_files() -> tuple[str, ...]:
    """The files of a diffusers pipeline that are needed: safetensors of the known parts only."""
    parts = dict.fromkeys(part for parts in REQUIRED_PARTS.values() for part in parts[1:])
    return (
        "model_index.json",
        *(f"{part}/*.{kind}" for part in parts for kind in ("json", "txt", "safetensors")),
    )


def check_pixels(card: ModelCard, pixels: int, setting: str = "sampling.pixels") -> None:
    """Make sure that a side survives every halving of the autoencoder and of the denoiser.

    Raises:
        InputError: it does not; the multiple that would is named.
    """
    halvings = [
        len(read_json(card.folder / part / "config.json").get("block_out_channels", [0])) - 1
        for part in ("vae", "unet")
    ]
    multiple = 2 ** sum(halvings)
    if pixels % multiple:
        raise InputError(
            f"{setting} = {pixels} does not suit {card.title}", f"give a multiple of {multiple}"
        )


def has_alpha(card: ModelCard) -> bool:
    """Whether the autoencoder makes four channels, as its configuration says."""
    return bool(read_json(card.folder / "vae" / "config.json").get("out_channels") == 4)
