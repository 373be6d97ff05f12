"""Decoupled cross-attention on a model's denoiser (IP-Adapter, arXiv:2308.06721, Equation 5).

Shapes: B images; R references; T tokens of a reference; D text width; E width of the encoder's
features; P their patches; S side of masks.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from diffusers.models.attention_processor import Attention, IPAdapterAttnProcessor2_0
from torch import Tensor, nn

from stickerforge.adapters.image_projection import load_projection, official_names
from stickerforge.adapters.image_prompt_format import ATTENTION, PROJECTION
from stickerforge.adapters.image_prompt_weights import (
    ImagePromptShape,
    ImagePromptWeights,
    check_width,
)
from stickerforge.errors import InputError
from stickerforge.models.families.base import DiffusionModel

PROCESSOR = ".processor"
CROSS_ATTENTION = f"attn2{PROCESSOR}"  # how diffusers names it within a block


class DecoupledAttention(IPAdapterAttnProcessor2_0):  # type: ignore[misc]
    """Z = Attn(Q, K, V) + sum over references of scale_r m_r Attn(Q, K'_r, V'_r).

    m_r is the mask of a reference in the size of the layer, 1 where there is none. The sum is
    taken before the output projection, and the mask of the text does not count for references.
    Where there are no image tokens, it is the attention that was there before.
    """

    def __init__(self, attention: Attention, to_k: Tensor, to_v: Tensor) -> None:
        """Args:
        attention: the cross-attention that it is for.
        to_k, to_v: W'_k and W'_v, (width of keys, D).
        """
        width, text_width = to_k.shape
        with torch.device("meta"):  # its own layers are replaced: nothing is drawn at random
            super().__init__(width, text_width)
        self.plain = attention.processor
        self.key, self.value = linear(to_k), linear(to_v)
        self.use([])

    def use(self, scales: Sequence[float], masks: Tensor | None = None) -> None:
        """Take as many references as there are scales, each by its own.

        Args:
            masks: in [0, 1], (R, 1, S, S); None where references act everywhere.
        """
        self.scale = list(scales)
        # All images of a batch have the same ones, and diffusers repeats them for each.
        self.masks = None if masks is None else list(masks.unsqueeze(1))
        self.to_k_ip = nn.ModuleList([self.key] * len(scales))
        self.to_v_ip = nn.ModuleList([self.value] * len(scales))

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        ip_hidden_states: list[Tensor] | None = None,
    ) -> Tensor:
        """As diffusers calls it.

        Args:
            ip_hidden_states: the tokens of every reference, (B, 1, T, D) each.
        """
        if ip_hidden_states is None:
            plain: Tensor = self.plain(
                attn, hidden_states, encoder_hidden_states, attention_mask, temb
            )
            return plain
        both = (encoder_hidden_states, ip_hidden_states)
        result: Tensor = super().__call__(
            attn, hidden_states, both, attention_mask, temb, ip_adapter_masks=self.masks
        )
        return result


class AttachedImagePrompt:
    """An image adapter on a model, whose references are weighed before they are used."""

    def __init__(
        self,
        projection: nn.Module,
        shape: ImagePromptShape,
        layers: dict[str, tuple[Attention, DecoupledAttention]],
        dtype: torch.dtype,
    ) -> None:
        """Args:
        layers: cross-attentions by their names in the denoiser, with what replaces their processor.
        dtype: in which the denoiser computes.
        """
        self.dtype = dtype
        self.projection, self.shape, self.layers = projection, shape, layers
        self.scale = 1.0
        self.references: tuple[float, ...] = ()
        self.masks: Tensor | None = None
        self.block = ""

    def activate(self, scale: float) -> None:
        """Switch it on; the scale multiplies those of the references."""
        self.scale = scale
        self.spread()
        for attention, processor in self.layers.values():
            attention.set_processor(processor)

    def deactivate(self) -> None:
        """Switch it off: what was there before is there again."""
        for attention, processor in self.layers.values():
            if attention.processor is processor:
                attention.set_processor(processor.plain)

    def weigh(self, scales: Sequence[float], block: str = "", masks: Tensor | None = None) -> None:
        """How strong each reference is, in which layers, and where.

        Args:
            block: beginning of the names of those layers; "" for all.
            masks: white, 1, where a reference acts, (R, 1, S, S); None for everywhere.

        Raises:
            InputError: no layer is called so.
        """
        if block and not any(name.startswith(block) for name in self.layers):
            raise InputError(
                f"the model has no attention in {block}, which image_prompt.blocks means",
                "give --set image_prompt.blocks=all",
            )
        self.references, self.block = tuple(scales), block
        self.masks = None if masks is None else masks.to(next(self.projection.parameters()).device)
        self.spread()

    def spread(self) -> None:
        """Tell every layer the scales that are in force in it, and the masks."""
        for name, (_, processor) in self.layers.items():
            share = self.scale if name.startswith(self.block) else 0.0
            processor.use([share * own for own in self.references], self.masks)

    @torch.inference_mode()
    def tokens(self, features: Tensor) -> Tensor:
        """The tokens of references (R, T, D) from their features, (R, E) or (R, P, E)."""
        weight = next(self.projection.parameters())
        projected: Tensor = self.projection(features.to(weight.device, weight.dtype))
        return projected.to(self.dtype)


def attach_image_prompt(
    model: DiffusionModel, weights: ImagePromptWeights, source: str
) -> AttachedImagePrompt:
    """Put an image adapter on a model, switched off.

    Args:
        source: what to call it in an error.

    Raises:
        InputError: it is for another model.
    """
    denoiser: Any = model.networks[model.spec.denoiser]
    attentions = dict(cross_attentions(denoiser))
    expected = {number: own.inner_kv_dim for number, (_, own) in attentions.items()}
    check_fit(model, weights.shape, expected, text_width(denoiser), source)
    place = {"device": model.device, "dtype": denoiser.dtype}
    layers = {}
    for number, (name, attention) in attentions.items():
        to_k, to_v = (
            weights.tensors[f"{ATTENTION}{number}.to_{part}_ip.weight"].to(**place)
            for part in ("k", "v")
        )
        layers[name] = attention, DecoupledAttention(attention, to_k, to_v)
    projection = load_projection(weights).to(**place)
    return AttachedImagePrompt(projection, weights.shape, layers, denoiser.dtype)


def cross_attentions(denoiser: Any) -> Iterator[tuple[int, tuple[str, Attention]]]:
    """(number in official files, (name, layer)) of every cross-attention: 1, 3, 5, …"""
    names = [name for name in denoiser.attn_processors if name.endswith(CROSS_ATTENTION)]
    for index, name in enumerate(names):
        path = name.removesuffix(PROCESSOR)
        yield 2 * index + 1, (path, denoiser.get_submodule(path))


def text_width(denoiser: Any) -> int:
    """The width of the texts that a denoiser reads."""
    widths = denoiser.config.cross_attention_dim
    return int(max(widths) if isinstance(widths, list | tuple) else widths)


def check_fit(
    model: DiffusionModel,
    shape: ImagePromptShape,
    expected: dict[int, int],
    width: int,
    source: str,
) -> None:
    """Make sure that an adapter has the widths and the layers of a model.

    Args:
        expected: {number of a cross-attention: width of its keys}.
        width: of the model's texts.

    Raises:
        InputError: it has not.
    """
    title = model.card.title
    check_width(shape, width, source, title)
    if dict(shape.layers) != expected:
        raise InputError(
            f"the image adapter {source} was made for another denoiser than that of {title}:"
            f" it has {len(shape.layers)} layers, or others of other widths, not {len(expected)}",
            "give the model that it was made for: --model NAME",
        )


def image_prompt_weights(
    shape: ImagePromptShape,
    projection: nn.Module,
    pairs: dict[int, tuple[Tensor, Tensor]],
    encoder: str = "",
) -> ImagePromptWeights:
    """What official files keep of a projection, and of W'_k and W'_v by their layer's number."""
    state = {name: value.detach().cpu().clone() for name, value in projection.state_dict().items()}
    tensors = {PROJECTION + name: value for name, value in official_names(state).items()}
    for number, (to_k, to_v) in pairs.items():
        tensors[f"{ATTENTION}{number}.to_k_ip.weight"] = to_k.detach().cpu()
        tensors[f"{ATTENTION}{number}.to_v_ip.weight"] = to_v.detach().cpu()
    return ImagePromptWeights(shape, tensors, encoder)


def initial_pairs(denoiser: Any) -> dict[int, tuple[Tensor, Tensor]]:
    """W'_k and W'_v as they begin: copies of W_k and W_v of each layer."""
    return {
        number: (own.to_k.weight.detach().clone(), own.to_v.weight.detach().clone())
        for number, (_, own) in cross_attentions(denoiser)
    }


def linear(weight: Tensor) -> nn.Linear:
    """A frozen linear layer without bias."""
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer
