"""Proof (a): which of 1,000 long captions belongs to a picture, and which picture to a caption.

Full is the cosine of a picture with its caption, text-relevant the part of it that is orthogonal to
the common direction of captions (arXiv:2410.11817), which ships with each judge. A caption is one
vector of what the tower reads of it, or the mean over those of its sentences. The pictures are
renders of scenes of the list `dev`. There are two sets of captions: those of the recipe, in which
every sentence is about the picture, and those of this experiment, which stand among remarks that
are not.

Shapes: N captions with their pictures, D features.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from examples.experiments.bench.bench_compare import interval_text
from examples.experiments.bench.bench_items import bench_world
from examples.experiments.longalign.long_captions import long_caption
from examples.experiments.longalign.scenes import SEED, VERSION, dev_truths
from examples.recipes.mini.captions import caption
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.sprites import to_image
from stickerforge.evaluation.statistics import paired_difference, wilson_interval
from stickerforge.models.common_direction import direction_path, read_direction
from stickerforge.models.encoders import JudgeEncoder
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.objectives.preference import decompose
from stickerforge.sampling.prompt_segments import fit, sentences

CAPTIONS = 1000
JUDGES: tuple[Literal["judge", "second"], ...] = ("second", "judge")
BATCH = 128
# Name of a difference: (score, score that is taken from it).
DIFFERENCES = {
    "single: relevant - full": ("single, relevant", "single, full"),
    "segments: relevant - full": ("segments, relevant", "segments, full"),
    "relevant: segments - single": ("segments, relevant", "single, relevant"),
    "full: segments - single": ("segments, full", "single, full"),
}

RULE = "| --- |" + " --- |" * 4
Encode = Callable[[JudgeEncoder, Sequence[str]], Tensor]


def encode_unique(encoder: JudgeEncoder, texts: Sequence[str]) -> dict[str, Tensor]:
    """{text: its unit vector (D,)}; each is encoded once, texts of one length together."""
    unique = sorted(set(texts), key=len)
    return {
        text: vector
        for start in range(0, len(unique), BATCH)
        for part in [unique[start : start + BATCH]]
        for text, vector in zip(part, torch.from_numpy(encoder.texts(part)), strict=True)
    }


def single_vectors(encoder: JudgeEncoder, texts: Sequence[str]) -> Tensor:
    """One vector of what the tower reads of each caption, (N, D)."""
    known = encode_unique(encoder, texts)
    return torch.stack([known[text] for text in texts])


def segment_means(encoder: JudgeEncoder, texts: Sequence[str]) -> Tensor:
    """The mean over the vectors of a caption's sentences, not normalized, (N, D)."""
    parts = [fit(sentences(text), encoder.count_tokens, encoder.text_tokens) for text in texts]
    known = encode_unique(encoder, [part for own in parts for part in own])
    return torch.stack([torch.stack([known[part] for part in own]).mean(0) for own in parts])


ENCODINGS: dict[str, Encode] = {"single": single_vectors, "segments": segment_means}


def recipe_caption(truth: Truth, rng: np.random.Generator) -> str:
    """Every sentence is about the picture."""
    return caption(truth, "long", rng)


def caption_among_remarks(truth: Truth, rng: np.random.Generator) -> str:
    """Most sentences are not about the picture."""
    return long_caption(truth, rng, part="evaluation").text


CAPTION_SETS: dict[str, Callable[[Truth, np.random.Generator], str]] = {
    "recipe": recipe_caption,
    "among remarks": caption_among_remarks,
}


def captions_of(truths: Sequence[Truth], kind: str) -> list[str]:
    """The captions of some scenes."""
    return [
        CAPTION_SETS[kind](truth, np.random.default_rng((SEED, index)))
        for index, truth in enumerate(truths)
    ]


def hits(images: Tensor, texts: Tensor) -> dict[str, np.ndarray]:
    """{way: 1 where the one's own counterpart has the highest score, else 0, (N,)}."""
    scores, own = images @ texts.T, torch.arange(len(images))
    return {
        "image to text": (scores.argmax(1) == own).numpy().astype(np.float64),
        "text to image": (scores.argmax(0) == own).numpy().astype(np.float64),
    }


def image_vectors(judge: Judge, pictures: Sequence[Image.Image]) -> Tensor:
    """Unit vectors (N, D)."""
    parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    return torch.cat([judge.encode_image(judge.pictures(part)) for part in parts])


def judge_hits(
    encoder: JudgeEncoder, direction: Tensor, images: Tensor, texts: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """{score: `hits`} of a judge."""
    results = {}
    for kind, encode in ENCODINGS.items():
        vectors = encode(encoder, texts)
        results[f"{kind}, full"] = hits(images, vectors)
        results[f"{kind}, relevant"] = hits(images, decompose(vectors, direction)[0])
    return results


def summary(found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """{way: {"recall": {score: [share, low, high]}, "differences": {name: paired difference}}}."""
    return {
        way: {
            "recall": {
                score: [
                    float(each[way].mean()),
                    *wilson_interval(int(each[way].sum()), len(each[way])),
                ]
                for score, each in found.items()
            },
            "differences": {
                title: paired_difference(found[ours][way] - found[theirs][way])
                for title, (ours, theirs) in DIFFERENCES.items()
            },
        }
        for way in next(iter(found.values()))
    }


@torch.inference_mode()
def measure_retrieval(count: int = CAPTIONS) -> dict[str, Any]:
    """{"captions": how many, "directions": {judge: sha256 of the captions of its direction},
    "sets": {captions: {judge: see `summary`}}}."""
    scenes, truths = bench_world(VERSION), list(islice(dev_truths(1), count))
    pictures = [to_image(scenes.draw(truth)[0]) for truth in truths]
    sets: dict[str, Any] = {kind: {} for kind in CAPTION_SETS}
    directions = {}
    for name in JUDGES:
        judge, stored = load_judge(name), read_direction(direction_path(name))
        encoder, images = JudgeEncoder(judge), image_vectors(judge, pictures)
        directions[name] = stored.sha256
        for kind, results in sets.items():
            texts = captions_of(truths, kind)
            results[name] = summary(judge_hits(encoder, stored.tensor, images, texts))
    return {"captions": count, "directions": directions, "sets": sets}


def table(record: Mapping[str, Any]) -> list[str]:
    """The lines of two Markdown tables: recall in percent, and differences in points."""
    ways = list(next(iter(record["sets"]["recipe"].values())))
    recalls = [f"| captions | judge | score | {' | '.join(ways)} |", RULE]
    changes = [f"| captions | judge | difference | {' | '.join(ways)} |", RULE]
    for kind, judges in record["sets"].items():
        for judge, found in judges.items():
            for score in found[ways[0]]["recall"]:
                rows = [found[way]["recall"][score] for way in ways]
                cells = [f"{100 * share:.1f} ({interval_text(*ends)})" for share, *ends in rows]
                recalls.append(f"| {kind} | {judge} | {score} | {' | '.join(cells)} |")
            for title in DIFFERENCES:
                rows = [found[way]["differences"][title] for way in ways]
                cells = [
                    f"{100 * row['change']:+.1f} ({interval_text(row['low'], row['high'], '+')})"
                    for row in rows
                ]
                changes.append(f"| {kind} | {judge} | {title} | {' | '.join(cells)} |")
    return [*recalls, "", *changes]
