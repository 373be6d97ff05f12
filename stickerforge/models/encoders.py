"""Encoders from images and sentences to unit vectors: the judges that ship, CLIP, SigLIP, DINOv2.

Shapes: N images or texts, D features.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from stickerforge.errors import InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.hub import JUDGES, download, encoder_repository
from stickerforge.models.judge.model import Judge, load_judge, on_ground
from stickerforge.models.model_files import check_files
from stickerforge.models.pretrained import load_pretrained
from stickerforge.models.weights import load_complete, load_faults
from stickerforge.runtime.device import resolve_device
from stickerforge.sampling.prompt_segments import fit

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """An encoder, by the name that its scores carry.

    Args:
        digest: changes with its weights.
        reads_text: whether sentences can be compared with images.
    """

    name: str
    digest: str
    reads_text: bool

    @property
    def judge(self) -> Judge | None:
        """The judge behind it, which also reads things, styles, colours and counts."""

    def images(self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]) -> Vectors:
        """Unit vectors of images of any size, laid on a ground, (N, D)."""

    def examine(
        self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]
    ) -> tuple[Vectors, Vectors]:
        """As `images`, and the judge's readings, (N, all of them); (N, 0) without a judge."""

    def texts(self, sentences: Sequence[str]) -> Vectors:
        """Unit vectors of sentences, (N, D), each read as far as it fits."""

    def count_tokens(self, text: str) -> int:
        """The tokens of a text."""

    @property
    def text_tokens(self) -> int:
        """How many tokens of a text are read."""


def encode_texts(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """Vectors of texts of any length, (N, D): unit vectors of those that fit.

    That of a longer one is the mean over parts that fit, not normalized, as LongAlign has it
    (arXiv:2410.11817): its cosine with an image is the mean of those of the parts.
    """
    parts = [fit([text], encoder.count_tokens, encoder.text_tokens) for text in texts]
    if all(len(own) < 2 for own in parts):
        return encoder.texts(texts)
    return np.stack(
        [encoder.texts(own or [text]).mean(0) for text, own in zip(texts, parts, strict=True)]
    )


class JudgeEncoder:
    """A judge that ships."""

    reads_text = True

    def __init__(self, judge: Judge) -> None:
        self.judge, self.name, self.digest = judge, judge.name, judge.sha256[:16]

    def images(self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]) -> Vectors:
        """See Encoder."""
        vectors: Vectors = self.judge.encode_image(self.judge.pictures(pictures, ground)).numpy()
        return vectors

    def examine(
        self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]
    ) -> tuple[Vectors, Vectors]:
        """See Encoder: probabilities of labels, styles, colours and counts side by side."""
        vectors, readings = self.judge.encode_and_read(self.judge.pictures(pictures, ground))
        probabilities = [
            readings.presence.sigmoid(),
            readings.style.softmax(1),
            readings.colours.sigmoid(),
            readings.count.softmax(1),
        ]
        return vectors.numpy(), torch.cat(probabilities, 1).numpy()

    def texts(self, sentences: Sequence[str]) -> Vectors:
        """See Encoder."""
        vectors: Vectors = self.judge.encode_text(sentences).numpy()
        return vectors

    def count_tokens(self, text: str) -> int:
        """See Encoder."""
        return len(self.judge.tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def text_tokens(self) -> int:
        """See Encoder."""
        return self.judge.network.shape.length


class HubEncoder:
    """A model of transformers with image features or a pooled output; its folder runs no code."""

    judge = None

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        self.name, self.device = name, device
        self.digest = files_fingerprint(sorted(folder.glob("*.*")))
        with load_faults(folder, "a transformers encoder of images"):
            self.model: Any = load_complete(AutoModel, folder).to(device).eval()
            self.processor: Any = load_pretrained(AutoImageProcessor, folder)
            self.reads_text = hasattr(self.model, "get_text_features")
            self.tokenizer: Any = (
                load_pretrained(AutoTokenizer, folder) if self.reads_text else None
            )
            self.images([Image.new("RGB", (64, 64), "gray")], (0, 0, 0))
            if self.reads_text:
                self.texts(["a"])

    @torch.inference_mode()
    def images(self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]) -> Vectors:
        """See Encoder. Images are padded to squares first: processors crop others."""
        inputs = self.processor(
            [pad_to_square(on_ground(picture, ground), ground) for picture in pictures],
            return_tensors="pt",
        ).to(self.device)
        return self.finite(self.image_features(inputs))

    def image_features(self, inputs: Mapping[str, Any]) -> Tensor:
        """Unit vectors (N, D) of images as the processor makes them, on the model's device."""
        if hasattr(self.model, "get_image_features"):
            return unit_features(self.model.get_image_features(**inputs))
        return unit_features(self.model(**inputs))

    def examine(
        self, pictures: Sequence[Image.Image], ground: tuple[int, int, int]
    ) -> tuple[Vectors, Vectors]:
        """See Encoder."""
        return self.images(pictures, ground), np.zeros((len(pictures), 0), np.float32)

    @torch.inference_mode()
    def texts(self, sentences: Sequence[str]) -> Vectors:
        """See Encoder."""
        longest = self.model.config.text_config.max_position_embeddings
        inputs = self.tokenizer(
            list(sentences),
            padding="max_length",
            truncation=True,
            max_length=longest,
            return_tensors="pt",
        )
        return self.finite(unit_features(self.model.get_text_features(**inputs.to(self.device))))

    def count_tokens(self, text: str) -> int:
        """See Encoder."""
        return len(self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    @property
    def text_tokens(self) -> int:
        """See Encoder: what fits beside the marks of start and end."""
        longest = int(self.model.config.text_config.max_position_embeddings)
        return longest - int(self.tokenizer.num_special_tokens_to_add())

    def finite(self, features: Tensor) -> Vectors:
        """Features on the CPU.

        Raises:
            InputError: they are no numbers, by which nothing can be compared.
        """
        unit: Vectors = features.cpu().numpy()
        if not np.isfinite(unit).all():
            raise InputError(
                f"{self.name} makes features that are not finite", "give another encoder"
            )
        return unit


def unit_features(output: Any) -> Tensor:
    """The pooled vectors of a model's output, of unit length, (N, D) in float32."""
    vectors = output if isinstance(output, Tensor) else output.pooler_output
    return F.normalize(vectors.float().flatten(1), dim=-1)


def pad_to_square(image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    """An RGB image in the middle of a square of its ground."""
    side = max(image.size)
    page = Image.new("RGB", (side, side), ground)
    page.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return page


def load_encoder(
    name: str,
    *,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Encoder:
    """An encoder by name: a judge, clip, siglip, dinov2, a folder, or owner/name of the hub.

    The judges stay on the CPU.

    Raises:
        InputError: nothing is called that, or it cannot be read.
        EnvironmentFault: it is real but cannot be had here.
    """
    repository = encoder_repository(name)
    if name in JUDGES:
        return JudgeEncoder(load_judge(name))
    folder = Path(name)
    if repository:
        folder = download(
            repository,
            offline=offline,
            say=say,
            patterns=("*.json", "*.txt", "*.model", "model*.safetensors"),
        )
    check_files(folder)
    return HubEncoder(name if repository else folder.resolve().name, folder, resolve_device(device))
