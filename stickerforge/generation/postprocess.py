"""From what a model drew to files: cut out, enlarged, encoded, written behind the denoising; and a sheet of them all."""

from typing import TYPE_CHECKING

from stickerforge.generation.image_params import ImageJob, public_params
from stickerforge.runtime.files import write_whole

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.matting import CutOut
    from stickerforge.stickers.alpha import Premultiplied


def to_premultiplied(pixels: "Tensor", cut_out: "CutOut | None") -> "Premultiplied":
    """What the model drew, (3 or 4, H, W), as premultiplied (H, W, 4): cut out, or its alpha settled."""
    import numpy as np

    from stickerforge.stickers.alpha import snap_alpha
    from stickerforge.stickers.despeckle import despeckle

    planes = pixels.permute(1, 2, 0).numpy()
    if cut_out is not None:
        return cut_out((planes[..., :3] * 255).round().astype(np.uint8))
    if planes.shape[-1] == 4:
        return despeckle(snap_alpha(planes))
    return np.concatenate([planes, np.ones_like(planes[..., :1])], -1)


def save(item: ImageJob, pixels: "Tensor", cut_out: "CutOut | None", keep_prompt: bool) -> None:
    """Finish one picture and write it: cut out, its colours made flat where its style is, enlarge, encode."""
    from stickerforge.stickers.alpha import unpremultiply
    from stickerforge.stickers.flat_colors import flatten_and_upscale, palette_from_codes
    from stickerforge.stickers.image_files import encode_image
    from stickerforge.stickers.upscale import upscale
    from stickerforge.version import __version__

    picture = to_premultiplied(pixels, cut_out)
    output = item.recipe["output"]
    size = output["size"] or max(picture.shape[:2])
    rgba = unpremultiply(
        flatten_and_upscale(picture, size, palette_from_codes(item.inks))
        if "flat" in output
        else upscale(picture, size)
    )
    recipe = public_params(item.recipe, prompt=keep_prompt)
    write_whole(
        item.path,
        encode_image(rgba, recipe, f"stickerforge {__version__}", item.recipe["output"]["format"]),
    )
