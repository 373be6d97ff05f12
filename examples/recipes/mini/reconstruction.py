"""How much of a picture survives the autoencoder: colours, alpha and style.

python -m examples.recipes.mini.reconstruction [--photos FOLDER] [--shipped]

Reads the checkpoint, or with --shipped the packaged model. On held-out drawings, which no
autoencoder was trained on, in all four styles as scenes show them: PSNR of the colours over grey
and the mean absolute error of alpha; the mean colour of solid cells of 8 x 8 pixels, in levels of
255; and the share of drawings whose style the judge reads rightly, before and after. Photographs of
a folder are made 128 px wide and cropped to a square.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.autoencoder import CHECKPOINT, build_autoencoder
from examples.recipes.mini.checkpoint import load_checkpoint
from examples.recipes.mini.scenes import SCALE, Scenes
from examples.recipes.mini.settings import MODEL, PIXELS, STYLES
from examples.recipes.mini.sprites import to_image
from stickerforge.models.judge.model import load_judge

Codec = Callable[[Tensor], Tensor]  # premultiplied (B, 4, H, W) in [0, 1] to the same


def load_codec(shipped: bool) -> Codec:
    """The autoencoder, there and back."""
    if shipped:
        from stickerforge.models.card import read_card
        from stickerforge.models.registry import load_model

        network = load_model(read_card(MODEL, "sticker-mini"), torch.device("cpu"), torch.float32)
        return lambda pixels: network.decode(network.encode(pixels)[0])
    model = build_autoencoder().eval()
    load_checkpoint(CHECKPOINT, {"mean": model})
    return lambda pixels: (
        (model.decode(model.encode(pixels * 2 - 1).latent_dist.mean).sample.clamp(-1, 1) + 1) / 2
    )


def over_grey(pixels: Tensor) -> Tensor:
    """Colours (B, 3, H, W) on middle grey."""
    return pixels[:, :3] + 0.5 * (1 - pixels[:, 3:])


def psnr(first: Tensor, second: Tensor) -> float:
    """Mean over the pictures of 10 log10 (1 / mean square error)."""
    errors = (first - second).square().flatten(1).mean(1)
    return float((-10 * errors.clamp(min=1e-10).log10()).mean())


def cell_error(first: Tensor, second: Tensor) -> float:
    """Mean absolute error of the mean colour of cells that are solid throughout, 0 to 255."""
    solid = F.avg_pool2d((first[:, 3:] > 0.95).float(), 8) > 0.999
    error = 255 * F.avg_pool2d(first - second, 8)[:, :3].abs()
    return float((error * solid).sum() / (3 * solid.sum()))


def style_accuracy(pixels: Tensor, styles: list[str]) -> float:
    """Share of the drawings that the judge takes for the style they have."""
    judge = load_judge("judge")
    rgba = (pixels.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    pictures = [to_image(picture) for picture in rgba]
    read = judge.read(judge.pictures(pictures)).style.argmax(1).tolist()
    return float(np.mean([judge.styles[k] == style for k, style in zip(read, styles, strict=True)]))


@torch.inference_mode()
def reconstruct(encode_decode: Codec, pixels: Tensor) -> Tensor:
    """Every picture there and back."""
    return torch.cat([encode_decode(part) for part in pixels.split(16)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--shipped", action="store_true")
    args = parser.parse_args()
    encode_decode = load_codec(args.shipped)
    subjects, sprites = load_subjects()
    scenes, withheld = Scenes(subjects, sprites), withheld_names()
    drawings = [
        (scenes.place(scenes.sprite(s, k), SCALE), style)
        for s in subjects
        if s.name in withheld
        for k, style in enumerate(STYLES)
    ]
    pixels = (
        torch.from_numpy(np.stack([rgba for rgba, _ in drawings])).permute(0, 3, 1, 2).float() / 255
    )
    results, styles = reconstruct(encode_decode, pixels), [style for _, style in drawings]
    alpha_error = float((pixels[:, 3] - results[:, 3]).abs().mean())
    print(
        f"{len(pixels)} held-out drawings: "
        f"PSNR over grey {psnr(over_grey(pixels), over_grey(results)):.1f} dB, "
        f"alpha off by {alpha_error:.4f}, solid cells by {cell_error(pixels, results):.1f} of 255"
    )
    print(
        f"styles that the judge reads rightly: {style_accuracy(pixels, styles):.1%} before, "
        f"{style_accuracy(results, styles):.1%} after"
    )
    if args.photos:
        files = sorted(
            path
            for path in args.photos.rglob("*")
            if path.suffix.lower() in (".jpg", ".jpeg", ".png")
        )
        photos = [
            np.asarray(ImageOps.fit(Image.open(path).convert("RGBA"), (PIXELS, PIXELS)))
            for path in files
        ]
        pixels = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 255
        quality = psnr(over_grey(pixels), over_grey(reconstruct(encode_decode, pixels)))
        print(f"{len(photos)} photographs: PSNR {quality:.1f} dB")


if __name__ == "__main__":
    main()
