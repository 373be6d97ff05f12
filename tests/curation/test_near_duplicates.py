"""Near-duplicates, against comparing all pairs one after the other."""

import numpy as np
import pytest

from stickerforge.curation.near_duplicates import (
    COLOR_DISTANCE,
    Fingerprints,
    Likeness,
    near_duplicates,
)

COUNT = 400


@pytest.fixture(scope="module")
def prints():
    """Fingerprints of pictures of which many are nearly the same, in one way or both."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, COUNT, dtype=np.uint64)
    grids = rng.integers(0, 256, (COUNT, 256)).astype(np.uint8)
    vectors = rng.normal(size=(COUNT, 24)).astype(np.float32)
    for at in range(COUNT):
        if at % 3 and at > 5:
            other = int(rng.integers(0, at))
            bits = sum(1 << int(bit) for bit in set(rng.integers(0, 64, at % 9)))
            hashes[at] = int(hashes[other]) ^ bits
            if at % 5:
                grids[at] = np.clip(grids[other].astype(int) + at % 30, 0, 255)
            if at % 2:
                vectors[at] = vectors[other] + rng.normal(size=24) * 0.02 * (at % 11)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Fingerprints(hashes, grids, vectors.astype(np.float16))


def reference(order, prints, kind):
    """{picture that goes: pictures that stay and are nearly the same}, pair by pair."""
    kept, gone = [], {}
    for one in order:
        alike = []
        for other in kept:
            bits = bin(int(prints.hashes[one]) ^ int(prints.hashes[other])).count("1")
            color = np.abs(prints.grids[one].astype(float) - prints.grids[other]).mean() / 255
            by_hash = bits <= 6 and color <= COLOR_DISTANCE
            by_vector = float(prints.vectors[one].astype(float) @ prints.vectors[other]) >= 0.98
            if {
                "hash": by_hash,
                "encoder": by_vector,
                "either": by_hash or by_vector,
                "both": by_hash and by_vector,
            }[kind]:
                alike.append(other)
        if alike:
            gone[one] = alike
        else:
            kept.append(one)
    return gone


@pytest.mark.parametrize("kind", ["hash", "encoder", "either", "both"])
@pytest.mark.parametrize("backwards", [False, True])
def test_against_all_pairs(prints, kind, backwards):
    order = list(range(COUNT))[:: -1 if backwards else 1]
    expected = reference(order, prints, kind)
    found = {
        one.picture: one.original for one in near_duplicates(order, prints, Likeness(kind, 6, 0.98))
    }
    assert 20 < len(expected) < COUNT - 20
    assert set(found) == set(expected)
    assert all(found[one] in expected[one] for one in found)


def test_order_may_name_some_of_the_pictures(prints):
    order = list(range(100, 300, 2))
    found = [one.picture for one in near_duplicates(order, prints, Likeness("either", 6, 0.98))]
    assert sorted(found) == sorted(reference(order, prints, "either"))


def test_none_and_one():
    empty = Fingerprints(
        np.zeros(0, np.uint64), np.zeros((0, 256), np.uint8), np.zeros((0, 0), np.float16)
    )
    assert list(near_duplicates([], empty, Likeness("hash", 6, 0.98))) == []
    one = Fingerprints(
        np.zeros(1, np.uint64), np.zeros((1, 256), np.uint8), np.zeros((1, 4), np.float16)
    )
    for kind in ("hash", "both", "encoder"):
        assert list(near_duplicates([0], one, Likeness(kind, 6, 0.98))) == []
