"""How much each timestep counts, and flows instead of noise.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from typing import Literal

import torch
from torch import Tensor

PredictionType = Literal["epsilon", "v_prediction", "sample", "flow"]  # what a network predicts


def snr_weights(snr: Tensor, gamma: float, prediction: PredictionType) -> Tensor:
    """Min-SNR weights (Hang et al., arXiv:2303.09556, Section 3.4), (B,): errors of the clean latents count min(SNR, gamma) times.

    Args:
        snr: signal-to-noise ratio at the timesteps, (B,).
        gamma: the paper takes 5.
        prediction: what the errors to be weighted are errors of.
    """
    per_clean = {
        "epsilon": lambda: 1 / snr.clamp(min=1e-8),
        "v_prediction": lambda: 1 / (snr + 1),
        "sample": lambda: torch.ones_like(snr),
        "flow": lambda: (1 + snr.sqrt()).square().reciprocal(),
    }
    return snr.clamp(max=gamma) * per_clean[prediction]()


def interpolate(latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """(1 - sigma) latents + sigma noise (rectified flow, arXiv:2209.03003, Equation 1), (B, C, H, W).

    Args:
        sigma: share of noise, (B,), 0 to 1.
    """
    share = sigma[:, None, None, None]
    return (1 - share) * latents + share * noise


def flow_velocity(latents: Tensor, noise: Tensor) -> Tensor:
    """Where the line leads, noise - latents: what a flow-matching network predicts, (B, C, H, W)."""
    return noise - latents
