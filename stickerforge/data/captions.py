"""What each reference picture is called in training: a caption with the new word, and the same without it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stickerforge.data.prompts import control_character
from stickerforge.errors import InputError

CLASS_WORDS = re.compile(r"[^\W_][\w '’-]{0,60}")
MAX_CHARACTERS = 2000
PHOTO, ART, ANY = "a photo of a {}", "a {}, {}", "a {}"
PLACEHOLDER = re.compile(r"<[^<>\s]+>")
NUMBERING = re.compile(
    r"^(img|dsc|dscn|pxl|image|photo|picture|screenshot|whatsapp|untitled|scan|download)\b|\d{3,}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Caption:
    """A caption for the model in training, and the one that the base is asked (they agree but for the new word)."""

    text: str
    base: str


def read_caption(picture: Path) -> str:
    """The text beside a picture (same name, .txt), or "".

    Raises:
        InputError: it cannot be read, or is no caption.
    """
    path = picture.with_suffix(".txt")
    try:
        text = " ".join(path.read_text(encoding="utf-8-sig").split())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read the caption {path}: {str(error)[:80]}", "write it as UTF-8 text"
        ) from None
    if wrong := caption_fault(text):
        raise InputError(f"{path} is no caption: {wrong}", "mend or remove it")
    return text


def caption_fault(text: str) -> str:
    """Why a text is none that a person could have meant, or ""."""
    if len(text) > MAX_CHARACTERS:
        return f"it has {len(text)} characters, and at most {MAX_CHARACTERS} are read"
    foul = control_character(text)
    return f"it holds the control character U+{ord(foul):04X}" if foul else ""


def check_caption(picture: Path, placeholder: str) -> None:
    """Make sure that the text beside a picture can be its caption, if there is one.

    Args:
        placeholder: "<dog>"; "" for a style.

    Raises:
        InputError: it cannot be read, is empty, or holds the new word twice, or another new word.
    """
    path = picture.with_suffix(".txt")
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
    if strangers := [token for token in PLACEHOLDER.findall(text) if token != placeholder]:
        what = f"the new word is {placeholder}" if placeholder else "a style has no new word"
        raise InputError(f"the caption {path} holds {strangers[0]}, and {what}", "change it there")


def subject_caption(said: str, placeholder: str, words: str, *, photo: bool, style: str) -> Caption:
    """A caption of the subject.

    Args:
        said: the user's own caption, or "".
        words: what the subject is called without the new word: "dog".
        photo: whether the picture is a photograph.
        style: how the look of a drawing is called ("in flat style"), or "".
    """
    template = PHOTO if photo else ART if style else ANY
    text = (
        insert_placeholder(said, placeholder, words)
        if said
        else template.format(placeholder, style)
    )
    return Caption(text, text.replace(placeholder, words))


def insert_placeholder(text: str, placeholder: str, words: str) -> str:
    """The text with its first mention of the subject's words as the placeholder; set before it where there is none."""
    if placeholder in text:
        return text
    replaced, count = re.subn(
        rf"(?<![\w-]){re.escape(words)}(?![\w-])", placeholder, text, count=1, flags=re.IGNORECASE
    )
    return replaced if count else f"{placeholder}, {text}"


def caption_pair(said: str, placeholder: str, words: str) -> Caption:
    """What was said of a picture, with the new word exactly once: for the first mention of its class, or before everything.

    Args:
        words: the class; the base is told it in place of the new word.
    """
    marked = (
        said
        if said.count(placeholder) == 1
        else insert_placeholder(said.replace(placeholder, words), placeholder, words)
    )
    caption = Caption(marked, marked.replace(placeholder, words))
    assert caption.text.count(placeholder) == 1
    return caption


def mentions(text: str, words: str) -> bool:
    """Whether a text contains these words."""
    return re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", text, re.IGNORECASE) is not None


def style_caption(said: str, picture: Path, phrase: str, knows: Callable[[str], bool]) -> Caption:
    """The content of a picture and the phrase of its style; the base is asked the same.

    The content is the user's caption, else the file's name where it says something ("red-apple.png").
    """
    named = " ".join(re.findall(r"[^\W\d_]+", picture.stem)).lower()
    content = said or (
        named if named and not NUMBERING.search(picture.stem) and knows(named) else ""
    )
    text = said if phrase in said else f"{content}, {phrase}" if content else phrase
    return Caption(text, text)
