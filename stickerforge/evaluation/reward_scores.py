"""Figures by models whose weights the user has: rewards of single pictures, and LPIPS between pictures."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stickerforge.errors import InputError, StickerforgeError
from stickerforge.evaluation.baseline import add_pairs
from stickerforge.evaluation.image_set import ImageFeatures, load_image
from stickerforge.evaluation.metrics.base import full_name, mean_score
from stickerforge.evaluation.prompt_matching import TargetPrompt, match_baseline
from stickerforge.evaluation.runner import SETS, ScoreTable
from stickerforge.models.hub import REWARDS, reward_place
from stickerforge.runtime.console import Console
from stickerforge.runtime.context import Context
from stickerforge.runtime.files import home, make_folder, write_whole

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.rewards import Reward

VERSION = 1  # of what is kept; another one is scored anew
BATCH = 8
LPIPS_SIDE, LPIPS_PICTURES = (
    256,
    5,
)  # pixels; pictures of one prompt that are compared with each other
WHITE = (255, 255, 255)


def reward_places(asked: Sequence[str]) -> dict[str, str]:
    """{kind: folder, file or hub repository} of --reward.

    Raises:
        InputError: one is unknown, needs a place, or is given twice.
    """
    found: dict[str, str] = {}
    for kind, place in map(reward_place, asked):
        if kind in found:
            raise InputError(
                f"--reward {kind} is given twice", "measure the second one in a call of its own"
            )
        found[kind] = place
    return found


def missing_rewards(asked: Sequence[str]) -> list[str]:
    """A line that names the rewards for which no weights were given; nothing stands in for them."""
    missing = [kind for kind in REWARDS if kind not in reward_places(asked)]
    return [f"{', '.join(missing)}: not asked for, see --reward"] if missing else []


def add_rewards(
    table: ScoreTable,
    sets: SETS,
    asked: Mapping[str, Sequence[TargetPrompt]],
    wanted: Mapping[str, str],
    means: Context,
) -> None:
    """Add the figures of every reward to the table.

    Raises:
        InputError: weights are something else, or not there.
        EnvironmentFault: they cannot be had here.
    """
    keys = {role: [wish.key for wish in wishes] for role, wishes in asked.items()}
    for kind, place in wanted.items():
        if kind == "lpips":
            add_lpips(table, sets, asked, Path(place).expanduser(), means.console)
            continue
        from stickerforge.models.rewards import load_reward

        model = load_reward(
            kind, place, device=means.device, offline=means.offline, say=means.console.say
        )
        values = {
            role: scores(model, sets[role], wishes, means.console)
            for role, wishes in asked.items()
            if role in sets
        }
        known = np.flatnonzero(~np.isnan(values["pictures"]))
        if not len(known):
            table.refused.append(f"{kind}: no picture has a known prompt")
            continue
        name = full_name(kind, model.name)
        table.values[name], table.weights[name] = values["pictures"], model.digest
        table.figures.append(
            mean_score(
                name, values["pictures"][known].tolist(), [keys["pictures"][i] for i in known]
            )
        )
        if "baseline" in values:
            add_pairs(table, {name: values["baseline"]}, keys)


def scores(
    model: "Reward",
    pictures: Sequence[ImageFeatures],
    asked: Sequence[TargetPrompt],
    console: Console,
) -> np.ndarray:
    """What a reward gives each picture, (N,), NaN without a prompt where it needs one; what was given before is remembered.

    Raises:
        InputError: a picture has changed, or the model cannot cope with one.
        EnvironmentFault: out of memory. What was scored until then is kept.
    """
    from stickerforge.models.rewards import score_pictures

    file = home() / "cache" / "evaluate" / f"reward-{model.kind}-{model.digest}-{VERSION}.json"
    kept = read_scores(file)
    texts = [wish.text if model.needs_text else "" for wish in asked]
    keys = [
        f"{item.sha256[:32]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        for item, text in zip(pictures, texts, strict=True)
    ]
    fresh = [
        i for i, key in enumerate(keys) if key not in kept and (texts[i] or not model.needs_text)
    ]
    with console.progress(model.kind, len(fresh)) as advance:
        for start in range(0, len(fresh), BATCH):
            rows = fresh[start : start + BATCH]
            found = score_pictures(
                model, [reload_image(pictures[i]) for i in rows], [texts[i] for i in rows]
            )
            kept |= {keys[i]: float(value) for i, value in zip(rows, found, strict=True)}
            write_scores(file, kept)
            advance(len(rows))
    return np.array(
        [kept[key] if texts[i] or not model.needs_text else np.nan for i, key in enumerate(keys)]
    )


def reload_image(item: ImageFeatures) -> Image.Image:
    """A picture that was read before, once more.

    Raises:
        InputError: it has gone or changed in between.
    """
    found = load_image(item.path)
    if isinstance(found, str) or found.sha256 != item.sha256:
        raise InputError(
            f"{item.path.name} has changed while it was measured",
            "measure again, and leave the pictures alone",
        )
    return found.image


def read_scores(file: Path) -> dict[str, float]:
    """What was scored before, if anything that can be read was."""
    try:
        return {str(key): float(value) for key, value in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_scores(file: Path, values: Mapping[str, float]) -> None:
    """Remember scores; where nothing can be written, the next call computes them again."""
    try:
        make_folder(file.parent)
        write_whole(file, json.dumps(values).encode(), durable=False)
    except StickerforgeError:
        return


def add_lpips(
    table: ScoreTable,
    sets: SETS,
    asked: Mapping[str, Sequence[TargetPrompt]],
    file: Path,
    console: Console,
) -> None:
    """LPIPS between the first pictures of one prompt, and between those of a prompt and the baseline's."""
    from stickerforge.models.checksums import files_fingerprint
    from stickerforge.models.lpips import load_lpips

    name, network = load_lpips(file)
    pictures, baseline = sets["pictures"], sets.get("baseline", [])
    beside = match_baseline(asked["pictures"], pictures, asked.get("baseline", []), baseline)
    groups: dict[str, list[int]] = {}
    for number, wish in enumerate(asked["pictures"]):
        groups.setdefault(wish.key, []).append(number)
    apart: dict[str, float] = {}
    moved: dict[str, float] = {}
    with console.progress("lpips", len(pictures)) as advance:
        for key, numbers in groups.items():
            first = []  # features are large: no more of them at once than are compared
            drifts = []
            for place, i in enumerate(numbers):
                other, among = beside[i], len(numbers) > 1 and place < LPIPS_PICTURES
                if among or other is not None:
                    mine = network.features(lpips_input(pictures[i]))
                    first += [mine] if among else []
                    drifts += (
                        [float(network.between(mine, network.features(lpips_input(other))))]
                        if other is not None
                        else []
                    )
            if first:
                apart[key] = float(
                    np.mean(
                        [
                            float(network.between(one, other))
                            for one, other in combinations(first, 2)
                        ]
                    )
                )
            if drifts:
                moved[key] = float(np.mean(drifts))
            advance(len(numbers))
    for metric, values in (("lpips_diversity", apart), ("lpips_drift", moved)):
        if values:
            found = mean_score(full_name(metric, name), list(values.values()), list(values))
            table.figures.append(found)
            table.weights[found.name] = files_fingerprint([file])
    if not apart and not moved:
        table.refused.append("lpips: no prompt has two pictures, and there is no baseline")


def lpips_input(item: ImageFeatures) -> "Tensor":
    """A picture on white as LPIPS takes it, (1, 3, LPIPS_SIDE, LPIPS_SIDE) in [-1, 1]."""
    import torch

    from stickerforge.models.encoders import pad_to_square
    from stickerforge.models.judge.model import on_ground

    rgb = pad_to_square(on_ground(reload_image(item), WHITE), WHITE).resize(
        (LPIPS_SIDE, LPIPS_SIDE), Image.Resampling.LANCZOS
    )
    return torch.from_numpy(np.asarray(rgb, np.float32).transpose(2, 0, 1).copy() / 127.5 - 1)[None]
