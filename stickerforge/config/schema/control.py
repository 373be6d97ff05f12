"""The settings of structural control, a part of those of `stickerforge generate`."""

from dataclasses import dataclass

from stickerforge.config.setting import setting


@dataclass(frozen=True)
class ControlConfig:
    """A picture whose structure images follow, by a ControlNet (arXiv:2302.05543)."""

    pictures: tuple[str, ...] = setting(
        (),
        "Follow a picture's edges, pose, depth or the like, by a ControlNet.",
        details="edges finds the edges of the picture; with another kind (canny, depth, lineart,"
        " pose, ...) it is the control picture itself, lines bright on black. Its scale, 0 to 2,"
        " follows a colon where that is not 1. It is laid in the middle of a black square.",
        flag="--control",
        metavar="KIND:FILE[:SCALE]",
        path=True,
    )
    model: str = setting(
        "",
        "The ControlNet: a folder in the format of diffusers, or owner/name or owner/name/folder"
        " of the hub.",
        default_text="ControlNet 1.1 of lllyasviel for the kind (Stable Diffusion 1.x; not for"
        " tile and other), diffusers/controlnet-canny-sdxl-1.0 for edges and canny or"
        " diffusers/controlnet-depth-sdxl-1.0 for depth (XL)",
        path=True,
    )
    start: float = setting(
        0.0,
        "The share of the steps after which the control counts.",
        details="With --init, too, shares are those of the whole schedule.",
        low=0.0,
        high=1.0,
    )
    end: float = setting(
        1.0, "The share of the steps until which the control counts.", low=0.0, high=1.0
    )
