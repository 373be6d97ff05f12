"""The prompts of the wordings bench."""

from dataclasses import dataclass

import numpy as np

from examples.recipes.mini.captions import plural
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.settings import HERE, STYLES
from examples.recipes.mini.vocabulary import HUES, short_name
from examples.recipes.mini.world import make_world

SUBJECTS = 20
HOUSE_STYLE = "sticker"
QUICK_WORDINGS = 6  # of the wordings that may be taught, the first ones


@dataclass(frozen=True)
class WordingItem:
    """One picture to be made.

    Args:
        row: of the table, "wording: lovely {}" or "small".
        worded: the wording; "{}" for the plain name.
        style: as `generate --style` has it.
    """

    id: str
    row: str
    worded: str
    prompt: str
    style: str
    seed: int
    subject: str
    colour: str = ""


def read_wordings(which: str) -> list[str]:
    """Those of a list: common, dev or test."""
    rows = [
        line.split("\t")
        for line in (HERE / "wordings.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return [wording for name, wording in rows if name == which]


def bench_subjects(which: str) -> list[str]:
    """Learned subjects that lend themselves to every modifier; `dev` and `test` share none."""
    scenes = make_world("all", learned_only=True)
    fit = [
        s
        for s in scenes.subjects
        if s.kind in ("animal", "food", "transport", "plant")
        and not short_name(s.name).endswith("s")
    ]
    own = [
        s.name for s in fit if (stable_hash(f"wording|{s.codepoints}") % 3 == 0) == (which == "dev")
    ]
    return [own[i] for i in np.random.default_rng(5).permutation(len(own))[:SUBJECTS]]


def wording_items(which: str, quick: bool) -> list[WordingItem]:
    """Everything that is asked of a model."""
    results: list[WordingItem] = []

    def ask(
        row: str, worded: str, thing: str, subject: str, style: str, number: int, colour: str = ""
    ) -> None:
        words = worded.replace("a {}", "{}") if thing.startswith("two ") else worded
        results.append(
            WordingItem(
                f"{which}-{len(results):04d}",
                row,
                worded,
                words.format(thing),
                style,
                2000 + number,
                subject,
                colour,
            )
        )

    common, held = read_wordings("common"), read_wordings(which)
    names = bench_subjects(which)
    if quick:
        names, common = names[::2], common[:QUICK_WORDINGS]
    for number, subject in enumerate(names):
        name = short_name(subject)
        for worded in ["{}", *common, *held]:
            ask(f"wording: {worded}", worded, name, subject, HOUSE_STYLE, number)
        colour = list(HUES)[number % len(HUES)]
        changed = {
            "small": f"small {name}",
            "colour": f"{colour} {name}",
            "two": f"two {plural(name)}",
            "crown": f"{name} wearing a crown",
            "ground": f"{name} on a blue background",
        }
        for kind, (row, thing) in enumerate(changed.items()):
            for worded in ("{}", held[(number + kind) % len(held)]):
                ask(row, worded, thing, subject, HOUSE_STYLE, number, colour)
        for style in STYLES:
            for worded in ("{}", held[(number + STYLES.index(style)) % len(held)]):
                ask(
                    f"style: {style}",
                    worded,
                    name,
                    subject,
                    HOUSE_STYLE if style == "fluent" else style,
                    number,
                )
    return results
