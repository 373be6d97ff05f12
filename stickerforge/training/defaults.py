"""Recommended training settings: those of the model's card, else of its architecture."""

from typing import Any

from stickerforge.config.schema import TrainingConfig
from stickerforge.config.setting import fill_unset
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec


def with_defaults(training: TrainingConfig, card: ModelCard, kind: str) -> TrainingConfig:
    """The settings with what the user leaves open filled in.

    Args:
        kind: what is learned, "subject" or "style".
    """
    spec = family_spec(card.folder)
    pixels = card.sampling.get("pixels") or spec.native_pixels(card.folder)
    recommended: dict[str, Any] = vars(spec.training[kind]) | {"resolution": int(pixels)}
    return fill_unset(training, recommended | dict(card.training.get(kind, {})))


def text_learning_rate(training: TrainingConfig) -> float:
    """The learning rate of LoRA factors on the text encoders."""
    return training.lr / 5 if training.text_lr is None else training.text_lr
