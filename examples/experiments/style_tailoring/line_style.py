"""Whether a picture is drawn in the house style, blind to its palette.

python -m examples.experiments.style_tailoring.line_style FILE.npz     trains it, and says how right
                                                                    it is on things it never saw

Every picture is brought to black on white before anything is read. A logistic regression over
`line_features`, and over what the first judge's convolutions find in that black on white, then
tells the house's drawings from the same things in the four styles that sticker-mini knows, put
through every filter of `filters.py`. Half of both are a little blurred and noisy before, as what is
generated is. Shapes: N pictures, F features.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from examples.experiments.bench.grey_features import Floats
from examples.experiments.bench.grey_style import roughen
from examples.experiments.style_tailoring.filters import FILTERS
from examples.experiments.style_tailoring.house import STYLE, HouseThing, house_split
from examples.experiments.style_tailoring.line_features import ink_map, line_features
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.settings import STYLES
from stickerforge.models.judge.model import load_judge

PENALTY = 3e-3  # of squared weights
BATCH = 64  # pictures that the judge reads together
TESTED = 68  # of the held-out things; the other two hundred train it


@dataclass(frozen=True)
class LineStyle:
    """The classifier.

    Args:
        mean, deviation: of the features that it was trained on, (F,).
        weights: (F + 1,); the last one is for a constant.
    """

    mean: Floats
    deviation: Floats
    weights: Floats

    def read(self, pictures: Sequence[Image.Image]) -> Floats:
        """The chance that each is drawn in the house style, (N,)."""
        return self.chances(style_features(pictures))

    def chances(self, features: Floats) -> Floats:
        """(N,) of features (N, F)."""
        result: Floats = 1 / (
            1 + np.exp(-design(features, self.mean, self.deviation) @ self.weights)
        )
        return result


def design(features: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Features in deviations from their mean, and a constant, (N, F + 1)."""
    inputs = ((features - mean) / deviation).clip(-5, 5)
    return np.concatenate([inputs, np.ones((len(inputs), 1))], 1)


def fit(features: Floats, house: NDArray[np.bool_]) -> LineStyle:
    """Trained on features (N, F); both classes weigh the same."""
    mean, deviation = features.mean(0), np.maximum(features.std(0), 1e-6)
    inputs = torch.from_numpy(design(features, mean, deviation))
    target = torch.from_numpy(house.astype(np.float64))
    balance = torch.from_numpy(np.where(house, 0.5 / house.mean(), 0.5 / (~house).mean()))
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        errors = F.binary_cross_entropy_with_logits(inputs @ weights, target, balance)
        loss = errors + PENALTY * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return LineStyle(mean, deviation, weights.detach().numpy())


def examples(thing: HouseThing) -> list[tuple[str, Image.Image]]:
    """(style and filter, picture) of one thing; twice in the house style, once rough."""
    seed = stable_hash(f"line style|{thing.subject.name}")
    house = thing.picture(STYLE)
    found = [("house", house), ("house", roughen(house, seed))]
    for style in STYLES:
        picture = thing.picture(style)
        rough = roughen(picture, seed) if (seed >> STYLES.index(style)) % 2 else picture
        found += [(f"{style} {name}", filtered(rough)) for name, filtered in FILTERS.items()]
    return found


def style_features(pictures: Sequence[Image.Image]) -> Floats:
    """What is read of pictures in black on white, (N, F)."""
    lines = np.stack([line_features(picture) for picture in pictures])
    judge = load_judge("judge")
    black = [
        Image.fromarray(np.uint8(255 * ~ink_map(picture))).convert("RGB") for picture in pictures
    ]
    with torch.inference_mode():
        parts = [
            judge.network.features(judge.pictures(black[first : first + BATCH])).content
            for first in range(0, len(black), BATCH)
        ]
    return np.concatenate([lines, torch.cat(parts).double().numpy()], 1)


def train_line_style(path: Path) -> None:
    """Train on things that no arm is trained on, and write the classifier and how right it is."""
    _, held_out = house_split()
    found = [(thing, *each) for thing in held_out for each in examples(thing)]
    names = np.array([name for _, name, _ in found])
    features = style_features([picture for _, _, picture in found])
    tested = {thing.subject.name for thing in held_out[:TESTED]}
    test = np.array([thing.subject.name in tested for thing, _, _ in found])
    classifier = fit(features[~test], names[~test] == "house")
    right = (classifier.chances(features[test]) >= 0.5) == (names[test] == "house")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        mean=classifier.mean,
        deviation=classifier.deviation,
        weights=classifier.weights,
        names=names[test],
        right=right,
    )


def load_line_style(path: Path) -> tuple[LineStyle, dict[str, float]]:
    """(the classifier, share of what is right by style and filter, on things it never saw)."""
    if not path.exists():
        train_line_style(path)
    with np.load(path) as stored:
        own = {name: stored[name] for name in ("mean", "deviation", "weights")}
        names, right = stored["names"], stored["right"]
    shares = {str(name): float(right[names == name].mean()) for name in dict.fromkeys(names)}
    return LineStyle(**own), shares


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    for label, share in load_line_style(parser.parse_args().file)[1].items():
        print(f"{label:16}{share:.1%}")
