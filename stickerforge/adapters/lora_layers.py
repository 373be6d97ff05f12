"""Low-rank adapters on a model's networks, through peft.

Adapters are switched off by peft's own switch and never by a scale of 0, which diffusers would put back
to 1 after the pass. With the switch off a network computes what it did before anything was attached, to the bit.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from stickerforge.adapters.lora_weights import LoraWeights
from stickerforge.errors import InputError
from stickerforge.runtime.seeds import derive_seed

SGM = re.compile(
    r"unet\.(input_blocks|middle_block|output_blocks)_"
)  # how the original code of SDXL names its layers
Layers = Literal["attention", "all"]
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # as in the paper of DCO
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")
TARGETS: dict[Layers, tuple[str, ...]] = {
    "attention": ATTENTION,
    # what shapes a picture is in the convolutions of small denoisers, and in how time and text steer them
    "all": (*ATTENTION, "conv1", "conv2", "time_emb_proj"),
}


class AdapterSet:
    """The adapters on the parts of a model: {"unet": ..., "text_encoder": ...}."""

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        self.parts = parts

    def layers(self) -> Iterator[tuple[str, LoraLayer]]:
        """Every layer that carries adapters, by its full name."""
        for part, network in self.parts.items():
            for name, module in network.named_modules():
                if isinstance(module, LoraLayer):
                    yield f"{part}.{name}", module

    def fresh(self, name: str, rank: int, layers: Layers, seed: int) -> list[nn.Parameter]:
        """Attach an adapter that changes nothing yet, on layers of the denoiser; returns what can be trained.

        The down factors are Gaussian with deviation 1 / rank, the up factors 0, alpha is the rank.
        """
        return self.fresh_on("unet", name, rank, TARGETS[layers], derive_seed(seed, "lora"))

    def fresh_on_text(self, name: str, rank: int, seed: int) -> list[nn.Parameter]:
        """The same on the attention of every text encoder."""
        towers = [part for part in self.parts if part != "unet"]
        return [
            p
            for part in towers
            for p in self.fresh_on(part, name, rank, TEXT, derive_seed(seed, f"lora on {part}"))
        ]

    def fresh_on(
        self, part: str, name: str, rank: int, targets: Iterable[str], seed: int
    ) -> list[nn.Parameter]:
        """Factors on the layers of one part whose names end so."""
        config = LoraConfig(
            r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(targets)
        )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft remarks that there is an adapter already
            torch.manual_seed(seed)
            inject_adapter_in_model(config, self.parts[part], name)
        parameters = [
            p
            for layer, module in self.layers()
            if layer.startswith(f"{part}.")
            for p in self.own(module, name)
        ]
        for parameter in parameters:
            parameter.data = parameter.data.float()  # small steps would be lost in 16 bits
        return parameters

    def own(self, layer: LoraLayer, name: str) -> list[nn.Parameter]:
        """The two factors of an adapter in a layer, none where it has none."""
        return (
            [layer.lora_A[name].weight, layer.lora_B[name].weight] if name in layer.lora_A else []
        )

    def attach(
        self, name: str, lora: Mapping[str, LoraWeights], source: str = "the adapter"
    ) -> None:
        """Attach an adapter that was made before.

        Args:
            source: what to call it in an error.

        Raises:
            InputError: it has layers that the model has not, or of other shapes.
        """
        resolved = self.resolved(lora, source)
        for part, network in self.parts.items():
            own = {
                layer.removeprefix(f"{part}."): factors
                for layer, factors in resolved.items()
                if layer.startswith(f"{part}.")
            }
            if own:
                inject(network, name, own)
        layers = dict(self.layers())
        with torch.no_grad():
            for layer, factors in resolved.items():
                down, up = self.own(layers[layer], name)
                down.copy_(factors.down)
                up.copy_(factors.up)

    def resolved(self, lora: Mapping[str, LoraWeights], source: str) -> dict[str, LoraWeights]:
        """The factors by the names of this model's layers; kohya writes underscores for their dots."""
        shapes = {}
        for part, network in self.parts.items():
            for name, module in network.named_modules():
                if (
                    isinstance(module, nn.Linear | nn.Conv2d | LoraLayer)
                    and ".lora_" not in name
                    and not name.endswith("base_layer")
                ):
                    base = module.get_base_layer() if isinstance(module, LoraLayer) else module
                    shapes[f"{part}.{name}"] = tuple(base.weight.shape)
        flat = {name.replace(".", "_"): name for name in shapes}
        found = {}
        for layer, factors in lora.items():
            name = layer if layer in shapes else flat.get(flatten_name(layer), "")
            if not name:
                hint = (
                    "kohya's files for SDXL cannot be read as yet"
                    if SGM.match(layer)
                    else "give the model that it was made for: --model NAME"
                )
                raise InputError(f"{source} changes {layer[:90]}, which this model has not", hint)
            if (len(factors.up), *factors.down.shape[1:]) != shapes[name]:
                raise InputError(
                    f"{source} does not fit {name} of this model",
                    "give the model that it was made for: --model NAME",
                )
            found[name] = factors
        return found

    def use(self, scales: Mapping[str, float]) -> None:
        """Switch on exactly these adapters, each with its scale."""
        for _, layer in self.layers():
            layer.set_adapter([name for name in scales if name in layer.lora_A])
            for name, scale in scales.items():
                layer.set_scale(name, scale)

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within, the model is the base; may be nested."""
        layers = [layer for _, layer in self.layers() if not layer.disable_adapters]
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)

    def factors(self, name: str) -> dict[str, LoraWeights]:
        """A copy of an adapter's factors as they are now."""
        found = {}
        for path, layer in self.layers():
            if own := self.own(layer, name):
                down, up = (parameter.detach().cpu().clone() for parameter in own)
                found[path] = LoraWeights(down, up, float(layer.lora_alpha[name]))
        return found

    def load(self, name: str, lora: Mapping[str, LoraWeights]) -> None:
        """Overwrite the factors of an attached adapter, in place."""
        with torch.no_grad():
            for path, layer in self.layers():
                for parameter, value in zip(
                    self.own(layer, name), (lora[path].down, lora[path].up), strict=True
                ):
                    parameter.copy_(value)


def inject(network: nn.Module, name: str, own: Mapping[str, LoraWeights]) -> None:
    """Make room for the factors of these layers. Ranks are listed one by one only where they differ: peft searches long lists slowly."""
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


def flatten_name(layer: str) -> str:
    """A layer's name with underscores only; the inner `text_model` of a text encoder counts as not there."""
    return re.sub("^(text_encoder(_2)?)_text_model_", r"\1_", layer.replace(".", "_"))


def enable_gradients(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """The same parameters, with gradients."""
    found = list(parameters)
    for parameter in found:
        parameter.requires_grad_(True)
    return found
