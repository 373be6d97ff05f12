"""What training changes: an adapter's LoRA factors and the embeddings of new words.

Shapes: D width of a text encoder.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stickerforge.adapters.lora_layers import AdapterSet, enable_gradients
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.models.families.base import DiffusionModel, Layers
from stickerforge.models.long_prompts import LongPrompts, base_prompts
from stickerforge.sampling.conditioning import Conditioning, join

MAX_TEXT_BYTES = 300_000_000  # of encodings that are kept; more than a few pictures never need
ADAPTER = "trained"  # the adapter's name within the networks


@dataclass
class TrainState:
    """A model with one adapter in training.

    Args:
        adapters: those on the model, of which `ADAPTER` is trained.
        factors: trainable LoRA factors on the denoiser.
        text_factors: trainable LoRA factors on the text encoders.
        embeddings: trainable embeddings: placeholder -> text encoder -> (D,).
        norms: the length that each embedding keeps, in the order of `embedding_list`.
        text_cache: the captions that the base model has encoded already, by how long captions are
            read and how many windows were asked for.
    """

    model: DiffusionModel
    adapters: AdapterSet
    factors: list[nn.Parameter]
    text_factors: list[nn.Parameter] = field(default_factory=list)
    embeddings: Mapping[str, Mapping[str, nn.Parameter]] = field(default_factory=dict)
    norms: list[float] = field(default_factory=list)
    text_cache: dict[tuple[str, LongPrompts, int], Conditioning] = field(default_factory=dict)

    def embedding_list(self) -> list[nn.Parameter]:
        """The trainable embeddings."""
        return [row for encoders in self.embeddings.values() for row in encoders.values()]

    def encode_text(self, captions: Sequence[str], *, base: bool, windows: int = 1) -> Conditioning:
        """Encode captions: with gradients where training can change them, else once, by the base.

        All are as long as the longest one.

        Args:
            base: whether the base model is asked, for which captions hold no new word.
            windows: the least length, as `DiffusionModel.context_windows` counts it.
        """
        trained = bool(self.text_factors) or any(
            word in caption for word in self.embeddings for caption in captions
        )
        if trained and not base:
            distinct = list(dict.fromkeys(captions))
            rows = [distinct.index(caption) for caption in captions]
            return self.model.encode_prompt(distinct, windows).picked(rows)
        with base_prompts(self.model) if base else nullcontext():
            rule = self.model.long_prompts
            windows = max(windows, *map(self.model.context_windows, captions))
            return join(*(self.base_text(caption, rule, windows) for caption in captions))

    def base_text(self, caption: str, rule: LongPrompts, windows: int) -> Conditioning:
        """A caption as the base model encodes it, from the cache where it is there."""
        key = caption, rule, windows
        if key not in self.text_cache:
            with torch.no_grad(), self.adapters.disabled():
                self.text_cache[key] = self.model.encode_prompt([caption], windows)
            text = self.text_cache[key]
            while sum(map(text_bytes, self.text_cache.values())) > MAX_TEXT_BYTES:
                del self.text_cache[next(iter(self.text_cache))]
            return text
        return self.text_cache[key]

    def rows_by_length(self, captions: Sequence[str], *, base: bool) -> list[list[int]]:
        """The indices of captions that are equally long once they are encoded, group by group."""
        groups: dict[int, list[int]] = {}
        with base_prompts(self.model) if base else nullcontext():
            for row, caption in enumerate(captions):
                groups.setdefault(self.model.context_windows(caption), []).append(row)
        return list(groups.values())

    @torch.no_grad()
    def project_embeddings(self) -> None:
        """Scale every new embedding back to the length of the words that it started from."""
        for row, norm in zip(self.embedding_list(), self.norms, strict=True):
            row.mul_(norm / row.norm().clamp(min=1e-12))

    def weights(self) -> AdapterWeights:
        """A copy of the adapter as it is now, on the CPU."""
        tokens = {
            placeholder: {encoder: row.detach().cpu().clone() for encoder, row in encoders.items()}
            for placeholder, encoders in self.embeddings.items()
        }
        return AdapterWeights(self.adapters.weights(ADAPTER), tokens)

    def tensors(self) -> dict[str, Tensor]:
        """The adapter as it is now, as a checkpoint names its tensors."""
        weights = self.weights()
        tensors = {f"down/{layer}": factors.down for layer, factors in weights.lora.items()}
        tensors |= {f"up/{layer}": factors.up for layer, factors in weights.lora.items()}
        tensors |= {
            f"token/{encoder}/{placeholder}": row
            for placeholder, encoders in weights.tokens.items()
            for encoder, row in encoders.items()
        }
        return tensors

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        layers = [key.removeprefix("down/") for key in tensors if key.startswith("down/")]
        factors = {  # alpha is a constant of the layer, and is not loaded
            layer: LoraWeights(tensors[f"down/{layer}"], tensors[f"up/{layer}"], 0.0)
            for layer in layers
        }
        tokens = {
            placeholder: {
                encoder: tensors[f"token/{encoder}/{placeholder}"] for encoder in encoders
            }
            for placeholder, encoders in self.embeddings.items()
        }
        self.load(AdapterWeights(factors, tokens))

    @contextmanager
    def holding(self, weights: AdapterWeights | None) -> Iterator[None]:
        """Within this context the model has other weights; None for no adapter.

        Not to be entered between a pass and its gradient.
        """
        if weights is None:
            with self.adapters.disabled():
                yield
            return
        parameters = [*self.factors, *self.text_factors, *self.embedding_list()]
        own = [parameter.detach().clone() for parameter in parameters]
        self.load(weights)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(parameters, own, strict=True):
                    parameter.copy_(value)

    @torch.no_grad()
    def load(self, weights: AdapterWeights) -> None:
        """Put back what `weights` gave."""
        self.adapters.load(ADAPTER, weights.lora)
        for placeholder, encoders in self.embeddings.items():
            for encoder, row in encoders.items():
                row.copy_(weights.tokens[placeholder][encoder])


def text_bytes(text: Conditioning) -> int:
    """The memory that an encoded text takes."""
    return sum(part.numel() * part.element_size() for part in text.tensors.values())


def init_state(
    model: DiffusionModel,
    tokens: Mapping[str, str],
    *,
    rank: int,
    layers: Layers,
    text_rank: int,
    seed: int,
) -> TrainState:
    """Attach a new adapter that changes nothing yet, and add new words.

    Args:
        tokens: placeholder -> class words, whose embedding the placeholder starts with.
        rank: of the LoRA on the denoiser.
        layers: which layers of the denoiser get LoRA factors.
        text_rank: of the LoRA on the text encoders; 0 for none.
    """
    adapters = AdapterSet(model)
    factors = enable_gradients(adapters.add_trainable(ADAPTER, rank, layers, seed))
    text_factors = (
        enable_gradients(adapters.add_trainable_text(ADAPTER, text_rank, seed)) if text_rank else []
    )
    embeddings = {
        placeholder: model.add_token(placeholder, model.word_embeddings(class_words))
        for placeholder, class_words in tokens.items()
    }
    state = TrainState(model, adapters, factors, text_factors, embeddings)
    state.norms = [float(row.detach().norm()) for row in enable_gradients(state.embedding_list())]
    return state
