"""Concepts (a subject or a style), and training an adapter on one in this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from examples.experiments.bench.protocol_items import drawing_of, slug
from examples.experiments.dco.images import sample_latents
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.vocabulary import short_name
from examples.recipes.mini.world import World
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.config.schema import TrainingConfig
from stickerforge.data.buckets import crop_to_bucket
from stickerforge.data.captions import Caption
from stickerforge.data.english import with_article
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.registry import find_model, load_model
from stickerforge.training.batches import TrainingExample
from stickerforge.training.best_checkpoint import ValidationSchedule
from stickerforge.training.methods import METHODS
from stickerforge.training.run_folder import CheckpointInfo, RunFolder
from stickerforge.training.state import init_state
from stickerforge.training.trainer import train

CLASS_IMAGES = 48  # pictures of the class
# From the narrowest on; else "thing".
CLASSES = ("bird", "flower", "fruit", "tool", "boat", "food", "drink", "animal")


@dataclass(frozen=True)
class Concept:
    """A subject or a style that an adapter is trained on.

    Args:
        token: "<llama>"; "" for a style.
        words: the class; "" for a style.
        examples: the references, encoded; `pictures` as they are.
    """

    name: str
    token: str
    words: str
    examples: list[TrainingExample]
    pictures: list[Image.Image]
    seed: int = 0  # of the training

    @property
    def tokens(self) -> dict[str, str]:
        """placeholder -> class."""
        return {self.token: self.words} if self.token else {}


def load_base() -> DiffusionModel:
    """sticker-mini as it ships."""
    return load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)


def encode_example(
    model: DiffusionModel, picture: Image.Image, caption: Caption
) -> TrainingExample:
    """A reference as `customize` would learn from it."""
    ready = crop_to_bucket(np.asarray(picture.convert("RGBA")), model.pixels, model.multiple)
    with torch.no_grad():
        mean, deviation = model.encode(torch.from_numpy(ready.premultiplied)[None])
    return TrainingExample(caption.base, caption, mean[0], deviation[0], ready.frame)


def subject_concept(model: DiffusionModel, scenes: World, subject: Subject, held: int) -> Concept:
    """A subject from its drawings in three styles, which the captions name."""
    token, words = f"<{slug(subject.name)}>", class_word(subject)
    drawings = {
        style: drawing_of(scenes, subject, style) for k, style in enumerate(STYLES) if k != held
    }
    captions = {
        style: Caption(f"a {token}, in {style} style", f"{with_article(words)}, in {style} style")
        for style in drawings
    }
    examples = [
        encode_example(model, picture, captions[style]) for style, picture in drawings.items()
    ]
    seed = stable_hash(f"claims|{subject.name}") % 2**31
    return Concept(slug(subject.name), token, words, examples, list(drawings.values()), seed)


def style_concept(
    model: DiffusionModel, scenes: World, name: str, style: str, subjects: Sequence[Subject]
) -> Concept:
    """A style from drawings of subjects that the model knows."""
    drawings = {
        short_name(subject.name): drawing_of(scenes, subject, style) for subject in subjects
    }
    captions = [f"a {words}, in {name} style" for words in drawings]
    pairs = zip(drawings.values(), captions, strict=True)
    return Concept(
        name,
        "",
        "",
        [encode_example(model, picture, Caption(text, text)) for picture, text in pairs],
        list(drawings.values()),
    )


def train_adapter(
    model: DiffusionModel,
    concept: Concept,
    config: TrainingConfig,
    on_validation: Callable[[int], Any] | None = None,
    every: int = 0,
    prior: Sequence[TrainingExample] = (),
) -> AdapterWeights:
    """The adapter after the steps of `config`.

    Args:
        on_validation: called with the number of steps after every `every` of them.
        prior: pictures of the class, for prior preservation.
    """
    schedule = None
    if on_validation:

        def validate(step: int) -> dict[str, float]:
            on_validation(step)
            return {"score": 0.0}

        schedule = ValidationSchedule(every, validate)
    state = init_state(
        model,
        concept.tokens,
        rank=config.rank,
        layers=config.layers,
        text_rank=config.text_rank,
        seed=concept.seed,
    )
    method = METHODS[config.objective](
        state, concept.examples, config, seed=concept.seed, prior=prior
    )
    with TemporaryDirectory() as folder:
        run, start = RunFolder(Path(folder)), CheckpointInfo(0, "", "")
        return train(method, config, run, start, validation=schedule)


@cache
def class_examples(words: str) -> list[TrainingExample]:
    """Pictures of the class in every style as the base draws them, as examples.

    Drawn once for all subjects of the class.
    """
    model, texts = (
        load_base(),
        [
            f"{with_article(words)}, in {STYLES[number % len(STYLES)]} style"
            for number in range(CLASS_IMAGES)
        ],
    )
    latents = sample_latents(
        model, [(text, text, 10_000 + number) for number, text in enumerate(texts)]
    )
    frame = (model.pixels, model.pixels, 0, 0, model.pixels, model.pixels)
    return [
        TrainingExample(text, Caption(text, text), one, torch.zeros_like(one), frame)
        for text, one in zip(texts, latents, strict=True)
    ]


def class_word(subject: Subject) -> str:
    """A word that the model knows for what the subject is.

    The subject's own name was in none of its captions.
    """
    return next((word for word in CLASSES if word in subject.keywords), "thing")


def with_settings(config: TrainingConfig, settings: Mapping[str, Any]) -> TrainingConfig:
    """The training configuration with other settings, by the names of its fields."""
    return replace(config, **settings)
