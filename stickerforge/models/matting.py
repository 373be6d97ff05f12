"""Cutting out what a model without alpha drew, by rembg with permissively licensed networks.

rembg's own default is for non-commercial use only and is never used here.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.config.user_paths import user_path
from stickerforge.errors import EnvironmentFault, InputError, nearest
from stickerforge.runtime.bounded_files import open_regular
from stickerforge.runtime.files import home
from stickerforge.runtime.install_hints import install_command
from stickerforge.stickers.alpha import Premultiplied

CutOut = Callable[[NDArray[np.uint8]], Premultiplied]
DEFAULT = "isnet-general-use"
REQUIREMENT = "rembg[cpu]"


@dataclass(frozen=True)
class MattingModel:
    """A network that rembg runs: its name there, its licence, size and sum of its weights."""

    name: str
    licence: str
    megabytes: int
    about: str
    sha256: str


MODELS = {
    model.name: model
    for model in (
        MattingModel(
            "isnet-general-use",
            "Apache-2.0",
            179,
            "any subject",
            "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
        ),
        MattingModel(
            "isnet-anime",
            "Apache-2.0",
            176,
            "drawn characters",
            "f15622d853e8260172812b657053460e20806f04b9e05147d49af7bed31a6e99",
        ),
    )
}


def matting_model(name: str) -> MattingModel:
    """The model of this name; "auto" is the default one.

    Raises:
        InputError: it is not among those with a permissive licence.
    """
    name = DEFAULT if name == "auto" else name
    if name not in MODELS:
        raise InputError(
            f"unknown matting model {name!r}", nearest(name, [*MODELS, "none", "auto"])
        )
    return MODELS[name]


def weights_folder() -> Path:
    """Where the matting weights are kept, unless REMBG_HOME or U2NET_HOME say otherwise."""
    given = os.environ.get("U2NET_HOME") or os.environ.get("REMBG_HOME")
    return Path(user_path(given)) if given else home() / "matting"


def weights_file(model: MattingModel) -> Path:
    """Where rembg looks first, and where it saves what it fetches."""
    return weights_folder() / "models" / model.name / f"{model.name}.onnx"


@contextmanager
def kept_threads() -> Iterator[None]:
    """Keep the number of threads that PyTorch computes with.

    numba, which pymatting is written in, sets OpenMP's for the whole process to the number of
    cores when it is loaded: with another number of threads than the user's sums are rounded
    otherwise, and two threads beside other work stall.
    """
    import torch  # takes a second, and most of who asks for this module cuts nothing out

    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)


def load_cut_out(model: MattingModel, *, offline: bool) -> CutOut:
    """A function from uint8 RGB (H, W, 3) to premultiplied RGBA without the ground's colour.

    Raises:
        EnvironmentFault: rembg or the weights are missing, or they are not the published ones.
    """
    os.environ.setdefault("REMBG_HOME", str(weights_folder()))
    try:
        # rembg says on stdout that it lacks onnxruntime, and exits
        with redirect_stdout(StringIO()), kept_threads():
            import rembg
            from onnxruntime.capi import onnxruntime_pybind11_state as runtime
            from pymatting import estimate_foreground_ml
            from rembg.sessions import sessions
    except (ImportError, SystemExit):
        raise EnvironmentFault(
            "cutting out needs rembg, which is not installed",
            f"{install_command(REQUIREMENT)}, or give --set matting=none",
        ) from None
    network = sessions[model.name]
    if offline and network.resolve_existing(f"{model.name}.onnx") is None:
        raise missing_weights(model, "--offline is given")
    try:
        with redirect_stderr(StringIO()):  # its download bar
            verify_weights(model, Path(network.download_models()))
            session = rembg.new_session(model.name)
    except (runtime.Fail, runtime.InvalidProtobuf, runtime.InvalidGraph) as error:
        raise EnvironmentFault(
            f"the weights of {model.name} cannot be read by this onnxruntime",
            f"{install_command(REQUIREMENT)}, or give --set matting=none",
        ) from error
    except (OSError, ValueError) as error:
        raise missing_weights(
            model, (str(error).splitlines() or [type(error).__name__])[0][:80]
        ) from error

    def cut_out(rgb: NDArray[np.uint8]) -> Premultiplied:
        mask = session.predict(Image.fromarray(rgb))[0]
        alpha = np.asarray(mask, np.float64) / 255
        foreground = estimate_foreground_ml(rgb.astype(np.float64) / 255, alpha)
        return np.concatenate([foreground * alpha[..., None], alpha[..., None]], -1).astype(
            np.float32
        )

    return cut_out


def verify_weights(model: MattingModel, file: Path) -> None:
    """Compare weights with the sum that was published, before anything else reads them.

    Raises:
        EnvironmentFault: they are others.
        OSError: they cannot be read.
    """
    with open_regular(file) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != model.sha256:
        raise EnvironmentFault(
            f"{file} is damaged: its sha256 is not the published one",
            "delete that file and run it again",
        )


def weights_state(model: MattingModel) -> str:
    """Whether the weights of a model are here and intact, for people."""
    file = weights_file(model)
    if not file.exists():
        return f"not here: fetched when first used, {model.megabytes} MB"
    try:
        verify_weights(model, file)
    except (EnvironmentFault, OSError) as error:
        return str(error)
    return "intact"


def missing_weights(model: MattingModel, why: str) -> EnvironmentFault:
    """What to fetch, and where to put it."""
    weights = f"{model.name} ({model.licence}, {model.megabytes} MB)"
    file = weights_file(model)
    return EnvironmentFault(
        f"no weights of {weights} for cutting out: {why}",
        f"save {model.name}.onnx of rembg's releases as {file}, or give --set matting=none",
    )
