"""Which picture was made for which prompt: by what it remembers, then by its file name; never by order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.config.style_presets import style_presets
from stickerforge.data.prompts import PromptRow, read_prompts
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.evaluation.image_set import ImageFeatures

PLACEHOLDER = re.compile(r"<([a-z0-9][a-z0-9-]*)>")
HINT = "ids of the file are the file names of the pictures without suffix"


@dataclass(frozen=True)
class TargetPrompt:
    """What one picture was to show.

    Args:
        text: the prompt with its style and without placeholders, as an encoder can read it; "" where nothing is known.
        key: pictures of one key belong together: the text, else the file's name without suffix.
    """

    text: str
    key: str


class PromptFile:
    """The rows of a prompt file, if there is one."""

    def __init__(self, file: str) -> None:
        """Args:
        file: its path, or "".

        Raises:
            InputError: it cannot be read.
        """
        self.file = file
        rows = read_prompts(Path(file), styles=None) if file else []
        self.by_id = {row.id: row_text(row) for row in rows if row.id}
        self.rows = rows
        self.texts = list(dict.fromkeys(row_text(row) for row in rows))

    def asked(self, picture: ImageFeatures) -> TargetPrompt:
        """What a picture was to show; where there is a file, only what is in it counts."""
        prompt, text, style = (
            str(picture.recipe.get(key, "")) for key in ("prompt", "text", "style")
        )
        if self.file:
            found = next(
                (known for known in (text, replace_placeholders(text)) if known in self.texts), ""
            ) or self.by_prompt(prompt, style)
            found = found or self.by_id.get(picture.path.stem, "")
        else:
            found = replace_placeholders(text or prompt)
        return TargetPrompt(found, found or picture.path.stem)

    def by_prompt(self, prompt: str, style: str) -> str:
        """The text of the rows with this prompt, of those with this style where there are any; "" where they differ."""
        rows = [row for row in self.rows if row.prompt == prompt]
        texts = {row_text(row) for row in [row for row in rows if row.style == style] or rows}
        return texts.pop() if len(texts) == 1 else ""

    def matched(self, pictures: Sequence[ImageFeatures]) -> list[TargetPrompt]:
        """Of each picture.

        Raises:
            InputError: there is a file, and no picture belongs to it.
        """
        found = [self.asked(picture) for picture in pictures]
        if self.file and not any(asked.text for asked in found):
            raise InputError(
                f"none of the {len(found)} pictures belongs to a prompt of {self.file}", HINT
            )
        return found

    def unanswered(self, found: Sequence[TargetPrompt]) -> list[str]:
        """Prompts of the file for which there is no picture."""
        answered = {asked.text for asked in found}
        return [text for text in self.texts if text not in answered]


def match_baseline(
    asked: Sequence[TargetPrompt],
    pictures: Sequence[ImageFeatures],
    others: Sequence[TargetPrompt],
    baseline: Sequence[ImageFeatures],
) -> list[ImageFeatures | None]:
    """For each picture the baseline's one for the same prompt: that of the same seed, else the first one that is left."""
    waiting: dict[str, list[ImageFeatures]] = {}
    for wish, item in zip(others, baseline, strict=True):
        waiting.setdefault(wish.key, []).append(item)
    found: list[ImageFeatures | None] = [None] * len(pictures)
    for same_seed in (True, False):
        for number, (wish, item) in enumerate(zip(asked, pictures, strict=True)):
            left = waiting.get(wish.key, [])
            fits = [
                other
                for other in left
                if not same_seed
                or ("seed" in item.recipe and other.recipe.get("seed") == item.recipe["seed"])
            ]
            if found[number] is None and fits:
                found[number] = fits[0]
                waiting[wish.key] = [other for other in left if other is not fits[0]]
    return found


def row_text(row: PromptRow) -> str:
    """A row's prompt with the words of its style."""
    words = style_presets()[row.style].words if row.style in style_presets() else ""
    return replace_placeholders(f"{row.prompt}, {words}" if words else row.prompt)


def replace_placeholders(text: str) -> str:
    """A text with the class words in place of placeholders: nobody else knows what <rex> is."""
    return PLACEHOLDER.sub(lambda match: class_words(match[1]), text)


def class_words(name: str) -> str:
    """What the adapter of this name says its placeholder stands for, else the name itself."""
    try:
        words = store.find(name).tokens.get(f"<{name}>", "")
    except StickerforgeError:
        words = ""
    return words or name.replace("-", " ")
