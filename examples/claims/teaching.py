# ruff: noqa: E402 - the modules of the other examples are found once their folders are on the path
"""Teaching, drawing and measuring in one process: what the experiments of this folder share.

Shapes: N pictures; C, H, W latent channels, rows, columns; D features.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLES / "mini"), str(EXAMPLES / "bench")]

from protocols import drawing_of, scene_items, slug
from sticker_bench import SEEN, Item

from art import Subject
from scenes import HUES, short_name
from settings import STYLES
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.config.schema import SamplingConfig
from stickerforge.data.buckets import crop_to_bucket
from stickerforge.data.captions import Caption
from stickerforge.data.english import plural, with_article
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.judge.model import Judge
from stickerforge.models.judge.network import Readings
from stickerforge.models.loading import load_model
from stickerforge.models.registry import find_model
from stickerforge.runtime.seeds import generator
from stickerforge.sampling.denoise import Consistency, denoise
from stickerforge.stickers.alpha import unpremultiply
from stickerforge.training.batches import TrainingExample
from stickerforge.training.best_checkpoint import ValidationSchedule
from stickerforge.training.checkpoint import Mark
from stickerforge.training.config import TrainingConfig
from stickerforge.training.trainer import train
from world import World, dice

TOGETHER = 11  # pictures that are denoised at once
PRIOR = 48  # pictures of the class
NEW_STYLE = (
    "new style"  # family of the item that asks for the style that a subject was not shown in
)
CLASSES = (
    "bird",
    "flower",
    "fruit",
    "tool",
    "boat",
    "food",
    "drink",
    "animal",
)  # from the narrowest on; else "thing"


@dataclass(frozen=True)
class Lesson:
    """A subject or a style that is taught.

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

    @property
    def tokens(self) -> dict[str, str]:
        """placeholder -> class."""
        return {self.token: self.words} if self.token else {}


def fresh() -> DiffusionModel:
    """sticker-mini as it ships."""
    return load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)


def encoded(family: DiffusionModel, picture: Image.Image, caption: Caption) -> TrainingExample:
    """A reference as `customize` would learn from it."""
    ready = crop_to_bucket(np.asarray(picture.convert("RGBA")), family.pixels, family.multiple)
    with torch.no_grad():
        mean, deviation = family.encode(torch.from_numpy(ready.premultiplied)[None])
    return TrainingExample(caption.base, caption, mean[0], deviation[0], ready.frame)


def subject_lesson(family: DiffusionModel, scenes: World, subject: Subject, held: int) -> Lesson:
    """A subject from its drawings in three styles, with their styles said."""
    token, words = f"<{slug(subject.name)}>", class_of(subject)
    shown = {
        style: drawing_of(scenes, subject, style) for k, style in enumerate(STYLES) if k != held
    }
    captions = {
        style: Caption(f"a {token}, in {style} style", f"{with_article(words)}, in {style} style")
        for style in shown
    }
    examples = [encoded(family, picture, captions[style]) for style, picture in shown.items()]
    return Lesson(slug(subject.name), token, words, examples, list(shown.values()))


def style_lesson(
    family: DiffusionModel, scenes: World, name: str, style: str, subjects: Sequence[Subject]
) -> Lesson:
    """A style from drawings of subjects that the model knows."""
    shown = {short_name(subject.name): drawing_of(scenes, subject, style) for subject in subjects}
    captions = [f"a {words}, in {name} style" for words in shown]
    pairs = zip(shown.values(), captions, strict=True)
    return Lesson(
        name,
        "",
        "",
        [encoded(family, picture, Caption(said, said)) for picture, said in pairs],
        list(shown.values()),
    )


def learned(
    family: DiffusionModel,
    lesson: Lesson,
    course: TrainingConfig,
    look: Callable[[int], Any] | None = None,
    every: int = 0,
    prior: Sequence[TrainingExample] = (),
) -> AdapterWeights:
    """Teach it; `look` is called with the number of steps after every so many of them."""

    def seen(done: int) -> dict[str, float]:
        if look:
            look(done)
        return {"score": 0.0}

    watch = ValidationSchedule(every, seen) if look else None
    with TemporaryDirectory() as folder:
        return train(
            family,
            lesson.examples,
            course,
            lesson.tokens,
            Path(folder),
            Mark(0, "", ""),
            prior,
            watch=watch,
        )


@torch.no_grad()
def sampled(
    family: DiffusionModel, items: Sequence[tuple[str, str, int]], weight: float | None = None
) -> Tensor:
    """Latents (N, C, H, W) for (text, text in plain words, seed) with the settings of the model's card.

    Args:
        weight: of consistency guidance; None lets the adapter lead itself.
    """
    chosen = sampling_settings(SamplingConfig(), family.card)
    assert chosen.steps is not None and chosen.guidance is not None
    found = []
    for start in range(0, len(items), TOGETHER):
        part = items[start : start + TOGETHER]
        shape = family.latent_shape(family.pixels)
        noise = torch.stack(
            [torch.randn(shape, generator=generator(seed, "latents")) for _, _, seed in part]
        )
        with family.adapters.off():
            base, empty = (
                family.encode_prompt([plain for _, plain, _ in part]),
                family.encode_prompt([""] * len(part)),
            )
        led = None if weight is None else Consistency(base, family.adapters.off, weight)
        text, scheduler = (
            family.encode_prompt([said for said, _, _ in part]),
            family.scheduler("model", chosen.steps),
        )
        found.append(
            denoise(
                family.predict,
                scheduler,
                noise,
                text,
                empty,
                guidance=chosen.guidance,
                consistency=led,
            )
        )
    return torch.cat(found)


def drawn(
    family: DiffusionModel, items: Sequence[tuple[str, str, int]], weight: float | None = None
) -> list[Image.Image]:
    """The same as finished pictures."""
    pixels = torch.cat(
        [family.decode(part) for part in sampled(family, items, weight).split(TOGETHER)]
    )
    return [Image.fromarray(unpremultiply(to_premultiplied(picture, None))) for picture in pixels]


@cache
def prior_of(words: str) -> list[TrainingExample]:
    """Pictures of the class in every style as the base draws them, as examples; drawn once for all subjects of the class."""
    family, said = (
        fresh(),
        [
            f"{with_article(words)}, in {STYLES[number % len(STYLES)]} style"
            for number in range(PRIOR)
        ],
    )
    latents = sampled(family, [(text, text, 10_000 + number) for number, text in enumerate(said)])
    whole = (family.pixels, family.pixels, 0, 0, family.pixels, family.pixels)
    return [
        TrainingExample(text, Caption(text, text), one, torch.zeros_like(one), whole)
        for text, one in zip(said, latents, strict=True)
    ]


def class_of(subject: Subject) -> str:
    """A word that the model knows for what the subject is: it was never told the subject's own name."""
    return next((word for word in CLASSES if word in subject.keywords), "thing")


def asked(items: Sequence[Item], lesson: Lesson) -> list[tuple[str, str, int]]:
    """(text, text in plain words, seed) of items about a subject."""
    return [(item.prompt, plain_words(item.prompt, lesson), item.seed) for item in items]


def plain_words(text: str, lesson: Lesson) -> str:
    """The text with the class for the new word: "an animal" for "a <llama>", "two animals" for "two <llama>"."""
    token, words = lesson.token, lesson.words
    many = re.sub(rf"\b(two|three|four|five) ((?:\w+ )?){token}", rf"\1 \2{plural(words)}", text)
    return many.replace(f"a {token}", with_article(words)).replace(token, words)


def items_of(scenes: World, subject: Subject, held: int, times: int) -> list[Item]:
    """What a taught subject is asked for, each so many times, under seeds of its own: the fourth style, and scenes with more in them."""
    found = scene_items(subject, scenes, f"<{slug(subject.name)}>", held, slug(subject.name))
    some = [
        item for item in found if int(item.id.rsplit("-", 1)[1]) < times and item.family != "single"
    ]
    return [replace(item, seed=dice(f"claims|{item.id}") % 2**31) for item in some]


def beside(item: Item, read: Readings, row: int, judge: Judge) -> float:
    """Share of what a scene asks for beside its subject that the judge finds: colour, number, what is worn, the other thing.

    The subject is left out, since whether that is there is the other axis, and the style where the subject was shown in it:
    reciting brings that.
    """
    truth, first = item.truth, item.truth.things[0]
    claims = []
    if item.family == NEW_STYLE:
        claims.append(judge.styles[int(read.style[row].argmax())].replace("-", " ") == truth.style)
    others = [thing.subject.name for thing in truth.things[1:]] + [
        thing.wears for thing in truth.things if thing.wears
    ]
    likeliest = read.presence[row].topk(SEEN.get(item.family, 1) + len(others)).indices.tolist()
    claims += [judge.labels.index(judge.label_of[name]) in likeliest for name in others]
    if first.colour:
        hues = {hue: float(read.colours[row, judge.colours.index(hue)]) for hue in HUES}
        claims.append(max(hues, key=hues.__getitem__) == first.colour)
    if (total := sum(thing.count for thing in truth.things)) > 1:
        claims.append(int(read.count[row].argmax()) + 1 == total)
    return float(np.mean(claims))


def measured(
    pictures: Sequence[Image.Image], lesson: Lesson, items: Sequence[Item], judge: Judge
) -> dict[str, list[float]]:
    """Of each picture: "likeness", the mean cosine with the references, and "fit", what it shows beside the subject."""
    seen = judge.pictures(pictures)
    likeness = (
        judge.encode_image(seen) @ judge.encode_image(judge.pictures(lesson.pictures)).T
    ).mean(1)
    read = judge.read(seen)
    fit = [beside(item, read, row, judge) for row, item in enumerate(items)]
    return {
        "likeness": [round(float(value), 4) for value in likeness],
        "fit": [round(value, 4) for value in fit],
    }


def changed(course: TrainingConfig, settings: Mapping[str, Any]) -> TrainingConfig:
    """A course with other settings, by the names of its fields."""
    return replace(course, **settings)
