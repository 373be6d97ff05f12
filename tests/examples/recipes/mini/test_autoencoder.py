"""The autoencoder, its anchored norms and its standard latents."""

import torch

from examples.recipes.mini import (
    anchors,
    autoencoder,
)


def test_anchored_norms_do_nothing_and_stay():
    from diffusers.models.resnet import ResnetBlock2D

    torch.manual_seed(0)
    model = autoencoder.init_autoencoder()
    inputs = torch.randn(2, 32, 16, 16)
    inputs[:, 0] = anchors.ANCHOR
    norm = next(
        m for m in model.modules() if isinstance(m, torch.nn.GroupNorm) and m.num_channels == 32
    )
    torch.testing.assert_close(norm(inputs)[:, 1:], inputs[:, 1:], rtol=0.01, atol=0.05)
    assert not norm(inputs)[:, 0].any()
    held = []
    for module in model.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.register_forward_hook(lambda module, given, output: held.append(given[0][:, 0]))
    anchors.freeze_anchors(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    pixels = torch.rand(2, 4, 32, 32) * 2 - 1
    losses = []
    for _ in range(4):
        loss = autoencoder.reconstruction_loss(
            model.decode(model.encode(pixels).latent_dist.mean).sample, pixels
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] and any(
        block.conv2.weight[1:].any()
        for block in model.modules()
        if isinstance(block, ResnetBlock2D)
    )
    assert len(held) == 4 * sum(
        isinstance(module, torch.nn.GroupNorm) for module in model.modules()
    )
    assert all(
        bool((values == anchors.ANCHOR).all()) for values in held
    )  # every norm still sees the anchor, exactly


def test_what_lies_beside_a_crop_changes_no_colour_in_it():
    """Group norm over the picture would."""

    torch.manual_seed(0)
    model = autoencoder.init_autoencoder().eval()
    whole = torch.rand(1, 4, 128, 128) * 2 - 1
    with torch.no_grad():
        both = [
            model.encode(pixels).latent_dist.mean for pixels in (whole, whole[..., 32:96, 32:96])
        ]
    torch.testing.assert_close(
        both[0][..., 6:10, 6:10], both[1][..., 2:6, 2:6], rtol=0.02, atol=0.02
    )


def test_standard_latents_give_the_same_pictures():
    torch.manual_seed(0)
    model = autoencoder.build_autoencoder().eval()
    pixels = torch.randn(2, 4, 32, 32)
    with torch.no_grad():
        before = model.encode(pixels).latent_dist
        expected = model.decode(before.mean).sample
        per_channel = before.mean.transpose(0, 1).flatten(1)
        autoencoder.standardize_latents(model, per_channel.mean(1), per_channel.std(1))
        after = model.encode(pixels).latent_dist
        torch.testing.assert_close(model.decode(after.mean).sample, expected, rtol=1e-4, atol=1e-4)
    values = after.mean.transpose(0, 1).flatten(1)
    torch.testing.assert_close(values.mean(1), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.std(1), torch.ones(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        after.std * per_channel.std(1)[:, None, None], before.std, rtol=1e-3, atol=1e-5
    )
