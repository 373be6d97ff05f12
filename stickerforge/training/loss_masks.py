"""What of a reference counts in training: its own alpha, a mask beside it, or what a matting network takes for the subject."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stickerforge.data.pictures import Picture, PictureFolder, may_be_picture, read_picture
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.matting import DEFAULT, load_cut_out, matting_model, weights_file
from stickerforge.runtime.console import Console

if TYPE_CHECKING:
    from torch import Tensor

CUT_OUT = 0.01  # share that is clear from which a mask is told by its alpha
Mask = NDArray[np.uint8]  # (H, W), 255 where it counts fully


@dataclass(frozen=True)
class LossMasks:
    """What of the references counts.

    Args:
        of: from a picture and its pixels, uint8 (H, W, 4), to its mask; None for all of it.
        matting: the network that cuts photographs out, or "".
    """

    of: Callable[[Picture, NDArray[np.uint8]], Mask | None]
    matting: str = ""


def build_masks(
    chosen: str,
    folder: PictureFolder,
    *,
    learns_alpha: bool,
    console: Console,
    by_network: bool = True,
) -> LossMasks:
    """What of the references counts, as it was chosen.

    Args:
        chosen: "auto", "none", or a folder of masks that are named like their pictures.
        learns_alpha: whether the model draws alpha: then what is clear is to be learned as well.
        by_network: whether photographs are cut out by the matting network, if it is here.

    Raises:
        InputError: a mask is missing, of another size, or empty.
    """
    if chosen == "none":
        return LossMasks(lambda picture, rgba: None)
    if chosen != "auto":
        files = mask_files(Path(chosen).expanduser(), folder)
        return LossMasks(lambda picture, rgba: read_mask(files[picture.path], rgba))
    cut_out = (
        installed_matting(console)
        if by_network and any(picture.opaque for picture in folder.pictures)
        else None
    )

    def automatic(picture: Picture, rgba: NDArray[np.uint8]) -> Mask | None:
        if not picture.opaque:
            return None if learns_alpha else np.ascontiguousarray(rgba[..., 3])
        found = (
            None
            if cut_out is None
            else (cut_out(rgba[..., :3])[..., 3] * 255).round().astype(np.uint8)
        )
        return found if found is not None and found.any() else None

    return LossMasks(automatic, DEFAULT if cut_out else "")


def installed_matting(
    console: Console,
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None:
    """The default matting network, if it is here; photographs count as a whole without it, and nothing is fetched for them."""
    model = matting_model(DEFAULT)
    if not weights_file(model).exists():
        console.say(
            f"photographs count with their background: {model.name}, which would cut them out, was never fetched"
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
        if path.stem in by_stem:
            raise InputError(
                f"two masks for one picture: {by_stem[path.stem]} and {path.name}",
                "remove one of them",
            )
        by_stem[path.stem] = path
    missing = [picture.path.name for picture in folder.pictures if picture.path.stem not in by_stem]
    if missing:
        raise InputError(
            f"no mask for {missing[0]} in {masks}",
            f"save it there as {Path(missing[0]).stem}.png, white where it counts",
        )
    return {picture.path: by_stem[picture.path.stem] for picture in folder.pictures}


def read_mask(path: Path, rgba: NDArray[np.uint8]) -> Mask:
    """A mask: its alpha where a part of it is clear, else its brightness.

    Raises:
        InputError: it cannot be read, has another size than its picture, or is black throughout.
    """
    try:
        planes = read_picture(path).rgba()
    except InputError as error:
        raise InputError(
            f"the mask {path}: {error.message.removeprefix(f'{path.name}: ')}",
            "mend it, or leave the picture out",
        ) from None
    cut_out = float((planes[..., 3] < 128).mean()) >= CUT_OUT
    found: Mask = (
        np.ascontiguousarray(planes[..., 3])
        if cut_out
        else planes[..., :3].mean(-1).round().astype(np.uint8)
    )
    if found.shape != rgba.shape[:2]:
        sizes = [f"{shape[1]} x {shape[0]}" for shape in (found.shape, rgba.shape)]
        raise InputError(
            f"the mask {path} is {sizes[0]} pixels, its picture {sizes[1]}",
            "make both the same size",
        )
    if not found.any():
        raise InputError(
            f"the mask {path} is black throughout",
            "paint white what counts, or leave the picture out",
        )
    return found


def check_masks(chosen: str, folder: PictureFolder) -> None:
    """Look at every mask before the model is loaded.

    Raises:
        InputError: as `masks`.
    """
    if chosen in ("auto", "none"):
        return
    files = mask_files(Path(chosen).expanduser(), folder)
    for picture in folder.pictures:
        read_mask(files[picture.path], picture.rgba())


def latent_mask(mask: NDArray[np.float32] | None, latents: "Tensor") -> "Tensor | None":
    """A mask (H, W) in [0, 1] brought to the size of latents (C, H', W') by its means; None where all counts."""
    import torch
    from torch.nn import functional as F

    if mask is None:
        return None
    pooled: Tensor = F.adaptive_avg_pool2d(
        torch.from_numpy(mask)[None, None], (latents.shape[1], latents.shape[2])
    )[0, 0]
    return pooled
