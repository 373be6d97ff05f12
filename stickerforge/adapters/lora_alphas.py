"""The strength of a LoRA's layers, where the file says it apart from the factors.

diffusers writes peft's configuration of every network into the file's metadata, under the network's
name ("unet.lora_alpha"); peft writes that of its one network to adapter_config.json.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.adapters.foreign import LORA_ONLY
from stickerforge.adapters.header import AGAIN
from stickerforge.errors import InputError
from stickerforge.runtime.json_text import parse_json

METADATA = "lora_adapter_metadata"
ALTERED_BASES = ("pissa", "olora", "corda", "loftq", "lora_ga")  # these change the base's weights
EXPRESSION = set("*+?|()[]{}$")
MAX_ALPHA = 1e6


class AlphaRules:
    """Alpha by layer; where nothing is said, a scale of 1 is meant."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Raises:
        InputError: the configurations are broken, or are not of a LoRA as it is understood here.
        """
        self.path = path
        try:
            self.config = parse_json(metadata.get(METADATA, "{}"))
            if not isinstance(self.config, dict):
                raise ValueError(METADATA)
            self.patterns = {
                key: index_patterns(path, value or {})
                for key, value in self.config.items()
                if key.endswith("alpha_pattern")
            }
            for key, value in self.config.items():
                if key.endswith("lora_alpha") and value is not None:
                    check_alpha(value)
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise InputError(f"{path}: its metadata about alpha is broken", AGAIN) from None
        self.check_methods()

    def check_methods(self) -> None:
        """Make sure that the factors are all there is to the adapter.

        Raises:
            InputError: they are not; the method is named.
        """
        for full, value in self.config.items():
            key = full.rpartition(".")[2]
            if key == "peft_type" and value not in ("LORA", None):
                raise InputError(f"{self.path} holds {value!s:.40}", LORA_ONLY)
            if key == "use_dora" and value:
                raise InputError(f"{self.path} holds DoRA", LORA_ONLY)
            if key == "lora_bias" and value or key == "bias" and value not in ("none", None):
                raise InputError(f"{self.path} holds LoRA with biases", LORA_ONLY)
            if key == "init_lora_weights" and str(value).lower().startswith(ALTERED_BASES):
                raise InputError(
                    f"{self.path} holds {value!s:.40}, which changes the base model",
                    "ask its author for one that was converted to a plain LoRA",
                )

    def alpha(self, layer: str, rank: int) -> float:
        """Alpha of a layer, such that its scale is alpha / rank."""
        network, _, module = layer.partition(".")
        prefix = f"{network}."
        if f"{prefix}lora_alpha" not in self.config and f"{prefix}alpha_pattern" not in self.config:
            prefix, module = "", layer
        alpha = find_pattern(self.patterns.get(f"{prefix}alpha_pattern", {}), module)
        if alpha is None:
            alpha = self.config.get(f"{prefix}lora_alpha")
        if alpha is None:
            return float(rank)
        return float(alpha) * (math.sqrt(rank) if self.config.get(f"{prefix}use_rslora") else 1.0)


def check_alpha(value: Any) -> float:
    """A number that can be an alpha.

    Raises:
        ValueError, TypeError, OverflowError: it can be none.
    """
    if isinstance(value, bool) or not abs(alpha := float(value)) <= MAX_ALPHA:
        raise ValueError(value)
    return alpha


def index_patterns(path: Path, patterns: Mapping[str, Any]) -> dict[str, tuple[int, float, bool]]:
    """{end of a name: (place in the order, alpha, whether it is the whole name)}.

    Patterns are names or their ends; those that only an expression can match are refused, since a
    stranger's expressions are never run.

    Raises:
        InputError: one is an expression.
        ValueError, TypeError, OverflowError: an alpha is no number.
    """
    index: dict[str, tuple[int, float, bool]] = {}
    for place, (pattern, alpha) in enumerate(patterns.items()):
        name = pattern.removeprefix("^").removesuffix("$").replace(r"\.", ".")
        if EXPRESSION & set(name) or "\\" in name:
            raise InputError(
                f"{path}: its alpha_pattern has an expression: {pattern[:60]!r}",
                "write the names of the layers out, or their ends",
            )
        index.setdefault(name, (place, check_alpha(alpha), pattern.startswith("^")))
    return index


def find_pattern(index: Mapping[str, tuple[int, float, bool]], module: str) -> float | None:
    """The alpha of the first pattern that is a module's name or an end of it."""
    parts = module.split(".")
    found = []
    for start in range(len(parts)):
        entry = index.get(".".join(parts[start:]))
        if entry and (start == 0 or not entry[2]):
            found.append(entry)
    return min(found)[1] if found else None
