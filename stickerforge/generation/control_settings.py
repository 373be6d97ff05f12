"""Repeating an image that followed a control picture: where that picture is, and its ControlNet.

The image's file may be a stranger's: it names files without folders, and only a file of the very
content is taken for one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stickerforge.config.schema import GenerateConfig
from stickerforge.config.schema.control import ControlConfig
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.control import ControlPlan
from stickerforge.generation.control_pictures import KINDS, OPTION
from stickerforge.generation.image_references import MAX_SCALE
from stickerforge.generation.image_settings import HINT, short_value
from stickerforge.generation.init_settings import digest_of, file_name
from stickerforge.models.control_place import MEGABYTES, SETTING, ControlPlace
from stickerforge.models.hub_place import cached, is_hub_place


def remembered_control(params: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """{dotted name: value} of what an image's parameters say of the control it followed.

    Its file is looked for here, and in the folder of the image; the ControlNet is named where it is
    one of the hub.

    Raises:
        InputError: they say what no image can say.
    """
    control = control_of(params)
    if control is None:
        return {}
    settings = {
        f"control.{name}": short_value(f"control.{name}", control[name])
        for name in ("start", "end")
        if name in control
    }
    if not control.get("fingerprint"):
        settings[SETTING] = control["model"]
    if file := find_picture(params, folder):
        settings["control.pictures"] = [f"{control['kind']}:{file}:{float(control['scale'])!r}"]
    return settings


def control_of(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an image's parameters say of its control; None where it had none.

    Raises:
        InputError: they say what no image can say.
    """
    control = params.get("control")
    if not isinstance(control, dict):
        return None
    scale = control.get("scale")
    known = control.get("kind") in KINDS and isinstance(control.get("sha256"), str)
    # Without either the usual ControlNet would be fetched, unasked.
    model = short_value(SETTING, control.get("model"))
    known &= bool(control.get("fingerprint")) or (isinstance(model, str) and is_hub_place(model))
    if not known or not isinstance(scale, int | float) or not 0 <= scale <= MAX_SCALE:
        raise InputError("the picture says what cannot be as its control", HINT)
    return control


def find_picture(params: Mapping[str, Any], folder: Path) -> str:
    """The control picture of an image, here or in a folder, with the very content; else ""."""
    name, digest = file_name(params, "control"), params["control"]["sha256"]
    paths = (Path(name), folder / name) if name else ()
    return next((str(path) for path in paths if digest_of(path) == digest), "")


def check_control_files(
    params: Mapping[str, Any], config: GenerateConfig, asked: ControlConfig, picture: Path
) -> None:
    """Make sure that what an image followed is here, and that nothing is fetched for it.

    Args:
        params: of the image.
        config: the settings in force.
        asked: those of the call alone.
        picture: the image's file.

    Raises:
        InputError: the control picture or the ControlNet must be given.
        EnvironmentFault: the ControlNet would have to be fetched, and the call does not say so.
    """
    control = control_of(params)
    if control is None:
        return
    if not config.control.pictures:
        if find_picture(params, picture.parent):
            return  # it is here, and the call says that nothing is followed
        name = file_name(params, "control")
        said = name or "of an unknown name"
        raise InputError(
            f"{picture} followed a control picture that is not here: {said}",
            f"give {OPTION} {control['kind']}:{name or 'FILE'}:{control['scale']:g}",
        )
    if asked.model:
        return
    if control.get("fingerprint"):
        raise InputError(
            f"{picture} was made with the ControlNet of a folder", f"give --set {SETTING}=FOLDER"
        )
    model = config.control.model
    if is_hub_place(model) and cached(ControlPlace, model) is None:
        size = f" ({MEGABYTES[model]} MB)" if model in MEGABYTES else ""
        raise EnvironmentFault(
            f"the picture needs the ControlNet {model}, which is not here",
            f"add --set {SETTING}={model} to fetch it{size}",
        )


def warn_of_other_control(
    params: Mapping[str, Any], control: ControlPlan | None, warn: Callable[[str], None]
) -> None:
    """Warn where an image followed another control picture, or ControlNet, than this call does.

    Args:
        params: of the image that is repeated; empty where none is.
    """
    before = params.get("control")
    if not isinstance(before, dict):
        return
    now = control.params() if control else {}
    for names, what in (
        (("kind", "sha256", "scale"), "control picture or scale"),
        (("fingerprint",) if "fingerprint" in before else ("model",), "ControlNet"),
    ):
        if any(now.get(name) != before.get(name) for name in names):
            warn(f"the picture followed another {what} than now: the new one will differ")
