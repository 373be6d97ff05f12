"""Low-rank adapters on a model's networks, through peft.

Adapters are switched off by peft's own switch and never by a scale of 0, which diffusers would put
back to 1 after the pass. With the switch off a network computes what it did before anything was
attached, to the bit.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from stickerforge.adapters.foreign import made_for
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.errors import InputError
from stickerforge.models.families.base import DiffusionModel, Layers
from stickerforge.runtime.seeds import derive_seed

GIVE_ITS_MODEL = "give the model that it was made for: --model NAME"


class AdapterSet:
    """The low-rank adapters on a model.

    It keeps nothing itself: what is attached is in the model's networks, so any number of sets show
    the same adapters.
    """

    def __init__(self, model: DiffusionModel) -> None:
        self.networks, self.spec = model.networks, model.spec

    def layers(self) -> Iterator[tuple[str, LoraLayer]]:
        """Every layer that carries adapters, by its full name: "unet.mid_block.….to_q"."""
        for network_name, network in self.networks.items():
            for name, module in network.named_modules():
                if isinstance(module, LoraLayer):
                    yield f"{network_name}.{name}", module

    def add_trainable(self, name: str, rank: int, layers: Layers, seed: int) -> list[nn.Parameter]:
        """Attach an adapter that changes nothing yet to the denoiser; returns its parameters.

        The down factors are Gaussian with standard deviation 1 / rank, the up factors 0, alpha is
        the rank.
        """
        targets = self.spec.lora_targets[layers]
        return self.add_to(self.spec.denoiser, name, rank, targets, derive_seed(seed, "lora"))

    def add_trainable_text(self, name: str, rank: int, seed: int) -> list[nn.Parameter]:
        """The same on every text encoder."""
        parameters = []
        for network in self.networks:
            if network != self.spec.denoiser:
                own_seed = derive_seed(seed, f"lora on {network}")
                targets = self.spec.text_lora_targets
                parameters += self.add_to(network, name, rank, targets, own_seed)
        return parameters

    def add_to(
        self, network: str, name: str, rank: int, targets: Iterable[str], seed: int
    ) -> list[nn.Parameter]:
        """Attach fresh factors to the layers of one network whose names end so."""
        config = LoraConfig(
            r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(targets)
        )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft remarks that there is an adapter already
            torch.manual_seed(seed)
            inject_adapter_in_model(config, self.networks[network], name)
        parameters = [
            parameter
            for layer, module in self.layers()
            if layer.startswith(f"{network}.")
            for parameter in factors_of(module, name)
        ]
        for parameter in parameters:
            parameter.data = parameter.data.float()  # small steps would be lost in 16 bits
        return parameters

    def attach(
        self, name: str, lora: Mapping[str, LoraWeights], source: str = "the adapter"
    ) -> None:
        """Attach an adapter that was made before.

        Args:
            lora: by layer, as `FamilySpec.layer_name` understands it.
            source: what to call it in an error.

        Raises:
            InputError: it has layers that the model has not, or of other shapes.
        """
        resolved = self.resolve(lora, source)
        for network_name, network in self.networks.items():
            prefix = f"{network_name}."
            own = {
                layer.removeprefix(prefix): factors
                for layer, factors in resolved.items()
                if layer.startswith(prefix)
            }
            if own:
                inject(network, name, own)
        layers = dict(self.layers())
        with torch.no_grad():
            for layer, factors in resolved.items():
                down, up = factors_of(layers[layer], name)
                down.copy_(factors.down)
                up.copy_(factors.up)

    def resolve(self, lora: Mapping[str, LoraWeights], source: str) -> dict[str, LoraWeights]:
        """The factors by the names of this model's layers; kohya writes underscores for their dots.

        Raises:
            InputError: the model has no such layer, or one of another shape.
        """
        shapes = self.layer_shapes()
        by_flat_name = {name.replace(".", "_"): name for name in shapes}
        models = made_for({key: factors.down.shape[1] for key, factors in lora.items()})
        base = f": it is for {models}" if models else ""
        resolved = {}
        for key, factors in lora.items():
            layer = self.spec.layer_name(key)
            name = layer if layer in shapes else by_flat_name.get(self.spec.flat_name(layer), "")
            if not name:
                unsupported = self.spec.unsupported_layers.items()
                hints = [hint for pattern, hint in unsupported if re.match(pattern, layer)]
                raise InputError(
                    f"{source} changes {layer[:90]}, which this model has not{base}",
                    hints[0] if hints else GIVE_ITS_MODEL,
                )
            if (len(factors.up), *factors.down.shape[1:]) != shapes[name]:
                raise InputError(
                    f"{source} does not fit {name} of this model{base}", GIVE_ITS_MODEL
                )
            if name in resolved:
                raise InputError(f"{source} changes {name} twice", "fetch it again")
            resolved[name] = factors
        return resolved

    def layer_shapes(self) -> dict[str, tuple[int, ...]]:
        """{full name of a layer that can carry an adapter: shape of its weight}."""
        shapes = {}
        for network_name, network in self.networks.items():
            for name, module in network.named_modules():
                if ".lora_" in name or name.endswith("base_layer"):
                    continue
                if isinstance(module, nn.Linear | nn.Conv2d | LoraLayer):
                    base = module.get_base_layer() if isinstance(module, LoraLayer) else module
                    shapes[f"{network_name}.{name}"] = tuple(base.weight.shape)
        return shapes

    def activate(self, scales: Mapping[str, float]) -> None:
        """Switch on exactly these adapters, each with its scale."""
        for _, layer in self.layers():
            layer.set_adapter([name for name in scales if name in layer.lora_A])
            for name, scale in scales.items():
                layer.set_scale(name, scale)

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within this context the model is the base; may be nested."""
        layers = [layer for _, layer in self.layers() if not layer.disable_adapters]
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)

    def weights(self, name: str) -> dict[str, LoraWeights]:
        """A copy of an adapter's factors as they are now, by layer."""
        weights = {}
        for path, layer in self.layers():
            if own := factors_of(layer, name):
                down, up = (parameter.detach().cpu().clone() for parameter in own)
                weights[path] = LoraWeights(down, up, float(layer.lora_alpha[name]))
        return weights

    def load(self, name: str, lora: Mapping[str, LoraWeights]) -> None:
        """Overwrite the factors of an attached adapter, in place."""
        with torch.no_grad():
            for path, layer in self.layers():
                if own := factors_of(layer, name):
                    own[0].copy_(lora[path].down)
                    own[1].copy_(lora[path].up)


class AttachedLora:
    """A low-rank adapter on a model, switched on and off by itself."""

    def __init__(self, model: DiffusionModel, name: str) -> None:
        self.adapters, self.name = AdapterSet(model), name

    def activate(self, scale: float) -> None:
        """Switch it on, or change its scale where it is on."""
        for layer in self.own_layers():
            if self.name not in layer.active_adapters:
                layer.set_adapter([*layer.active_adapters, self.name])
            layer.set_scale(self.name, scale)

    def deactivate(self) -> None:
        """Switch it off; others stay as they are."""
        for layer in self.own_layers():
            layer.set_adapter([name for name in layer.active_adapters if name != self.name])

    def own_layers(self) -> Iterator[LoraLayer]:
        """The layers that it is attached to."""
        return (layer for _, layer in self.adapters.layers() if self.name in layer.lora_A)


def attach_lora(
    model: DiffusionModel, name: str, weights: AdapterWeights, source: str
) -> AttachedLora:
    """Put an adapter and its tokens on a model, switched off.

    Args:
        name: of the adapter within the networks.
        source: what to call it in an error.

    Raises:
        InputError: it does not fit the model.
    """
    AdapterSet(model).attach(name, weights.lora, source)
    for placeholder, embeddings in weights.tokens.items():
        model.add_token(placeholder, embeddings)
    attached = AttachedLora(model, name)
    attached.deactivate()
    return attached


def factors_of(layer: LoraLayer, name: str) -> list[nn.Parameter]:
    """The down and up factor of an adapter in a layer; none where it has none."""
    return [layer.lora_A[name].weight, layer.lora_B[name].weight] if name in layer.lora_A else []


def inject(network: nn.Module, name: str, own: Mapping[str, LoraWeights]) -> None:
    """Make room for the factors of these layers.

    Ranks are listed one by one only where they differ: peft searches long lists slowly.
    """
    ranks = {layer: factors.rank for layer, factors in own.items()}
    alphas = {layer: factors.alpha for layer, factors in own.items()}
    uniform = len({*zip(ranks.values(), alphas.values(), strict=True)}) == 1
    config = LoraConfig(
        r=next(iter(ranks.values())),
        lora_alpha=next(iter(alphas.values())),
        target_modules=list(own),
        rank_pattern={} if uniform else ranks,
        alpha_pattern={} if uniform else alphas,
        init_lora_weights=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inject_adapter_in_model(config, network, name)


def enable_gradients(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """The same parameters, with gradients."""
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
