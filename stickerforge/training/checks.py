"""What is wrong with settings and pictures, said before anything takes long."""

from importlib.util import find_spec
from pathlib import Path

from stickerforge.config.schema import MAX_SEED, CustomizeConfig, TrainingConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.data.captions import check_caption, leave_out_unreadable
from stickerforge.data.picture_folder import PictureFolder, describe_skipped
from stickerforge.data.prompts import check_prompt
from stickerforge.errors import EnvironmentFault, InputError, nearest
from stickerforge.runtime.console import Console
from stickerforge.runtime.install_hints import install_command


def check_config(config: CustomizeConfig) -> None:
    """Make sure that settings do not contradict each other.

    Raises:
        InputError: they do.
        EnvironmentFault: a setting needs a package that is not installed.
    """
    if not Path(config.pictures).exists():
        raise InputError(f"no folder {config.pictures}", "check the path")
    if config.keep == "best" and config.validation.every == 0:
        raise InputError(
            "--keep best needs validation, and validation.every is 0",
            "leave validation.every out",
        )
    check_training(config.training, is_style=bool(config.style))
    if config.preview.style and config.preview.style not in style_presets():
        raise InputError(
            f"unknown style {config.preview.style!r} for the preview",
            nearest(config.preview.style, list(style_presets())),
        )
    for prompt in config.preview.prompts:
        check_prompt(prompt, "preview.prompts")


def check_training(training: TrainingConfig, *, is_style: bool) -> None:
    """Make sure that the settings of training do not contradict each other.

    Raises:
        InputError: they do.
        EnvironmentFault: a setting needs a package that is not installed.
    """
    if training.cached_noise and training.objective == "plain":
        raise InputError(
            "training.cached_noise keeps the base's errors, for which plain training does not ask",
            "leave it out",
        )
    if is_style and training.prior_weight:
        raise InputError(
            "training.prior_weight is about the class of a subject, which a style has not",
            "leave it out",
        )
    check_tensorboard(training.tensorboard)


def check_tensorboard(wanted: bool) -> None:
    """Make sure that metrics can be written for TensorBoard, where they are to be.

    Raises:
        EnvironmentFault: it is not installed.
    """
    if wanted and not find_spec("tensorboard"):
        raise EnvironmentFault(
            "training.tensorboard needs tensorboard, which is not installed",
            f"{install_command('tensorboard')}, or leave it out",
        )


def check_preview_seeds(config: CustomizeConfig, prompts: int) -> None:
    """Make sure that every picture of the preview has a seed that can be given again.

    Args:
        prompts: how many the preview has.

    Raises:
        InputError: a seed would be too large.
    """
    pictures = prompts * config.preview.count
    if config.seed + pictures - 1 > MAX_SEED:
        raise InputError(
            f"the seed {config.seed} is too large for the {pictures} pictures of the preview",
            f"give --seed {MAX_SEED - pictures + 1} or less",
        )


def check_device(name: str) -> None:
    """Make sure that the device is there.

    Raises:
        InputError: there is no such kind of device.
        EnvironmentFault: it is not on this machine.
    """
    # Loads torch, which takes seconds: only after everything else was found in order.
    from stickerforge.runtime.device import resolve_device

    resolve_device(name)


def check_pictures(folder: PictureFolder, placeholder: str, console: Console) -> None:
    """Check the captions of pictures; warn of what is left out, and of what is unusual.

    Args:
        placeholder: that captions may hold; "" for a style.

    Raises:
        InputError: a caption can be read, but not be used, or none can be read.
    """
    for line in describe_skipped(folder.other_files):
        console.warn(line)
    leave_out_unreadable(folder)
    for picture in folder.pictures:
        if picture.note:
            console.warn(picture.note)
        check_caption(picture.path, placeholder)
    for line in folder.unreadable:
        console.warn(f"left out: {line}")
    if len(folder.pictures) == 1:
        console.warn(
            "one picture only: what is beside the subject will be learned as part of it; "
            "three to ten work better"
        )
