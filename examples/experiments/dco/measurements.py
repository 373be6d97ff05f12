"""What the experiments on DCO's claims measure, one function per result; nothing is compared here.

Shapes: P points; 2 qualities, likeness and fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from examples.experiments.bench.bench_items import Item
from examples.experiments.bench.protocol_items import (
    STYLE_DRAWINGS,
    STYLE_NAMES,
    learned_subjects,
    render_target,
    ten_scenes,
)
from examples.experiments.dco.concepts import (
    Concept,
    class_examples,
    load_base,
    style_concept,
    subject_concept,
    train_adapter,
)
from examples.experiments.dco.images import sample_images
from examples.experiments.dco.scores import (
    concept_items,
    plain_words,
    prompt_fit,
    prompts_of,
    score_images,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.world import World
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.adapters.merging import concatenate
from stickerforge.config.schema import TrainingConfig
from stickerforge.errors import InputError
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.training.batches import sample_batch
from stickerforge.training.state import ADAPTER

Checkpoints = Mapping[int, Sequence[float]]  # {steps: weights of consistency guidance there}
TOP_LABELS = 3  # a subject is recognised where it is among so many likeliest labels of 1,274
DEVIATION_BATCHES = 12  # batches of four draws that the deviation is measured on


@dataclass(frozen=True)
class Case:
    """A subject, the number of the style that it is not shown in, and how many pictures there are
    of each prompt.
    """

    subject: Subject
    held: int
    times: int


def training_curve(
    scenes: World, case: Case, config: TrainingConfig, judge: Judge, checkpoints: Checkpoints
) -> list[dict[str, Any]]:
    """Train on a subject and measure on the way: a row per checkpoint; none where it diverged.

    Args:
        checkpoints: {steps: weights of consistency guidance there}, beside the adapter by itself.
    """
    model, items = load_base(), concept_items(scenes, case.subject, case.held, case.times)
    concept = subject_concept(model, scenes, case.subject, case.held)
    prompts, rows = prompts_of(items, concept), []

    def validate(steps: int) -> None:
        for weight in (None, *checkpoints[steps]) if steps in checkpoints else ():
            scores = score_images(sample_images(model, prompts, weight), concept, items, judge)
            rows.append({"steps": steps, "weight": weight} | scores)

    try:
        train_adapter(
            model,
            concept,
            config,
            validate,
            min(checkpoints),
            class_examples(concept.words) if config.prior_weight else [],
        )
    except InputError as error:
        print(f"{case.subject.name}: {error}", flush=True)
        return []
    return rows


def scale_ends(scenes: World, case: Case, judge: Judge) -> dict[str, dict[str, list[float]]]:
    """What the untaught base draws for the same prompts in plain words, and real renders.

    Both ends of the scales.
    """
    model, items = load_base(), concept_items(scenes, case.subject, case.held, case.times)
    concept = subject_concept(model, scenes, case.subject, case.held)
    base = sample_images(
        model, [(plain, plain, seed) for _, plain, seed in prompts_of(items, concept)]
    )
    return {
        "base": score_images(base, concept, items, judge),
        "real": score_images(
            [render_target(item, scenes) for item in items], concept, items, judge
        ),
    }


def merge_scores(
    scenes: World,
    case: Case,
    configs: tuple[TrainingConfig, TrainingConfig],
    styles: dict[str, Any],
) -> list[dict[str, Any]]:
    """One row per style, and one for the subject's adapter alone in the style that it was not shown
    in; none where it diverged.

    Args:
        configs: training configurations of the subject and of the styles.
        styles: adapters of the styles that are trained already; further ones are added.
    """
    model, results = load_base(), []
    concept = subject_concept(model, scenes, case.subject, case.held)
    try:
        subject_adapter = train_adapter(model, concept, configs[0])
        for name in STYLE_NAMES:
            if name not in styles:
                other = load_base()
                drawings = style_concept(
                    other,
                    scenes,
                    name,
                    STYLE_NAMES[name],
                    learned_subjects(scenes)[:STYLE_DRAWINGS],
                )
                styles[name] = train_adapter(other, drawings, configs[1])
    except InputError as error:
        print(f"{case.subject.name}: {error}", flush=True)
        return []
    for name, style in STYLE_NAMES.items():
        kind = "shown" if style in STYLES and STYLES.index(style) != case.held else "new"
        results.append(
            {"kind": kind}
            | style_scores(scenes, concept, case, [subject_adapter, styles[name]], (style, name))
        )
    return [
        *results,
        {"kind": "alone"}
        | style_scores(scenes, concept, case, [subject_adapter], (STYLES[case.held],) * 2),
    ]


def style_scores(
    scenes: World, concept: Concept, case: Case, adapters: Sequence[Any], style: tuple[str, str]
) -> dict[str, float]:
    """By itself, in a colour, with a crown and twice, by the sum of the adapters.

    The shares of pictures with the subject among the TOP_LABELS likeliest labels, with the style,
    with both, and the share of what else the prompts ask for.

    Args:
        style: what the judge calls it, and what the prompt does.
    """
    model, judge = load_base(), load_judge("judge")
    adapter_set = AdapterSet(model)
    adapter_set.attach("sum", concatenate([(adapter.lora, 1.0) for adapter in adapters]))
    adapter_set.activate({"sum": 1.0})
    for token, rows in adapters[0].tokens.items():
        model.add_token(token, rows)
    scenes_of = ten_scenes(case.subject, scenes, style[0])
    kinds = [("single", scenes_of[7][1]), scenes_of[0], scenes_of[1], scenes_of[3]]
    templates = [
        "a {}",
        "a " + scenes_of[0][1].things[0].colour + " {}",
        "a {} wearing a crown",
        "two {}",
    ]
    items, texts = [], []
    for number, ((family_of, truth), words) in enumerate(zip(kinds, templates, strict=True)):
        for repeat in range(case.times):
            seed = stable_hash(f"claims|{case.subject.name}|{style[1]}|{number}|{repeat}") % 2**31
            text = f"{' '.join(words.format(concept.token).split())}, in {style[1]} style"
            items.append(
                Item(f"{number}-{repeat}", family_of, text, seed, case.subject.name, truth)
            )
            texts.append((text, plain_words(text, concept), seed))
    read = judge.read(judge.pictures(sample_images(model, texts)))
    label = judge.labels.index(judge.label_of[case.subject.name])
    subjects = [
        label in read.presence[row].topk(TOP_LABELS).indices.tolist() for row in range(len(items))
    ]
    right = [judge.styles[k].replace("-", " ") == style[0] for k in read.style.argmax(1).tolist()]
    prompt = [
        prompt_fit(item, read, row, judge)
        for row, item in enumerate(items)
        if item.family != "single"
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


def base_deviation(scenes: World, case: Case, config: TrainingConfig) -> float | None:
    """Mean squared difference of the predictions of adapted model and base, under fixed draws of
    the references; None where it diverged.
    """
    model = load_base()
    concept = subject_concept(model, scenes, case.subject, case.held)
    try:
        train_adapter(model, concept, config)
    except InputError as error:
        print(f"{case.subject.name}: {error}", flush=True)
        return None
    adapter_set = AdapterSet(model)
    adapter_set.activate({ADAPTER: 1.0})
    values = []
    for step in range(DEVIATION_BATCHES):
        sample = sample_batch(
            concept.examples,
            model.noise_process.timestep_at,
            seed=99,
            step=step,
            size=4,
            offset_noise=0.0,
        )
        noisy = model.noise_process.add_noise(sample.latents, sample.noise, sample.timesteps)
        with torch.no_grad():
            adapted = model.predict(
                noisy,
                sample.timesteps,
                model.encode_prompt([e.caption.text for e in sample.examples]),
            )
            with adapter_set.disabled():
                base = model.predict(
                    noisy,
                    sample.timesteps,
                    model.encode_prompt([e.caption.base for e in sample.examples]),
                )
        values.append(float((adapted - base).square().mean()))
    return float(np.mean(values))
