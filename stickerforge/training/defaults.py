"""What `customize` is asked to do, checked before anything is read into memory."""

from dataclasses import replace
from typing import Any

from stickerforge.config.schema import TrainingConfig
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec


def with_defaults(training: TrainingConfig, card: ModelCard, kind: str) -> TrainingConfig:
    """The settings with what is not said filled in: from the model's card, else from the paper."""
    spec = family_spec(card.folder)
    suits: dict[str, Any] = vars(spec.training[kind]) | {
        "resolution": int(card.sampling.get("pixels", spec.native_pixels(card.folder)))
    }
    suits |= dict(card.training.get(kind, {}))
    given = {name: value for name, value in vars(training).items() if value is not None}
    return replace(training, **{name: given.get(name, value) for name, value in suits.items()})
