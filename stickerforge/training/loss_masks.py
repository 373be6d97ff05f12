"""Which pixels of the user's pictures count in training.

A picture's own alpha, a mask of the user's, or what a matting network takes for the subject.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.config.user_paths import to_nfc
from stickerforge.data.picture_folder import PictureFolder, may_be_picture
from stickerforge.data.pictures import Picture, load_picture
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.matting import (
    DEFAULT,
    CutOut,
    load_cut_out,
    matting_model,
    weights_file,
)
from stickerforge.runtime.console import Console

CUT_OUT = 0.01  # share of clear pixels from which a mask's alpha counts, not its brightness
MATTING_SIDE = 1024  # at which networks look at pictures anyway; more costs gigabytes
Mask = NDArray[np.uint8]  # (H, W), 255 where it counts fully


@dataclass(frozen=True)
class LossMasks:
    """Which pixels count.

    Args:
        of: from a picture and its pixels, uint8 (H, W, 4), to its mask; None for all of it.
        automatic: whether masks come from the pictures themselves, not from the user.
        matting: the network that cuts photographs out, or "".
    """

    of: Callable[[Picture, NDArray[np.uint8]], Mask | None]
    automatic: bool = False
    matting: str = ""


def build_masks(
    mask: str,
    folder: PictureFolder,
    *,
    learns_alpha: bool,
    console: Console,
    use_matting: bool = True,
) -> LossMasks:
    """The masks that a setting asks for.

    Args:
        mask: "auto", "none", or a folder of masks that are named like their pictures.
        learns_alpha: whether the model draws alpha: then clear pixels are to be learned as well.
        use_matting: whether "auto" cuts photographs out, if the matting network is installed.

    Raises:
        InputError: a mask is missing, of another size, or empty.
    """
    if mask == "none":
        return LossMasks(lambda picture, rgba: None)
    if mask != "auto":
        files = mask_files(Path(mask), folder)
        return LossMasks(lambda picture, rgba: read_mask(files[picture.path], rgba))
    cut_out = None
    if use_matting and any(picture.opaque for picture in folder.pictures):
        cut_out = installed_matting(console)

    def automatic_mask(picture: Picture, rgba: NDArray[np.uint8]) -> Mask | None:
        if not picture.opaque:
            return None if learns_alpha else np.ascontiguousarray(rgba[..., 3])
        if cut_out is None:
            return None
        alpha = matting_alpha(cut_out, rgba)
        return alpha if alpha.any() else None

    return LossMasks(automatic_mask, automatic=True, matting=DEFAULT if cut_out else "")


def matting_alpha(cut_out: CutOut, rgba: NDArray[np.uint8]) -> Mask:
    """What a network takes for the subject of a photograph; of a large one at a smaller size."""
    photo = Image.fromarray(rgba).convert("RGB")
    size = photo.size
    photo.thumbnail((MATTING_SIDE, MATTING_SIDE), Image.Resampling.LANCZOS)
    alpha = (cut_out(np.asarray(photo))[..., 3] * 255).round().astype(np.uint8)
    if photo.size == size:
        return alpha
    return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BILINEAR))


def installed_matting(console: Console) -> CutOut | None:
    """The default matting network, if it is installed; nothing is fetched for masks."""
    model = matting_model(DEFAULT)
    if not weights_file(model).exists():
        console.say(
            f"photographs count with their background: {model.name}, which would cut them out, "
            "was never fetched"
        )
        return None
    try:
        return load_cut_out(model, offline=True)
    except EnvironmentFault as error:
        console.warn(f"photographs count with their background: {error}")
        return None


def mask_files(masks: Path, folder: PictureFolder) -> dict[Path, Path]:
    """The mask of every picture: the file of the same name, whatever its suffix.

    Raises:
        InputError: there is no such folder, or one has none.
    """
    if not masks.is_dir():
        raise InputError(f"no folder of masks {masks}", "give a folder, auto or none")
    by_stem: dict[str, Path] = {}
    for path in filter(may_be_picture, sorted(masks.iterdir())):
        stem = to_nfc(path.stem)
        if stem in by_stem:
            raise InputError(
                f"two masks for one picture: {by_stem[stem]} and {path.name}",
                "remove one of them",
            )
        by_stem[stem] = path
    stems = {picture: to_nfc(picture.path.stem) for picture in folder.pictures}
    missing = [picture.path.name for picture, stem in stems.items() if stem not in by_stem]
    if missing:
        raise InputError(
            f"no mask for {missing[0]} in {masks}",
            f"save it there as {Path(missing[0]).stem}.png, white where it counts",
        )
    return {picture.path: by_stem[stem] for picture, stem in stems.items()}


def read_mask(path: Path, rgba: NDArray[np.uint8]) -> Mask:
    """A mask: its alpha where a part of it is clear, else its brightness.

    Raises:
        InputError: it cannot be read, has another size than its picture, or is black throughout.
    """
    try:
        planes = load_picture(path)[1].rgba
    except InputError as error:
        raise InputError(
            f"the mask {path}: {error.message.removeprefix(f'{path.name}: ')}",
            "mend it, or leave the picture out",
        ) from None
    cut_out = float((planes[..., 3] < 128).mean()) >= CUT_OUT
    mask: Mask = (
        np.ascontiguousarray(planes[..., 3])
        if cut_out
        else planes[..., :3].mean(-1).round().astype(np.uint8)
    )
    if mask.shape != rgba.shape[:2]:
        size, picture_size = (
            f"{width} x {height}" for height, width in (mask.shape, rgba.shape[:2])
        )
        raise InputError(
            f"the mask {path} is {size} pixels, its picture {picture_size}",
            "make both the same size",
        )
    if not mask.any():
        raise InputError(
            f"the mask {path} is black throughout",
            "paint white what counts, or leave the picture out",
        )
    return mask


def check_masks(mask: str, folder: PictureFolder) -> None:
    """Read every mask, before the model is loaded; a picture whose mask is no use is left out.

    Raises:
        InputError: masks are missing, or no picture has one that can be used.
    """
    if mask in ("auto", "none"):
        return
    files = mask_files(Path(mask), folder)
    for picture in list(folder.pictures):
        try:
            read_mask(files[picture.path], picture.rgba())
        except InputError as error:
            folder.leave_out(picture, error)
