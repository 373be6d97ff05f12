"""What people would choose, or say is true of a picture, by models whose weights the user has."""

import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stickerforge.errors import InputError
from stickerforge.evaluation.cache import Arrays, Cache
from stickerforge.evaluation.features import reload_image
from stickerforge.evaluation.metrics.base import MetricInput, NotMeasured, metric
from stickerforge.models.hub import REWARDS, reward_place

VERSION = 1  # of what the cache holds; another one is scored anew
BATCH = 8
ABOUT = {
    "pickscore": "what people would choose, by PickScore: scale times cosine",
    "hpsv2": "what people would choose, by HPSv2: scale times cosine",
    "aesthetic": "how beautiful people would find it, about 1 to 10",
    "vqascore": "the chance of Yes to: does this figure show the prompt?",
}


def reward_values(kind: str, data: MetricInput) -> NDArray[np.float64]:
    """What a reward gives each picture, (N,); NaN without a prompt where it needs one.

    NaN as well for a picture that has gone or changed, which is named.

    Raises:
        NotMeasured: it needs prompts, and none is known.
        InputError: the model cannot cope with a picture.
        EnvironmentFault: out of memory. What was scored until then is in the cache.
    """
    model = data.models.reward(kind)
    texts = [text if model.needs_text else "" for text in data.texts]
    possible = [bool(text) or not model.needs_text for text in texts]
    if not any(possible):
        raise NotMeasured("no picture has a known prompt")
    cache = Cache(f"reward-{kind}", model.digest, VERSION)
    keys = [cache_key(item.sha256, text) for item, text in zip(data.pictures, texts, strict=True)]
    scores = {
        key: score
        for key, needed in zip(keys, possible, strict=True)
        if needed and (score := cache.read(key, decode_score)) is not None
    }
    missing = [i for i, key in enumerate(keys) if possible[i] and key not in scores]
    with data.console.progress(kind, len(missing)) as advance:
        for start in range(0, len(missing), BATCH):
            rows = missing[start : start + BATCH]
            images = {
                i: image
                for i in rows
                if (image := reload_image(data.pictures[i], data.failed)) is not None
            }
            asked = [texts[i] for i in images]
            values = data.models.scores(kind, list(images.values()), asked) if images else ()
            for i, value in zip(images, values, strict=True):
                scores[keys[i]] = float(value)
                cache.write(keys[i], {"score": np.array(float(value))})
            advance(len(rows))
    return np.array(
        [scores.get(key, np.nan) if possible[i] else np.nan for i, key in enumerate(keys)]
    )


for name, about in ABOUT.items():
    metric(
        name, group="reward", better="higher", about=about, weights=name, encoded=True, paired=True
    )(partial(reward_values, name))


def cache_key(sha256: str, text: str) -> str:
    """The name of what a picture scores for a prompt."""
    return f"{sha256[:32]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def decode_score(arrays: Arrays) -> float:
    """What the cache holds of a score."""
    return float(arrays["score"].item())


def reward_places(options: Sequence[str]) -> dict[str, str]:
    """{kind: folder, file or hub repository} of --reward.

    Raises:
        InputError: one is unknown, needs a place, or is given twice.
    """
    places: dict[str, str] = {}
    for kind, place in map(reward_place, options):
        if kind in places:
            raise InputError(
                f"--reward {kind} is given twice", "measure the second one in a call of its own"
            )
        places[kind] = place
    return places


def missing_rewards(places: Sequence[str]) -> list[str]:
    """A line that names the rewards whose weights were not given; nothing stands in for them."""
    missing = [kind for kind in REWARDS if kind not in places]
    return [f"{', '.join(missing)}: not asked for, see --reward"] if missing else []
