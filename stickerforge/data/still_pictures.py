"""Pictures that do not move, and the masks beside them.

`rgba` is uint8 (H, W, 4) with straight alpha; a mask is uint8 (H, W), 255 where it counts fully.
"""

from dataclasses import dataclass
from pathlib import Path

from stickerforge.data.pictures import Picture, load_picture
from stickerforge.errors import InputError
from stickerforge.stickers.alpha import Rgba
from stickerforge.stickers.image_reader import HINT
from stickerforge.stickers.repaint import Mask, mask_of, scale_mask

KINDS = "give a PNG, JPEG, WebP, AVIF, GIF or TIFF picture"


@dataclass(frozen=True)
class MaskUse:
    """What a mask is for, in the words of errors.

    Args:
        setting: what names its file.
        partner: what it lies over.
        shape: what to do where it has another shape than that.
        black: what a mask that is black throughout would mean.
        remedy: what is to be painted white.
    """

    setting: str
    partner: str
    shape: str
    black: str
    remedy: str


def load_still(file: str, source: str) -> tuple[Picture, Rgba]:
    """A picture that does not move.

    Args:
        source: what names the file, for errors.

    Raises:
        InputError: there is none, it cannot be read, or it moves.
    """
    path = Path(file)
    if not path.exists():
        raise InputError(f"{source}: no picture {file}", "check the path")
    try:
        picture, image = load_picture(path)
    except InputError as error:
        reason = error.message.removeprefix(f"{path.name}: ")
        hint = KINDS if error.hint in ("", HINT) else error.hint
        raise InputError(f"{source}: {file}: {reason}", hint) from None
    if image.animated:
        raise InputError(
            f"{source}: {file} is animated", "save the frame that you mean as a picture of its own"
        )
    return picture, image.rgba


def load_mask(file: str, size: tuple[int, int], use: MaskUse) -> tuple[Picture, Mask]:
    """A mask in the size of what it lies over.

    Args:
        size: (width, height) in pixels.

    Raises:
        InputError: it is no picture, of another shape, or black throughout.
    """
    picture, planes = load_still(file, use.setting)
    (height, width), (columns, rows) = planes.shape[:2], size
    # The sides of a picture that was made smaller or larger are rounded.
    if abs(width * rows - height * columns) > max(height, width, rows, columns):
        raise InputError(
            f"the mask {file} is {width} x {height} pixels, {use.partner} {columns} x {rows}",
            use.shape,
        )
    mask = scale_mask(mask_of(planes), size)
    if not mask.any():
        raise InputError(f"the mask {file} is black throughout: {use.black}", use.remedy)
    return picture, mask


def fades(mask: Mask, scaled: Mask) -> bool:
    """Whether the white of a mask is so fine that less than half of it is seen in another size."""
    return 2 * int(scaled.max()) < int(mask.max())
