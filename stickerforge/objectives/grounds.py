"""Random grounds over which a picture with alpha is looked at.

A ground is (3, H, H) in [0, 1]; H pixels a side. All are functions of their generator.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

KINDS = ("solid", "gradient", "noise", "photo")
GRAINS = (1, 2, 4, 8)  # pixels of a grain of noise
LEAVES = 32  # discs of a scene
SMALLEST, LARGEST = 0.04, 0.5  # their radius as a share of the side


def random_grounds(
    count: int, side: int, generator: Generator, photos: Sequence[Tensor] = ()
) -> Tensor:
    """Grounds of all kinds with equal chances, (count, 3, side, side).

    Args:
        photos: opaque pictures, uint8 (3, H, W), of which parts are taken; without any, scenes are
            made up.
    """
    kinds = torch.randint(len(KINDS), (count,), generator=generator).tolist()
    return torch.stack([random_ground(KINDS[kind], side, generator, photos) for kind in kinds])


def random_ground(
    kind: str, side: int, generator: Generator, photos: Sequence[Tensor] = ()
) -> Tensor:
    """A ground of one of the `KINDS`."""
    if kind == "solid":
        return random_color(generator).expand(3, side, side)
    if kind == "gradient":
        return gradient(side, generator)
    if kind == "noise":
        return noise(side, generator)
    return part_of(photos, side, generator) if photos else scene(side, generator)


def random_color(generator: Generator) -> Tensor:
    """Any colour, (3, 1, 1)."""
    return torch.rand((3, 1, 1), generator=generator)


def gradient(side: int, generator: Generator) -> Tensor:
    """From one colour to another in any direction."""
    first, second = random_color(generator), random_color(generator)
    angle = 2 * math.pi * float(torch.rand((), generator=generator))
    line = torch.linspace(-1, 1, side)
    along = math.cos(angle) * line[None] + math.sin(angle) * line[:, None]
    share = (along / (abs(math.cos(angle)) + abs(math.sin(angle))) + 1) / 2
    return first + (second - first) * share


def noise(side: int, generator: Generator) -> Tensor:
    """Grains of independent colours, of one pixel or several."""
    grain = GRAINS[int(torch.randint(len(GRAINS), (), generator=generator))]
    count = -(-side // grain)
    grains = torch.rand((3, count, count), generator=generator)
    return grains.repeat_interleave(grain, 1).repeat_interleave(grain, 2)[:, :side, :side]


def scene(side: int, generator: Generator) -> Tensor:
    """Discs of all sizes that cover each other, which have the statistics of photographs.

    The "dead leaves" of Lee, Mumford and Huang (2001): as many discs of a radius as its cube is
    small. Each is shaded, as if lit from one side.
    """
    picture = gradient(side, generator).clone()
    line = torch.linspace(0, 1, side)
    places = torch.rand((LEAVES, 4), generator=generator).tolist()
    for row, column, chance, lean in places:
        # the inverse of the distribution of radii whose density falls with their cube
        low, high = SMALLEST**-2, LARGEST**-2
        radius = (low + chance * (high - low)) ** -0.5
        inside = (line[:, None] - row).square() + (line[None] - column).square() < radius**2
        color = random_color(generator)
        light = 1 + (lean - 0.5) * ((line[:, None] - row) / radius).expand(side, side)
        picture = torch.where(inside, (color * light).clamp(0, 1), picture)
    grain = 0.02 * torch.randn((1, side, side), generator=generator)
    return (picture + grain).clamp(0, 1)


def part_of(photos: Sequence[Tensor], side: int, generator: Generator) -> Tensor:
    """A square part of one of several pictures, at least half as wide as the picture."""
    photo = photos[int(torch.randint(len(photos), (), generator=generator))]
    size, top, left = torch.rand(3, generator=generator).tolist()
    edge = max(1, round(min(photo.shape[-2:]) * (0.5 + 0.5 * size)))
    row = round(top * (photo.shape[-2] - edge))
    column = round(left * (photo.shape[-1] - edge))
    square = photo[None, :, row : row + edge, column : column + edge].float() / 255
    resized = F.interpolate(square, (side, side), mode="bilinear", antialias=True)
    return resized[0].clamp(0, 1)
