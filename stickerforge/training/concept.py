"""What an adapter learns, in words, and the prompts that show it.

Models that draw styles by name are asked for pictures in other words than those of photographs.
"""

from dataclasses import dataclass
from typing import Literal

from stickerforge.data.english import replace_noun
from stickerforge.models.card import ModelCard

VALIDATION_SUBJECTS = ("{}", "{} wearing a crown", "red {}", "small {} on a blue background")
VALIDATION_PHOTOS = (
    "a photo of a {}",
    "a {} on a beach",
    "a {} wearing a crown",
    "a painting of a {}",
)
VALIDATION_THINGS = ("cat", "rocket", "tree", "car")
PREVIEW_SUBJECTS = (
    "{}",
    "{} in flat style",
    "{} wearing a crown",
    "{} astronaut",
    "small {} on a blue background",
    "red {}",
)
PREVIEW_PHOTOS = ("a {}", "a {} on a beach", "a {} wearing a crown", "a painting of a {}")
PREVIEW_THINGS = ("cat", "rocket", "pizza", "house", "tree", "car")


@dataclass(frozen=True)
class Concept:
    """A subject, which gets a new word, or a style, which gets a phrase.

    Args:
        placeholder: the new word, "<dog>"; "" for a style.
        class_words: the class of the subject, "dog"; "" for a style.
        phrase: "in crayon style"; "" for a subject.
    """

    placeholder: str = ""
    class_words: str = ""
    phrase: str = ""

    @property
    def kind(self) -> Literal["subject", "style"]:
        """Of the adapter."""
        return "subject" if self.placeholder else "style"

    @property
    def tokens(self) -> dict[str, str]:
        """placeholder -> class words; empty for a style."""
        return {self.placeholder: self.class_words} if self.placeholder else {}

    def in_base_words(self, template: str) -> str:
        """A prompt about the subject, {} in its place, in words that the base model knows."""
        return replace_noun(template, "{}", self.class_words)


def validation_prompts(card: ModelCard, concept: Concept) -> tuple[list[str], list[str]]:
    """(prompts for the concept, the same in words that the base model knows)."""
    if not concept.placeholder:
        return (
            [f"{thing}, {concept.phrase}" for thing in VALIDATION_THINGS],
            list(VALIDATION_THINGS),
        )
    templates = VALIDATION_SUBJECTS if card.knows_styles else VALIDATION_PHOTOS
    return (
        [template.format(concept.placeholder) for template in templates],
        [concept.in_base_words(template) for template in templates],
    )


def preview_prompts(card: ModelCard, concept: Concept, prompts: tuple[str, ...]) -> list[str]:
    """The prompts of the preview.

    Args:
        prompts: the user's own, with {} for the placeholder; empty for some that suit the model.
    """
    if prompts:
        return [prompt.replace("{}", concept.placeholder) for prompt in prompts]
    if not concept.placeholder:
        return list(PREVIEW_THINGS)
    templates = PREVIEW_SUBJECTS if card.knows_styles else PREVIEW_PHOTOS
    return [template.format(concept.placeholder) for template in templates]
