"""What is measured of the pictures of an arm, by prompt, so that arms can be paired.

distance    kernel distance to held-out drawings of the house, of the first judge's features
house       chance that a picture is drawn in the house style, whatever its palette (`line_style`)
alignment   cosine of picture and prompt, by the first judge
facts       share of what the prompt claims that the first judge sees
diversity   mean of 1 - cosine between the pictures of one prompt

Shapes: N pictures, M references, P prompts, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from examples.experiments.bench.grey_features import Floats
from examples.experiments.style_tailoring.line_style import LineStyle
from stickerforge.evaluation.metrics.distances import cubic
from stickerforge.evaluation.metrics.diversity import prompt_diversity
from stickerforge.evaluation.metrics.prompt_claims import check_claims, parse_claims, vocabulary
from stickerforge.models.encoders import Encoder

WHITE = (255, 255, 255)
MEASURES = ("distance", "house", "alignment", "facts", "diversity")


@dataclass(frozen=True)
class Measured:
    """Pictures of one arm and training seed, in numbers.

    Args:
        features: of the first judge, (N, D).
        values: {name: by picture, (N,)}; NaN where there is nothing to say.
    """

    features: Floats
    values: dict[str, Floats]


def measure(
    pictures: Sequence[Image.Image], prompts: Sequence[str], encoder: Encoder, lines: LineStyle
) -> Measured:
    """All that can be said of each picture by itself.

    Args:
        prompts: of each, as a person typed it.
    """
    vectors, readings = encoder.examine(pictures, WHITE)
    judge = encoder.judge
    assert judge is not None
    names = vocabulary(judge.label_of)
    texts = list(dict.fromkeys(prompts))
    encoded = dict(zip(texts, encoder.texts(texts), strict=True))
    claims = {text: parse_claims(text, names, judge.colours, judge.styles) for text in texts}
    checks = [
        check_claims(reading, claims[text], judge)
        for reading, text in zip(readings, prompts, strict=True)
    ]
    alignment = [
        float(vector @ encoded[text]) for vector, text in zip(vectors, prompts, strict=True)
    ]
    values = {
        "house": lines.read(pictures),
        "alignment": np.array(alignment),
        "facts": np.array([np.mean(each) if each else np.nan for each in checks]),
    }
    return Measured(vectors.astype(np.float64), values)


def distance_parts(features: Floats, references: Floats) -> Floats:
    """What each picture adds to the kernel distance, (N,), whose mean is that distance.

    The distance to first order in the weight of each picture, so that arms can be paired by prompt.
    Features of unit length are brought to sqrt(D), as `evaluate` does.
    """
    length = features.shape[1] ** 0.5
    ours, theirs = length * features, length * references
    own, cross, other = cubic(ours, ours), cubic(ours, theirs), cubic(theirs, theirs)
    rows = (own.sum(1) - np.diag(own)) / (len(own) - 1)
    columns = cross.mean(1)
    spread = (other.sum() - np.trace(other)) / (len(other) * (len(other) - 1))
    distance = rows.mean() + spread - 2 * columns.mean()
    parts: Floats = distance + 2 * (rows - rows.mean()) - 2 * (columns - columns.mean())
    return parts


def by_prompt(
    measured: Measured, prompts: NDArray[np.intp], references: Floats, count: int
) -> dict[str, Floats]:
    """{measure: mean of each prompt, (P,)}.

    Args:
        prompts: number of the prompt of each picture, (N,).
        count: P.
    """
    values = measured.values | {"distance": distance_parts(measured.features, references)}
    keys = [str(number) for number in prompts]
    diversity = prompt_diversity(measured.features, keys)
    result = {
        name: np.array([own[prompts == number].mean() for number in range(count)])
        for name, own in values.items()
    }
    return result | {"diversity": np.array([diversity[str(number)] for number in range(count)])}
