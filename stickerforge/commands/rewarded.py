"""Figures by models whose weights the user has: rewards of single pictures, and LPIPS between pictures."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stickerforge.commands.figured import SETS, Table, add_pairs
from stickerforge.commands.matching import Asked, twins
from stickerforge.commands.measured import Measured, look
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.evaluation.figures import figure, full_name
from stickerforge.models.catalog import REWARDS, reward_place
from stickerforge.runtime.files import home, make_folder, write_whole
from stickerforge.runtime.messages import Messages

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.rewards import Reward

VERSION = 1  # of what is kept; another one is scored anew
BATCH = 8
LPIPS_SIDE, LPIPS_PICTURES = 256, 5  # pixels; pictures of one prompt that are compared with each other
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Means:
    """How models are had and run."""

    device: str
    offline: bool
    messages: Messages


def places(asked: Sequence[str]) -> dict[str, str]:
    """{kind: folder, file or hub repository} of --reward.

    Raises:
        InputError: one is unknown, needs a place, or is given twice.
    """
    found: dict[str, str] = {}
    for kind, place in map(reward_place, asked):
        if kind in found:
            raise InputError(f"--reward {kind} is given twice", "measure the second one in a call of its own")
        found[kind] = place
    return found


def absent(asked: Sequence[str]) -> list[str]:
    """A line that names the rewards for which no weights were given; nothing stands in for them."""
    missing = [kind for kind in REWARDS if kind not in places(asked)]
    return [f"{', '.join(missing)}: not asked for, see --reward"] if missing else []


def rewarded(table: Table, sets: SETS, asked: Mapping[str, Sequence[Asked]], wanted: Mapping[str, str], means: Means) -> None:
    """Add the figures of every reward to the table.

    Raises:
        InputError: weights are something else, or not there.
        EnvironmentFault: they cannot be had here.
    """
    keys = {role: [wish.key for wish in wishes] for role, wishes in asked.items()}
    for kind, place in wanted.items():
        if kind == "lpips":
            perceptual(table, sets, asked, Path(place).expanduser(), means.messages)
            continue
        from stickerforge.models.rewards import reward

        model = reward(kind, place, device=means.device, offline=means.offline, say=means.messages.say)
        values = {role: scores(model, sets[role], wishes, means.messages) for role, wishes in asked.items() if role in sets}
        known = np.flatnonzero(~np.isnan(values["pictures"]))
        if not len(known):
            table.refused.append(f"{kind}: no picture has a known prompt")
            continue
        name = full_name(kind, model.name)
        table.values[name], table.weights[name] = values["pictures"], model.digest
        table.figures.append(figure(name, values["pictures"][known].tolist(), [keys["pictures"][i] for i in known]))
        if "baseline" in values:
            add_pairs(table, {name: values["baseline"]}, keys)


def scores(model: "Reward", pictures: Sequence[Measured], asked: Sequence[Asked], messages: Messages) -> np.ndarray:
    """What a reward gives each picture, (N,), NaN without a prompt where it needs one; what was given before is remembered.

    Raises:
        InputError: a picture has changed, or the model cannot cope with one.
        EnvironmentFault: out of memory. What was scored until then is kept.
    """
    from stickerforge.models.rewards import scored

    file = home() / "cache" / "evaluate" / f"reward-{model.kind}-{model.digest}-{VERSION}.json"
    kept = recalled(file)
    texts = [wish.text if model.needs_text else "" for wish in asked]
    keys = [f"{item.sha256[:32]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}" for item, text in zip(pictures, texts, strict=True)]
    fresh = [i for i, key in enumerate(keys) if key not in kept and (texts[i] or not model.needs_text)]
    with messages.progress(model.kind, len(fresh)) as advance:
        for start in range(0, len(fresh), BATCH):
            rows = fresh[start : start + BATCH]
            found = scored(model, [opened(pictures[i]) for i in rows], [texts[i] for i in rows])
            kept |= {keys[i]: float(value) for i, value in zip(rows, found, strict=True)}
            keep(file, kept)
            advance(len(rows))
    return np.array([kept[key] if texts[i] or not model.needs_text else np.nan for i, key in enumerate(keys)])


def opened(item: Measured) -> Image.Image:
    """A picture that was read before, once more.

    Raises:
        InputError: it has gone or changed in between.
    """
    found = look(item.path)
    if isinstance(found, str) or found.sha256 != item.sha256:
        raise InputError(f"{item.path.name} has changed while it was measured", "measure again, and leave the pictures alone")
    return found.image


def recalled(file: Path) -> dict[str, float]:
    """What was scored before, if anything that can be read was."""
    try:
        return {str(key): float(value) for key, value in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep(file: Path, values: Mapping[str, float]) -> None:
    """Remember scores; where nothing can be written, the next call computes them again."""
    try:
        make_folder(file.parent)
        write_whole(file, json.dumps(values).encode(), durable=False)
    except StickerforgeError:
        return


def perceptual(table: Table, sets: SETS, asked: Mapping[str, Sequence[Asked]], file: Path, messages: Messages) -> None:
    """LPIPS between the first pictures of one prompt, and between those of a prompt and the baseline's."""
    from stickerforge.models.perceptual import loaded
    from stickerforge.models.weights import fingerprint_of

    name, network = loaded(file)
    pictures, baseline = sets["pictures"], sets.get("baseline", [])
    beside = twins(asked["pictures"], pictures, asked.get("baseline", []), baseline)
    groups: dict[str, list[int]] = {}
    for number, wish in enumerate(asked["pictures"]):
        groups.setdefault(wish.key, []).append(number)
    apart: dict[str, float] = {}
    moved: dict[str, float] = {}
    with messages.progress("lpips", len(pictures)) as advance:
        for key, numbers in groups.items():
            first = []  # features are large: no more of them at once than are compared
            drifts = []
            for place, i in enumerate(numbers):
                other, among = beside[i], len(numbers) > 1 and place < LPIPS_PICTURES
                if among or other is not None:
                    mine = network.features(plane(pictures[i]))
                    first += [mine] if among else []
                    drifts += [float(network.between(mine, network.features(plane(other))))] if other is not None else []
            if first:
                apart[key] = float(np.mean([float(network.between(one, other)) for one, other in combinations(first, 2)]))
            if drifts:
                moved[key] = float(np.mean(drifts))
            advance(len(numbers))
    for metric, values in (("lpips_diversity", apart), ("lpips_drift", moved)):
        if values:
            found = figure(full_name(metric, name), list(values.values()), list(values))
            table.figures.append(found)
            table.weights[found.name] = fingerprint_of([file])
    if not apart and not moved:
        table.refused.append("lpips: no prompt has two pictures, and there is no baseline")


def plane(item: Measured) -> "Tensor":
    """A picture on white as LPIPS takes it, (1, 3, LPIPS_SIDE, LPIPS_SIDE) in [-1, 1]."""
    import torch

    from stickerforge.models.encoders import squared
    from stickerforge.models.judges import on_ground

    rgb = squared(on_ground(opened(item), WHITE), WHITE).resize((LPIPS_SIDE, LPIPS_SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(rgb, np.float32).transpose(2, 0, 1).copy() / 127.5 - 1)[None]
