# ruff: noqa: E402 - the modules of the other examples are found once their folders are on the path
"""What the experiments on DCO's claims make and measure, one function per result; nothing is compared here.

Shapes: P points; 2 qualities, likeness and fit.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLES / "mini"), str(EXAMPLES / "bench"), str(EXAMPLES / "claims")]

from protocols import DRAWINGS, MADE_UP, real, ten_scenes
from protocols import learned as known_subjects
from sticker_bench import Item
from teaching import (
    Lesson,
    asked,
    beside,
    drawn,
    fresh,
    items_of,
    learned,
    measured,
    plain_words,
    prior_of,
    style_lesson,
    subject_lesson,
)

from art import Subject
from settings import STYLES
from stickerforge.adapters.merging import concatenate
from stickerforge.errors import InputError
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.training.batches import sample_batch as draw_of
from stickerforge.training.config import TrainingConfig
from stickerforge.training.state import ADAPTER
from world import World, dice

Looks = Mapping[int, Sequence[float]]  # {steps: weights of consistency guidance there}
TOP = 3  # a subject is recognised where it is among so many likeliest labels of 1,274
LOOKED_AT = 12  # batches of four draws that the deviation is measured on


@dataclass(frozen=True)
class Case:
    """A subject, the number of the style that it is not shown in, and how many pictures there are of each prompt."""

    subject: Subject
    held: int
    times: int


def curve(
    scenes: World, case: Case, course: TrainingConfig, judge: Judge, looks: Looks
) -> list[dict[str, Any]]:
    """Teach a subject and measure it on the way: a row per look; none where the training diverged.

    Args:
        looks: {steps: weights of consistency guidance there}, beside the adapter by itself.
    """
    family, items = fresh(), items_of(scenes, case.subject, case.held, case.times)
    lesson = subject_lesson(family, scenes, case.subject, case.held)
    wanted, rows = asked(items, lesson), []

    def look(steps: int) -> None:
        for weight in (None, *looks[steps]) if steps in looks else ():
            told = measured(drawn(family, wanted, weight), lesson, items, judge)
            rows.append({"steps": steps, "weight": weight} | told)

    try:
        learned(
            family,
            lesson,
            course,
            look,
            min(looks),
            prior_of(lesson.words) if course.prior_weight else [],
        )
    except InputError as error:
        print(f"{case.subject.name}: {error}", flush=True)
        return []
    return rows


def ends(scenes: World, case: Case, judge: Judge) -> dict[str, dict[str, list[float]]]:
    """What the untaught base draws for the same prompts in plain words, and real renders: both ends of the scales."""
    family, items = fresh(), items_of(scenes, case.subject, case.held, case.times)
    lesson = subject_lesson(family, scenes, case.subject, case.held)
    base = drawn(family, [(plain, plain, seed) for _, plain, seed in asked(items, lesson)])
    return {
        "base": measured(base, lesson, items, judge),
        "real": measured([real(item, scenes) for item in items], lesson, items, judge),
    }


def merged(
    scenes: World,
    case: Case,
    courses: tuple[TrainingConfig, TrainingConfig],
    styles: dict[str, Any],
) -> list[dict[str, Any]]:
    """One row per style, and one for the subject's adapter alone in the style that it was not shown in; none where it diverged.

    Args:
        courses: of the subject and of the styles.
        styles: adapters of styles that were taught before, and will be.
    """
    family, found = fresh(), []
    lesson = subject_lesson(family, scenes, case.subject, case.held)
    try:
        taught = learned(family, lesson, courses[0])
        for name in MADE_UP:
            if name not in styles:
                other = fresh()
                drawings = style_lesson(
                    other, scenes, name, MADE_UP[name], known_subjects(scenes)[:DRAWINGS]
                )
                styles[name] = learned(other, drawings, courses[1])
    except InputError as error:
        print(f"{case.subject.name}: {error}", flush=True)
        return []
    for name, style in MADE_UP.items():
        kind = "shown" if style in STYLES and STYLES.index(style) != case.held else "new"
        found.append(
            {"kind": kind} | in_style(scenes, lesson, case, [taught, styles[name]], (style, name))
        )
    return [
        *found,
        {"kind": "alone"} | in_style(scenes, lesson, case, [taught], (STYLES[case.held],) * 2),
    ]


def in_style(
    scenes: World, lesson: Lesson, case: Case, adapters: Sequence[Any], style: tuple[str, str]
) -> dict[str, float]:
    """By itself, in a colour, with a crown and twice, by the sum of the adapters: the shares of pictures with the subject among the
    TOP labels, with the style, with both, and the share of what else the prompts ask for.

    Args:
        style: what the judge calls it, and what the prompt does.
    """
    family, judge = fresh(), load_judge("judge")
    family.adapters.attach("sum", concatenate([(taught.lora, 1.0) for taught in adapters]))
    family.adapters.use({"sum": 1.0})
    for token, rows in adapters[0].tokens.items():
        family.add_token(token, rows)
    scenes_of = ten_scenes(case.subject, scenes, style[0])
    kinds = [("single", scenes_of[7][1]), scenes_of[0], scenes_of[1], scenes_of[3]]
    said = [
        "a {}",
        "a " + scenes_of[0][1].things[0].colour + " {}",
        "a {} wearing a crown",
        "two {}",
    ]
    items, texts = [], []
    for number, ((family_of, truth), words) in enumerate(zip(kinds, said, strict=True)):
        for repeat in range(case.times):
            seed = dice(f"claims|{case.subject.name}|{style[1]}|{number}|{repeat}") % 2**31
            text = f"{' '.join(words.format(lesson.token).split())}, in {style[1]} style"
            items.append(
                Item(f"{number}-{repeat}", family_of, text, seed, case.subject.name, truth)
            )
            texts.append((text, plain_words(text, lesson), seed))
    read = judge.read(judge.pictures(drawn(family, texts)))
    label = judge.labels.index(judge.label_of[case.subject.name])
    subjects = [label in read.presence[row].topk(TOP).indices.tolist() for row in range(len(items))]
    right = [judge.styles[k].replace("-", " ") == style[0] for k in read.style.argmax(1).tolist()]
    prompt = [
        beside(item, read, row, judge) for row, item in enumerate(items) if item.family != "single"
    ]
    both = [one and other for one, other in zip(subjects, right, strict=True)]
    return {
        name: float(np.mean(values))
        for name, values in (
            ("subject", subjects),
            ("style", right),
            ("both", both),
            ("prompt", prompt),
        )
    }


def moved(scenes: World, case: Case, course: TrainingConfig) -> float | None:
    """Mean squared difference of the predictions of adapted model and base, under fixed draws of the references; None where it diverged."""
    family = fresh()
    lesson = subject_lesson(family, scenes, case.subject, case.held)
    try:
        learned(family, lesson, course)
    except InputError as error:
        print(f"{case.subject.name}: {error}", flush=True)
        return None
    family.adapters.use({ADAPTER: 1.0})
    values = []
    for step in range(LOOKED_AT):
        draw = draw_of(lesson.examples, family, seed=99, step=step, batch=4, offset_noise=0.0)
        noisy = family.noised(draw.latents, draw.noise, draw.timesteps)
        with torch.no_grad():
            adapted = family.predict(
                noisy, draw.timesteps, family.encode_prompt([e.caption.text for e in draw.examples])
            )
            with family.adapters.off():
                base = family.predict(
                    noisy,
                    draw.timesteps,
                    family.encode_prompt([e.caption.base for e in draw.examples]),
                )
        values.append(float((adapted - base).square().mean()))
    return float(np.mean(values))
