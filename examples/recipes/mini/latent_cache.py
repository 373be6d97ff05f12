"""Latents of scenes on disk, and beside them what each scene shows, for new captions.

Shapes: N scenes; C, H, W latent channels, rows, columns.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.latents import to_pixels
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import DEVICE, LATENT_CHANNELS, PIXELS
from examples.recipes.mini.world import World

ENCODE_BATCH = 64  # scenes that are encoded at once

_scenes: World | None = None  # of a worker process


def truth_to_json(truth: Truth) -> str:
    """A truth as one line of JSON; subjects are named by their code points."""
    record = asdict(truth)
    for thing in record["things"]:
        thing["subject"] = thing["subject"]["codepoints"]
    return json.dumps(record, separators=(",", ":"))


def truth_from_json(line: str, subjects: Mapping[str, Subject]) -> Truth:
    """The truth in such a line.

    Args:
        subjects: by code points.
    """
    record = json.loads(line)
    things = tuple(
        Thing(**(thing | {"subject": subjects[thing["subject"]]})) for thing in record["things"]
    )
    ground = Ground(
        record["ground"]["kind"], record["ground"]["name"], tuple(record["ground"]["colours"])
    )
    return Truth(
        record["style"], things, record["relation"], ground, tuple(map(tuple, record["boxes"]))
    )


def _init_worker(make: Callable[[], World]) -> None:
    global _scenes
    torch.set_num_threads(1)
    _scenes = make()


def _draw(index: int) -> tuple[np.ndarray, Truth]:
    assert _scenes is not None
    return _scenes[index]


def draw_scenes(
    make: Callable[[], World], indices: range, workers: int
) -> Iterator[tuple[np.ndarray, Truth]]:
    """Scenes in order, by one process or several."""
    if workers > 1:
        with Pool(workers, _init_worker, (make,)) as pool:
            yield from pool.imap(_draw, indices, chunksize=16)
        return
    scenes = make()
    for index in indices:
        yield scenes[index]


@torch.no_grad()
def write_latent_cache(
    folder: Path,
    make: Callable[[], World],
    count: int,
    encode: Callable[[Tensor], Tensor],
    *,
    workers: int = 1,
    stop: Callable[[], object] = lambda: False,
) -> None:
    """Draw and encode `count` scenes; an interrupted call is continued.

    Writes latents.npy, float16 (N, C, H, W), and truths.jsonl.

    Args:
        make: the world; a function of a module where there are several workers.
        encode: pixels (B, 4, PIXELS, PIXELS) to latents (B, C, H, W).
        stop: called after each block; where it returns true the call ends there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    latents, truths, partial = (
        folder / "latents.npy",
        folder / "truths.jsonl",
        folder / "truths.partial",
    )
    if truths.exists() and truths.read_bytes().count(b"\n") >= count:
        return
    shape = (count, LATENT_CHANNELS, PIXELS // 8, PIXELS // 8)
    same = latents.exists() and partial.exists() and np.load(latents, mmap_mode="r").shape == shape
    lines = partial.read_text().splitlines(keepends=True) if same else []
    lines = lines[
        : len([line for line in lines if line.endswith("\n")]) // ENCODE_BATCH * ENCODE_BATCH
    ]
    stored = np.lib.format.open_memmap(latents, "r+" if lines else "w+", np.float16, shape)
    partial.write_text("".join(lines))
    with partial.open("a") as file:
        waiting: list[tuple[np.ndarray, Truth]] = []
        start = len(lines)
        for number, scene in enumerate(draw_scenes(make, range(start, count), workers), start + 1):
            waiting.append(scene)
            if len(waiting) == ENCODE_BATCH or number == count:
                pixels = to_pixels(np.stack([rgba for rgba, _ in waiting])).to(DEVICE)
                stored[start:number] = encode(pixels).half().cpu().numpy()
                stored.flush()
                file.write("".join(f"{truth_to_json(truth)}\n" for _, truth in waiting))
                file.flush()
                start, waiting = number, []
                if stop():
                    return
    partial.rename(truths)


def read_latent_cache(folder: Path, subjects: Sequence[Subject]) -> tuple[np.ndarray, list[Truth]]:
    """(latents on disk, what each shows)."""
    by_codepoints = {subject.codepoints: subject for subject in subjects}
    truths = [
        truth_from_json(line, by_codepoints)
        for line in (folder / "truths.jsonl").read_text().splitlines()
    ]
    return np.load(folder / "latents.npy", mmap_mode="r"), truths
