"""Train the RGBA autoencoder: 128 x 128 x 4 to 16 x 16 x 8 and back.

python -m examples.recipes.mini.autoencoder [--steps 4500]

Resumes from runs/v2/autoencoder.safetensors. Pixels are premultiplied RGBA in [-1, 1]: where alpha
is 0 all four channels are -1, so the network never has to invent a colour that nobody sees, and an
error counts as much as it is visible. One picture in nine is a crop of a photograph, since people
customize the model with photographs. Its norms are anchored (anchors.py), so that it can learn from
crops around what is drawn: half of a scene is empty.

Shapes: B pictures; 4 channels; H, W rows and columns.
"""

import argparse
from pathlib import Path

import numpy as np
import skimage
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from examples.recipes.mini.anchors import add_anchors, freeze_anchors
from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.checkpoint import Checkpointer, load_checkpoint
from examples.recipes.mini.dataset import training_world
from examples.recipes.mini.optim import clip_and_step, cosine_lr, ema_copy, update_ema
from examples.recipes.mini.scenes import Scenes
from examples.recipes.mini.settings import DEVICE, LATENT_CHANNELS, PIXELS, RUN, SEED

# The sample photographs inside scikit-image's wheel that are public domain or CC0.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")
CHECKPOINT = RUN / "autoencoder.safetensors"
CROP = 64  # side of the crops
FULL_SIZE_SHARE = 0.1  # share of the steps, the last ones, that see whole pictures
INITIAL_LOG_VARIANCE = -6.0  # log-variance of the posterior at the beginning


def build_autoencoder(channels_of_pictures: int = 4) -> AutoencoderKL:
    """The architecture: three halvings, few channels at full resolution, where a CPU is slow."""
    channels = (16, 32, 64, 128)
    return AutoencoderKL(
        in_channels=channels_of_pictures,
        out_channels=channels_of_pictures,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=channels,
        down_block_types=["DownEncoderBlock2D"] * len(channels),
        up_block_types=["UpDecoderBlock2D"] * len(channels),
        layers_per_block=1,
        norm_num_groups=1,
        mid_block_add_attention=False,
        scaling_factor=1.0,
        sample_size=PIXELS,
    )


@torch.no_grad()
def init_autoencoder() -> AutoencoderKL:
    """One that has learned nothing: anchored, with latents that are nearly exact."""
    model = add_anchors(build_autoencoder())
    for convolution in (model.quant_conv, model.post_quant_conv):
        convolution.weight.copy_(torch.eye(len(convolution.weight))[:, :, None, None])
    model.encoder.conv_out.weight[LATENT_CHANNELS:] = 0
    model.quant_conv.bias[LATENT_CHANNELS:] = INITIAL_LOG_VARIANCE
    return model


@torch.no_grad()
def standardize_latents(model: AutoencoderKL, mean: Tensor, spread: Tensor) -> AutoencoderKL:
    """The same autoencoder with latents of mean 0 and deviation 1 in each channel, (C,) each.

    The change is folded into the two 1 x 1 convolutions around the latents, so the pictures stay
    the same and the scaling factor is 1.
    """
    encode, decode = model.quant_conv, model.post_quant_conv
    channels = len(mean)
    encode.weight[:channels] /= spread[:, None, None, None]
    encode.bias[:channels] = (encode.bias[:channels] - mean) / spread
    encode.bias[channels:] -= 2 * spread.log()  # the other half is the log-variance
    decode.bias += decode.weight[:, :, 0, 0] @ mean
    decode.weight *= spread[None, :, None, None]
    return model


class ImageMixture:
    """Scenes of what the denoiser will draw, scenes of every subject not withheld, crops of
    photographs.
    """

    SHARES = (0.62, 0.27, 0.11)

    def __init__(self) -> None:
        subjects, sprites = load_subjects()
        withheld = withheld_names()
        self.learned = training_world()
        self.others = Scenes(
            [s for s in subjects if s.name not in withheld], sprites, seed=SEED + 2
        )
        folder = Path(skimage.__file__).parent / "data"
        self.photographs = [Image.open(folder / name).convert("RGB") for name in PHOTOGRAPHS]

    def photograph(self, rng: np.random.Generator) -> np.ndarray:
        """A random square crop, sometimes mirrored, opaque: uint8 (PIXELS, PIXELS, 4)."""
        photo = self.photographs[rng.integers(len(self.photographs))]
        side = int(rng.integers(PIXELS, min(photo.size) + 1))
        left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
        crop = np.asarray(
            photo.resize(
                (PIXELS, PIXELS), Image.Resampling.LANCZOS, (left, top, left + side, top + side)
            )
        )
        crop = crop[:, ::-1] if rng.random() < 0.5 else crop
        return np.concatenate([crop, np.full((PIXELS, PIXELS, 1), 255, np.uint8)], -1)

    def picture(self, rng: np.random.Generator) -> np.ndarray:
        """Any of them, uint8 (PIXELS, PIXELS, 4)."""
        source, index = rng.choice(3, p=self.SHARES), int(rng.integers(1 << 40))
        if source == 2:
            return self.photograph(rng)
        return self.others[index].rgba if source else self.learned[index][0]

    def batch(self, step: int, size: int, side: int) -> Tensor:
        """Pixels in [-1, 1], (size, 4, side, side), two crops of each picture.

        Always the same for one step.
        """
        rng = np.random.default_rng((SEED, step))
        results = [
            random_crop(picture, side, rng)
            for picture in (self.picture(rng) for _ in range(size // 2))
            for _ in range(2)
        ]
        return torch.from_numpy(np.stack(results)).permute(0, 3, 1, 2).float() / 127.5 - 1


def random_crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A square of a picture (PIXELS, PIXELS, 4), around something that is visible."""
    rows, columns = np.nonzero(picture[..., 3] > 20)
    middle = int(rng.integers(len(rows)))
    slack = rng.integers(-side // 8, side // 8 + 1, 2)
    y, x = (
        int(np.clip(place - side // 2, 0, PIXELS - side))
        for place in (rows[middle] + slack[0], columns[middle] + slack[1])
    )
    return picture[y : y + side, x : x + side]


def reconstruction_loss(decoded: Tensor, pixels: Tensor) -> Tensor:
    """Error of the pixels, of their differences (edges) and of their hue, here and at a quarter of
    the size; and of the mean colour of whole latent cells, by which people and judges tell a style.
    """
    loss = pixels.new_zeros(())
    for scale in (1, 4):
        error = F.avg_pool2d(decoded - pixels, scale) if scale > 1 else decoded - pixels
        red, green, blue, *_ = error.unbind(1)
        across, along = error.diff(dim=-1).abs().mean(), error.diff(dim=-2).abs().mean()
        hue = (red - green).abs().mean() + (blue - (red + green) / 2).abs().mean()
        loss = (
            loss + error.abs().mean() + 0.5 * (across + along) + 0.5 * hue + error.square().mean()
        )
    cells = F.avg_pool2d(decoded - pixels, 8)
    return loss + 3 * cells.abs().mean() + 10 * cells.square().mean()


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    torch.manual_seed(SEED)
    model = init_autoencoder().to(DEVICE)
    freeze_anchors(model)
    mean = ema_copy(model)
    # Anchors must not shrink.
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.99), weight_decay=0.0)
    modules = {"model": model, "mean": mean}
    start = load_checkpoint(CHECKPOINT, modules, optimizer) if CHECKPOINT.exists() else 0
    pictures, keeper = ImageMixture(), Checkpointer(CHECKPOINT, modules, optimizer, steps, minutes)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, steps, peak)
        side = CROP if step < (1 - FULL_SIZE_SHARE) * steps else PIXELS
        pixels = pictures.batch(step, batch * CROP**2 // side**2, side).to(DEVICE)
        posterior = model.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(step)).to(
            DEVICE
        )
        decoded = model.decode(posterior.mean + posterior.std * noise).sample
        spread = (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean() / 2
        loss = reconstruction_loss(decoded, pixels) + 2e-4 * spread
        clip_and_step(loss, model, optimizer)
        update_ema(mean, model, step, 0.998)
        with torch.no_grad():
            error = 127.5 * (decoded - pixels)
            cells = F.avg_pool2d(error[:, :3], 8).abs().mean()
        keeper.after(
            step,
            {
                "absolute error of 255": float(error.abs().mean()),
                "of cells": float(cells),
                "KL": float(spread.detach()),
            },
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument(
        "--batch", type=int, default=32, help="crops; a quarter as many whole pictures"
    )
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--minutes", type=float, default=3, help="between checkpoints")
    args = parser.parse_args()
    train(args.steps, args.batch, args.minutes, args.rate)
