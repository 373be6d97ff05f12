"""What a model is tuned on, whatever it is: pictures with captions, prompts and a reward."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.state import TrainState
from stickerforge.training.tuning_validation import Score


class TuningSource(Protocol):
    """What a model is tuned on.

    Args:
        what: it is, for messages.
        objective: what is minimized, for the adapter's description.
        digest: changes with what is learned from; known after `prepare`.
    """

    what: str
    objective: str
    digest: str

    def prepare(self, model: DiffusionModel, console: Console, *, offline: bool) -> None:
        """Encode what is learned from, and load what it is learned by.

        Raises:
            InputError: something cannot be used.
            EnvironmentFault: a network cannot be had here.
        """

    def files(self) -> Mapping[str, bytes]:
        """{name: content} of what a run keeps of it."""

    def validation_prompts(self, count: int) -> Sequence[str]:
        """Prompts that validation draws, up to so many."""

    @property
    def score(self) -> Score | None:
        """Further metrics of validation; None for none."""

    def method(self, state: TrainState) -> TrainingMethod[Any]:
        """The training method, on a model with a new adapter."""

    def provenance(self) -> Mapping[str, Any]:
        """For the adapter's description."""


def spread(items: Sequence[str], count: int) -> list[str]:
    """Up to so many different ones, at equal distances."""
    different = list(dict.fromkeys(items))
    count = min(count, len(different))
    return [different[index * len(different) // count] for index in range(count)]
