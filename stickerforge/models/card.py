"""What is known of a model before its weights are read: stickerforge.json in its folder.

Imports neither torch nor diffusers, so that names can be checked and listed at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from stickerforge.config.description import (
    DescriptionError,
    FileName,
    Pattern,
    Sha256,
    read_description,
)
from stickerforge.config.resolve import check_value
from stickerforge.config.schema import JointConfig, SamplingConfig, TrainingConfig
from stickerforge.config.setting import settings_of
from stickerforge.errors import InputError
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.origin import broken_model
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

Schema = TypeVar("Schema")

INK = re.compile(r"[0-9a-f]{6}")
CARD = "stickerforge.json"  # what a model folder of ours says about itself
MAX_BYTES = 10_000_000  # of a description
MODEL_INDEX = "model_index.json"  # what every diffusers folder says about itself
PLACEHOLDERS = re.compile(r"(<[^<>\s]+>)")
Line = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f]{0,1000}", "one line of text")]
Word = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f]{1,1000}", "some words")]
ClassPrompt = Annotated[
    str, Pattern(r"[^{}\x00-\x1f]{0,500}\{\}[^{}\x00-\x1f]{0,500}", "a text with one {}")
]
PartFile = Annotated[
    str,
    Pattern(r"(?!/)(?!(.*/)?\.\.?(/|$))[^\\\x00-\x1f]{1,500}", "a file within the model's folder"),
]


@dataclass(frozen=True)
class CardFile:
    """The schema of stickerforge.json; `ModelCard` says what its entries are.

    Args:
        words, inks, things: files beside it.
        image_adapter: likewise, of the image adapter that is used where a call names none.
        customizing: settings of training by what is learned.
        files: their sha256.
    """

    name: Line | None = None
    version: Line | int | None = None
    licence: Line | None = None
    about: Line | None = None
    alpha: Literal["", "premultiplied", "straight"] = ""
    words: FileName | Literal[""] = ""
    inks: FileName | Literal[""] = ""
    things: FileName | Literal[""] = ""
    image_adapter: FileName | Literal[""] = ""
    image_encoder: Literal["", "second"] = ""
    image_prompt_words: Line = ""
    knows_styles: bool | None = None
    class_prompt: ClassPrompt | None = None
    knows_photographs: bool | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    customizing: dict[str, dict[str, Any]] = field(default_factory=dict)
    wordings: dict[Word, Line] = field(default_factory=dict)
    long_prompts: LongPrompts | None = None
    files: dict[PartFile, Sha256] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make sure that what is recommended could be given as settings.

        Raises:
            InputError: it could not.
        """
        check_settings(SamplingConfig, self.sampling)
        for settings in self.customizing.values():
            check_settings(TrainingConfig, settings)
        check_settings(JointConfig, self.customizing.get("tailoring", {}))


def check_settings(kind: type, values: Mapping[str, Any]) -> None:
    """Make sure that values are of the types and within the bounds of settings of those names.

    Raises:
        InputError: they are not.
    """
    settings = settings_of(kind)
    for name in sorted(settings.keys() & values.keys()):
        if values[name] is None:
            raise InputError(f"{name} is null", "leave it out")
        check_value(settings[name], values[name])


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model before its weights are read.

    Args:
        version: of the weights, such as "2.1"; "" where a model has none.
        alpha: "premultiplied" or "straight" where the autoencoder makes RGBA, else "".
        words_file: the words the model was trained on, one a line; "" where unknown.
        things_file: what the model can draw, a table of `models.things`; "" where unknown.
        knows_styles: whether it was trained on captions that end in ", in … style", so that a
            preset is a few words and not a template.
        class_prompt: a prompt for one thing of a class, {} for its words.
        knows_photographs: whether it was trained on photographs, and not on drawings alone.
        sampling: recommended steps, guidance, guidance_rescale and pixels.
        training: recommended settings of training, by what is learned: "subject",
            "style", "prompt" (captioned pictures), "reward" or "tailoring".
        wordings: {what people say: what the model's captions said instead}.
        inks: {name of a style that has no shading: the colours it is drawn in, as "rrggbb"}.
        long_prompts: how prompts are read that the text encoders cannot read at once.
        image_adapter_file: of the image adapter that comes with it; None where none does.
        image_encoder: with which image adapters for it are trained; "" for the official one.
        image_prompt_words: what its own image adapter read beside pictures that had no caption.
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
    knows_photographs: bool
    sampling: Mapping[str, Any]
    training: Mapping[str, Any]
    wordings: Mapping[str, str] = field(default_factory=dict)
    inks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    things_file: str = ""
    long_prompts: LongPrompts = field(default_factory=LongPrompts)
    image_adapter_file: Path | None = None
    image_encoder: str = ""
    image_prompt_words: str = ""

    def reword(self, text: str) -> str:
        """A prompt as the model's captions would have put it; placeholders stay what they are."""
        for usual, trained in self.wordings.items():
            word = re.compile(rf"(?<!\w){re.escape(usual)}(?!\w)", re.IGNORECASE)
            parts = PLACEHOLDERS.split(text)
            # As a function: a backslash of a stranger's card is no escape.
            parts[::2] = [word.sub(lambda _, new=trained: new, part) for part in parts[::2]]
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
        EnvironmentFault: likewise in what was fetched or installed.
    """
    card = read_card_file(folder)
    # Cards up to sticker-mini 3 have none of these keys, and their published files do not
    # change: a model that lists its words was trained on captions with style words, and on no
    # photographs.
    class_prompt = "a {}" if card.words else "a photo of a {}"
    # They lay pictures out on the padding of the prompt, which windows would change: those make
    # what they draw worse.
    long_prompts = LongPrompts("cut" if card.words else "compat")
    return ModelCard(
        name=card.name or name,
        folder=folder,
        version=str(card.version or ""),
        licence=card.licence or licence,
        about=card.about or about,
        alpha=card.alpha,
        words_file=card.words,
        knows_styles=bool(card.words) if card.knows_styles is None else card.knows_styles,
        class_prompt=card.class_prompt or class_prompt,
        knows_photographs=not card.words
        if card.knows_photographs is None
        else card.knows_photographs,
        sampling=card.sampling,
        training=card.customizing,
        wordings=card.wordings,
        inks=read_inks(folder / card.inks) if card.inks else {},
        things_file=card.things,
        image_adapter_file=folder / card.image_adapter if card.image_adapter else None,
        image_encoder=card.image_encoder,
        image_prompt_words=card.image_prompt_words,
        long_prompts=card.long_prompts or long_prompts,
    )


def read_card_file(folder: Path) -> CardFile:
    """stickerforge.json of a folder; an empty one where there is none.

    Raises:
        InputError: it is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    if not (folder / CARD).exists():
        return CardFile()
    return read_schema(folder / CARD, CardFile)


def read_inks(path: Path) -> dict[str, tuple[str, ...]]:
    """{style in lower case: colours as "rrggbb"}.

    Raises:
        InputError: the file is broken.
        EnvironmentFault: likewise in what was fetched or installed.
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
        raise broken_model(path, f"{path} is broken: it holds no colours by style")
    return inks


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises:
        InputError: the file is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    try:
        value = parse_json(read_text(path, MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:120]
        raise broken_model(path, f"cannot read {path}: {reason}") from None
    if not isinstance(value, dict):
        raise broken_model(path, f"{path} holds no JSON object")
    return value


def read_schema(path: Path, schema: type[Schema]) -> Schema:
    """A JSON object from a file of a model, as a schema has it.

    Raises:
        InputError: the file is broken, or does not follow the schema.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    value = read_json(path)
    try:
        return read_description(schema, value)
    except DescriptionError as error:
        raise broken_model(path, f"{path} is broken: {error}") from None
    except InputError as error:
        raise broken_model(path, f"{path} is broken: {error.message}, {error.hint}") from None


@dataclass(frozen=True)
class PipelineIndex:
    """What is read of a model_index.json.

    Args:
        _class_name: of the pipeline; a list where it is code of the folder, which is never run.
    """

    _class_name: Line | tuple[Line | None, ...] | None = None
    force_zeros_for_empty_prompt: bool = True


def pipeline_class(folder: Path) -> str:
    """The class of diffusers that a model folder names in its model_index.json; "" for none."""
    name = read_schema(folder / MODEL_INDEX, PipelineIndex)._class_name
    return ".".join(filter(None, name)) if isinstance(name, tuple) else name or ""
