"""What a training method is to the trainer, which knows no objective.

A method owns its parameters, the sampling of its batches (examples, noise, timesteps, in any
order and from any number of data sets), its loss, and whatever it keeps between steps. It may
sample from its model and score the samples within `batch` or `loss`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, TypeVar

from torch import Tensor, nn

from stickerforge.adapters.kinds import AdapterKind

BatchT = TypeVar("BatchT")


class ParameterGroup(TypedDict):
    """Parameters with optimizer settings of their own, as torch.optim takes them."""

    params: list[nn.Parameter]
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class StepOutput:
    """The result of a step.

    Args:
        loss: to be minimized, a scalar with gradient.
        metrics: scalars to be logged, by name; read only after the optimizer's step, so that a GPU
            need not wait for them.
    """

    loss: Tensor
    metrics: Mapping[str, Tensor | float]


class TrainingMethod(Protocol[BatchT]):
    """A way to train something. All its randomness is a function of its seed and the step."""

    kind: AdapterKind  # of the adapter that is trained

    def parameter_groups(self) -> list[ParameterGroup]:
        """What is trained, and how fast; the same parameters in the same order every time."""

    def batch(self, step: int) -> BatchT:
        """The data of a step, counted from 0."""

    def split(self, batch: BatchT) -> Sequence[BatchT]:
        """Equal parts that are computed one after another, to need less memory; often the whole."""

    def loss(self, batch: BatchT, step: int) -> StepOutput:
        """The loss of a batch, and metrics of the method."""

    def after_step(self, output: StepOutput) -> None:
        """Called after the optimizer's step: projections, running means."""

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on besides the optimizer's state.

        No key may start with "optimizer/".
        """

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave: tensors of the same names and shapes."""

    def weights(self) -> Any:
        """A copy of what is trained as it is now, on the CPU, in the form of `kind`."""
