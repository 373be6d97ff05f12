"""What is known of a model before its weights are read: stickerforge.json in its folder.

Imports neither torch nor diffusers, so that names can be checked and listed at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.errors import InputError
from stickerforge.models.model_files import is_file_name
from stickerforge.runtime.bounded_files import read_text

INK = re.compile(r"[0-9a-f]{6}")
CARD = "stickerforge.json"  # what a model folder of ours says about itself
MAX_BYTES = 10_000_000  # of a description
MODEL_INDEX = "model_index.json"  # what every diffusers folder says about itself
DICTS = ("sampling", "customizing", "wordings")  # of a card
PLACEHOLDERS = re.compile(r"(<[^<>\s]+>)")


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model before its weights are read.

    Args:
        version: of the weights, such as "2.1"; "" where a model has none.
        alpha: "premultiplied" or "straight" where the autoencoder makes RGBA, else "".
        words_file: the words the model was trained on, one a line; "" where unknown.
        knows_styles: whether it was trained on captions that end in ", in … style", so that a
            preset is a few words and not a template.
        class_prompt: a prompt for one thing of a class, {} for its words.
        sampling: recommended steps, guidance, guidance_rescale and pixels.
        training: recommended settings of training, by "subject" and "style".
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
    knows_styles: bool
    class_prompt: str
    sampling: Mapping[str, Any]
    training: Mapping[str, Any]
    wordings: Mapping[str, str] = field(default_factory=dict)
    inks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def reword(self, text: str) -> str:
        """A prompt as the model's captions would have put it; placeholders stay what they are."""
        for usual, trained in self.wordings.items():
            word = re.compile(rf"(?<!\w){re.escape(usual)}(?!\w)", re.IGNORECASE)
            parts = PLACEHOLDERS.split(text)
            parts[::2] = [word.sub(trained, part) for part in parts[::2]]
            text = "".join(parts)
        return text

    def flat_style(self, text: str) -> str:
        """The style without shading that a prompt names first ("in flat style"); "" for none."""
        if not self.inks:
            return ""
        names = "|".join(map(re.escape, self.inks))
        pattern = rf"(?:^|[,;.:] ?|\bin )(?:the )?({names}) style\b"
        match = re.search(pattern, text, re.IGNORECASE | re.ASCII)
        return match[1].lower() if match else ""

    @property
    def title(self) -> str:
        """`sticker-mini@2.1`, or the plain name of a model without versions."""
        return f"{self.name}@{self.version}" if self.version else self.name


def read_card(folder: Path, name: str, *, licence: str = "unknown", about: str = "") -> ModelCard:
    """What the folder says about itself, with defaults for folders that are not ours.

    Args:
        name, licence, about: where the folder does not say.

    Raises:
        InputError: the card is broken.
    """
    card = read_json(folder / CARD) if (folder / CARD).exists() else {}
    if not isinstance(card.get("version", ""), str | int) or not all(
        isinstance(card.get(key, {}), dict) for key in DICTS
    ):
        raise InputError(f"{folder / CARD} is broken", "fetch the model again")
    words_file, inks_file = (file_name(folder, card.get(key) or "") for key in ("words", "inks"))
    # Cards up to sticker-mini 2.1 have neither of these keys, and their published files do not
    # change: a model that lists its words was trained on captions with style words, and on no
    # photographs.
    knows_styles = bool(card.get("knows_styles", words_file))
    class_prompt = str(card.get("class_prompt", "a {}" if words_file else "a photo of a {}"))
    return ModelCard(
        name=str(card.get("name", name)),
        folder=folder,
        version=str(card.get("version") or ""),
        licence=str(card.get("licence", licence)),
        about=str(card.get("about", about)),
        alpha=str(card.get("alpha", "")),
        words_file=words_file,
        knows_styles=knows_styles,
        class_prompt=class_prompt,
        sampling=dict(card.get("sampling", {})),
        training=dict(card.get("customizing", {})),
        wordings={str(key): str(value) for key, value in card.get("wordings", {}).items()},
        inks=read_inks(folder / inks_file) if inks_file else {},
    )


def file_name(folder: Path, name: object) -> str:
    """The name of a file beside the card, as the card gives it; "" for none.

    Raises:
        InputError: it is a path to another folder, or no text.
    """
    if name and not is_file_name(name):
        raise InputError(
            f"{folder / CARD} is broken: {str(name)[:80]!r} is no file beside it",
            "fetch the model again",
        )
    return str(name)


def read_inks(path: Path) -> dict[str, tuple[str, ...]]:
    """{style in lower case: colours as "rrggbb"}.

    Raises:
        InputError: the file is broken.
    """
    inks = {
        name.lower(): tuple(str(code).lower() for code in codes)
        for name, codes in read_json(path).items()
        if isinstance(codes, list)
    }
    sound = all(
        name.strip() and codes and all(map(INK.fullmatch, codes)) for name, codes in inks.items()
    )
    if not inks or not sound:
        raise InputError(f"{path} is broken", "fetch the model again")
    return inks


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises:
        InputError: the file is broken.
    """
    try:
        value = json.loads(read_text(path, MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}", "fetch the model again") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object", "fetch the model again")
    return value


def pipeline_class(folder: Path) -> str:
    """The class of diffusers that a model folder names in its model_index.json; "" for none."""
    return str(read_json(folder / MODEL_INDEX).get("_class_name", ""))


def has_alpha(card: ModelCard) -> bool:
    """Whether the autoencoder makes four channels, as its configuration says."""
    return bool(read_json(card.folder / "vae" / "config.json").get("out_channels") == 4)
