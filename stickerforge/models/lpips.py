"""LPIPS, the learned perceptual distance (Zhang et al., arXiv:1801.03924), on a user's weights.

Shapes: B pairs of pictures, H, W pixels in [-1, 1].
"""

import re
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
    parameters = map_parameters(path, tensors, network)
    for key, value in network.state_dict().items():
        if parameters[key].shape != value.shape:
            shapes = f"{list(parameters[key].shape)}, not {list(value.shape)}"
            raise incomplete(path, f"{key} has shape {shapes}")
        if not parameters[key].isfinite().all():
            raise incomplete(path, f"{key} is not finite")
    network.load_state_dict(parameters)
    return name, network.eval().requires_grad_(False)


def incomplete(path: Path, what: str) -> InputError:
    """The error of a file that is LPIPS in part."""
    return InputError(f"{path} is no complete LPIPS: {what}", "the README says how to make one")


def map_parameters(path: Path, tensors: Mapping[str, Tensor], network: Lpips) -> dict[str, Tensor]:
    """The tensors of a file under our names: convolutions in their order, weights of each stage.

    Raises:
        InputError: one is missing.
    """
    ours = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    found = [re.fullmatch(r"net\.slice\d+\.(\d{1,3})\.weight", key) for key in tensors]
    numbers = {int(match[1]): match[0].rpartition(".")[0] for match in found if match}
    theirs = [numbers[number] for number in sorted(numbers)]
    if len(ours) != len(theirs):
        raise incomplete(path, f"it has {len(theirs)} convolutions, not {len(ours)}")
    names = {
        f"{mine}.{kind}": f"{key}.{kind}"
        for mine, key in zip(ours, theirs, strict=True)
        for kind in ("weight", "bias")
    }
    for number in range(len(network.weights)):
        with_dropout = f"lin{number}.model.1.weight"  # the layer before it
        names[f"weights.{number}"] = (
            with_dropout if with_dropout in tensors else f"lin{number}.model.0.weight"
        )
    if missing := [key for key in names.values() if key not in tensors]:
        raise incomplete(path, f"it lacks {missing[0]}")
    parameters = {mine: tensors[key] for mine, key in names.items()}
    parameters |= {
        mine: value.flatten() for mine, value in parameters.items() if mine.startswith("weights.")
    }
    return parameters | {"shift": network.shift, "scale": network.scale}
