"""How something is taught: the settings of the loop."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.models.families.base import Layers
from stickerforge.objectives.dco import Reduction

Objective = Literal["dco", "plain"]


@dataclass(frozen=True)
class TrainingConfig:
    """How something is taught.

    Args:
        layers: which of the denoiser's layers get factors.
        text_rank: rank of factors on the text encoders; 0 for none.
        rate, text_rate, token_rate: learning rates of the denoiser's factors, the text encoders' and of the new embeddings.
        beta: of DCO; 0 for one that follows what was learned.
        reduction: whether DCO looks at pictures one by one or at a batch as a whole.
        snr_gamma: bound of the min-SNR weights; 0 for none.
        prior_weight: how much pictures of the class count beside references; 0 for none.
        draws: noises and timesteps per picture that the base is asked about, once each; 0 draws anew in every step.
        epsilon: of AdamW.
        save_every: steps between checkpoints.
        board: whether figures are written for TensorBoard, too.
    """

    steps: int
    batch: int
    rank: int
    layers: Layers
    rate: float
    token_rate: float
    beta: float
    objective: Objective
    offset_noise: float
    seed: int
    weight_decay: float
    clip: float
    save_every: int
    text_rank: int = 0
    text_rate: float = 0.0
    reduction: Reduction = "sample"
    snr_gamma: float = 0.0
    prior_weight: float = 0.0
    draws: int = 0
    epsilon: float = 1e-8
    board: bool = False
