"""The constants of an architecture (`FamilySpec`), and what a loaded model offers.

To add an architecture, write its class in a module of this folder and its spec in `specs.py`. This
module imports neither torch nor diffusers.

Shapes: B images; C, H, W latent channels, rows, columns; D width of a text encoder.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL
    from torch import Tensor, nn

    from stickerforge.models.alpha_decoder import AlphaDecoder
    from stickerforge.models.card import ModelCard
    from stickerforge.models.control_network import ControlNetwork
    from stickerforge.models.long_prompts import LongPrompts
    from stickerforge.models.noise_process import NoiseProcess
    from stickerforge.sampling.conditioning import Conditioning

Layers = Literal[
    "attention", "all", "blocks"
]  # sets of the denoiser's layers that can get an adapter


@dataclass(frozen=True)
class SamplingDefaults:
    """Settings of sampling for models whose card recommends none."""

    steps: int
    guidance: float
    guidance_rescale: float


@dataclass(frozen=True)
class TrainingDefaults:
    """Settings of training for models whose card recommends none; named as the settings are."""

    steps: int
    batch: int
    layers: Layers
    lr: float
    beta: float
    rank: int
    token_lr: float
    offset_noise: float


@dataclass(frozen=True)
class FamilySpec:
    """The constants of an architecture.

    Args:
        pipeline: the class of diffusers that its folders name in model_index.json.
        title: which models these are, as `models list` names them.
        about: what a folder without a card is, in a few words.
        model: "module.Class" below this package; made from (spec, card, device, dtype).
        parts: the folders that a model consists of.
        denoiser: the network that denoises; also the name of its folder and of its part in LoRA
            files.
        text_encoders: likewise the networks that read the prompt.
        weight_parts: the folders whose weights are loaded.
        text_tokens: tokens of a prompt that are read.
        lora_targets: ends of names of the denoiser's layers, by the set that is to get an adapter.
        text_lora_targets: the same for the layers of text encoders.
        key_prefixes: {beginning of a key in other trainers' LoRA files: network}.
        unsupported_layers: {regular expression for layers of LoRA files whose names nothing can
            map: what to tell the user}.
        native_pixels: from a model's folder to the side of the images that it was trained on.
        multiple: from a model's folder to the pixels that a side must be a multiple of.
        positions: from the side of an image to how often an average weight of the denoiser is used
            in a pass.
        sampling: recommended settings.
        training: likewise by what is learned, "subject" or "style".
        image_prompt_blocks: {"style" or "layout": beginning of the names of the layers that decide
            it, to which an image prompt may be limited}.
    """

    pipeline: str
    title: str
    about: str
    model: str
    parts: tuple[str, ...]
    denoiser: str
    text_encoders: tuple[str, ...]
    weight_parts: tuple[str, ...]
    text_tokens: int
    lora_targets: Mapping[Layers, tuple[str, ...]]
    text_lora_targets: tuple[str, ...]
    key_prefixes: Mapping[str, str]
    unsupported_layers: Mapping[str, str]
    native_pixels: Callable[[Path], int]
    multiple: Callable[[Path], int]
    positions: Callable[[int], float]
    sampling: SamplingDefaults
    training: Mapping[str, TrainingDefaults]
    image_prompt_blocks: Mapping[str, str] = field(default_factory=dict)

    def load(
        self, card: "ModelCard", device: "torch.device", dtype: "torch.dtype"
    ) -> "DiffusionModel":
        """The model in a card's folder on a device; this is where torch is imported.

        Raises:
            InputError: a part cannot be read, or the model cannot draw.
        """
        module, _, name = self.model.rpartition(".")
        constructor = getattr(import_module(f"{__package__}.{module}"), name)
        model = cast("DiffusionModel", constructor(self, card, device, dtype))
        import_module("stickerforge.models.trial").try_model(model)
        return model

    def layer_name(self, key: str) -> str:
        """The layer that a key of a LoRA file names, with its network: "unet.mid_block.…".

        Keys without a network belong to the denoiser. kohya's keep their underscores, which
        `flat_name` compares.
        """
        for prefix, network in self.key_prefixes.items():
            if key.startswith(prefix):
                return f"{network}.{key.removeprefix(prefix)}"
        networks = {self.denoiser, *self.text_encoders, *self.key_prefixes.values()}
        return key if key.partition(".")[0] in networks else f"{self.denoiser}.{key}"

    def flat_name(self, layer: str) -> str:
        """A layer's name with underscores for dots, without `text_model` inside a text encoder."""
        return re.sub(r"^(text_encoder(_\d)?)_text_model_", r"\1_", layer.replace(".", "_"))


class DiffusionModel(Protocol):
    """A loaded model: the only view of it that workflows have."""

    spec: FamilySpec
    card: "ModelCard"
    device: "torch.device"
    pixels: int  # side of the images it was trained on
    multiple: int  # sides of images must be multiples of this many pixels
    has_alpha: bool  # whether `decode` makes four channels
    takes_alpha: bool  # whether `encode` takes four channels
    vae: "AutoencoderKL"
    alpha_decoder: "AlphaDecoder | None"  # what decodes in the place of the autoencoder's own
    control_network: "ControlNetwork | None"  # what reads "control" of a text, beside the denoiser
    noise_process: "NoiseProcess"
    networks: Mapping[str, "nn.Module"]  # what can carry adapters: the denoiser, the text encoders
    long_prompts: "LongPrompts"  # how long prompts are read: as adapters in use need it, else card

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W) of the latents of a square image."""

    def encode_prompt(self, texts: Sequence[str], windows: int = 1) -> "Conditioning":
        """Encoded texts, B of them, all as long as the longest one.

        Args:
            windows: the least length, as `context_windows` counts it.
        """

    def context_windows(self, text: str) -> int:
        """How long a text is once it is encoded, in windows of the text encoders; 1 if it fits."""

    def unread_text(self, text: str) -> str:
        """The end of a text that is too long to be read; "" where all of it is read."""

    def pad_vector(self) -> list[float]:
        """What fills a prompt up where it is read as LongAlign does: a number for each width."""

    def word_embeddings(self, words: str) -> "dict[str, Tensor]":
        """{text encoder: mean embedding of words (D,), float32}: where a new token starts."""

    def add_token(
        self, placeholder: str, embeddings: "Mapping[str, Tensor]"
    ) -> "dict[str, nn.Parameter]":
        """Make a placeholder one token with these embeddings (D,); returns them as parameters.

        Raises:
            InputError: the embeddings are those of another model.
        """

    def predict(self, noisy: "Tensor", timestep: "Tensor", text: "Conditioning") -> "Tensor":
        """What the network was trained to predict, (B, C, H, W); timestep () or (B,)."""

    def encode(self, pixels: "Tensor") -> "tuple[Tensor, Tensor]":
        """Mean and standard deviation of the latents, (B, C, H, W) each.

        Args:
            pixels: in [0, 1], as `decode` makes them, (B, 3 or 4, H, W).
        """

    def decode(self, latents: "Tensor") -> "Tensor":
        """Pixels in [0, 1] on the CPU: (B, 4, H, W) with premultiplied alpha, or (B, 3, H, W)."""
