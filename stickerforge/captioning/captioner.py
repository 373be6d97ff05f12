"""What every captioner offers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image

from stickerforge.errors import InputError

Form = Literal["short", "long", "tags"]


@dataclass(frozen=True)
class CaptionRequest:
    """What captions are to be.

    Args:
        class_words: the class of what all pictures show ("dog"), or "" where they show different
            things.
        placeholder: what stands in the class's place ("<rex>"); "" likewise.
        photographs: whether each of the pictures is one; empty where nobody has looked.
        check: called now and then; raises where the work is to stop.
    """

    class_words: str
    placeholder: str
    form: Form
    photographs: Sequence[bool] = ()
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
        self, pictures: Sequence[Image.Image], indices: Sequence[int], request: CaptionRequest
    ) -> Iterator[str | InputError]:
        """A caption for each of some pictures, in order, or why there is none.

        Args:
            pictures: all of the folder, which may tell what they have in common; one that cannot be
                read any more is an InputError when it is asked for.
            indices: those to be captioned.
        """


def captioner_id(captioner: Captioner) -> str:
    """What captions.jsonl calls a captioner with its weights: "name@digest"."""
    return f"{captioner.name}@{captioner.digest}"
