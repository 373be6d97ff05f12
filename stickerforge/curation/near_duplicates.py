"""Pictures that are nearly the same: found one after the other, never by all pairs at once.

Shapes: N pictures, D features of an encoder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stickerforge.stickers.perceptual_hash import grid_distances, hash_distances

COLOR_DISTANCE = 0.06  # of the grids of colours, at most: a red heart is no blue heart
BLOCK, ROWS = 64, 8192  # pictures that are compared with so many at a time


@dataclass(frozen=True)
class Likeness:
    """By what two pictures are nearly the same.

    Args:
        kind: "hash", "encoder", "either" or "both".
        hash_distance: bits that may differ.
        cosine: from which vectors are nearly the same.
    """

    kind: str
    hash_distance: int
    cosine: float

    @property
    def reads_hashes(self) -> bool:
        """Whether hashes count."""
        return self.kind in ("hash", "either", "both")

    @property
    def reads_vectors(self) -> bool:
        """Whether vectors of an encoder count."""
        return self.kind in ("encoder", "either", "both")


@dataclass(frozen=True)
class Fingerprints:
    """What pictures are compared by.

    Args:
        hashes: (N,) uint64; grids: (N, 256) uint8, see `perceptual_hash`.
        vectors: unit vectors (N, D) in float16; (N, 0) without an encoder.
    """

    hashes: NDArray[np.uint64]
    grids: NDArray[np.uint8]
    vectors: NDArray[np.float16]


@dataclass(frozen=True)
class Duplicate:
    """A picture that is nearly the same as one that stays.

    Args:
        picture, original: their numbers.
        value: bits that differ, or the cosine.
        is_cosine: which of the two.
    """

    picture: int
    original: int
    value: float
    is_cosine: bool


def near_duplicates(
    order: Sequence[int], prints: Fingerprints, likeness: Likeness
) -> Iterator[Duplicate]:
    """Every picture that is nearly the same as an earlier one that stays.

    Memory: the fingerprints themselves, and `BLOCK` x N cosines.

    Args:
        order: numbers of pictures; of two that are nearly the same the earlier one stays.
    """
    kept, hashes = np.zeros(len(order), np.intp), np.zeros(len(order), np.uint64)
    count = 0
    for start in range(0, len(order), BLOCK):
        block = np.asarray(order[start : start + BLOCK], np.intp)
        before = count
        earlier = cosines(prints, block, kept[:before]) if likeness.reads_vectors else None
        inside = cosines(prints, block, block) if likeness.reads_vectors else None
        new: list[int] = []  # of this block, those that stay
        for at, picture in enumerate(block):
            own = None
            if earlier is not None and inside is not None:
                own = np.concatenate([earlier[at], inside[at, new]])
            found = nearest(int(picture), kept[:count], hashes[:count], prints, own, likeness)
            if found is not None:
                yield found
                continue
            kept[count], hashes[count] = picture, prints.hashes[picture]
            count += 1
            new.append(at)


def cosines(
    prints: Fingerprints, pictures: NDArray[np.intp], others: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Cosines of some pictures with others, in float32."""
    rows = prints.vectors[pictures].astype(np.float32)
    parts = [
        rows @ prints.vectors[others[first : first + ROWS]].astype(np.float32).T
        for first in range(0, len(others), ROWS)
    ]
    return np.concatenate(parts, 1) if parts else np.zeros((len(pictures), 0), np.float32)


def nearest(
    picture: int,
    kept: NDArray[np.intp],
    hashes: NDArray[np.uint64],
    prints: Fingerprints,
    own: NDArray[np.float32] | None,
    likeness: Likeness,
) -> Duplicate | None:
    """The picture that stays and is nearly the same as this one; None for none.

    Args:
        hashes: of those that stay, side by side in memory: they are compared N times.
        own: cosines with those that stay; None where no vectors count.
    """
    if own is not None and len(own) and likeness.kind != "both":
        best = int(np.argmax(own))
        if own[best] >= likeness.cosine:
            return Duplicate(picture, int(kept[best]), float(own[best]), is_cosine=True)
    if not likeness.reads_hashes:
        return None
    bits = hash_distances(prints.hashes[picture], hashes)
    close = np.flatnonzero(bits <= likeness.hash_distance)
    if own is not None and likeness.kind == "both":
        close = close[own[close] >= likeness.cosine]
    if not len(close):
        return None
    colors = grid_distances(prints.grids[picture], prints.grids[kept[close]])
    close = close[colors <= COLOR_DISTANCE]
    if not len(close):
        return None
    best = int(close[np.argmin(bits[close])])
    return Duplicate(picture, int(kept[best]), float(bits[best]), is_cosine=False)
