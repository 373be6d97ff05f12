"""Where a ControlNet is, by the name or folder that a call gives, and whether it fits a model.

Imports no torch, so that it can be checked at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from stickerforge.config.description import Bounds
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard, read_schema
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.families.specs import family_spec
from stickerforge.models.hub_place import HubPlace, find_place
from stickerforge.models.model_files import check_files
from stickerforge.models.network_config import CONFIG, Channels, Levels, read_network_config

V1_1 = "lllyasviel/control_v11p_sd15_"  # ControlNet 1.1, which has weights as safetensors
# By the width of the texts that a model reads, and the kind of control picture. Those of Stable
# Diffusion 2 vary, and that for tiles is pickled.
USUAL = {
    768: {
        "edges": f"{V1_1}canny",
        "canny": f"{V1_1}canny",
        "depth": "lllyasviel/control_v11f1p_sd15_depth",
        "lineart": f"{V1_1}lineart",
        "mlsd": f"{V1_1}mlsd",
        "normal": f"{V1_1}normalbae",
        "pose": f"{V1_1}openpose",
        "scribble": f"{V1_1}scribble",
        "segmentation": f"{V1_1}seg",
        "softedge": f"{V1_1}softedge",
    },
    2048: {
        "edges": "diffusers/controlnet-canny-sdxl-1.0",
        "canny": "diffusers/controlnet-canny-sdxl-1.0",
        "depth": "diffusers/controlnet-depth-sdxl-1.0",
    },
}
SIZES = {768: 1445, 2048: 5004}  # of each, in MB
MEGABYTES = {name: SIZES[width] for width, kinds in USUAL.items() for name in kinds.values()}
FAMILIES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x"}
SETTING = "control.model"
GIVE = f"give --set {SETTING}=PLACE, a ControlNet in the format of diffusers"
CLASS = "ControlNetModel"
STEM = "diffusion_pytorch_model"  # of the names of weights, in one file or in several
Layers = Annotated[int, Bounds(1, 100)]


@dataclass(frozen=True)
class ControlNetConfig:
    """The schema of what must be the same in a ControlNet as in its model, and a little more.

    Args:
        block_out_channels, layers_per_block: of its levels, whose results are added to those of the
            model.
        in_channels: of the latents.
        cross_attention_dim: width of the texts.
        addition_embed_type: what is read beside these; "text_time" in Stable Diffusion XL.
        conditioning_channels: of the control picture.
        conditioning_embedding_out_channels: of what makes latents of it; each but the last halves.
        global_pool_conditions: whether its results say nothing of places.
    """

    _class_name: str = ""
    block_out_channels: Levels = (320, 640, 1280, 1280)
    layers_per_block: Layers | tuple[Layers, ...] = 2
    in_channels: Channels = 4
    cross_attention_dim: Channels | Levels = 1280
    addition_embed_type: str | None = None
    conditioning_channels: Channels = 3
    conditioning_embedding_out_channels: Levels | None = (16, 32, 96, 256)
    global_pool_conditions: bool | None = False


class ControlPlace(HubPlace):
    """A ControlNet, which may still have to be fetched."""

    WHAT, SETTING, GIVE, MEGABYTES = "ControlNet", SETTING, GIVE, MEGABYTES
    # Some repositories hold other weights beside them, as large.
    FILES = (CONFIG, "*.index.json", f"{STEM}.safetensors", f"{STEM}-*-of-*.safetensors")

    @property
    def usual_weights(self) -> float:
        """How many weights one has whose size is known."""
        return self.MEGABYTES.get(self.title, 0) * 1e6 / 4

    def fetch(self, card: ModelCard, *, offline: bool, say: Callable[[str], None]) -> Path:
        """The folder, fetched where it is not here yet.

        Args:
            card: of the model that it must fit.

        Raises:
            InputError: the hub has no such ControlNet, or it does not fit.
            EnvironmentFault: it cannot be had here.
        """
        if self.folder:  # it was checked when it was found
            return self.folder
        if not offline:  # a few bytes tell whether gigabytes are of any use
            config = self.fetch_folder(offline=False, say=lambda line: None, weights=False)
            check_config(config, self.title, card)
        folder = self.fetch_folder(offline=offline, say=say)
        check_control(folder, self.title, card)
        return folder


def usual_control(kind: str, card: ModelCard) -> str:
    """The ControlNet for a kind of control picture where none is named, owner/name of the hub.

    Args:
        kind: "edges", "pose" and so on.

    Raises:
        InputError: there is no usual one.
    """
    width = read_network_config(card.folder / family_spec(card.folder).denoiser).cross_attention_dim
    usual = USUAL.get(width, {}) if isinstance(width, int) else {}
    if kind not in usual:
        raise InputError(f"there is no usual ControlNet for {kind} and {card.title}", GIVE)
    return usual[kind]


def find_control(place: str, card: ModelCard) -> ControlPlace:
    """A ControlNet by its folder, or as owner/name or owner/name/folder of the hub.

    Args:
        card: of the model that it must fit.

    Raises:
        InputError: it is neither, or what is here does not fit.
    """
    return find_place(
        ControlPlace,
        place,
        lambda folder, title: check_control(folder, title, card),
        partial(files_fingerprint, folders=False),  # one that is renamed stays the same
    )


def check_control(folder: Path, title: str, card: ModelCard) -> None:
    """Make sure that a folder holds a ControlNet that fits a model.

    Args:
        title: what to call it.

    Raises:
        InputError: it does not.
        EnvironmentFault: what was fetched is broken.
    """
    check_config(folder, title, card)
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{title} has no safetensors weights, and pickled ones are never read", GIVE
        )


def check_config(folder: Path, title: str, card: ModelCard) -> None:
    """Make sure that the configuration in a folder is that of a ControlNet that fits a model.

    Args:
        title: what to call it.

    Raises:
        InputError: it is not.
        EnvironmentFault: what was fetched is broken.
    """
    if not (folder / CONFIG).exists():
        raise InputError(f"{title} holds no ControlNet: no {CONFIG}", GIVE)
    check_files(folder)
    own = read_schema(folder / CONFIG, ControlNetConfig)
    if own._class_name != CLASS:
        kind = own._class_name[:60] or "something else"
        raise InputError(f"{title} is a {kind}, and --control takes a {CLASS}", GIVE)
    if fault := misfit(own, card):
        raise InputError(
            f"the ControlNet {title} {fault}", f"give --set {SETTING}=PLACE, one for this model"
        )


def misfit(own: ControlNetConfig, card: ModelCard) -> str:
    """What of a ControlNet does not fit a model; "" where all does."""
    denoiser = card.folder / family_spec(card.folder).denoiser
    model = read_schema(denoiser / CONFIG, ControlNetConfig)
    if own.addition_embed_type != model.addition_embed_type:
        of_xl = own.addition_embed_type == "text_time"
        return f"is {'' if of_xl else 'not '}for Stable Diffusion XL, and {card.title} is" + (
            " another model" if of_xl else ""
        )
    if (width := own.cross_attention_dim) != model.cross_attention_dim:
        family = FAMILIES.get(width, "") if isinstance(width, int) else ""
        reads = f"is for {family}: it reads" if family else "reads"
        return f"{reads} texts of width {width}, those of {card.title} have width" + (
            f" {model.cross_attention_dim}"
        )
    if own.in_channels != model.in_channels:
        return f"reads latents of {own.in_channels} channels, and {card.title} has" + (
            f" {model.in_channels}"
        )
    levels = [
        (part.block_out_channels, per_level(part.layers_per_block, len(part.block_out_channels)))
        for part in (own, model)
    ]
    if levels[0] != levels[1]:
        return f"is for another model: its levels are not those of {card.title}"
    if own.conditioning_channels != 3:
        return f"reads control pictures of {own.conditioning_channels} channels, and there are 3"
    if own.global_pool_conditions:
        return "takes of a picture what is in it and not where, which --control does not offer"
    halvings = read_network_config(card.folder / "vae").halvings
    if len(own.conditioning_embedding_out_channels or (16, 32, 96, 256)) - 1 != halvings:
        return f"makes latents of another size than {card.title}"
    return ""


def per_level(layers: int | tuple[int, ...], levels: int) -> tuple[int, ...]:
    """How many layers each level has."""
    return layers if isinstance(layers, tuple) else (layers,) * levels
