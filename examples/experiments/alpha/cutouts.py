"""The ways to get a sticker out of one set of latents, and what `generate` makes of each.

Shapes: N pictures; c, h, w latent channels, rows, columns; H, W pixels.
"""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from examples.experiments.alpha.keying import Keying, key_white
from stickerforge.stickers.alpha import Rgba, premultiply, snap_alpha, unpremultiply
from stickerforge.stickers.despeckle import despeckle
from stickerforge.stickers.edges import clean_edges

KEYED, NATIVE = "keyed", "native"
OWN = ", own colours"  # alpha alone is learned
FINISHED = " finished"
BATCH = 16


@torch.inference_mode()
def encode(vae: AutoencoderKL, pictures: NDArray[np.uint8]) -> Tensor:
    """Opaque pictures (N, H, W, 3) as latents (N, c, h, w)."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    parts = (pixels / 127.5 - 1).split(BATCH)
    return torch.cat([vae.encode(part).latent_dist.mean for part in parts])


@torch.inference_mode()
def decode(vae: AutoencoderKL, latents: Tensor) -> NDArray[np.uint8]:
    """Latents as pictures (N, H, W, C), C channels as the autoencoder has them."""
    parts = [vae.decode(part).sample for part in latents.split(BATCH)]
    pixels = (torch.cat(parts) / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    return (255 * pixels).round().byte().numpy()


def finish(rgba: Rgba) -> Rgba:
    """A sticker as `generate` would write it: nearly clear and solid alpha snapped, dust removed,
    the edge in the colours of the figure.
    """
    return unpremultiply(clean_edges(despeckle(snap_alpha(premultiply(rgba)))))


def own_colors(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Rgba:
    """A learned alpha with the colours of the model's own decoder, without the white behind them.

    Over white it looks as that decoder has it, wherever anything is visible.

    Args:
        rgb: the opaque decode, (H, W, 3).
        alpha: (H, W).
    """
    share = np.maximum(alpha, 1).astype(np.float32)[..., None] / 255
    color = (rgb - (1 - share) * 255) / share
    return np.concatenate([color.clip(0, 255).round().astype(np.uint8), alpha[..., None]], -1)


def cut_out(rgb: NDArray[np.uint8], native: Mapping[str, Rgba], keying: Keying) -> dict[str, Rgba]:
    """Every arm's sticker of one picture, as it comes and finished.

    Args:
        rgb: the opaque decode, (H, W, 3).
        native: the decode with alpha by the name of its arm.
    """
    own = {name + OWN: own_colors(rgb, rgba[..., 3]) for name, rgba in native.items()}
    plain = {KEYED: key_white(rgb, keying), **native, **own}
    return plain | {name + FINISHED: finish(rgba) for name, rgba in plain.items()}
