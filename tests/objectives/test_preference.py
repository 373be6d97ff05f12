"""The two parts of a reward, against their definitions in float64."""

import pytest
import torch

from stickerforge.objectives.preference import (
    common_direction,
    decompose,
    preference,
    preference_loss,
)


def unit_vectors(count, seed):
    random = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, 24, generator=random, dtype=torch.float64) + 0.4
    return torch.nn.functional.normalize(vectors, dim=1)


IMAGES, TEXTS = unit_vectors(8, 0), unit_vectors(8, 1)
DIRECTION = common_direction(unit_vectors(200, 2))


def test_the_common_direction_is_a_unit_mean():
    vectors = unit_vectors(200, 2)
    torch.testing.assert_close(DIRECTION, vectors.mean(0) / vectors.mean(0).norm())
    assert abs(float(DIRECTION.norm()) - 1) < 1e-12


def test_the_text_relevant_part_is_orthogonal_to_the_direction():
    relevant, shares = decompose(TEXTS, DIRECTION)
    assert (relevant @ DIRECTION).abs().max() < 1e-12
    torch.testing.assert_close(relevant + shares[:, None] * DIRECTION, TEXTS)
    torch.testing.assert_close(shares, (TEXTS * DIRECTION).sum(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_both_parts_are_the_cosine(dtype):
    parts = preference(IMAGES.to(dtype), TEXTS, DIRECTION, 1.0)
    cosine = (IMAGES * TEXTS).sum(1).to(dtype)
    assert parts.score.dtype == dtype
    torch.testing.assert_close(parts.score, cosine, atol=1e-6, rtol=0)
    torch.testing.assert_close(parts.relevant + parts.irrelevant, cosine, atol=1e-6, rtol=0)


def test_the_score_is_linear_in_the_weight():
    at = {w: preference(IMAGES, TEXTS, DIRECTION, w).score for w in (0.0, 0.3, 1.0)}
    torch.testing.assert_close(at[0.3], 0.7 * at[0.0] + 0.3 * at[1.0])
    torch.testing.assert_close(at[0.0], preference(IMAGES, TEXTS, DIRECTION, 1).relevant)


def test_with_a_stored_direction_the_size_of_the_batch_does_not_matter():
    whole = preference(IMAGES, TEXTS, DIRECTION, 0.3).score
    single = [
        preference(i[None], t[None], DIRECTION, 0.3).score
        for i, t in zip(IMAGES, TEXTS, strict=True)
    ]
    torch.testing.assert_close(whole, torch.cat(single))
    # A direction of the batch leaves nothing of a single text.
    alone = preference(IMAGES[:1], TEXTS[:1], common_direction(TEXTS[:1]), 0.3)
    assert abs(float(alone.relevant)) < 1e-12


def test_a_mean_over_segments_is_not_normalized_again():
    segments = unit_vectors(3, 5)
    parts = preference(IMAGES[:1], segments.mean(0)[None], DIRECTION, 1.0)
    torch.testing.assert_close(parts.score[0], (segments @ IMAGES[0]).mean())


def test_the_loss_is_that_of_the_authors():
    """Their own lines: 0.5 (1 - C_w) - 0.09 (1 - w), averaged over the batch."""
    scores = preference(IMAGES, TEXTS, DIRECTION, 0.3).score
    expected = (0.5 * (1 - scores) - 0.09 * 0.7).mean()
    torch.testing.assert_close(preference_loss(scores, 0.3), expected)
    cosines = preference(IMAGES, TEXTS, DIRECTION, 1).score
    torch.testing.assert_close(preference_loss(cosines, 1), 0.5 - 0.5 * cosines.mean())
