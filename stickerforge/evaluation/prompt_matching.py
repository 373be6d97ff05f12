"""Which picture was made for which prompt.

By what it remembers, then by its file name; never by order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.config.style_presets import style_presets
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.captions import PLACEHOLDER
from stickerforge.data.english import replace_noun
from stickerforge.data.prompts import PromptRow, read_prompts
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.evaluation.features import ImageFeatures

HINT = "ids of the file are the file names of the pictures without suffix"


@dataclass(frozen=True)
class TargetPrompt:
    """What one picture was to show.

    Args:
        text: the prompt with its style and without placeholders, as an encoder can read it; ""
            where nothing is known.
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

    def target(self, picture: ImageFeatures) -> TargetPrompt:
        """What a picture was to show; where there is a file, only what is in it counts."""
        prompt, text, style = (
            to_nfc(str(picture.params.get(key, ""))) for key in ("prompt", "text", "style")
        )
        if self.file:
            known = [name for name in (text, replace_placeholders(text)) if name in self.texts]
            target = known[0] if known else self.text_of(prompt, style)
            target = target or self.by_id.get(to_nfc(picture.path.stem), "")
        else:
            target = replace_placeholders(text or prompt)
        return TargetPrompt(target, target or picture.path.stem)

    def text_of(self, prompt: str, style: str) -> str:
        """The text of the rows with this prompt; "" where they differ.

        Only those with this style count where there are any.
        """
        rows = [row for row in self.rows if row.prompt == prompt]
        texts = {row_text(row) for row in [row for row in rows if row.style == style] or rows}
        return texts.pop() if len(texts) == 1 else ""

    def targets(self, pictures: Sequence[ImageFeatures]) -> list[TargetPrompt]:
        """What each picture was to show.

        Raises:
            InputError: there is a file, and no picture belongs to it.
        """
        targets = [self.target(picture) for picture in pictures]
        if self.file and not any(target.text for target in targets):
            raise InputError(
                f"none of the {len(targets)} pictures belongs to a prompt of {self.file}", HINT
            )
        return targets

    def without_picture(self, targets: Sequence[TargetPrompt]) -> list[str]:
        """Prompts of the file for which there is no picture."""
        texts = {target.text for target in targets}
        return [text for text in self.texts if text not in texts]


def match_baseline(
    targets: Sequence[TargetPrompt],
    pictures: Sequence[ImageFeatures],
    baseline_targets: Sequence[TargetPrompt],
    baseline: Sequence[ImageFeatures],
) -> list[ImageFeatures | None]:
    """For each picture the baseline's one for the same prompt, None where there is none.

    That of the same seed, else the first one that is left.
    """
    waiting: dict[str, list[ImageFeatures]] = {}
    for target, item in zip(baseline_targets, baseline, strict=True):
        waiting.setdefault(target.key, []).append(item)
    matches: list[ImageFeatures | None] = [None] * len(pictures)
    for same_seed in (True, False):
        for number, (target, item) in enumerate(zip(targets, pictures, strict=True)):
            left = waiting.get(target.key, [])
            candidates = [
                other
                for other in left
                if not same_seed
                or ("seed" in item.params and other.params.get("seed") == item.params["seed"])
            ]
            if matches[number] is None and candidates:
                matches[number] = candidates[0]
                waiting[target.key] = [other for other in left if other is not candidates[0]]
    return matches


def row_text(row: PromptRow) -> str:
    """A row's prompt with the words of its style."""
    words = style_presets()[row.style].words if row.style in style_presets() else ""
    return replace_placeholders(f"{row.prompt}, {words}" if words else row.prompt)


def replace_placeholders(text: str) -> str:
    """A text with class words in place of placeholders: no encoder knows what <rex> is."""
    for token in dict.fromkeys(PLACEHOLDER.findall(text)):
        text = replace_noun(text, token, class_words(token))
    return text


def class_words(placeholder: str) -> str:
    """What the adapter of this placeholder says it stands for, else the adapter's name in words.

    What no adapter can be called ("<3D>") stays as it is.
    """
    name = placeholder.strip("<>")
    if not store.NAME.fullmatch(name):
        return placeholder
    try:
        words = store.find(name).tokens.get(placeholder, "")
    except StickerforgeError:
        words = ""
    return words or name.replace("-", " ")
