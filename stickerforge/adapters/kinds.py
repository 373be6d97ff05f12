"""The kinds of adapters: how each is read and put on a model.

To add a kind, write its class, with `AdapterKind`'s methods, and list it in KINDS. Imports no
torch, so that a description can be checked at once.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from stickerforge.adapters import (
    decoder_format,
    image_instructions,
    image_prompt_format,
    lora_export,
    lora_format,
    mixture_format,
)
from stickerforge.adapters.header import AdapterFile
from stickerforge.adapters.instructions import readme

if TYPE_CHECKING:
    from stickerforge.adapters.decoder_weights import DecoderWeights
    from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
    from stickerforge.adapters.lora_weights import AdapterWeights
    from stickerforge.adapters.mixture_weights import MixtureWeights
    from stickerforge.adapters.store import Adapter
    from stickerforge.models.families.base import DiffusionModel


class Attached(Protocol):
    """An adapter on a model; switched off until it is activated."""

    def activate(self, scale: float) -> None:
        """Switch it on with this strength, or change its strength.

        May be called at any time outside of a pass: before a micro-batch, or by a `Guidance` for
        its step.
        """

    def deactivate(self) -> None:
        """Switch it off; other adapters stay as they are."""


class AdapterKind(Protocol):
    """One way of changing a model; the form of its weights is the kind's own."""

    names: tuple[str, ...]  # values of "kind" in adapter.json

    def recognises(self, file: AdapterFile) -> bool:
        """Whether a file with these tensors is of this kind."""

    def read(self, *files: AdapterFile) -> Any:
        """The weights in the files of one adapter.

        Raises:
            InputError: one is broken, or of another kind.
        """

    def encode(self, weights: Any) -> bytes:
        """Weights as one file, always the same for the same; `read` gives them back."""

    def encode_files(self, weights: Any, metadata: Mapping[str, str]) -> dict[str, bytes]:
        """{beginning of a name: file} as other programs take them; `read` gives the weights back.

        Args:
            metadata: what every file is to say about the adapter.
        """

    def readme(self, weights: Any, adapter: "Adapter") -> str:
        """The README.md beside these files, for those who load them elsewhere."""

    def attach(self, model: "DiffusionModel", name: str, weights: Any, source: str) -> Attached:
        """Put the weights on a model.

        Args:
            name: of the adapter within the model, unlike those of all others.
            source: what to call it in an error.

        Raises:
            InputError: they do not fit the model.
        """


class Lora:
    """Low-rank factors for layers of the networks, and embeddings of new tokens."""

    names: tuple[str, ...] = ("subject", "style", "tuned", "merged")

    def recognises(self, file: AdapterFile) -> bool:
        """By the names of its tensors."""
        return lora_format.is_lora(file)

    def read(self, *files: AdapterFile) -> "AdapterWeights":
        """See `lora_format.parse`."""
        return lora_format.parse(*files)

    def encode(self, weights: "AdapterWeights") -> bytes:
        """See `lora_format.encode`."""
        return lora_format.encode(weights)

    def encode_files(
        self, weights: "AdapterWeights", metadata: Mapping[str, str]
    ) -> dict[str, bytes]:
        """See `lora_export.encode_files`."""
        return lora_export.encode_files(weights, metadata)

    def readme(self, weights: "AdapterWeights", adapter: "Adapter") -> str:
        """See `instructions.readme`."""
        encoders = [encoder for rows in weights.tokens.values() for encoder in rows]
        return readme(
            adapter.name,
            adapter.base.name,
            adapter.base.title,
            list(adapter.files),
            sorted(weights.tokens),
            list(dict.fromkeys(encoders)),
            adapter.phrase,
            adapter.long_prompts.title if adapter.long_prompts else "",
        )

    def attach(
        self, model: "DiffusionModel", name: str, weights: "AdapterWeights", source: str
    ) -> Attached:
        """See `lora_layers.attach_lora`; this is where torch is imported."""
        from stickerforge.adapters.lora_layers import attach_lora

        return attach_lora(model, name, weights, source)


class Decoder:
    """A decoder with alpha, which takes the place of an autoencoder's own."""

    names: tuple[str, ...] = ("decoder",)

    def recognises(self, file: AdapterFile) -> bool:
        """By the names of its tensors and its metadata."""
        return decoder_format.is_decoder(file)

    def read(self, *files: AdapterFile) -> "DecoderWeights":
        """See `decoder_format.parse`."""
        return decoder_format.parse(*files)

    def encode(self, weights: "DecoderWeights") -> bytes:
        """See `decoder_format.encode`."""
        return decoder_format.encode(weights)

    def encode_files(
        self, weights: "DecoderWeights", metadata: Mapping[str, str]
    ) -> dict[str, bytes]:
        """See `decoder_format.encode_files`."""
        return decoder_format.encode_files(weights, metadata)

    def readme(self, weights: "DecoderWeights", adapter: "Adapter") -> str:
        """See `decoder_format.readme`."""
        return decoder_format.readme(adapter)

    def attach(
        self, model: "DiffusionModel", name: str, weights: "DecoderWeights", source: str
    ) -> Attached:
        """See `decoder.attach_decoder`; this is where torch is imported."""
        from stickerforge.adapters.decoder import attach_decoder

        return attach_decoder(model, weights, source)


class ImagePrompt:
    """Image tokens beside the text: IP-Adapter, in the official layout."""

    names: tuple[str, ...] = ("image",)

    def recognises(self, file: AdapterFile) -> bool:
        """By the names of its tensors."""
        return image_prompt_format.is_image_prompt(file)

    def read(self, *files: AdapterFile) -> "ImagePromptWeights":
        """See `image_prompt_format.parse`."""
        return image_prompt_format.parse(*files)

    def encode(self, weights: "ImagePromptWeights") -> bytes:
        """See `image_prompt_format.encode`."""
        return image_prompt_format.encode(weights)

    def encode_files(
        self, weights: "ImagePromptWeights", metadata: Mapping[str, str]
    ) -> dict[str, bytes]:
        """See `image_prompt_format.encode_files`."""
        return image_prompt_format.encode_files(weights, metadata)

    def readme(self, weights: "ImagePromptWeights", adapter: "Adapter") -> str:
        """See `image_instructions.readme`."""
        return image_instructions.readme(weights, adapter)

    def attach(
        self, model: "DiffusionModel", name: str, weights: "ImagePromptWeights", source: str
    ) -> Attached:
        """See `image_prompt.attach_image_prompt`; this is where torch is imported."""
        from stickerforge.adapters.image_prompt import attach_image_prompt

        return attach_image_prompt(model, weights, source)


class Mixture:
    """Several LoRAs, weighed in every layer by the prompt and the timestep."""

    names: tuple[str, ...] = ("mixture",)

    def recognises(self, file: AdapterFile) -> bool:
        """By the names of its tensors and its metadata."""
        return mixture_format.is_mixture(file)

    def read(self, *files: AdapterFile) -> "MixtureWeights":
        """See `mixture_format.parse`."""
        return mixture_format.parse(*files)

    def encode(self, weights: "MixtureWeights") -> bytes:
        """See `mixture_format.encode`."""
        return mixture_format.encode(weights)

    def encode_files(
        self, weights: "MixtureWeights", metadata: Mapping[str, str]
    ) -> dict[str, bytes]:
        """See `mixture_format.encode_files`."""
        return mixture_format.encode_files(weights, metadata)

    def readme(self, weights: "MixtureWeights", adapter: "Adapter") -> str:
        """See `mixture_format.readme`."""
        return mixture_format.readme(adapter)

    def attach(
        self, model: "DiffusionModel", name: str, weights: "MixtureWeights", source: str
    ) -> Attached:
        """See `mixture.attach_mixture`; this is where torch is imported."""
        from stickerforge.adapters.mixture import attach_mixture

        return attach_mixture(model, name, weights, source)


LORA, DECODER, IMAGE, MIXTURE = Lora(), Decoder(), ImagePrompt(), Mixture()
KINDS: dict[str, AdapterKind] = {
    name: kind for kind in (LORA, DECODER, IMAGE, MIXTURE) for name in kind.names
}


def kind_of(file: AdapterFile) -> AdapterKind:
    """The kind of a file without a description; LoRA, which says what is wrong, for all others."""
    return next((kind for kind in KINDS.values() if kind.recognises(file)), LORA)
