"""LPIPS, the learned perceptual distance (Zhang et al., arXiv:1801.03924), on a user's weights.

Shapes: B pairs of pictures, H, W pixels in [-1, 1].
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import check_regular

# (channels, kernel, stride, padding) of every convolution, by stage; a pooling of (kernel, stride)
# before each stage but the first.
TRUNKS = {
    "alex": (
        (3, 2),
        (
            ((64, 11, 4, 2),),
            ((192, 5, 1, 2),),
            ((384, 3, 1, 1),),
            ((256, 3, 1, 1),),
            ((256, 3, 1, 1),),
        ),
        (1, 2),
    ),
    "vgg": (
        (2, 2),
        tuple(((c, 3, 1, 1),) * n for c, n in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))),
        (1, 2, 3, 4),
    ),
}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of ImageNet, for pixels in [-1, 1]


class Lpips(nn.Module):
    """The distance; its parameters are those of version 0.1."""

    def __init__(self, name: str) -> None:
        """Args:
        name: "alex" or "vgg".
        """
        super().__init__()
        self.pool, stages, self.pooled = TRUNKS[name]
        self.stages, self.weights, before = nn.ModuleList(), nn.ParameterList(), 3
        self.shift: Tensor
        self.scale: Tensor
        for stage in stages:
            layers: list[nn.Module] = []
            for channels, kernel, stride, padding in stage:
                layers += [nn.Conv2d(before, channels, kernel, stride, padding), nn.ReLU()]
                before = channels
            self.stages.append(nn.Sequential(*layers))
            self.weights.append(nn.Parameter(torch.ones(before)))
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None])
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None])

    @torch.inference_mode()
    def features(self, pictures: Tensor) -> list[Tensor]:
        """The output of each stage for (B, 3, H, W), of unit length at every place."""
        features, x = [], (pictures - self.shift) / self.scale
        for number, stage in enumerate(self.stages):
            x = stage(F.max_pool2d(x, *self.pool) if number in self.pooled else x)
            features.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return features

    @torch.inference_mode()
    def between(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Distances (B,) of pictures by their features (Equation 1)."""
        total = torch.zeros(len(first[0]))
        for one, other, weight in zip(first, second, self.weights, strict=True):
            total = total + ((one - other).square() * weight[:, None, None]).sum(1).mean((1, 2))
        return total

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances (B,) of pictures (B, 3, H, W) in [-1, 1]."""
        return self.between(self.features(first), self.features(second))


def load_lpips(path: Path) -> tuple[str, Lpips]:
    """("alex" or "vgg", the network) from a safetensors file with the names of the package `lpips`.

    Raises:
        InputError: it is missing, or something else.
    """
    try:
        check_regular(path)
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}",
            "give a safetensors file of LPIPS; the README says how to make one",
        ) from None
    first = tensors.get("net.slice1.0.weight")
    shape = tuple(first.shape) if first is not None else ()
    name = (
        "alex"
        if shape == (64, 3, 11, 11)
        else "vgg"
        if shape == (64, 3, 3, 3) and "net.slice1.2.weight" in tensors
        else None
    )
    if name is None:
        raise InputError(f"{path} holds no LPIPS of alex or vgg", "the README says how to make one")
    network = Lpips(name)
    try:
        network.load_state_dict(map_parameters(tensors, network))
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputError(
            f"{path} is no complete LPIPS: {reason}", "the README says how to make one"
        ) from None
    return name, network.eval().requires_grad_(False)


def map_parameters(tensors: Mapping[str, Tensor], network: Lpips) -> dict[str, Tensor]:
    """The tensors of a file under our names: convolutions in their order, weights of each stage."""
    ours = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    theirs = sorted(
        {key.rpartition(".")[0] for key in tensors if key.startswith("net.slice")},
        key=lambda key: int(key.split(".")[-1]),
    )
    if len(ours) != len(theirs):
        raise KeyError(f"it has {len(theirs)} convolutions, not {len(ours)}")
    parameters = {
        f"{mine}.{kind}": tensors[f"{key}.{kind}"]
        for mine, key in zip(ours, theirs, strict=True)
        for kind in ("weight", "bias")
    }
    for number in range(len(network.weights)):
        with_dropout = f"lin{number}.model.1.weight"  # the layer before it
        parameters[f"weights.{number}"] = tensors[
            with_dropout if with_dropout in tensors else f"lin{number}.model.0.weight"
        ].flatten()
    return parameters | {"shift": network.shift, "scale": network.scale}
