"""What sticker-mini 3 learns from: more subjects, and mirrored ones.

python -m examples.recipes.mini.dataset_3 [--count 24]     runs/dataset_3.png: five captions each
"""

import argparse
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from examples.recipes.mini.art import learned_kinds, load_subjects, withheld_names
from examples.recipes.mini.caption_sampler import make_caption_sampler
from examples.recipes.mini.scene import Part, Thing, Truth, is_withheld
from examples.recipes.mini.settings import RUNS
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.vocabulary import EYEWEAR, HATS, HEADS
from examples.recipes.mini.world import World

SEED = 31
SHARES = {
    "one": 0.50,
    "mirrored": 0.04,
    "placed": 0.06,
    "counted": 0.10,
    "pair": 0.15,
    "dressed": 0.09,
    "suited": 0.06,
}
CLEAR = 0.75
# Of what rule the scenes are that were drawn.
WITHHELD = "one in sixteen; worn things in their styles, too"
FRONTAL = (
    *HEADS,
    "mouse face",
    "grinning cat",
    "smiling cat with heart-eyes",
    "front-facing baby chick",
)


class World3(World):
    """Scenes with faces of version 3, and mirrored ones."""

    def dressed(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """A head or a round face with a hat or glasses."""
        faces = tuple(
            s.name for s in self.subjects if s.kind == "face" and s.name.endswith(("face", "eyes"))
        )
        wearer = self.random_named(rng, FRONTAL if rng.random() < 0.7 else faces)
        worn = self.random_named(rng, HATS if rng.random() < 0.6 else EYEWEAR)
        return (
            None
            if wearer is None or worn is None
            else ((replace(wearer, wears=worn.subject.name),), "")
        )

    def shows_withheld(self, truth: Truth) -> bool:
        """Also a thing in a style that it is withheld in, where it is worn."""
        worn = [
            "astronaut" if thing.wears == "space suit" else thing.wears
            for thing in truth.things
            if thing.wears
        ]
        return super().shows_withheld(truth) or any(
            is_withheld(self.part, self.by_name[name].codepoints, truth.style) for name in worn
        )

    def mirrored(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """A single subject that looks the other way."""
        return (replace(self.random_thing(rng), mirrored=True),), ""


def training_world_3(everything: bool = False, part: Part = "generator3") -> World3:
    """The scenes; of all subjects that may be shown, or of those that people ask for.

    Args:
        part: "all" for scenes that show withheld combinations, too.
    """
    subjects, sprites = load_subjects(3)
    withheld = withheld_names(3)
    visible = [s for s in subjects if s.name not in withheld and (s.kind or everything)]
    return World3(visible, sprites, part=part, seed=SEED, shares=SHARES, clear=CLEAR)


def dataset_3_sheet(scenes: World, count: int, columns: int = 3) -> Image.Image:
    """The first scenes, each told five times."""
    page = Image.new("RGB", (columns * 560, -(-count // columns) * 136), (206, 206, 206))
    pen, tell = ImageDraw.Draw(page), make_caption_sampler(scenes)
    for index in range(count):
        rgba, truth = scenes[index]
        x, y = index % columns * 560, index // columns * 136
        picture = to_image(rgba)
        page.paste(picture, (x + 4, y + 4), picture)
        lines = [
            tell(truth, np.random.default_rng((SEED, index, telling)))[:70] for telling in range(5)
        ]
        pen.text((x + 140, y + 8), "\n".join(lines), fill=(0, 0, 0), font_size=11, spacing=8)
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=24)
    args = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    dataset_3_sheet(training_world_3(), args.count).save(RUNS / "dataset_3.png")
    print(RUNS / "dataset_3.png", f"{len(learned_kinds(3))} subjects")
