"""A classifier of unsafe pictures: an image classification of transformers, on a user's weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError
from stickerforge.models.encoders import pad_to_square
from stickerforge.models.hub import download, model_repository
from stickerforge.models.judge.model import on_ground
from stickerforge.models.model_files import check_files
from stickerforge.models.pretrained import load_pretrained
from stickerforge.models.weights import load_complete, load_faults
from stickerforge.runtime.device import resolve_device
from stickerforge.stickers.color import WHITE

WHAT = "safety classifier"
PATTERNS = ("*.json", "model*.safetensors")
MANY = "multi_label_classification"  # labels that do not exclude each other


class SafetyClassifier:
    """The probability that a picture is unsafe, by the labels that mean so."""

    def __init__(self, folder: Path, labels: Sequence[str], device: torch.device) -> None:
        """Load it.

        Raises:
            InputError: the folder holds something else, or a classifier without these labels.
            EnvironmentFault: there is too little memory.
        """
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self.device = device
        with load_faults(folder, "an image classifier of transformers"):
            self.model: Any = load_complete(AutoModelForImageClassification, folder)
            self.processor: Any = load_pretrained(AutoImageProcessor, folder)
            self.model.to(device).eval()
            self.probabilities([Image.new("RGB", (64, 64), "gray")])
        names = {int(at): str(name) for at, name in self.model.config.id2label.items()}
        wanted = {label.strip().lower() for label in labels}
        self.unsafe = [at for at, name in names.items() if name.strip().lower() in wanted]
        if not self.unsafe:
            raise InputError(
                f"{folder.name} has none of the labels {', '.join(sorted(wanted))}: its own are "
                f"{', '.join(list(names.values())[:12])}",
                "name those that mean unsafe in the setting safety_labels",
            )

    @torch.inference_mode()
    def probabilities(self, pictures: Sequence[Image.Image]) -> Any:
        """Of every label, (N, labels), for pictures laid on white."""
        inputs = self.processor(
            [pad_to_square(on_ground(picture, WHITE), WHITE) for picture in pictures],
            return_tensors="pt",
        )
        logits = self.model(**inputs.to(self.device)).logits.float()
        many = self.model.config.problem_type == MANY
        return (logits.sigmoid() if many else logits.softmax(1)).cpu()

    def scores(self, pictures: Sequence[Image.Image]) -> list[float]:
        """The probability of any unsafe label: their sum, at most 1.

        Raises:
            InputError: the model gives no number.
        """
        sums = self.probabilities(pictures)[:, self.unsafe].sum(1)
        if not bool(sums.isfinite().all()):
            raise InputError(
                "the safety classifier gives no number", "check its weights, or leave it out"
            )
        return [float(value) for value in sums.clamp(max=1)]


def load_safety(
    place: str,
    labels: Sequence[str],
    *,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> SafetyClassifier:
    """A classifier in a folder, or by owner/name of the hub.

    Raises:
        InputError: there is nothing of the kind.
        EnvironmentFault: it is real but cannot be had here.
    """
    folder = model_folder(place, WHAT, PATTERNS, offline=offline, say=say)
    return SafetyClassifier(folder, labels, resolve_device(device))


def model_folder(
    place: str,
    what: str,
    patterns: Sequence[str],
    *,
    offline: bool,
    say: Callable[[str], None],
) -> Path:
    """The folder of a model of transformers that a setting names.

    Args:
        place: a folder, or owner/name of the hub.
        what: it is to be, for messages.
        patterns: of the files that are needed.

    Raises:
        InputError: there is no such folder, or it holds what is not read.
        EnvironmentFault: it cannot be fetched.
    """
    folder = Path(user_path(place))
    if repository := model_repository(place, what):
        folder = download(repository, offline=offline, say=say, patterns=patterns)
    check_files(folder)
    return folder
