"""Loss weights of timesteps.

Shapes: B pictures.
"""

from typing import Literal

import torch
from torch import Tensor

PredictionType = Literal["epsilon", "v_prediction", "sample", "flow"]  # what a network predicts


def snr_weights(snr: Tensor, gamma: float, prediction: PredictionType) -> Tensor:
    """Min-SNR weights (Hang et al., arXiv:2303.09556, Section 3.4), (B,).

    With them errors of the clean latents count min(SNR, gamma) times, whatever is predicted.

    Args:
        snr: signal-to-noise ratio at the timesteps, (B,).
        gamma: the paper takes 5.
        prediction: what the network predicts, whose squared error is weighted.
    """
    per_clean = {
        "epsilon": lambda: 1 / snr.clamp(min=1e-8),
        "v_prediction": lambda: 1 / (snr + 1),
        "sample": lambda: torch.ones_like(snr),
        "flow": lambda: (1 + snr.sqrt()).square().reciprocal(),
    }
    return snr.clamp(max=gamma) * per_clean[prediction]()
