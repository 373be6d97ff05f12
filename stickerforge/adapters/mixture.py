"""A mixture of LoRAs on a model's denoiser: gates weigh its parents in every layer and pass.

The parents are attached as one LoRA whose factors are theirs side by side, since
sum_a g_a B_a A_a x = [B_1 B_2 …] (g * [A_1; A_2; …] x), g_a for every row of A_a: as many products
as a single LoRA has. Its own switch and scale are peft's, as those of every LoRA are.

Shapes: B images; L layers; A parents; R_l rank of all parents in layer l together; N text tokens;
D width of the pooled text; U width of what gates read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stickerforge.adapters.lora_layers import GIVE_ITS_MODEL, AdapterSet, AttachedLora
from stickerforge.adapters.merging import concatenate
from stickerforge.adapters.mixture_weights import MixtureWeights
from stickerforge.errors import InputError
from stickerforge.models.families.base import DiffusionModel
from stickerforge.objectives.mixture import gate_inputs, gate_width, mixture_gates


class LayerGates(nn.Module):
    """The gates of every layer, in float32."""

    def __init__(self, weights: MixtureWeights) -> None:
        super().__init__()
        self.layers, self.temperature = weights.layers, weights.temperature
        stacked = torch.stack([weights.gates[layer].float() for layer in self.layers])
        self.weight = nn.Parameter(stacked, requires_grad=False)  # (L, A, U)

    def forward(self, text: Tensor, timestep: Tensor) -> Tensor:
        """g of every layer, (B, L, A).

        Args:
            text: pooled, (B, D).
            timestep: () or (B,).
        """
        inputs = gate_inputs(text.to(self.weight.device), timestep)
        return mixture_gates(self.weight, inputs, self.temperature)

    def by_layer(self) -> dict[str, Tensor]:
        """A copy of W_g of every layer, (A, U), on the CPU."""
        rows = self.weight.detach().cpu().clone().unbind()
        return dict(zip(self.layers, rows, strict=True))


class GatedLayer:
    """What a hook does to the down factor of one layer."""

    def __init__(self, index: int, down: nn.Module, owners: Sequence[int]) -> None:
        """Args:
        index: of the layer among those of the gates.
        down: peft's layer with the parents' down factors.
        owners: the parent that each of its rows is of, (R_l,).
        """
        self.index, self.down = index, down
        self.owners = torch.tensor(owners, device=next(down.parameters()).device)
        self.is_convolution = isinstance(down, nn.Conv2d)
        self.shares = torch.ones(1, len(owners))

    def take(self, gates: Tensor) -> None:
        """Weigh the rows by the gates of a pass, (B, L, A), from now on."""
        self.shares = gates[:, self.index].index_select(1, self.owners)

    def weigh(self, module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        """The output of the down factors, each row by its parent's gate; a forward hook."""
        count = output.dim() - 2  # positions, after the rows of convolutions and before others
        shape = (-1, len(self.owners), *[1] * count)
        if not self.is_convolution:
            shape = (-1, *[1] * count, len(self.owners))
        return output * self.shares.to(output.dtype).view(shape)


class AttachedMixture:
    """A mixture on a model, switched on and off by itself."""

    def __init__(
        self, model: DiffusionModel, name: str, gates: LayerGates, layers: Sequence[GatedLayer]
    ) -> None:
        self.denoiser: Any = model.networks[model.spec.denoiser]
        self.lora, self.gates, self.layers = AttachedLora(model, name), gates, layers
        self.passes: list[Tensor] | None = None  # the gates of every pass, where they are kept
        self.hooks: list[Any] = []

    def activate(self, scale: float) -> None:
        """Switch it on, or change its scale where it is on."""
        self.lora.activate(scale)
        if not self.hooks:
            before = self.denoiser.register_forward_pre_hook(self.read_inputs, with_kwargs=True)
            within = [own.down.register_forward_hook(own.weigh) for own in self.layers]
            self.hooks = [before, *within]

    def deactivate(self) -> None:
        """Switch it off; others stay as they are."""
        self.lora.deactivate()
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

    def read_inputs(
        self, denoiser: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        """Set the gates of a pass, by each row's own text and timestep; a hook before it."""
        _, timestep, hidden = arguments[:3]
        added = named.get("added_cond_kwargs") or {}
        text = pool(hidden, added.get("text_embeds"))
        gates = self.gates(text, timestep)
        for layer in self.layers:
            layer.take(gates)
        if self.passes is not None:
            self.passes.append(gates)

    @contextmanager
    def recording(self) -> Iterator[list[Tensor]]:
        """Within, the gates of every pass are kept: yields the list of them, (B, L, A) each."""
        self.passes = []
        try:
            yield self.passes
        finally:
            self.passes = None

    def train_gates(self) -> nn.Parameter:
        """Switch it on for training; returns W_g, (L, A, U), the only thing that has a gradient."""
        self.activate(1.0)
        self.denoiser.requires_grad_(False)
        self.gates.requires_grad_(True)
        return self.gates.weight


def pool(hidden: Tensor, pooled: Tensor | None) -> Tensor:
    """One vector for each text, (B, D): the pooled text where there is one, else the mean token.

    Args:
        hidden: what the denoiser reads of a text, (B, N, D).
        pooled: of text encoders that have it, (B, D).
    """
    return hidden.float().mean(1) if pooled is None else pooled


@torch.no_grad()
def pooled_width(model: DiffusionModel) -> int:
    """D of a model."""
    text = model.encode_prompt([""])
    return pool(text["hidden"], text["pooled"] if "pooled" in text else None).shape[-1]


def attach_mixture(
    model: DiffusionModel, name: str, weights: MixtureWeights, source: str
) -> AttachedMixture:
    """Put a mixture on a model, switched off.

    Args:
        name: of the adapter within the networks.
        source: what to call it in an error.

    Raises:
        InputError: it does not fit the model.
    """
    adapters, start = AdapterSet(model), f"{model.spec.denoiser}."
    lora = concatenate([(own, 1.0) for own in weights.loras])
    places = dict(zip(lora, adapters.resolve(lora, source), strict=True))
    if other := next((place for place in places.values() if not place.startswith(start)), ""):
        raise InputError(
            f"{source} changes {other}, and a mixture may change the {start[:-1]} only",
            "mix LoRAs that leave the text encoders as they are",
        )
    check_width(model, weights, source)
    adapters.attach(name, lora, source)
    gates = LayerGates(weights).to(model.device)
    found = dict(adapters.layers())
    layers = [
        GatedLayer(index, found[places[layer]].lora_A[name], owners(weights, layer))
        for index, layer in enumerate(gates.layers)
    ]
    attached = AttachedMixture(model, name, gates, layers)
    attached.deactivate()
    return attached


def owners(weights: MixtureWeights, layer: str) -> list[int]:
    """The parent that each row of a layer's down factors is of, as `concatenate` orders them."""
    ranks = [lora[layer].rank if layer in lora else 0 for lora in weights.loras]
    return [parent for parent, rank in enumerate(ranks) for _ in range(rank)]


def check_width(model: DiffusionModel, weights: MixtureWeights, source: str) -> None:
    """Make sure that gates read what a model's texts are.

    Raises:
        InputError: they do not.
    """
    width, expected = next(iter(weights.gates.values())).shape[1], gate_width(pooled_width(model))
    if width != expected:
        raise InputError(
            f"the gates of {source} read {width} numbers, and the texts of {model.card.title} are"
            f" {expected}",
            GIVE_ITS_MODEL,
        )


def initial_mixture(
    model: DiffusionModel, parents: Mapping[str, Mapping[str, Any]], temperature: float
) -> MixtureWeights:
    """A mixture before any training, whose gates are those of the uniform average.

    Args:
        parents: {name: factors by layer}.
    """
    weights = MixtureWeights(tuple(parents), tuple(parents.values()), {}, temperature)
    zeros = torch.zeros(len(parents), gate_width(pooled_width(model)))
    gates = {layer: zeros.clone() for layer in weights.layers}
    return MixtureWeights(weights.names, weights.loras, gates, temperature)


@torch.no_grad()
def shares_at(
    model: DiffusionModel, weights: MixtureWeights, prompt: str, timestep: int
) -> dict[str, list[float]]:
    """What each parent counts in every layer for a prompt at a timestep.

    Args:
        prompt: as the model reads it now.
        timestep: of training.
    """
    gates = LayerGates(weights).to(model.device)
    text = model.encode_prompt([prompt])
    pooled = pool(text["hidden"], text["pooled"] if "pooled" in text else None)
    values = gates(pooled, torch.tensor(timestep, device=model.device))[0]
    return {layer: row.tolist() for layer, row in zip(gates.layers, values, strict=True)}
