"""A bank of scenes: latents on disk, and beside them what each scene shows, so that it can be told anew each time.

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

from art import Subject
from backdrops import Ground
from denoiser import pixels_of
from settings import DEVICE, LATENT_CHANNELS, PIXELS
from world import Thing, Truth, World

TOGETHER = 64  # scenes that are encoded at once

_scenes: World | None = None  # of a worker process


def packed(truth: Truth) -> str:
    """A truth as one line of JSON; subjects are named by their code points."""
    told = asdict(truth)
    for thing in told["things"]:
        thing["subject"] = thing["subject"]["codepoints"]
    return json.dumps(told, separators=(",", ":"))


def unpacked(line: str, subjects: Mapping[str, Subject]) -> Truth:
    """The other way; `subjects` are by code points."""
    told = json.loads(line)
    things = tuple(
        Thing(**(thing | {"subject": subjects[thing["subject"]]})) for thing in told["things"]
    )
    ground = Ground(
        told["ground"]["kind"], told["ground"]["name"], tuple(told["ground"]["colours"])
    )
    return Truth(told["style"], things, told["relation"], ground, tuple(map(tuple, told["boxes"])))


def _adopt(make: Callable[[], World]) -> None:
    global _scenes
    torch.set_num_threads(1)
    _scenes = make()


def _drawn(index: int) -> tuple[np.ndarray, Truth]:
    assert _scenes is not None
    return _scenes[index]


def drawn(
    make: Callable[[], World], indices: range, workers: int
) -> Iterator[tuple[np.ndarray, Truth]]:
    """Scenes in order, by one process or several."""
    if workers > 1:
        with Pool(workers, _adopt, (make,)) as pool:
            yield from pool.imap(_drawn, indices, chunksize=16)
        return
    scenes = make()
    for index in indices:
        yield scenes[index]


@torch.no_grad()
def write_bank(
    folder: Path,
    make: Callable[[], World],
    count: int,
    encode: Callable[[Tensor], Tensor],
    *,
    workers: int = 1,
    stop: Callable[[], object] = lambda: False,
) -> None:
    """Draw and encode `count` scenes: latents.npy, float16 (N, C, H, W), and truths.jsonl. What an interrupted call has written is kept.

    Args:
        stop: asked after each block whether to leave it at that for now.
        make: the world; a function of a module where there are several workers.
        encode: pixels (B, 4, PIXELS, PIXELS) to latents (B, C, H, W).
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
    lines = lines[: len([line for line in lines if line.endswith("\n")]) // TOGETHER * TOGETHER]
    stored = np.lib.format.open_memmap(latents, "r+" if lines else "w+", np.float16, shape)
    partial.write_text("".join(lines))
    with partial.open("a") as file:
        waiting: list[tuple[np.ndarray, Truth]] = []
        start = len(lines)
        for number, scene in enumerate(drawn(make, range(start, count), workers), start + 1):
            waiting.append(scene)
            if len(waiting) == TOGETHER or number == count:
                pixels = pixels_of(np.stack([rgba for rgba, _ in waiting])).to(DEVICE)
                stored[start:number] = encode(pixels).half().cpu().numpy()
                stored.flush()
                file.write("".join(f"{packed(truth)}\n" for _, truth in waiting))
                file.flush()
                start, waiting = number, []
                if stop():
                    return
    partial.rename(truths)


def read_bank(folder: Path, subjects: Sequence[Subject]) -> tuple[np.ndarray, list[Truth]]:
    """(latents on disk, what each shows)."""
    by_codepoints = {subject.codepoints: subject for subject in subjects}
    truths = [
        unpacked(line, by_codepoints) for line in (folder / "truths.jsonl").read_text().splitlines()
    ]
    return np.load(folder / "latents.npy", mmap_mode="r"), truths
