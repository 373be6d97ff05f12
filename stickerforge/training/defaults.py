"""What `customize` is asked to do, checked before anything is read into memory."""

from dataclasses import replace
from typing import Any

from stickerforge.config.schema import TrainingConfig
from stickerforge.models.card import ModelCard

# What the paper of DCO used for Stable Diffusion (section 5; 5e-4 for embeddings in its appendix).
PAPER_DEFAULTS = {
    kind: {"steps": 1000, "batch": 1, "layers": "attention", "lr": 5e-5, "beta": 1000.0} | own
    for kind, own in (
        ("subject", {"rank": 32, "token_lr": 5e-4, "offset_noise": 0.0}),
        ("style", {"rank": 64, "token_lr": 0.0, "offset_noise": 0.1}),
    )
}


def with_defaults(training: TrainingConfig, card: ModelCard, kind: str) -> TrainingConfig:
    """The settings with what is not said filled in: from the model's card, else from the paper."""
    suits: dict[str, Any] = PAPER_DEFAULTS[kind] | {
        "resolution": int(card.sampling.get("pixels", native_pixels(card)))
    }
    suits |= dict(card.customizing.get(kind, {}))
    given = {name: value for name, value in vars(training).items() if value is not None}
    return replace(training, **{name: given.get(name, value) for name, value in suits.items()})


def native_pixels(card: ModelCard) -> int:
    """The side that a model was trained on, from its configuration files."""
    from stickerforge.models.card import read_json

    halvings = (
        len(read_json(card.folder / "vae" / "config.json").get("block_out_channels", [0])) - 1
    )
    return int(read_json(card.folder / "unet" / "config.json").get("sample_size") or 64) << halvings
