"""The direction that the vectors of all texts share, with what it was fitted for.

It is stored, since the mean over a few prompts would take from a reward what they have in common:
over a single one, everything that it says.

Shapes: N texts; D features.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from stickerforge.config.description import Bounds, DescriptionError, Sha256, read_description
from stickerforge.errors import InputError
from stickerforge.models.hub import JUDGES
from stickerforge.models.judge.model import FOLDER
from stickerforge.models.origin import broken_model
from stickerforge.models.prompt_rewards import PromptReward
from stickerforge.models.reward_names import MIN_CAPTIONS, too_few_captions
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

MAX_BYTES = 1_000_000  # of a file; a thousand features take twelve thousand
BATCH = 256  # captions that are encoded at once
DIGITS = 8  # of a component


@dataclass(frozen=True)
class CommonDirection:
    """The common direction of the texts of an encoder; also the schema of its file.

    Args:
        encoder: its name.
        digest: of its weights.
        captions: how many different ones it is the mean of.
        sha256: of these captions, sorted, one per line.
        vector: of unit length, D numbers.
    """

    encoder: str
    digest: str
    captions: Annotated[int, Bounds(MIN_CAPTIONS, 10**12)]
    sha256: Sha256
    vector: tuple[Annotated[float, Bounds(-1, 1)], ...]

    def __post_init__(self) -> None:
        """Make sure that it is a direction.

        Raises:
            DescriptionError: its length is not 1.
        """
        if abs(sum(x * x for x in self.vector) - 1) > 1e-3:
            raise DescriptionError("vector is not of length 1")

    @property
    def tensor(self) -> Tensor:
        """The vector (D,) in float32 on the CPU."""
        return torch.tensor(self.vector)


def fit_direction(
    reward: PromptReward,
    captions: Sequence[str],
    *,
    on_batch: Callable[[int], None] = lambda count: None,
) -> CommonDirection:
    """The direction of the mean over the vectors of captions; empty and repeated ones count not.

    Args:
        on_batch: called with the number of captions that were read since it was called last.

    Raises:
        InputError: there are too few captions, or the reward has no vectors for them.
    """
    distinct = sorted({caption.strip() for caption in captions} - {""})
    if len(distinct) < MIN_CAPTIONS:
        raise too_few_captions(reward.name, len(distinct))
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, len(distinct), BATCH):
        batch = distinct[start : start + BATCH]
        total = total + reward.encode_texts(batch).double().cpu().sum(0)
        on_batch(len(batch))
    vector = F.normalize(total, dim=0)
    if not float(vector.norm()) > 0.5:  # nor where they are no numbers
        raise InputError(
            f"the texts of {reward.name} have no common direction", "give another reward"
        )
    return CommonDirection(
        reward.name,
        reward.digest,
        len(distinct),
        hashlib.sha256("\n".join(distinct).encode(errors="surrogatepass")).hexdigest(),
        tuple(round(x, DIGITS) for x in vector.tolist()),
    )


def direction_file_content(direction: CommonDirection) -> bytes:
    """The file of a direction, in JSON."""
    return (json.dumps(asdict(direction)) + "\n").encode()


def read_direction(path: Path) -> CommonDirection:
    """A direction from its file.

    Raises:
        InputError: it cannot be read.
        EnvironmentFault: likewise of one that ships.
    """
    try:
        return read_description(CommonDirection, parse_json(read_text(path, MAX_BYTES)))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise broken_model(
            path,
            f"{path} cannot be read as a common direction: {reason}",
            "leave it out, or fit it again",
        ) from None


def check_direction(direction: CommonDirection, reward: PromptReward) -> None:
    """Make sure that a direction was fitted for a reward.

    Raises:
        InputError: it was for another encoder, or other weights.
    """
    if direction.digest == reward.digest:
        features = reward.encode_texts(["a"]).shape[1]
        if features == len(direction.vector):
            return
    other = (
        f"other weights of {reward.name}"
        if direction.encoder == reward.name
        else f"{direction.encoder}, not of {reward.name}"
    )
    raise InputError(
        f"the common direction is of {other}", "give the reward that it was fitted for"
    )


def shipped_direction(reward: PromptReward) -> CommonDirection | None:
    """The direction that ships for a judge; None for other rewards.

    Raises:
        EnvironmentFault: it is missing or damaged.
    """
    if reward.name not in JUDGES:
        return None
    direction = read_direction(direction_path(reward.name))
    return direction if direction.digest == reward.digest else None


def direction_path(judge: str) -> Path:
    """Where the direction of a judge ships."""
    return FOLDER / f"{judge}_direction.json"
