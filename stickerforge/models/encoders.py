"""What turns pictures and sentences into unit vectors: the judge that ships, or CLIP, SigLIP, DINOv2 by their real weights.

Shapes: N pictures or texts, D features.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError

from stickerforge.errors import InputError
from stickerforge.models.catalog import HUB_NAME, fetched
from stickerforge.models.judges import Judging, judging, on_ground
from stickerforge.models.weights import fingerprint_of_files

ON_HUB = {
    "clip": "openai/clip-vit-large-patch14",
    "siglip": "google/siglip-base-patch16-224",
    "dinov2": "facebook/dinov2-large",
}
JUDGES = ("judge", "second")
Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """One of them, by the name that its figures carry.

    Args:
        digest: changes with its weights.
        reads_text: whether sentences can be compared with pictures.
    """

    name: str
    digest: str
    reads_text: bool

    def images(self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]) -> Vectors:
        """Pictures of any size laid on a ground, (N, D)."""

    def texts(self, sentences: Sequence[str]) -> Vectors:
        """(N, D)."""


class JudgeEncoder:
    """A judge that ships."""

    reads_text = True

    def __init__(self, judge: Judging) -> None:
        self.judge, self.name, self.digest = judge, judge.name, judge.sha256[:16]

    def images(self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]) -> Vectors:
        """See Encoder."""
        found: Vectors = self.judge.encode_image(self.judge.pictures(pictures, ground)).numpy()
        return found

    def texts(self, sentences: Sequence[str]) -> Vectors:
        """See Encoder."""
        found: Vectors = self.judge.encode_text(sentences).numpy()
        return found


class HubEncoder:
    """A model of transformers that has towers or a pooled output."""

    def __init__(self, name: str, folder: Path) -> None:
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        try:
            self.model: Any = AutoModel.from_pretrained(folder, use_safetensors=True, local_files_only=True).eval()
            self.processor: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise InputError(
                f"{folder} holds no encoder that can be read: {reason}", "give a transformers folder with safetensors"
            ) from None
        self.reads_text = hasattr(self.model, "get_text_features")
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True) if self.reads_text else None
        self.name, self.digest = name, fingerprint_of_files(folder)

    @torch.inference_mode()
    def images(self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]) -> Vectors:
        """See Encoder."""
        inputs = self.processor([on_ground(picture, ground) for picture in pictures], return_tensors="pt")
        return unit(self.model.get_image_features(**inputs) if hasattr(self.model, "get_image_features") else self.model(**inputs))

    @torch.inference_mode()
    def texts(self, sentences: Sequence[str]) -> Vectors:
        """See Encoder."""
        longest = self.model.config.text_config.max_position_embeddings
        inputs = self.tokenizer(list(sentences), padding="max_length", truncation=True, max_length=longest, return_tensors="pt")
        return unit(self.model.get_text_features(**inputs))


def unit(output: Any) -> Vectors:
    """The pooled vectors of a model's output, of unit length."""
    vectors = output if isinstance(output, torch.Tensor) else output.pooler_output
    found: Vectors = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return found


@cache
def encoder(name: str, *, offline: bool = False, say: Callable[[str], None] = lambda line: None) -> Encoder:
    """An encoder by name: a judge, clip, siglip, dinov2, a folder, or owner/name of the hub.

    Raises:
        InputError: nothing is called that, or it cannot be read.
        EnvironmentFault: it is real but cannot be had here.
    """
    if name in JUDGES:
        return JudgeEncoder(judging(name))
    if name not in ON_HUB and Path(name).expanduser().is_dir():
        return HubEncoder(Path(name).expanduser().resolve().name, Path(name).expanduser())
    repository = ON_HUB.get(name, name)
    if not HUB_NAME.fullmatch(repository) or name.startswith("."):
        raise InputError(f"unknown encoder {name!r}", f"give {', '.join([*JUDGES, *ON_HUB])}, or a folder")
    return HubEncoder(name, fetched(repository, offline=offline, say=say, wanted=("*.json", "*.txt", "model*.safetensors")))
