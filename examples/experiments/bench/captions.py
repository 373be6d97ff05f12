"""How right the embedded captioner is on scenes of StickerWorld, whose truth is known.

python -m examples.experiments.bench.captions [--count 1000] [--show]

Scenes that no model was trained on (another seed), of all kinds: the named thing is one of those
that are there, the style, the number, and the colour of a plain ground. "Unseen" are scenes with a
combination that was withheld from the judges, which read them: (subject, style), (subject, colour),
two subjects. --show prints twenty. Needs the art of the recipe (fetch.py, art.py).
"""

import argparse

import numpy as np
from PIL import Image

from examples.recipes.mini.scene import Truth, combinations, is_withheld
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.world import World, make_world
from stickerforge.captioning.captioner import CaptionRequest
from stickerforge.captioning.embedded import EmbeddedCaptioner, compose_caption

SEED = 4711


def load_scene(scenes: World, index: int) -> tuple[Image.Image, Truth]:
    """One of them, as a file would hold it."""
    rgba, truth = scenes[index]
    return to_image(rgba), truth


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    scenes, captioner = make_world("all", seed=SEED), EmbeddedCaptioner()
    label_of, rows = (
        {name: captioner.plain_name(label) for name, label in captioner.judge.label_of.items()},
        [],
    )
    for index in range(args.count):
        picture, truth = load_scene(scenes, index)
        analysis = captioner.analyze(picture)
        there = [label_of[thing.subject.name] for thing in truth.things]
        row = {
            "thing": analysis.things[0] in there,
            "first thing": analysis.things[0] == there[0],
            "style": analysis.style == truth.style,
        }
        row |= {
            "number": analysis.count == sum(thing.count for thing in truth.things),
            "drawn": analysis.drawing,
        }
        if len(there) == 1 and truth.things[0].count == 1 and not truth.things[0].wears:
            row["single thing"] = row["thing"]
        if any(is_withheld("judge", *names) for names in combinations(truth)):
            row |= {"thing, unseen": row["thing"], "style, unseen": row["style"]}
        if truth.ground.kind == "plain":
            row["plain ground"] = (analysis.background.kind, analysis.background.colors) == (
                "plain",
                truth.ground.colours,
            )
        rows.append(row)
        if args.show and index < 20:
            text = compose_caption(analysis, CaptionRequest("", "", "long"), analysis.colors)
            print(
                text, "|", " + ".join(there), truth.style, truth.ground.kind, *truth.ground.colours
            )
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [row[name] for row in rows if name in row]
        print(f"{name:14}{np.mean(known):8.1%}  of {len(known)}")


if __name__ == "__main__":
    main()
