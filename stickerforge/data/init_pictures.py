"""The picture that `generate --init` starts from, and the mask of what is painted anew."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.data.pictures import VISIBLE, Picture
from stickerforge.data.still_pictures import MaskUse, fades, load_mask, load_still
from stickerforge.errors import InputError
from stickerforge.stickers.alpha import Rgba
from stickerforge.stickers.repaint import Mask, fit_mask, fit_square

STRENGTH = 0.6  # where none is given
MASK = MaskUse(
    "init.mask",
    "the picture of --init",
    "give both the same shape",
    "all of the picture would stay",
    "paint white what is to be painted anew",
)


@dataclass(frozen=True)
class InitPicture:
    """A picture that denoising starts from.

    Args:
        picture: its file.
        rgba: its pixels, uint8 (H, W, 4), straight alpha.
        strength: share of the noise schedule that is gone through again, above 0 and at most 1.
        mask_picture: the file of the mask; None where all is painted anew.
        mask: uint8 (H, W), 255 where it is painted anew, 0 where the picture stays.
    """

    picture: Picture
    rgba: Rgba
    strength: float
    mask_picture: Picture | None = None
    mask: Mask | None = None

    def skipped_steps(self, steps: int) -> int:
        """How many steps are left out at the beginning, as `get_timesteps` of diffusers has it."""
        return steps - min(int(steps * self.strength), steps)

    def square(self, side_px: int) -> Rgba:
        """The picture in the middle of a clear square, uint8 (side, side, 4)."""
        return fit_square(self.rgba, side_px)

    def square_mask(self, side_px: int) -> Mask | None:
        """The mask of `square`, uint8 (side, side); None where all is painted anew."""
        return None if self.mask is None else fit_mask(self.mask, side_px)

    @property
    def files(self) -> dict[str, Path]:
        """Every file that is read, by what it is for: "init", and perhaps "mask"."""
        pictures = {"init": self.picture, "mask": self.mask_picture}
        return {name: picture.path for name, picture in pictures.items() if picture is not None}

    def params(self) -> dict[str, Any]:
        """What decides pixels: the contents of the files, and the strength."""
        mask = {} if self.mask_picture is None else {"mask": self.mask_picture.sha256[:16]}
        return {"sha256": self.picture.sha256[:16], "strength": self.strength, **mask}

    def names(self) -> dict[str, str]:
        """The files by what they are for, without their folders, which tell of their owner."""
        return {kind: path.name for kind, path in self.files.items()}

    def record(self) -> dict[str, Any]:
        """For the JSON of a call: where the files are."""
        mask = self.mask_picture
        return {
            "file": str(self.picture.path),
            "strength": self.strength,
            "mask": None if mask is None else str(mask.path),
        }


def load_init(file: str, strength: float | None, mask: str) -> InitPicture | None:
    """The picture to start from with its mask; None where none is given.

    Args:
        file, mask: paths; "" for none.
        strength: None for the usual one.

    Raises:
        InputError: a file is no picture that can be used, the mask does not fit the picture or
            covers nothing, or there is a strength or a mask and no picture.
    """
    if not file:
        for name, value in (("init.strength", strength), ("init.mask", mask or None)):
            if value is not None:
                raise InputError(
                    f"{name} is about the picture of --init, and there is none",
                    "give --init FILE too",
                )
        return None
    picture, rgba = load_still(file, "--init")
    if not (rgba[..., 3] > VISIBLE).any():
        raise InputError(f"--init: every pixel of {file} is transparent", "give another picture")
    init = InitPicture(picture, rgba, STRENGTH if strength is None else strength)
    if not mask:
        return init
    rows, columns = rgba.shape[:2]
    mask_picture, values = load_mask(mask, (columns, rows), MASK)
    return replace(init, mask_picture=mask_picture, mask=values)


def has_ground(init: InitPicture | None) -> bool:
    """Whether images are started from a picture with a ground, which they will have, too."""
    return init is not None and init.picture.opaque


def check_steps(init: InitPicture | None, steps: int) -> None:
    """Make sure that a picture that is started from is changed by one step at least.

    Args:
        steps: of the whole schedule.

    Raises:
        InputError: it is not.
    """
    if init is None or init.skipped_steps(steps) < steps:
        return
    needed = math.ceil(1 / init.strength)
    needed += int(needed * init.strength) < 1  # a product may come out below a whole number
    raise InputError(
        f"no step of {steps} is left with init.strength = {init.strength}",
        f"give --steps {needed} or more, or init.strength={math.ceil(1000 / steps) / 1000}",
    )


def check_mask(init: InitPicture | None, side_px: int) -> None:
    """Make sure that what a mask shows is still seen in the size of the file.

    Args:
        side_px: of the file.

    Raises:
        InputError: its white is so fine that it fades.
    """
    if init is None or init.mask is None or (square := init.square_mask(side_px)) is None:
        return
    if fades(init.mask, square):
        raise InputError(
            f"the white of the mask fades in a file of {side_px} pixels: it is too fine",
            "paint a larger part white",
        )
