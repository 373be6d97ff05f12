"""Reward models on a user's weights: what people would choose, find beautiful, or call true.

Shapes: N images; D features.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from stickerforge.errors import InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.encoders import HubEncoder, encode_texts, pad_to_square
from stickerforge.models.hub import download
from stickerforge.models.judge.model import on_ground
from stickerforge.models.model_files import check_files
from stickerforge.models.pretrained import load_pretrained
from stickerforge.models.weights import LOAD_ERRORS, load_complete, load_faults
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.stickers.color import WHITE

QUESTION = 'Does this figure show "{}"? Please answer yes or no.'  # of VQAScore
HEAD = [0, 2, 4, 6, 7]  # the linear layers of the aesthetic predictor's version 2
HUB_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
Scores = NDArray[np.float64]


class Reward(Protocol):
    """A reward model.

    Args:
        kind: the metric.
        name: of the weights, which the score carries.
        digest: changes with the weights.
        needs_text: whether it depends on the prompt.
    """

    kind: str
    name: str
    digest: str
    needs_text: bool

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """The scores of images laid on white, (N,)."""


class Preference:
    """A CLIP that was tuned on people's choices.

    Such as PickScore (arXiv:2305.01569) and HPSv2 (arXiv:2306.09341).
    """

    needs_text = True

    def __init__(self, kind: str, name: str, folder: Path, device: torch.device) -> None:
        self.kind, self.name = kind, name
        self.encoder = HubEncoder(name, folder, device)
        self.digest = self.encoder.digest
        if not self.encoder.reads_text or not hasattr(self.encoder.model, "logit_scale"):
            raise InputError(
                f"{folder} is no CLIP",
                f"--reward {kind} takes one that was tuned on people's choices",
            )
        self.scale = float(self.encoder.model.logit_scale.detach().exp())

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """Logit scale times cosine; the mean over parts of a prompt that is not read at once."""
        cosines = (
            self.encoder.images(pictures, WHITE).astype(np.float64)
            * encode_texts(self.encoder, prompts)
        ).sum(1)
        return np.asarray(self.scale * cosines)


class Aesthetic:
    """CLIP's image features under a small head that was fitted to people's ratings.

    LAION's aesthetic predictor, version 2.
    """

    needs_text = False

    def __init__(self, kind: str, name: str, folder: Path, device: torch.device) -> None:
        from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

        self.kind, self.name, self.device, self.digest = (
            kind,
            name,
            device,
            files_fingerprint(sorted(folder.glob("*.*"))),
        )
        with load_faults(
            folder, "an aesthetic predictor: CLIP's vision tower and five linear layers"
        ):
            self.processor: Any = load_pretrained(AutoImageProcessor, folder)
            self.tower: Any = load_complete(CLIPVisionModelWithProjection, folder).to(device).eval()
            self.head = load_head(folder).to(device)
            self.scores([Image.new("RGB", (64, 64))], [""])

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """About 1 to 10; the prompts do not matter."""
        inputs = self.processor(
            [pad_to_square(on_ground(picture, WHITE), WHITE) for picture in pictures],
            return_tensors="pt",
        )
        features = F.normalize(self.tower(**inputs.to(self.device)).image_embeds.float(), dim=-1)
        return np.asarray(self.head(features).flatten().cpu().double().numpy())


def load_head(folder: Path) -> nn.Sequential:
    """The linear layers that a folder holds beside CLIP; version 2 has nothing between them.

    Raises:
        ValueError: they are not those of version 2; its relatives have activations in between and
            other numbers.
    """
    tensors = {
        key: value
        for path in sorted(folder.glob("*.safetensors"))
        for key, value in load_file(path).items()
    }
    numbers = sorted(
        int(match[1]) for key in tensors if (match := re.fullmatch(r"layers\.(\d+)\.weight", key))
    )
    if numbers != HEAD:
        raise ValueError(f"its head has the layers {numbers[:9]}, not {HEAD}")
    biases = [f"layers.{number}.bias" for number in numbers]
    if missing := [name for name in biases if name not in tensors]:
        raise ValueError(f"it lacks {missing[0]}")
    layers = []
    for number in numbers:
        weight: Tensor = tensors[f"layers.{number}.weight"].float()
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": tensors[f"layers.{number}.bias"].float()})
        layers.append(layer)
    return nn.Sequential(*layers).requires_grad_(False)


class VqaScore:
    """The probability that an image-text model answers Yes to "does this figure show it?".

    VQAScore (arXiv:2404.01291, Equation 1).
    """

    needs_text = True

    def __init__(self, kind: str, name: str, folder: Path, device: torch.device) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.kind, self.name, self.device, self.digest = (
            kind,
            name,
            device,
            files_fingerprint(sorted(folder.glob("*.*"))),
        )
        with load_faults(folder, "an image-text model with a chat template"):
            self.processor: Any = load_pretrained(AutoProcessor, folder)
            self.yes = yes_tokens(self.processor.tokenizer)
            self.model: Any = load_complete(AutoModelForImageTextToText, folder).to(device).eval()
            self.scores([Image.new("RGB", (64, 64))], ["a cat"])

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """Between 0 and 1."""
        return np.array(
            [
                self.probability(picture, prompt)
                for picture, prompt in zip(pictures, prompts, strict=True)
            ]
        )

    def probability(self, picture: Image.Image, prompt: str) -> float:
        """The probability of Yes as the first word of the answer."""
        question = [
            {"type": "image", "image": on_ground(picture, WHITE)},
            {"type": "text", "text": QUESTION.format(prompt)},
        ]
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": question}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        logits: Tensor = self.model(**inputs.to(self.device)).logits[0, -1]
        return float(logits.double().softmax(0)[self.yes].sum())


def yes_tokens(tokenizer: Any) -> list[int]:
    """The tokens for Yes, with a space before it and without.

    Which one the model gives depends on how its chat template ends.

    Raises:
        ValueError: no single token does.
    """
    first = [tokenizer(text, add_special_tokens=False).input_ids for text in ("Yes", " Yes")]
    tokens = sorted({ids[0] for ids in first if ids and tokenizer.decode(ids[:1]).strip() == "Yes"})
    if not tokens:
        raise ValueError("its tokenizer has no token for Yes")
    return tokens


def score_pictures(
    model: Reward, pictures: Sequence[Image.Image], prompts: Sequence[str]
) -> Scores:
    """`model.scores`, with what goes wrong in one line.

    Raises:
        InputError: the model cannot cope with a picture or a prompt.
        EnvironmentFault: it runs out of memory.
    """
    try:
        scores = model.scores(pictures, prompts)
    except LOAD_ERRORS as error:
        if memory := memory_fault(error, "use a smaller model, or --device cpu"):
            raise memory from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"{model.kind} fails on one of {len(prompts)} pictures: {reason}",
            "leave --reward out, or mend its prompt",
        ) from None
    if not np.isfinite(scores).all():
        raise InputError(
            f"{model.kind} gives no number for one of {len(prompts)} pictures",
            "check the weights of --reward",
        )
    return scores


REWARD_MODELS: dict[str, Callable[[str, Path, torch.device], Reward]] = {
    "pickscore": partial(Preference, "pickscore"),
    "hpsv2": partial(Preference, "hpsv2"),
    "aesthetic": partial(Aesthetic, "aesthetic"),
    "vqascore": partial(VqaScore, "vqascore"),
}


def load_reward(
    kind: str,
    place: str,
    *,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Reward:
    """A reward on the weights at a place, a folder or a hub repository.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: the weights cannot be had here.
    """
    folder = Path(place)
    if not folder.exists():
        folder = download(place, offline=offline, say=say, patterns=HUB_FILES)
    check_files(folder)
    return REWARD_MODELS[kind](
        place.rstrip("/").rpartition("/")[2] or kind, folder, resolve_device(device)
    )
