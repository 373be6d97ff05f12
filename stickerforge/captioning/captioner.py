"""What every captioner offers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image

from stickerforge.errors import InputError

Form = Literal["short", "long", "tags"]
LONGEST = 2000  # characters of a caption


@dataclass(frozen=True)
class CaptionRequest:
    """What captions are to be.

    Args:
        words: the class of what all pictures show ("dog"), or "" where they show different things.
        token: its new word, which stands in the class's place; "" likewise.
        check: called now and then; raises where the work is to stop.
    """

    words: str
    token: str
    form: Form
    check: Callable[[], None] = lambda: None


class Captioner(Protocol):
    """One of them.

    Args:
        name: what captions.jsonl calls it.
        digest: changes with its weights.
    """

    name: str
    digest: str

    def captions(
        self, pictures: Sequence[Image.Image], which: Sequence[int], asked: CaptionRequest
    ) -> Iterator[str | InputError]:
        """A caption for each of some pictures, in order, or why there is none.

        Args:
            pictures: all of the folder, which may say what they have in common.
            which: those to be captioned.
        """
