"""A control picture beside every text.

Shapes: B images; S side of the control picture.
"""

from dataclasses import dataclass

from torch import Tensor

from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.guidance import Guidance, Predict


@dataclass(frozen=True)
class Control:
    """A control picture, and the steps in which it counts.

    Args:
        picture: in [0, 1], (1, 3, S, S).
        start, end: shares of the steps between which it counts.
    """

    picture: Tensor
    start: float = 0.0
    end: float = 1.0

    def around(self, guidance: Guidance) -> Guidance:
        """The same guidance, every prediction of which sees the picture, negative and base too."""
        return Controlled(guidance, self)


@dataclass(frozen=True)
class Controlled:
    """Guidance whose predictions see a control picture."""

    guidance: Guidance
    control: Control

    def __call__(
        self, predict: Predict, noisy: Tensor, timestep: Tensor, step: int, steps: int
    ) -> Tensor:
        """See `Guidance`."""
        control = self.control

        def seeing(noisy: Tensor, timestep: Tensor, text: Conditioning) -> Tensor:
            pictures = control.picture.expand(len(text), -1, -1, -1)
            return predict(noisy, timestep, text.including("control", pictures))

        counts = control.start <= step / steps < control.end
        return self.guidance(seeing if counts else predict, noisy, timestep, step, steps)
