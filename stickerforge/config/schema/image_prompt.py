"""The settings of image prompts, a part of those of `stickerforge generate`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.setting import setting

ImageFit = Literal["crop", "stretch", "pad"]
ImageBlocks = Literal["all", "style", "layout"]


@dataclass(frozen=True)
class ImagePromptConfig:
    """Pictures that are a prompt beside the text (IP-Adapter, arXiv:2308.06721)."""

    pictures: tuple[str, ...] = setting(
        (),
        "A picture to draw like, with an image adapter; may be given again.",
        details="Its scale, 0 to 2, follows a colon. Pictures without one share 0.5, or 1 where"
        " there is no prompt.",
        flag="--image-prompt",
        metavar="FILE[:SCALE]",
        path=True,
    )
    masks: tuple[str, ...] = setting(
        (),
        "A mask for each of these pictures, white where it acts on what is drawn.",
        details="As many as pictures, in their order, each a square of any size. Grey weakens the"
        " picture, where a mask is black it does nothing.",
        metavar="FILE",
        path=True,
    )
    encoder: str = setting(
        "",
        "The image encoder that the image adapter was trained with: a folder, or owner/name or"
        " owner/name/folder of the hub.",
        default_text="as the adapter says, else that of the official files, in h94/IP-Adapter",
        path=True,
    )
    fit: ImageFit = setting(
        "crop",
        "How a picture becomes the square that the encoder reads.",
        details="crop takes its middle, stretch squeezes all of it, pad lays it on its ground.",
    )
    ground: str = setting(
        "ffffff",
        "What transparent pictures and those with image_prompt.fit=pad are laid on, as rrggbb.",
        metavar="RRGGBB",
    )
    blocks: ImageBlocks = setting(
        "all",
        "The layers that see the picture: all, those of style, or those of layout.",
        details="style and layout are blocks of Stable Diffusion XL (InstantStyle,"
        " arXiv:2404.02733).",
    )
    start: float = setting(
        0.0, "The share of the steps after which the picture counts.", low=0.0, high=1.0
    )
    end: float = setting(
        1.0, "The share of the steps until which the picture counts.", low=0.0, high=1.0
    )
