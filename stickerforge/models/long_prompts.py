"""How a model reads prompts that its text encoders cannot read at once. Imports no torch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from stickerforge.config.description import Bounds
from stickerforge.errors import InputError

if TYPE_CHECKING:
    from stickerforge.models.families.base import DiffusionModel

OFFICIAL_LENGTH = 240  # tokens that the released LongAlign reads of a prompt
Coordinate = Annotated[float, Bounds(-1e30, 1e30)]


@dataclass(frozen=True)
class LongPrompts:
    """The schema of "long_prompts" in a model's card and in an adapter's description.

    Args:
        mode: "compat" encodes what fits as ever, and longer texts in windows of whole sentences;
            "longalign" encodes every text sentence by sentence (arXiv:2410.11817), for adapters
            that were trained so; "cut" reads what fits, for models that windows do not help.
        length: of what "longalign" makes of a text, in tokens.
        pad: the vector that fills it up to that length, one number for each of its width; empty for
            the mean over the last states of the empty prompt.
        splitter: what "longalign" divides texts by: "unicode" at the sentences of any language,
            "official" as the released code does.
    """

    mode: Literal["compat", "longalign", "cut"] = "compat"
    length: Annotated[int, Bounds(2, 8192)] = OFFICIAL_LENGTH
    pad: tuple[Coordinate, ...] = ()
    splitter: Literal["unicode", "official"] = "unicode"

    @property
    def title(self) -> str:
        """The mode, and what it reads of a prompt, for people."""
        return f"{self.mode} of {self.length} tokens" if self.mode == "longalign" else self.mode


def shared_rule(rules: Iterable[tuple[str, LongPrompts | None]]) -> LongPrompts | None:
    """What adapters that are used together need; None where none of them needs anything.

    Args:
        rules: (name of the adapter, what it was trained with).

    Raises:
        InputError: two were trained in different ways.
    """
    names = {rule: name for name, rule in rules if rule is not None}
    if len(names) > 1:
        (one, first), (other, second) = list(names.items())[:2]
        about = [rule.title for rule in (one, other)]
        same = " with another padding or splitter" if about[0] == about[1] else ""
        raise InputError(
            f"{first} was trained to read prompts as {about[0]}, and {second} as {about[1]}{same}",
            "use one of them",
        )
    return next(iter(names), None)


@contextmanager
def base_prompts(model: "DiffusionModel") -> Iterator[None]:
    """Within, the model reads prompts as it does without adapters."""
    own = model.long_prompts
    model.long_prompts = model.card.long_prompts
    try:
        yield
    finally:
        model.long_prompts = own
