"""Keys and values of cross-attention, computed once for all steps of a picture.

They depend on the text alone, and a small denoiser spends a good part of its time on them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diffusers.models.attention_processor import Attention
from torch import Tensor, nn


@contextmanager
def keep_text_projections(network: nn.Module) -> Iterator[None]:
    """Within, each projection of a text is computed once for each tensor that it is called with.

    Weights and active adapters must stay the same for a tensor, and tensors must not be written to.
    What hooks within a projection do to it is done anew every time.
    """
    projections = [
        part
        for module in network.modules()
        if isinstance(module, Attention) and module.is_cross_attention
        for projection in (module.to_k, module.to_v)
        for part in constant_parts(projection)
    ]
    # A hook of another library may have put a function of its own there.
    own = [vars(projection).get("forward") for projection in projections]
    for projection in projections:
        projection.forward = remember_outputs(projection.forward)
    try:
        yield
    finally:
        for projection, forward in zip(projections, own, strict=True):
            if forward is None:
                del projection.forward  # that of its class comes back
            else:
                projection.forward = forward


def constant_parts(projection: Any) -> list[nn.Module]:
    """What makes the same of a text in every step: a projection, or what its hooks come after.

    peft adds what its down factors make of a text to what the base makes of it; a hook on a down
    factor may weigh that by the timestep.
    """
    if not any(part._forward_hooks for part in projection.modules()):
        return [projection]
    if not hasattr(projection, "base_layer"):
        return []
    return [projection.base_layer, *projection.lora_A.values()]


def remember_outputs(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same function, which answers a tensor that it has seen from memory."""
    outputs: dict[int, tuple[Tensor, Tensor]] = {}

    def remembered(states: Tensor) -> Tensor:
        if id(states) not in outputs:
            # The tensor is kept as well, so that no other one takes its id.
            outputs[id(states)] = states, forward(states)
        return outputs[id(states)][1]

    return remembered
