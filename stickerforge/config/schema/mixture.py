"""How the gates of a mixture of LoRAs are trained."""

from dataclasses import dataclass

from stickerforge.config.setting import UNSET, setting


@dataclass(frozen=True)
class MixtureConfig:
    """How a mixture's gates are trained; its LoRAs stay as they are."""

    steps: int = setting(
        500, "Training steps of the gates; 0 for no mixture.", low=0, high=1_000_000
    )
    batch: int = setting(8, "Pictures per step.", low=1, high=4096)
    lr: float = setting(1e-3, "Learning rate of the gates.", low=1e-8, high=1.0)
    balance: float = setting(
        0.01, "How much it counts that all LoRAs are used alike.", low=0.0, high=1000.0
    )
    temperature: float = setting(
        1.0, "What gates are divided by: higher ones weigh more alike.", low=1e-3, high=1000.0
    )
    caption_dropout: float = setting(
        0.1, "Share of the pictures that are learned without their caption.", low=0.0, high=1.0
    )
    resolution: int = setting(UNSET, "Side of the pictures in pixels.", low=16, high=2048)
    memory: float = setting(
        0.0,
        "Gigabytes that a step may take; a batch is then computed in parts. 0 for no limit.",
        low=0.0,
        high=10_000.0,
    )
    epsilon: float = setting(1e-8, "Epsilon of AdamW.", low=1e-12, high=1.0)
    weight_decay: float = setting(0.0, "Weight decay of AdamW.", low=0.0, high=1.0)
    clip: float = setting(1.0, "Largest norm of a gradient.", low=1e-6, high=1e6)
    save_every: int = setting(50, "Steps between checkpoints.", low=1, high=1_000_000)
