"""The models of --reward, loaded one at a time. Heavy: imports torch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.encoders import pad_to_square
from stickerforge.models.judge.model import on_ground
from stickerforge.models.lpips import load_lpips
from stickerforge.models.rewards import Reward, load_reward, score_pictures
from stickerforge.stickers.color import WHITE

LPIPS_SIDE = 256  # pixels at which pictures are compared


class LpipsModel:
    """LPIPS on stickers.

    Args:
        name: of the network behind it, which the score carries.
        digest: changes with the weights.
    """

    def __init__(self, file: Path) -> None:
        """Load it.

        Raises:
            InputError: the file is missing, or something else.
        """
        self.name, self.network = load_lpips(file)
        self.digest = files_fingerprint([file])

    def features(self, image: Image.Image) -> list[Tensor]:
        """Of an image of any size and mode, laid on white: (1, C, H, W) for each stage."""
        square = pad_to_square(on_ground(image, WHITE), WHITE)
        rgb = square.resize((LPIPS_SIDE, LPIPS_SIDE), Image.Resampling.LANCZOS)
        planes = np.asarray(rgb, np.float32).transpose(2, 0, 1).copy() / 127.5 - 1
        return self.network.features(torch.from_numpy(planes)[None])

    def distance(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
        """LPIPS of two images by their features; 0 for the same."""
        return float(self.network.between(first, second))


class RewardModels:
    """The models of --reward by kind; only the last one that was asked for stays in memory."""

    def __init__(
        self, places: Mapping[str, str], *, device: str, offline: bool, say: Callable[[str], None]
    ) -> None:
        """Args:
        places: {kind: folder, file or hub repository}.
        device: as `--device` names it.
        offline: whether no connection may be opened.
        say: shows a line about what takes long.
        """
        self.places, self.device, self.offline, self.say = places, device, offline, say
        self.kind = ""
        self.model: Reward | LpipsModel | None = None

    def load(self, kind: str) -> Reward | LpipsModel:
        """The model of a kind.

        Raises:
            InputError: the weights are something else, or not there.
            EnvironmentFault: they cannot be had here.
        """
        if self.model is None or self.kind != kind:
            self.model = None  # two of them may not fit the memory
            place = self.places[kind]
            self.model = (
                LpipsModel(Path(place))
                if kind == "lpips"
                else load_reward(
                    kind, place, device=self.device, offline=self.offline, say=self.say
                )
            )
            self.kind = kind
        return self.model

    def reward(self, kind: str) -> Reward:
        """A model that scores single pictures; see `load`."""
        model = self.load(kind)
        assert not isinstance(model, LpipsModel)
        return model

    def lpips(self) -> LpipsModel:
        """LPIPS; see `load`."""
        model = self.load("lpips")
        assert isinstance(model, LpipsModel)
        return model

    def scores(
        self, kind: str, images: Sequence[Image.Image], prompts: Sequence[str]
    ) -> NDArray[np.float64]:
        """What a reward gives pictures for their prompts, (N,).

        Raises:
            InputError: the model cannot cope with a picture or a prompt.
            EnvironmentFault: it runs out of memory.
        """
        return score_pictures(self.reward(kind), images, prompts)
