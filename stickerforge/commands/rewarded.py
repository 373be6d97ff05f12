"""Figures by models whose weights the user has: rewards of single pictures, and LPIPS between pictures."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stickerforge.commands.figured import SETS, Table
from stickerforge.commands.matching import Asked
from stickerforge.commands.measured import Measured, look
from stickerforge.errors import StickerforgeError
from stickerforge.evaluation.figures import figure, full_name
from stickerforge.models.catalog import REWARDS, reward_place
from stickerforge.runtime.files import home, make_folder, write_whole
from stickerforge.runtime.messages import Messages

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.rewards import Reward

BATCH = 16
LPIPS_SIDE, LPIPS_PICTURES = 256, 5  # pixels; pictures of one prompt that are compared with each other


def absent(asked: Sequence[str]) -> list[str]:
    """A line that names the rewards for which no weights were given; nothing stands in for them."""
    given = {reward_place(text)[0] for text in asked}
    missing = [kind for kind in REWARDS if kind not in given]
    return [f"{', '.join(missing)}: no weights were given, see --reward"] if missing else []


def rewarded(
    table: Table, sets: SETS, asked: Mapping[str, Sequence[Asked]], wanted: Sequence[str], device: str, offline: bool, messages: Messages
) -> None:
    """Add the figures of every reward to the table.

    Raises:
        InputError: weights are something else, or not there.
        EnvironmentFault: they cannot be had here.
    """
    for kind, place in dict(map(reward_place, wanted)).items():
        if kind == "lpips":
            perceptual(table, sets, asked, Path(place).expanduser())
            continue
        from stickerforge.models.rewards import reward

        model = reward(kind, place, device=device, offline=offline, say=messages.say)
        values = scores(model, sets["pictures"], asked["pictures"], messages)
        known = np.flatnonzero(~np.isnan(values))
        if not len(known):
            table.refused.append(f"{kind}: no picture has a known prompt")
            continue
        name, groups = full_name(kind, model.name), [wish.key for wish in asked["pictures"]]
        table.values[name] = values
        table.figures.append(figure(name, values[known].tolist(), [groups[i] for i in known]))


def scores(model: "Reward", pictures: Sequence[Measured], asked: Sequence[Asked], messages: Messages) -> np.ndarray:
    """What a reward gives each picture, (N,), NaN without a prompt where it needs one; what was given before is remembered."""
    file = home() / "cache" / "evaluate" / f"reward-{model.kind}-{model.digest}.json"
    kept = recalled(file)
    texts = [wish.text if model.needs_text else "" for wish in asked]
    keys = [f"{item.sha256[:32]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}" for item, text in zip(pictures, texts, strict=True)]
    fresh = [i for i, key in enumerate(keys) if key not in kept and (texts[i] or not model.needs_text)]
    with messages.progress(model.kind, len(fresh)) as advance:
        for start in range(0, len(fresh), BATCH):
            rows = fresh[start : start + BATCH]
            found = model.scores([opened(pictures[i]) for i in rows], [texts[i] for i in rows])
            kept |= {keys[i]: float(value) for i, value in zip(rows, found, strict=True)}
            advance(len(rows))
    if fresh:
        keep(file, kept)
    return np.array([kept[key] if texts[i] or not model.needs_text else np.nan for i, key in enumerate(keys)])


def opened(item: Measured) -> Image.Image:
    """A picture that was read before, once more.

    Raises:
        StickerforgeError: it has gone in between.
    """
    found = look(item.path)
    if isinstance(found, str):
        raise StickerforgeError(found, "leave the pictures alone while they are measured")
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


def perceptual(table: Table, sets: SETS, asked: Mapping[str, Sequence[Asked]], file: Path) -> None:
    """LPIPS between the pictures of one prompt, and between those of a prompt and the baseline's."""
    from stickerforge.models.perceptual import loaded

    name, network = loaded(file)
    groups: dict[str, list[Measured]] = {}
    for item, wish in zip(sets["pictures"], asked["pictures"], strict=True):
        groups.setdefault(wish.key, []).append(item)
    apart = {}
    for key, items in groups.items():
        planes = [plane(item) for item in items[:LPIPS_PICTURES]]
        distances = [float(network(one, other)) for one, other in combinations(planes, 2)]
        if distances:
            apart[key] = float(np.mean(distances))
    if apart:
        table.figures.append(figure(full_name("lpips_diversity", name), list(apart.values()), list(apart)))
    others: dict[str, list[Measured]] = {}
    for item, wish in zip(sets.get("baseline", []), asked.get("baseline", []), strict=True):
        others.setdefault(wish.key, []).append(item)
    moved = {
        key: float(np.mean([float(network(plane(one), plane(other))) for one, other in zip(items, others[key], strict=False)]))
        for key, items in groups.items()
        if key in others
    }
    if moved:
        table.figures.append(figure(full_name("lpips_drift", name), list(moved.values()), list(moved)))
    if not apart and not moved:
        table.refused.append("lpips: no prompt has two pictures, and there is no baseline")


def plane(item: Measured) -> "Tensor":
    """A picture on white as LPIPS takes it, (1, 3, LPIPS_SIDE, LPIPS_SIDE) in [-1, 1]."""
    import torch

    from stickerforge.models.encoders import squared
    from stickerforge.models.judges import on_ground

    white = (255, 255, 255)
    rgb = squared(on_ground(opened(item), white), white).resize((LPIPS_SIDE, LPIPS_SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(rgb, np.float32).transpose(2, 0, 1).copy() / 127.5 - 1)[None]
