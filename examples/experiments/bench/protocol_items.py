"""What the protocols ask for: subjects, scenes, prompts and their scores."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_images import render_truth
from examples.experiments.bench.bench_items import CLEAR, Item
from examples.experiments.bench.bench_scores import TOP_LABELS, picture_scores
from examples.recipes.mini.art import HELD_OUT, Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.captions import caption, plural
from examples.recipes.mini.scene import Thing, Truth, stable_hash
from examples.recipes.mini.settings import DATA, HERE, STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.vocabulary import HUES, short_name
from examples.recipes.mini.world import World
from stickerforge.models.judge.model import Judge

DEV_SUBJECTS = 4  # subjects of the list dev
TUNING_SUBJECT = "flamingo"  # settings were chosen on it before there was this list
NEW_STYLE = "high contrast"
STYLE_DRAWINGS, STYLE_SUBJECTS = 10, 30  # a style is learned from, and asked for with, so many
MERGE_SUBJECTS = 6  # subjects that are merged
# Adapters' names, which tell nothing.
STYLE_NAMES = {"zorn": NEW_STYLE, "quill": "noto", "brisk": "twemoji", "velvet": "fluent"}
TIMES = 2  # pictures per prompt


@dataclass(frozen=True)
class Arm:
    """Pictures that are made with the same adapters.

    Args:
        name: of its folder.
        kind: what the table calls it.
        items: each with the scene that a perfect model would draw.
    """

    name: str
    kind: str
    options: tuple[str, ...]
    items: tuple[Item, ...]


def held_out_subjects(scenes: World, which: str, count: int) -> list[Subject]:
    """Subjects that were never shown, in an order that their names decide.

    Four for `dev`, then those of `test`.
    """
    names = [line.split("\t")[1] for line in HELD_OUT[2].read_text().splitlines()[1:]]
    ranked = sorted(
        names, key=lambda name: (name != TUNING_SUBJECT, stable_hash(f"protocol|{name}"))
    )
    selected = ranked[:DEV_SUBJECTS] if which == "dev" else ranked[DEV_SUBJECTS:][:count]
    return [scenes.by_name[name] for name in selected]


def slug(name: str) -> str:
    """As the name of an adapter."""
    return "".join(c if c.isalnum() else "-" for c in short_name(name).lower()).strip("-")


def ten_scenes(subject: Subject, scenes: World, style: str) -> list[tuple[str, Truth]]:
    """(which score of StickerBench tells, the scene)."""
    plain = Thing(subject)
    colour = next((hue for hue in HUES if scenes.can_recolour(subject, hue)), "")
    thing = lambda name: Thing(scenes.by_name[name], size="medium")  # noqa: E731
    left, right = {"size": "medium", "x": 0.27}, {"x": 0.73}
    single = lambda one, ground=CLEAR: Truth(style, (one,), "", ground)  # noqa: E731
    return [
        ("colour" if colour else "single", single(replace(plain, colour=colour))),
        ("worn", single(replace(plain, wears="crown"))),
        ("worn", single(replace(plain, wears="glasses"))),
        ("count", single(replace(plain, count=2, size="medium"))),
        ("count", single(replace(plain, count=3, size="medium"))),
        (
            "pair",
            Truth(
                style,
                (replace(plain, **left), replace(thing("cat face"), **right)),
                "to the left of",
                CLEAR,
            ),
        ),
        (
            "pair",
            Truth(
                style,
                (replace(plain, **left), replace(thing("house"), **right)),
                "to the left of",
                CLEAR,
            ),
        ),
        ("single", single(plain, Ground("plain", "", ("blue",)))),
        ("single", single(plain, Ground("gradient", "", ("yellow", "pink")))),
        ("single", single(replace(plain, size="small", x=0.22, y=0.78))),
    ]


def subject_prompt(truth: Truth, subject: Subject, word: str, rng: np.random.Generator) -> str:
    """What to ask for: the comprehensive caption, with another word for the subject."""
    renamed = tuple(
        replace(t, subject=replace(t.subject, name=word)) if t.subject == subject else t
        for t in truth.things
    )
    text = caption(replace(truth, things=renamed), "comprehensive", rng).replace(
        f", {truth.style} style", f", in {truth.style} style"
    )
    return text.replace(plural(word), word) if word.startswith("<") else text


def scene_items(subject: Subject, scenes: World, word: str, held: int, mark: str) -> list[Item]:
    """Everything one subject is asked for.

    First the new style, then the scenes in a style it was shown in.
    """
    truths = [("new style", Truth(STYLES[held], (Thing(subject),), "", CLEAR))]
    truths += ten_scenes(subject, scenes, STYLES[(held + 1) % len(STYLES)])
    results = []
    for number, (family, truth) in enumerate(truths):
        prompt = subject_prompt(truth, subject, word, np.random.default_rng(number))
        for seed in range(TIMES):
            results.append(
                Item(
                    f"{mark}-{number:02d}-{seed}", family, prompt, 1000 + seed, subject.name, truth
                )
            )
    return results


def drawing_of(scenes: World, subject: Subject, style: str) -> Image.Image:
    """A subject by itself in any style, the new one too."""
    if style != NEW_STYLE:
        premultiplied = np.asarray(scenes.sprite(subject.name, style))
    else:
        premultiplied = np.asarray(
            np.load(DATA / "judge" / "high_contrast.npy", mmap_mode="r")[subject.index]
        )
    return to_image(premultiplied)


def learned_subjects(scenes: World) -> list[Subject]:
    """Subjects that the model knows, in an order that their names decide."""
    return sorted(
        (s for s in scenes.subjects if s.kind), key=lambda s: stable_hash(f"style|{s.name}")
    )


def item_scores(
    item: Item, read: object, row: int, judge: Judge, twins: dict[str, set[str]]
) -> dict[str, float]:
    """The scores of one picture."""
    subject = item.truth.things[0].subject.name
    rows = {judge.labels.index(judge.label_of[name]) for name in (subject, *twins.get(subject, ()))}
    first = int(read.subject[row].argmax())  # type: ignore[attr-defined]
    if item.family == "new style":
        style = float(
            judge.styles[int(read.style[row].argmax())].replace("-", " ") == item.truth.style
        )  # type: ignore[attr-defined]
        right = float(first == judge.labels.index(judge.label_of[subject]))
        return {
            "subject": right,
            "subject or twin": float(first in rows),
            "style": style,
            "both": right * style,
        }
    present = (
        read.presence[row]
        .topk(TOP_LABELS.get(item.family, 1) + len(item.truth.things) - 1)
        .indices.tolist()
    )  # type: ignore[attr-defined]
    claims = picture_scores(item, read, row, judge)  # type: ignore[arg-type]
    return {
        "subject in scenes": float(bool(rows & set(present))),
        f"scenes, {item.family}": float(
            np.mean([value for name, value in claims.items() if name != "thing"])
        ),
    }


def twin_names() -> dict[str, set[str]]:
    """{held-out subject: what shows nearly the same}."""
    lines = [
        line.split(": ", 1)
        for line in (HERE / "near_twins.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return {name: {other.strip() for other in others.split(";")} for name, others in lines}


def render_target(item: Item, scenes: World) -> Image.Image:
    """What a perfect model would have drawn."""
    if item.truth.style != NEW_STYLE:
        return render_truth(item, scenes)
    page, piece = (
        Image.new("RGBA", (128, 128)),
        drawing_of(scenes, item.truth.things[0].subject, NEW_STYLE).resize((110, 110)),
    )
    page.paste(piece, (9, 9))
    return page
