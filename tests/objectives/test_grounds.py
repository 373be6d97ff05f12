"""Grounds: what each kind is, and that they are functions of their generator."""

import pytest
import torch

from stickerforge.objectives.grounds import KINDS, random_ground, random_grounds


def random(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [1, 7, 64])
def test_a_ground_is_a_picture_of_its_generator(kind, side):
    one, same, other = (random_ground(kind, side, random(seed)) for seed in (1, 1, 2))
    assert one.shape == (3, side, side)
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_solid_grounds_have_one_colour_and_others_more():
    for kind in KINDS:
        colors = random_ground(kind, 32, random(3)).flatten(1).T.unique(dim=0)
        assert (len(colors) == 1) == (kind == "solid")


@pytest.mark.parametrize("seed", range(5))
def test_a_gradient_goes_evenly_from_one_colour_to_another(seed):
    ground = random_ground("gradient", 33, random(seed)).double()
    for axis in (1, 2):
        assert float(ground.diff(dim=axis).diff(dim=axis).abs().max()) < 1e-5
    # from corner to opposite corner: nowhere is it beyond the colours of the corners
    corners = ground[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert bool((ground.amax((1, 2)) <= corners.amax(1) + 1e-6).all())


def test_a_scene_has_edges_and_even_parts_and_noise_has_none():
    def even(ground):
        return float((ground.diff(dim=2).abs().amax(0) < 0.1).float().mean())

    scenes = [even(random_ground("photo", 64, random(seed))) for seed in range(10)]
    grains = [even(random_ground("noise", 64, random(seed))) for seed in range(40)]
    assert all(0.75 < share < 1 for share in scenes)
    assert min(grains) < 0.1


def test_photographs_that_are_given_are_taken_parts_of():
    photo = torch.zeros(3, 40, 60)
    photo[0] = 255
    photo[1] = torch.linspace(0, 255, 60)
    for seed in range(10):
        part = random_ground("photo", 16, random(seed), [photo.byte()])
        assert torch.all(part[0] > 0.99)
        assert torch.all(part[2] < 0.01)
        seen = float(part[1].max() - part[1].min())
        assert 0.25 < seen < 0.7  # a square of 20 to 40 of the 60 columns


def test_kinds_have_equal_chances():
    grounds = random_grounds(400, 8, random(7))
    assert grounds.shape == (400, 3, 8, 8)
    solid = sum(len(each.flatten(1).T.unique(dim=0)) == 1 for each in grounds)
    # of noise, a quarter is one grain of eight pixels
    assert 400 * (1 / 4 + 1 / 16) - 40 < solid < 400 * (1 / 4 + 1 / 16) + 40
