"""Recommended training settings: those of the model's card, else of its architecture."""

from typing import Any

from stickerforge.config.schema import TrainingConfig
from stickerforge.config.setting import fill_unset
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec

# What the JSON of a dry run says about training. Some keys are not the names of their settings, but
# they were always these, and scripts read them.
TRAINING_KEYS = (
    "steps batch rank layers rate token_rate beta objective offset_noise seed weight_decay clip "
    "save_every text_rank text_rate reduction snr_gamma prior_weight draws epsilon board"
)
SETTING_OF_KEY = {
    "rate": "lr",
    "token_rate": "token_lr",
    "text_rate": "text_lr",
    "draws": "cached_noise",
    "board": "tensorboard",
}


def recommended_training(card: ModelCard, kind: str) -> TrainingConfig:
    """The settings that a user has who gives none; see `with_defaults`."""
    return with_defaults(TrainingConfig(), card, kind)


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


def training_json(training: TrainingConfig, seed: int) -> dict[str, Any]:
    """The settings of training by `TRAINING_KEYS`."""
    values = vars(training) | {"seed": seed, "text_lr": text_learning_rate(training)}
    return {key: values[SETTING_OF_KEY.get(key, key)] for key in TRAINING_KEYS.split()}
