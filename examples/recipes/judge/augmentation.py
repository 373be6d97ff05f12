"""Augmentation of the judges' training pictures.

python -m examples.recipes.judge.augmentation        runs/judge/sheet.png: as the judges see them

Shapes: B pictures of a batch.
"""

import io
from functools import cache
from pathlib import Path

import numpy as np
import skimage
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from examples.recipes.judge.dataset import load_drawings, load_scenes
from examples.recipes.judge.settings import PIXELS, RUNS

# scikit-image's sample photographs that are public domain or CC0
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")


@cache
def load_photographs() -> list[Image.Image]:
    """What things are laid on."""
    folder = Path(skimage.__file__).parent / "data"
    return [Image.open(folder / name).convert("RGB").resize((256, 256)) for name in PHOTOGRAPHS]


def random_grounds(count: int, rng: np.random.Generator) -> np.ndarray:
    """What is behind transparent pictures, float (B, PIXELS, PIXELS, 3).

    White, grey, any colour, a gradient, noise, a photograph.
    """
    result = np.empty((count, PIXELS, PIXELS, 3), np.float32)
    for row, kind in enumerate(rng.choice(6, count, p=(0.2, 0.2, 0.25, 0.1, 0.05, 0.2))):
        if kind == 0:
            result[row] = 1
        elif kind == 1:
            result[row] = rng.uniform(0, 1)
        elif kind == 2:
            result[row] = rng.uniform(0, 1, 3)
        elif kind == 3:
            share = np.linspace(0, 1, PIXELS)[:, None, None]
            result[row] = share * rng.uniform(0, 1, 3) + (1 - share) * rng.uniform(0, 1, 3)
        elif kind == 4:
            result[row] = rng.uniform(0, 1, (8, 8, 3)).repeat(PIXELS // 8, 0).repeat(PIXELS // 8, 1)
        else:
            photo = load_photographs()[rng.integers(len(PHOTOGRAPHS))]
            left, top = rng.integers(0, 256 - 96, 2)
            side = int(rng.integers(48, 97))
            result[row] = (
                np.asarray(
                    photo.resize(
                        (PIXELS, PIXELS),
                        Image.Resampling.BILINEAR,
                        (left, top, left + side, top + side),
                    )
                )
                / 255
            )
    return result


def random_affine(rgba: np.ndarray, rng: np.random.Generator, *, alone: bool) -> Tensor:
    """Turned, shifted, resized and cropped, float premultiplied (B, 4, PIXELS, PIXELS)."""
    count = len(rgba)
    planes = torch.from_numpy(rgba.astype(np.float32) / 255).permute(0, 3, 1, 2)
    zoom = rng.uniform(0.9, 1.9, count) if alone else rng.uniform(0.88, 1.12, count)  # > 1: smaller
    angle = np.radians(rng.normal(0, 8 if alone else 3, count))
    reach = np.maximum(0.12, zoom - 1) if alone else np.full(count, 0.08)
    shift = rng.uniform(-1, 1, (count, 2)) * reach[:, None]
    cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
    aspect = np.exp(rng.normal(0, 0.06, count))
    matrix = np.stack(
        [
            np.stack([cosine * aspect, -sine, shift[:, 0]], 1),
            np.stack([sine, cosine / aspect, shift[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(
        torch.from_numpy(matrix.astype(np.float32)), [count, 4, PIXELS, PIXELS], align_corners=False
    )
    return F.grid_sample(planes, grid, align_corners=False)


def distort(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures (B, 3, PIXELS, PIXELS) in [0, 1] with other light, contrast, saturation and hue.

    Some are blurred, noisy, or compressed as JPEG or WebP.
    """
    count = len(rgb)

    def draw(spread: float) -> Tensor:
        return torch.from_numpy(rng.normal(0, spread, (count, 1, 1, 1)).astype(np.float32))

    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * (1 + draw(0.05))
    rgb = (rgb - 0.5) * (1 + draw(0.05)) + 0.5 + draw(0.02)
    rgb = rgb + torch.from_numpy(rng.normal(0, 0.007, (count, 3, 1, 1)).astype(np.float32))
    for row in range(count):
        kind = rng.random()
        if kind < 0.15:
            side = int(rng.integers(26, 56))
            small = F.interpolate(
                rgb[row : row + 1],
                (side, side),
                mode="bilinear",
                antialias=True,
                align_corners=False,
            )
            rgb[row] = F.interpolate(small, (PIXELS, PIXELS), mode="bilinear", align_corners=False)[
                0
            ]
        elif kind < 0.25:
            rgb[row] += torch.from_numpy(rng.normal(0, 0.04, rgb[row].shape).astype(np.float32))
        elif kind < 0.45:
            rgb[row] = recompress(
                rgb[row], "JPEG" if rng.random() < 0.6 else "WEBP", int(rng.integers(20, 90))
            )
    return rgb.clamp(0, 1)


def recompress(rgb: Tensor, kind: str, quality: int) -> Tensor:
    """Written to a file and read back."""
    buffer = io.BytesIO()
    Image.fromarray((rgb.clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(
        buffer, kind, quality=quality
    )
    return torch.from_numpy(
        np.asarray(Image.open(buffer).convert("RGB")).astype(np.float32) / 255
    ).permute(2, 0, 1)


def augment(rgba: np.ndarray, rng: np.random.Generator, *, alone: bool) -> Tensor:
    """A batch as it is trained on, (B, 4, PIXELS, PIXELS).

    One picture in four comes without alpha, as a photograph would.
    """
    planes = random_affine(rgba, rng, alone=alone)
    behind = torch.from_numpy(random_grounds(len(rgba), rng)).permute(0, 3, 1, 2)
    alpha = torch.where(
        torch.from_numpy(rng.random((len(rgba), 1, 1, 1)) < 0.25), 1.0, planes[:, 3:]
    )
    return torch.cat([distort(planes[:, :3] + (1 - planes[:, 3:]) * behind, rng), alpha], 1)


def augment_gently(rgba: np.ndarray, rng: np.random.Generator, *, alone: bool) -> Tensor:
    """A batch turned, shifted and resized, on white, (B, 4, PIXELS, PIXELS).

    About as `evaluate` shows pictures to a judge.
    """
    planes = random_affine(rgba, rng, alone=alone)
    return torch.cat([planes[:, :3] + 1 - planes[:, 3:], planes[:, 3:]], 1)


def write_sheet(count: int = 48) -> None:
    """Write a sheet of drawings and scenes as they are trained on."""
    rng = np.random.default_rng(0)
    rows = []
    for stock, single in ((load_drawings(True), True), (load_scenes("test"), False)):
        rows_shown = np.sort(rng.choice(len(stock), count, replace=False))
        batch = augment(stock.rgba[rows_shown], rng, alone=single)
        rows.append(
            batch[:, :3]
            .reshape(-1, 12, 3, PIXELS, PIXELS)
            .permute(0, 3, 1, 4, 2)
            .reshape(-1, 12 * PIXELS, 3)
        )
    RUNS.mkdir(parents=True, exist_ok=True)
    Image.fromarray((torch.cat(rows).numpy() * 255).astype(np.uint8)).save(RUNS / "sheet.png")


if __name__ == "__main__":
    write_sheet()
    print(RUNS / "sheet.png")
