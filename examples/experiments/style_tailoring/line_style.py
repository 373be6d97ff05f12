"""Whether a picture is drawn in the house style, blind to its palette.

python -m examples.experiments.style_tailoring.line_style FILE.npz      what passes of things
                                                                         that it never saw

Every picture is brought to black on white before anything is read. A logistic regression over
`line_features` tells the house's drawings from the same things in the four styles that sticker-mini
knows, turned black and clear by a threshold. What an outline filter makes of them is tested, too,
but not trained on: an eye hardly tells it from the house style. Most of both have lines as a
generator draws them (`rough_lines.py`). Shapes: N pictures, F features.
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
from examples.experiments.style_tailoring.filters import FILTERS
from examples.experiments.style_tailoring.house import STYLE, HouseThing, house_split, spoken_name
from examples.experiments.style_tailoring.line_features import line_features
from examples.experiments.style_tailoring.rough_lines import roughen_lines
from examples.recipes.mini.art import load_subjects
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.settings import STYLES

PENALTY = 1e-2  # of squared weights
THRESHOLDS = ("fixed", "otsu")  # filters that are not to pass
ROUGH = 0.75  # share of the examples with rough lines
LABELS = ("house", *(f"{style} {name}" for style in STYLES for name in FILTERS))
TESTED = 68  # of the held-out things; the other two hundred train it
OTHERS = 450  # things of kinds that the house set has not, which train it, too


@dataclass(frozen=True)
class Example:
    """A picture that the classifier learns from or is tested on.

    Args:
        label: "house", or style and filter.
        rough: whether its lines are those of a generator.
    """

    thing: HouseThing
    label: str
    rough: bool
    picture: Image.Image


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


def fit(features: Floats, house: NDArray[np.bool_], penalty: float = PENALTY) -> LineStyle:
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
        loss = errors + penalty * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return LineStyle(mean, deviation, weights.detach().numpy())


def example(thing: HouseThing, label: str, *, rough: bool) -> Example:
    """One thing in the house style, or in another one through a filter.

    Args:
        label: "house", or "STYLE FILTER".
        rough: whether its lines are those of a generator.
    """
    style, _, name = label.partition(" ")
    picture = thing.picture(STYLE) if style == "house" else FILTERS[name](thing.picture(style))
    seed = stable_hash(f"{label}|{thing.subject.name}")
    return Example(thing, label, rough, roughen_lines(picture, seed) if rough else picture)


def test_examples(thing: HouseThing) -> list[Example]:
    """All of a thing, as it is and rough."""
    return [example(thing, label, rough=rough) for label in LABELS for rough in (False, True)]


def training_examples(thing: HouseThing) -> list[Example]:
    """Once in the house style, and every other style through a threshold; most of it rough."""
    rng = np.random.default_rng(stable_hash(f"training|{thing.subject.name}"))
    labels = ["house", *(f"{style} {rng.choice(THRESHOLDS)}" for style in STYLES)]
    return [example(thing, label, rough=bool(rng.random() < ROUGH)) for label in labels]


def style_features(pictures: Sequence[Image.Image]) -> Floats:
    """(N, F)."""
    return np.stack([line_features(picture) for picture in pictures])


def trained_things() -> list[HouseThing]:
    """Things that no arm is trained on, and none of those that the classifier is tested on."""
    other = [HouseThing(each, spoken_name(each)) for each in load_subjects(3)[0] if not each.kind]
    other.sort(key=lambda each: stable_hash(f"other|{each.subject.name}"))
    return house_split()[1][TESTED:] + other[:OTHERS]


def read_examples(path: Path) -> None:
    """Write the features of all examples."""
    test = [each for thing in house_split()[1][:TESTED] for each in test_examples(thing)]
    train = [each for thing in trained_things() for each in training_examples(thing)]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        features=style_features([each.picture for each in [*train, *test]]),
        labels=np.array([each.label for each in [*train, *test]]),
        rough=np.array([each.rough for each in [*train, *test]]),
        trained=np.arange(len(train) + len(test)) < len(train),
    )


def load_line_style(path: Path, penalty: float = PENALTY) -> tuple[LineStyle, dict[str, float]]:
    """(the classifier, share that passes by style and filter, of things that it never saw).

    Args:
        path: of the features of its examples, which are made where they are not there.
    """
    if not path.exists():
        read_examples(path)
    with np.load(path) as stored:
        features, labels, rough, trained = (
            stored[name] for name in ("features", "labels", "rough", "trained")
        )
    house = labels == "house"
    classifier = fit(features[trained], house[trained], penalty)
    passed = classifier.chances(features) >= 0.5
    return classifier, {
        f"{label}{', rough' * lines}": float(
            passed[~trained & (labels == label) & (rough == lines)].mean()
        )
        for label in LABELS
        for lines in (False, True)
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    for label, share in load_line_style(parser.parse_args().file)[1].items():
        print(f"{label:24}{share:.1%}")
