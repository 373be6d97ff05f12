"""Features under the hash of their image, so that a second call costs nothing."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stickerforge.errors import StickerforgeError
from stickerforge.evaluation.image_set import ImageFeatures
from stickerforge.runtime.files import home, make_folder, write_whole

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

VERSION = 4  # of what is kept; another one is measured anew
SPOILED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    SafetensorError,
)  # a file that was cut short or is something else


def feature_folder(encoder: "Encoder") -> Path | None:
    """Where figures by an encoder are kept; None where nothing can be written, which costs time and nothing else."""
    folder = (
        home()
        / "cache"
        / "evaluate"
        / f"{encoder.name[:40].replace('/', '-')}-{encoder.digest}-{VERSION}"
    )
    try:
        make_folder(folder)
    except StickerforgeError:
        return None
    return folder


def write_features(measured: ImageFeatures, folder: Path) -> Path | None:
    """Write what was measured under the picture's hash; None where nothing more can be written."""
    facts = {
        "size": measured.size,
        "form": measured.form,
        "pixels": measured.pixels,
        "cutout": measured.cutout,
    }
    facts |= {"recipe": measured.recipe}
    arrays: dict[str, NDArray[Any]] = {
        "whole": measured.whole,
        "foreground": measured.foreground,
        "small": measured.small.astype(np.float16),
        "read": measured.read,
    }
    arrays |= {
        "thumbnail": np.frombuffer(measured.thumbnail, np.uint8),
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
    }
    try:
        write_whole(folder / f"{measured.sha256}.safetensors", save(arrays), durable=False)
    except StickerforgeError:
        return None
    return folder


def read_features(path: Path, folder: Path) -> ImageFeatures | None:
    """What is kept of this very content, if anything that can be read is."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        kept = load((folder / f"{digest}.safetensors").read_bytes())
        facts = json.loads(kept["facts"].tobytes())
        width, height = facts["pixels"]
        return ImageFeatures(
            path,
            digest,
            facts["size"],
            facts["form"],
            (width, height),
            facts["cutout"],
            kept["whole"],
            kept["foreground"],
            kept["read"],
            kept["small"].astype(np.float32),
            kept["thumbnail"].tobytes(),
            facts["recipe"],
        )
    except SPOILED:
        return None
