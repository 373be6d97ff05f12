"""The style of grey pictures: edges, outlines and shading, read by a classifier of the bench's own.

python -m examples.experiments.bench.grey_style     how right it is on renders that it never saw

The judge reads a style by its palette, so whatever is printed in a set's inks passes. Here a
logistic regression over `grey_features` reads pictures that no palette decides, trained on renders
of learned subjects, half of them a little blurred and noisy, as no generator draws as clean as a
renderer. Shapes: N pictures, F features, S styles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from torch.nn import functional as F

from examples.experiments.bench.grey_features import Floats, grey_features
from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.scene import Thing, Truth, stable_hash
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.world import World

TRAINED = 400  # subjects
TESTED = 100  # other subjects
PENALTY = 3e-4  # of squared weights


@dataclass(frozen=True)
class GreyStyle:
    """The classifier.

    Args:
        mean, deviation: of the features that it was trained on, (F,).
        weights: (F + 1, S); the last row is for a constant.
        accuracy: {style: share that is right of renders of subjects that it never saw}.
        tested: how many renders these were.
    """

    mean: Floats
    deviation: Floats
    weights: Floats
    accuracy: Mapping[str, float] = field(default_factory=dict)
    tested: int = 0

    @property
    def mean_accuracy(self) -> float:
        """Over the styles."""
        return float(np.mean(list(self.accuracy.values())))

    def read(self, pictures: Sequence[Image.Image]) -> list[str]:
        """The likeliest style of each."""
        if not pictures:
            return []
        scores = self.scores(np.stack([grey_features(picture) for picture in pictures]))
        return [STYLES[number] for number in scores.argmax(1)]

    def scores(self, features: Floats) -> Floats:
        """(N, S) of features (N, F)."""
        inputs = ((features - self.mean) / self.deviation).clip(-5, 5)
        return np.concatenate([inputs, np.ones((len(inputs), 1))], 1) @ self.weights


def fit(features: Floats, numbers: NDArray[np.intp]) -> GreyStyle:
    """A logistic regression on features (N, F) of styles (N,)."""
    mean, deviation = features.mean(0), np.maximum(features.std(0), 1e-6)
    untrained = GreyStyle(mean, deviation, np.zeros((features.shape[1] + 1, len(STYLES))))
    inputs = ((features - mean) / deviation).clip(-5, 5)
    design = torch.from_numpy(np.concatenate([inputs, np.ones((len(inputs), 1))], 1))
    target = torch.from_numpy(numbers.astype(np.int64))
    weights = torch.zeros(untrained.weights.shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(design @ weights, target) + PENALTY * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return GreyStyle(mean, deviation, weights.detach().numpy())


def roughen(picture: Image.Image, number: int) -> Image.Image:
    """A picture a little blurred and noisy, as what is generated is."""
    rng = np.random.default_rng(number)
    soft = picture.convert("RGBa").filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.9))))
    planes = np.asarray(soft, np.float64)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (*planes.shape[:2], 3)), (1.5, 1.5, 0))
    planes = planes.copy()
    planes[..., :3] += noise / noise.std() * rng.uniform(0, 3) * (planes[..., 3:] > 0)
    planes[..., :3] = np.minimum(planes[..., :3].clip(0, 255), planes[..., 3:])
    return to_image(planes.round().astype(np.uint8))


def render_styles(scenes: World, names: Sequence[str]) -> tuple[Floats, NDArray[np.intp]]:
    """Features of subjects in all styles, (N, F), and the number of each style, (N,).

    Every other one is a little rough.
    """
    features, numbers = [], []
    for name in names:
        for number, style in enumerate(STYLES):
            truth = Truth(style, (Thing(scenes.by_name[name]),), "", Ground("transparent"))
            picture, seed = to_image(scenes.draw(truth)[0]), stable_hash(f"{name}|{style}")
            features.append(grey_features(roughen(picture, seed) if seed % 2 else picture))
            numbers.append(number)
    return np.stack(features), np.array(numbers)


@cache
def load_grey_style(trained: int = TRAINED, tested: int = TESTED) -> GreyStyle:
    """The classifier, trained anew, and how right it is on subjects that it never saw."""
    subjects, sprites = load_subjects(3)
    scenes = World(subjects, sprites)
    learned = sorted(
        (s.name for s in subjects if s.name not in withheld_names(3)),
        key=lambda name: stable_hash(f"grey style|{name}"),
    )
    classifier = fit(*render_styles(scenes, learned[:trained]))
    features, numbers = render_styles(scenes, learned[trained : trained + tested])
    right = classifier.scores(features).argmax(1) == numbers
    by_style = {
        style: float(right[numbers == number].mean()) for number, style in enumerate(STYLES)
    }
    return replace(classifier, accuracy=by_style, tested=len(right))


if __name__ == "__main__":
    found = load_grey_style()
    print(f"{found.mean_accuracy:.1%} of {found.tested} renders of other subjects")
    for style, share in found.accuracy.items():
        print(f"  {style:10}{share:.1%}")
