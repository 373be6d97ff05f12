"""Structural control of a call: a picture, the ControlNet that reads it, and their checks.

Imports no torch, so that a call is refused at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.config.schema.control import ControlConfig
from stickerforge.errors import InputError
from stickerforge.generation.control_pictures import OPTION, ControlPicture, read_control
from stickerforge.generation.step_window import check_window
from stickerforge.models.card import ModelCard
from stickerforge.models.control_place import ControlPlace, find_control, usual_control
from stickerforge.models.cost import count_weights
from stickerforge.models.families.specs import family_spec
from stickerforge.models.registry import EMBEDDED


@dataclass(frozen=True)
class ControlPlan:
    """What images follow.

    Args:
        place: of the ControlNet.
        start, end: shares of the steps between which it counts.
    """

    picture: ControlPicture
    place: ControlPlace
    start: float
    end: float

    @property
    def path(self) -> Path:
        """The file of the picture."""
        return self.picture.picture.path

    @property
    def text(self) -> str:
        """KIND:FILE:SCALE."""
        return f"{self.picture.kind}:{self.path}:{self.picture.scale!r}"

    @property
    def reads(self) -> list[str]:
        """The picture, and the folder of the ControlNet where it is here."""
        return [str(self.path), *([str(self.place.folder)] if self.place.folder else [])]

    @property
    def counts(self) -> bool:
        """Whether it changes anything; else nothing is fetched or loaded for it."""
        return self.picture.scale > 0

    @property
    def fetch_line(self) -> str:
        """What a call would fetch for it; "" for nothing."""
        return self.place.fetch_line if self.counts else ""

    @property
    def weights(self) -> float:
        """How many the ControlNet has, as far as that is known before it is fetched."""
        if not self.counts:
            return 0
        folder = self.place.folder
        return count_weights(folder) if folder else self.place.usual_weights

    @property
    def lines(self) -> list[str]:
        """What a dry run says of it."""
        scale = f"scale {self.picture.scale:g}"
        return [
            f"control {self.picture.kind} of {self.path}, {scale}",
            f"network {self.place.folder or self.place.title}",
        ]

    def names(self) -> dict[str, str]:
        """What its file is called; the folder tells of its owner."""
        return {"control": self.path.name}

    def params(self) -> dict[str, Any]:
        """What decides the pixels of an image, for its digest: contents, and names of the hub."""
        place = self.place
        content = (
            {"fingerprint": place.fingerprint} if place.fingerprint else {"model": place.title}
        )
        return {
            "kind": self.picture.kind,
            "sha256": self.picture.picture.sha256[:16],
            "scale": self.picture.scale,
            **content,
            "start": self.start,
            "end": self.end,
        }

    def record(self) -> dict[str, Any]:
        """What the JSON says of it."""
        return self.params() | {"file": str(self.path), "model": self.place.title}


def plan_control(
    config: ControlConfig,
    card: ModelCard,
    *,
    pixels: int | None,
    steps: range,
    warn: Callable[[str], None],
) -> ControlPlan | None:
    """The control of a call; None where there is none.

    Args:
        pixels: side of the square that is sampled; None for that of the model.
        steps: those of the schedule that are taken; from its end, where images are started from a
            picture.
        warn: gets a line about what does nothing.

    Raises:
        InputError: the picture cannot be used, or the ControlNet does not fit the model.
    """
    if not config.pictures:
        for name in ("model", "start", "end"):
            if getattr(config, name) != getattr(ControlConfig(), name):
                warn(f"control.{name} does nothing without {OPTION}")
        return None
    if card.name in EMBEDDED:
        raise InputError(
            f"there is no ControlNet for {card.name}, and {OPTION} needs one",
            "start from the picture with --init FILE, or give --model"
            " stable-diffusion-v1-5/stable-diffusion-v1-5",
        )
    check_window("control", config.start, config.end, steps)
    picture = read_control(config.pictures)
    picture.square(pixels or control_side(card))
    place = find_control(config.model or usual_control(picture.kind, card), card)
    for line in picture.remarks():
        warn(line)
    return ControlPlan(picture, place, config.start, config.end)


def control_side(card: ModelCard) -> int:
    """Side of the square that a model samples where a call does not say it."""
    return int(card.sampling.get("pixels") or family_spec(card.folder).native_pixels(card.folder))


def with_scale(config: ControlConfig, control: ControlPlan | None) -> ControlConfig:
    """The settings as they are saved, with the scale of the picture."""
    return config if control is None else replace(config, pictures=(control.text,))
