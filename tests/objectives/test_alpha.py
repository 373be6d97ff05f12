"""The errors of alpha against the same written out pixel by pixel."""

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.objectives.alpha import alpha_errors, composite, gradient_error, premultiplied


def numbers(seed, *shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_picture_over_a_ground_is_what_pillow_makes_of_it():
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (9, 7, 4), np.uint8)
    ground = rng.integers(0, 256, (9, 7, 4), np.uint8)
    ground[..., 3] = 255
    expected = Image.alpha_composite(Image.fromarray(ground), Image.fromarray(picture))
    planes = [
        torch.from_numpy(each).permute(2, 0, 1)[None].double() / 255 for each in (picture, ground)
    ]
    seen = composite(premultiplied(planes[0]), planes[1][:, :3])
    theirs = torch.from_numpy(np.asarray(expected)).permute(2, 0, 1)[None, :3].double() / 255
    assert float((seen - theirs).abs().max()) < 1.01 / 255


def test_the_errors_are_means_over_all_pixels():
    decoded, target, ground = numbers(1, 2, 4, 6, 8), numbers(2, 2, 4, 6, 8), numbers(3, 2, 3, 6, 8)
    errors = alpha_errors(decoded, target, ground)
    seen, alpha, edges = [], [], []
    for b, y, x in np.ndindex(2, 6, 8):
        a, t = decoded[b, 3, y, x], target[b, 3, y, x]
        alpha.append(abs(a - t))
        for c in range(3):
            ours = decoded[b, c, y, x] * a + (1 - a) * ground[b, c, y, x]
            theirs = target[b, c, y, x] + (1 - t) * ground[b, c, y, x]
            seen.append(abs(ours - theirs))
    for scale in (1, 2):  # at 4, only one square fits into six rows
        gap = decoded[:, 3] - target[:, 3]
        rows, columns = 6 // scale, 8 // scale
        mean = np.zeros((2, rows, columns))
        for b, y, x in np.ndindex(2, rows, columns):
            own = gap[b, y * scale : (y + 1) * scale, x * scale : (x + 1) * scale]
            mean[b, y, x] = own.mean()
        edges.append((np.abs(np.diff(mean, axis=1)).mean() + np.abs(np.diff(mean)).mean()) / 2)
    assert errors.composite.item() == pytest.approx(float(np.mean(seen)))
    assert errors.alpha.item() == pytest.approx(float(np.mean(alpha)))
    assert errors.gradient.item() == pytest.approx(float(np.mean(edges)))


def test_what_is_right_has_no_error_over_any_ground():
    picture = numbers(4, 3, 4, 16, 16)
    for seed in range(3):
        errors = alpha_errors(picture, premultiplied(picture), numbers(seed, 3, 3, 16, 16))
        assert errors.composite == errors.alpha == errors.gradient == 0


def test_colours_that_nobody_sees_do_not_count():
    picture = numbers(5, 1, 4, 8, 8)
    picture[:, 3, :, :4] = 0
    other = picture.clone()
    other[:, :3, :, :4] = 0.5
    errors = alpha_errors(other, premultiplied(picture), numbers(6, 1, 3, 8, 8))
    assert errors.composite == 0


def test_a_wrong_alpha_shows_over_other_grounds_than_its_canvas():
    # white on a white canvas: over white nobody sees that it is clear, over black everybody does
    target = torch.ones(1, 4, 8, 8)
    clear = target.clone()
    clear[:, 3] = 0
    white, black = torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    assert alpha_errors(clear, target, white).composite == 0
    assert alpha_errors(clear, target, black).composite == 1


def test_an_even_error_of_alpha_is_none_of_its_edges():
    alpha = numbers(7, 2, 16, 16)
    assert gradient_error(alpha + 0.2, alpha).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("scales", [(1,), (1, 2), (1, 2, 4)])
def test_a_wrong_edge_counts_at_every_scale(scales):
    # a step of one between the halves, which coarser squares see more often: 1 of 15, 7, 3
    alpha = torch.zeros(1, 16, 16)
    alpha[..., 8:] = 1
    expected = np.mean([1 / (16 // scale - 1) / 2 for scale in scales])
    assert gradient_error(alpha, torch.zeros(1, 16, 16), scales).item() == pytest.approx(expected)


def test_a_picture_of_one_pixel_has_no_edges():
    assert gradient_error(torch.ones(1, 1, 1), torch.zeros(1, 1, 1)) == 0


def test_every_part_gives_a_gradient_from_where_training_starts():
    decoded = torch.full((1, 4, 8, 8), 0.5)
    decoded[:, 3] = 1.2  # an overshoot is pulled back, which a clamp would hide
    decoded.requires_grad_(True)
    errors = alpha_errors(decoded, torch.zeros(1, 4, 8, 8), torch.full((1, 3, 8, 8), 0.3))
    (gradient,) = torch.autograd.grad(errors.composite + errors.alpha, decoded)
    assert bool((gradient != 0).all())
