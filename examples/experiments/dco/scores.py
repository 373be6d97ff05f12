"""Likeness and prompt fit of pictures, as a judge reads them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_items import Item
from examples.experiments.bench.bench_scores import TOP_LABELS
from examples.experiments.bench.protocol_items import scene_items, slug
from examples.experiments.dco.concepts import Concept
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.vocabulary import HUES
from examples.recipes.mini.world import World
from stickerforge.data.english import replace_noun
from stickerforge.models.judge.model import Judge
from stickerforge.models.judge.network import Readings

NEW_STYLE = (
    "new style"  # family of the item that asks for the style that a subject was not shown in
)


def prompts_of(items: Sequence[Item], concept: Concept) -> list[tuple[str, str, int]]:
    """(text, text in plain words, seed) of items about a subject."""
    return [(item.prompt, plain_words(item.prompt, concept), item.seed) for item in items]


def plain_words(text: str, concept: Concept) -> str:
    """The text with the class for the new word.

    "an animal" for "a <llama>", "two animals" for "two <llama>".
    """
    return replace_noun(text, concept.token, concept.words)


def concept_items(scenes: World, subject: Subject, held: int, times: int) -> list[Item]:
    """What a taught subject is asked for, each so many times, under seeds of its own.

    The fourth style, and scenes with more in them.
    """
    result = scene_items(subject, scenes, f"<{slug(subject.name)}>", held, slug(subject.name))
    some = [
        item
        for item in result
        if int(item.id.rsplit("-", 1)[1]) < times and item.family != "single"
    ]
    return [replace(item, seed=stable_hash(f"claims|{item.id}") % 2**31) for item in some]


def prompt_fit(item: Item, read: Readings, row: int, judge: Judge) -> float:
    """Share of what a scene asks for beside its subject that the judge finds.

    Colour, number, what is worn, the other thing.

    The subject is left out, since whether that is there is the other axis, and the style where the
    subject was shown in it: reciting brings that.
    """
    truth, first = item.truth, item.truth.things[0]
    claims = []
    if item.family == NEW_STYLE:
        claims.append(judge.styles[int(read.style[row].argmax())].replace("-", " ") == truth.style)
    others = [thing.subject.name for thing in truth.things[1:]] + [
        thing.wears for thing in truth.things if thing.wears
    ]
    likeliest = (
        read.presence[row].topk(TOP_LABELS.get(item.family, 1) + len(others)).indices.tolist()
    )
    claims += [judge.labels.index(judge.label_of[name]) in likeliest for name in others]
    if first.colour:
        hues = {hue: float(read.colours[row, judge.colours.index(hue)]) for hue in HUES}
        claims.append(max(hues, key=hues.__getitem__) == first.colour)
    if (total := sum(thing.count for thing in truth.things)) > 1:
        claims.append(int(read.count[row].argmax()) + 1 == total)
    return float(np.mean(claims))


def score_images(
    pictures: Sequence[Image.Image], concept: Concept, items: Sequence[Item], judge: Judge
) -> dict[str, list[float]]:
    """Of each picture: "likeness", the mean cosine with the references, and "fit", what it shows
    beside the subject.
    """
    inputs = judge.pictures(pictures)
    likeness = (
        judge.encode_image(inputs) @ judge.encode_image(judge.pictures(concept.pictures)).T
    ).mean(1)
    read = judge.read(inputs)
    fit = [prompt_fit(item, read, row, judge) for row, item in enumerate(items)]
    return {
        "likeness": [round(float(value), 4) for value in likeness],
        "fit": [round(value, 4) for value in fit],
    }
