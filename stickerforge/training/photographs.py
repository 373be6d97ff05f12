"""The pictures of a call, and what is said before a model of drawings learns from photographs."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from stickerforge.config.schema import CustomizeConfig
from stickerforge.data.picture_folder import PictureFolder, read_folder
from stickerforge.models.matting import DEFAULT
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import shorten_list
from stickerforge.training.loss_masks import check_masks
from stickerforge.training.plan import TrainingPlan

LARGER_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
CUT = "-cut"  # a folder of cut-outs is named after that of their pictures


def read_pictures(config: CustomizeConfig, plan: TrainingPlan, console: Console) -> PictureFolder:
    """The pictures that can be used, with their masks; warns of what the model cannot learn.

    Args:
        config: as the user gave it, whose paths are those of messages.

    Raises:
        InputError: there is none.
    """
    folder = read_folder(Path(config.pictures))
    warn_of_photographs(plan, folder, console)
    check_masks(config.mask, folder)
    return folder


def warn_of_photographs(plan: TrainingPlan, folder: PictureFolder, console: Console) -> None:
    """Warn where a model of drawings is to learn from photographs; with commands to paste."""
    photographs = [picture for picture in folder.pictures if picture.photograph]
    # One drawing in twenty looks like a photograph, but not half of several.
    if plan.card.knows_photographs or 2 * len(photographs) < len(folder.pictures):
        return
    names = shorten_list([picture.path.name for picture in photographs], 3)
    console.warn(
        f"{plan.card.title} was trained on drawings alone: it will keep little more than the "
        f"colours of photographs ({names})"
    )
    console.warn(f"a larger model keeps more: {larger_model_command(plan.config)}")
    if any(picture.opaque for picture in photographs):
        console.warn(f"without their ground it keeps more: {cut_out_command(plan.config)}")


def larger_model_command(config: CustomizeConfig) -> str:
    """The call with a model that knows photographs."""
    return customize_command(config, config.pictures, ("--model", LARGER_MODEL))


def cut_out_command(config: CustomizeConfig) -> str:
    """Cutting the pictures out, and the call with what that makes."""
    source = Path(config.pictures)
    is_folder = source.is_dir()
    target = str(source.with_name(f"{source.name if is_folder else source.stem}{CUT}"))
    target = target if is_folder else f"{target}.png"
    cut_out = shlex.join(["rembg", "p" if is_folder else "i", "-m", DEFAULT, str(source), target])
    model = () if config.model == "sticker-mini" else ("--model", config.model)
    return f"{cut_out} && {customize_command(config, target, model)}"


def customize_command(config: CustomizeConfig, pictures: str, options: Sequence[str]) -> str:
    """A call that teaches the same thing; settings of training are left to what the model wants."""
    kind = ("--subject", config.subject) if config.subject else ("--style", config.style)
    class_words = ("--class", config.class_words) if config.class_words else ()
    slug = (config.subject or config.style).strip().lower()
    name = ("--name", config.name) if config.name and config.name != slug else ()
    return shlex.join(["stickerforge", "customize", pictures, *kind, *class_words, *name, *options])
