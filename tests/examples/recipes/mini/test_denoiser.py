"""The denoiser's loss weights and the scenes that it sees more often."""

import torch

from examples.recipes.mini import (
    autoencoder,
    denoiser,
)


def test_a_channel_that_no_picture_depends_on_weighs_nothing():
    torch.manual_seed(0)
    model = autoencoder.build_autoencoder().eval()
    with torch.no_grad():
        model.post_quant_conv.weight[:, 3] = 0
        model.post_quant_conv.weight[:, 5] *= 3
    weight = denoiser.channel_weights(model, torch.randn(2, 8, 4, 4)).flatten()
    assert weight[3] == 0 and weight.argmax() == 5 and abs(float(weight.mean()) - 1) < 1e-5


def test_plain_singles_are_known_by_their_captions():
    plain = (
        "a cat, flat style",
        "a red apple, noto style",
        "a person in a suit levitating, flat style",
    )
    others = (
        "two cats, flat style",
        "a small cat at the top left, flat style",
        "a cat, flat style, on a red ground",
        "a cat wearing a crown, flat style",
        "a fox in a space suit, noto style",
        "a cat above a house, flat style",
    )
    assert all(map(denoiser.is_plain_single, plain)) and not any(
        map(denoiser.is_plain_single, others)
    )
