"""The files of a mixture of LoRAs, as they are read and written.

One holds everything: "lora.N.LAYER.lora_A.weight", "….lora_B.weight" and "….alpha" of parent N,
"gate.LAYER" of every layer. The other is a plain LoRA for other programs: the parents' average.

torch is imported when a tensor is touched, so that headers can be checked at once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from stickerforge.adapters.header import AGAIN, AdapterFile, Header
from stickerforge.adapters.lora_alphas import AlphaRules
from stickerforge.adapters.lora_export import LORA, public_title, with_metadata
from stickerforge.adapters.lora_export import encode_files as encode_lora
from stickerforge.adapters.lora_format import (
    FILES,
    PART_OF,
    finite_tensors,
    read_factors,
)
from stickerforge.adapters.mixture_weights import MAX_PARENTS, MixtureWeights
from stickerforge.config.description import Bounds, Pattern, read_description
from stickerforge.errors import InputError
from stickerforge.runtime.json_text import parse_json

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.adapters.lora_weights import LoraWeights
    from stickerforge.adapters.store import Adapter

MIXTURE = "mixture"  # what the file is called, and begins its name with
GATE, PARENT = "gate.", "lora."
ABOUT = "stickerforge.mixture"  # in the metadata: `MixtureHead` as JSON
Name = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f]{1,200}", "a name on one line")]


@dataclass(frozen=True)
class MixtureHead:
    """What the metadata say of a mixture: names of its parents, and what W_g u is divided by."""

    names: tuple[Name, ...]
    temperature: Annotated[float, Bounds(1e-3, 1e3)] = 1.0


def is_mixture(file: AdapterFile) -> bool:
    """Whether a file says that it is a mixture, and holds gates."""
    return ABOUT in file.metadata and any(key.startswith(GATE) for key in file.header)


def encode(weights: MixtureWeights) -> bytes:
    """A mixture as one file in float32; equal ones give equal bytes."""
    return encode_with(weights, {})


def encode_files(weights: MixtureWeights, metadata: Mapping[str, str]) -> dict[str, bytes]:
    """{"mixture": file, "lora": the average as a plain LoRA, which stands for itself}.

    Args:
        metadata: what the files are to say of the adapter, too.
    """
    from stickerforge.adapters.mixture_blend import blended_adapter, even_shares

    plain = {key: value for key, value in metadata.items() if key != PART_OF}
    average = blended_adapter(weights, even_shares(weights))
    own = {FILES: "1", **metadata}
    return {MIXTURE: encode_with(weights, own)} | encode_lora(average, plain)


def encode_with(weights: MixtureWeights, metadata: Mapping[str, str]) -> bytes:
    """A file with further metadata."""
    import torch
    from safetensors.torch import save

    tensors = {GATE + layer: gate for layer, gate in weights.gates.items()}
    for number, lora in enumerate(weights.loras):
        for layer, factors in lora.items():
            start = f"{PARENT}{number}.{layer}"
            tensors[f"{start}.lora_A.weight"] = factors.down
            tensors[f"{start}.lora_B.weight"] = factors.up
            tensors[f"{start}.alpha"] = torch.tensor(factors.alpha)
    head = {"names": weights.names, "temperature": weights.temperature}
    floats = {key: value.float().contiguous().clone() for key, value in sorted(tensors.items())}
    own = {"format": "pt", ABOUT: json.dumps(head, sort_keys=True)}
    return with_metadata(save(floats), own | dict(metadata))


def parse(*files: AdapterFile) -> MixtureWeights:
    """The mixture in a file, perhaps among others of the same adapter.

    Raises:
        InputError: none holds one, or it is broken.
    """
    found = [file for file in files if is_mixture(file)]
    if len(found) != 1:
        raise InputError(f"{files[0].path} holds no mixture of LoRAs", AGAIN)
    (file,) = found
    head, tensors = parse_head(file), finite_tensors(file)
    loras = tuple(parent_factors(file, number, tensors) for number, _ in enumerate(head.names))
    gates = {
        key.removeprefix(GATE): value.float()
        for key, value in tensors.items()
        if key.startswith(GATE)
    }
    weights = MixtureWeights(head.names, loras, gates, head.temperature)
    check_gates(file, weights)
    expected = len(gates) + sum(3 * len(lora) for lora in loras)
    if expected != len(file.header):
        raise InputError(f"{file.path} holds what no mixture of {len(loras)} LoRAs has", AGAIN)
    return weights


def parse_head(file: AdapterFile) -> MixtureHead:
    """What a file's metadata say.

    Raises:
        InputError: it is broken.
    """
    try:
        head = read_description(MixtureHead, parse_json(file.metadata[ABOUT]))
    except ValueError as error:
        raise InputError(
            f"{file.path}: its metadata about the mixture is broken: {str(error)[:100]}", AGAIN
        ) from None
    if not 1 <= len(head.names) <= MAX_PARENTS:
        raise InputError(
            f"{file.path} mixes {len(head.names)} LoRAs: 1 to {MAX_PARENTS} can be", AGAIN
        )
    return head


def parent_factors(
    file: AdapterFile, number: int, tensors: "Mapping[str, Tensor]"
) -> "dict[str, LoraWeights]":
    """The factors of one parent.

    Raises:
        InputError: they are missing, or no sound LoRA.
    """
    start = f"{PARENT}{number}."
    own = [key for key in file.header if key.startswith(start)]
    if not own:
        raise InputError(f"{file.path} has no factors of its LoRA {number}", AGAIN)
    header: Header = {key.removeprefix(start): file.header[key] for key in own}
    named = {key.removeprefix(start): tensors[key] for key in own}
    return read_factors(file.path, header, named, AlphaRules(file.path, {}))


def check_gates(file: AdapterFile, weights: MixtureWeights) -> None:
    """Make sure that every layer has gates, all of one shape, and that nothing else has.

    Raises:
        InputError: it is not so.
    """
    if sorted(weights.gates) != weights.layers:
        raise InputError(f"{file.path}: its gates are not those of its layers", AGAIN)
    shapes = {tuple(gate.shape) for gate in weights.gates.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or shape[0] != len(weights.names):
        raise InputError(f"{file.path}: its gates do not fit its {len(weights.names)} LoRAs", AGAIN)


def readme(adapter: "Adapter") -> str:
    """The README.md of a mixture: how it is used here, and what of it others can take."""
    title = public_title(adapter.base.title)
    parents = ", ".join(str(parent["name"]) for parent in adapter.parents) or "several LoRAs"
    plain = next(name for name in adapter.files if name.startswith(f"{LORA}-"))
    return f"""\
# {adapter.name}

A mixture of LoRAs for `{title}`, made with StickerForge of {parents}. Gates weigh them in every
layer and step by the prompt and the timestep.

- `stickerforge generate "a cat" --adapter {adapter.name}` draws with it.
- Other programs know no gates. What they can load is `{plain}`: a plain LoRA, the static average
  of the parents, for example in diffusers, from this folder:

```python
pipe.load_lora_weights(".", weight_name="{plain}")
```

- `stickerforge adapters bake {adapter.name} --prompt "a cat" --timestep 500 --name NAME` makes the
  plain LoRA that does the same as the mixture for one prompt at one timestep.
"""
