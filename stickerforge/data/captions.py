"""Captions of reference pictures: with the placeholder for training, without it for the base."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stickerforge.config.user_paths import spelled_on_disk, to_nfc
from stickerforge.data.english import replace_noun
from stickerforge.data.picture_folder import PictureFolder
from stickerforge.data.prompt_tables import is_blank
from stickerforge.data.prompts import control_character
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_text
from stickerforge.sampling.prompt_segments import PLACEHOLDER as PLACEHOLDER

CLASS_WORDS = re.compile(r"[^\W_][\w '’-]{0,60}")
MAX_CHARACTERS = 2000
MAX_BYTES = 100_000  # of a file; so many characters have fewer
PHOTO, ART, ANY = "a photo of a {}", "a {}, {}", "a {}"
NUMBERING = re.compile(
    r"^(img|dsc|dscn|pxl|image|photo|picture|screenshot|whatsapp|untitled|scan|download)\b|\d{3,}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Caption:
    """A caption for the model in training, and the one for the base.

    Args:
        text: with the placeholder, where there is a subject.
        base: the same with the class words in its place.
    """

    text: str
    base: str


def caption_path(picture: Path) -> Path:
    """Where the caption of a picture is, or will be: beside it, with the same name."""
    return Path(spelled_on_disk(str(picture.with_suffix(".txt"))))


def are_words(text: str) -> bool:
    """Whether a text can be a subject's name or class in words: visible, and no punctuation."""
    return bool(CLASS_WORDS.fullmatch(text)) and not is_blank(text)


def read_caption(picture: Path) -> str:
    """The text beside a picture (same name, .txt), or "".

    Raises:
        InputError: it cannot be read, or is no caption.
    """
    path = caption_path(picture)
    try:
        text = to_nfc(" ".join(read_text(path, MAX_BYTES).split()))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:80]
        raise InputError(
            f"cannot read the caption {path}: {reason}", "write it as UTF-8 text"
        ) from None
    if fault := caption_fault(text):
        raise InputError(f"{path} is no caption: {fault}", "mend or remove it")
    return "" if is_blank(text) else text


def leave_out_unreadable(folder: PictureFolder) -> None:
    """Go on without the pictures whose captions cannot be read: those may say what counts of them.

    Raises:
        InputError: there is no other picture.
    """
    for picture in list(folder.pictures):
        try:
            read_caption(picture.path)
        except InputError as error:
            folder.leave_out(picture, error)


def caption_fault(text: str) -> str:
    """Why a text cannot be meant as a caption, or ""."""
    if len(text) > MAX_CHARACTERS:
        return f"it has {len(text)} characters, and at most {MAX_CHARACTERS} are read"
    character = control_character(text)
    return f"it holds the control character U+{ord(character):04X}" if character else ""


def check_caption(picture: Path, placeholder: str) -> None:
    """Make sure that the text beside a picture can be its caption, if there is one.

    Args:
        placeholder: "<dog>"; "" for a style.

    Raises:
        InputError: it cannot be read, is empty, or holds the placeholder twice, or another one.
    """
    path = caption_path(picture)
    text = read_caption(picture)
    if not text and path.exists():
        raise InputError(
            f"the caption {path} is empty", "say there what is in the picture, or remove it"
        )
    if placeholder and text.count(placeholder) > 1:
        raise InputError(
            f"the caption {path} holds {placeholder} {text.count(placeholder)} times",
            "once is how the word is learned",
        )
    if others := [token for token in PLACEHOLDER.findall(text) if token != placeholder]:
        rule = f"the new word is {placeholder}" if placeholder else "a style has no new word"
        raise InputError(f"the caption {path} holds {others[0]}, and {rule}", "change it there")


def subject_caption(
    text: str, placeholder: str, class_words: str, *, photo: bool, style: str
) -> Caption:
    """The caption of a picture of the subject.

    Args:
        text: the user's own caption, or "".
        class_words: what the subject is without its placeholder: "dog".
        photo: whether the picture is a photograph.
        style: the phrase of a drawing's style ("in flat style"), or "".
    """
    template = PHOTO if photo else ART if style else ANY
    caption = (
        insert_placeholder(text, placeholder, class_words)
        if text
        else template.format(placeholder, style)
    )
    return Caption(caption, replace_noun(caption, placeholder, class_words))


def insert_placeholder(text: str, placeholder: str, class_words: str) -> str:
    """A text with the placeholder for the first mention of the class, or else before everything."""
    if placeholder in text:
        return text
    result, count = re.subn(
        whole_words(class_words), placeholder, text, count=1, flags=re.IGNORECASE
    )
    return result if count else f"{placeholder}, {text}"


def caption_pair(text: str, placeholder: str, class_words: str) -> Caption:
    """A caption with the placeholder exactly once, and the one for the base.

    The placeholder stands for the first mention of the class, or before everything.
    """
    caption = (
        text
        if text.count(placeholder) == 1
        else insert_placeholder(text.replace(placeholder, class_words), placeholder, class_words)
    )
    assert caption.count(placeholder) == 1
    return Caption(caption, replace_noun(caption, placeholder, class_words))


def mentions(text: str, words: str) -> bool:
    """Whether a text contains these words."""
    return re.search(whole_words(words), text, re.IGNORECASE) is not None


def whole_words(words: str) -> str:
    """A pattern of these words where they are no part of longer ones."""
    return rf"(?<![\w-]){re.escape(words)}(?![\w-])"


def style_caption(text: str, picture: Path, phrase: str, knows: Callable[[str], bool]) -> Caption:
    """The content of a picture and the phrase of its style, alike for the base.

    The content is the user's caption, else the file's name where it says something
    ("red-apple.png").

    Args:
        text: the user's own caption, or "".
        knows: whether the model has a word for each word of a text.
    """
    words = " ".join(re.findall(r"[^\W\d_]+", picture.stem)).lower()
    is_content = bool(words) and not NUMBERING.search(picture.stem) and knows(words)
    content = text or (words if is_content else "")
    if phrase not in text:
        text = f"{content}, {phrase}" if content else phrase
    return Caption(text, text)
