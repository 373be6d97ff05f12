"""Shapes of one set in the colours of another."""

from types import SimpleNamespace

import numpy as np

from examples.recipes.mini import (
    color_transfer,
    style_augmentation,
)


def drawing(mask, colours):
    """A premultiplied sprite: colours (192, 192, 3) where the mask is."""
    rgba = np.zeros((192, 192, 4), np.uint8)
    rgba[mask] = np.concatenate([np.asarray(colours)[mask], np.full((int(mask.sum()), 1), 255)], 1)
    return rgba


def test_a_restyled_drawing_has_the_shape_of_one_and_the_colours_of_the_other():
    rows, columns = np.mgrid[:192, :192]
    square = (np.abs(rows - 96) < 60) & (np.abs(columns - 96) < 60)
    disc = np.hypot(rows - 96, columns - 96) < 80
    dull = drawing(square, np.where((columns < 96)[..., None], (200, 170, 60), (60, 50, 45)))
    bright = drawing(disc, np.where((rows < 96)[..., None], (255, 204, 77), (41, 47, 51)))
    flat = color_transfer.transfer_style(dull, bright, "twemoji")
    assert np.array_equal(flat[..., 3], dull[..., 3])
    np.testing.assert_allclose(
        flat[96, 60, :3], (255, 204, 77), atol=3
    )  # the nearest ink, though it lies elsewhere
    np.testing.assert_allclose(flat[96, 130, :3], (41, 47, 51), atol=3)
    fading = drawing(
        disc,
        np.repeat((60 + rows / 2)[..., None], 3, -1).astype(np.uint8)
        * np.array([1, 1, 0], np.uint8),
    )
    soft = color_transfer.transfer_style(
        drawing(square, np.full((192, 192, 3), (120, 120, 0))), fading, "noto"
    )
    assert np.array_equal(soft[..., 3], dull[..., 3])
    assert soft[50, 96, 0] < soft[96, 96, 0] < soft[140, 96, 0], (
        "the gradient is carried over by place"
    )


def test_no_withheld_drawing_is_restyled_or_gives_its_colours(monkeypatch):
    sprite = drawing(np.ones((192, 192), bool), np.full((192, 192, 3), 90))
    scenes = SimpleNamespace(sprites=np.stack([np.stack([sprite] * 4)]))
    monkeypatch.setattr(style_augmentation, "training_world", lambda: scenes)
    monkeypatch.setattr(
        style_augmentation,
        "is_withheld",
        lambda part, points, style: part == "generator" and style == "flat",
    )
    made = style_augmentation.restyle_subject(SimpleNamespace(index=0, codepoints="1f408"))
    kinds = {(other, wanted) for _, other, wanted, _ in made}
    assert len(made) == len(kinds) == 6 and not any("flat" in kind for kind in kinds)
