"""The parts of the recipe of sticker-mini that need no fetched art."""

import numpy as np
import pytest
import scipy.stats
import torch

from examples.recipes.mini import (
    anchors,
    art,
    autoencoder,
    checkpoint,
    color_transfer,
    decoder,
    denoiser,
    latents,
    networks,
    optim,
    reward,
    rollouts,
    style_augmentation,
    style_reward,
)
from examples.recipes.mini.settings import HERE, STYLES
from examples.recipes.mini.sprites import paste, recolour
from examples.recipes.mini.tokenizer import train_tokenizer


def test_nothing_withheld_is_learned():
    learned, withheld = set(art.learned_kinds()), art.withheld_names()
    assert len(learned) == 273 and len(withheld) > 60
    assert not learned & withheld
    held_out = (HERE / "held_out_subjects.tsv").read_text().splitlines()[1:]
    assert len(held_out) == 60


def test_the_tokenizer_keeps_words_whole_and_knows_every_byte():
    words = train_tokenizer(["cat astronaut in flat style", "cat face, pet"] * 5)
    assert words.tokenize("Cat astronaut") == ["cat</w>", "astronaut</w>"]
    odd = "".join(map(chr, range(1, 0x250))) + "猫🐱"
    assert words.unk_token_id not in words(odd, add_special_tokens=False, verbose=False).input_ids
    assert words.eos_token_id == len(words) - 1 != 2


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


def test_latents_that_were_interrupted_go_on(tmp_path, monkeypatch):
    from types import SimpleNamespace

    class Encoder:
        def encode(self, pixels):
            pooled = torch.nn.functional.avg_pool2d(pixels, 8).repeat(1, 2, 1, 1)
            return SimpleNamespace(latent_dist=SimpleNamespace(mean=pooled))

    class Scenes:
        fails = None

        def __getitem__(self, index):
            if index == self.fails:
                raise KeyboardInterrupt
            return np.full((128, 128, 4), index % 251, np.uint8), f"scene {index}"

    scenes = Scenes()
    monkeypatch.setattr(latents, "training_world", lambda: scenes)
    monkeypatch.setattr(latents, "load_standard_autoencoder", lambda scenes: Encoder())
    monkeypatch.setattr(
        latents, "caption_variants", lambda truth, rng: [truth, str(rng.integers(1000))]
    )
    monkeypatch.setattr(latents, "ENCODE_BATCH", 4)

    def files(folder):
        folder.mkdir()
        for name, file in (
            ("RUN", ""),
            ("LATENTS", "latents.npy"),
            ("CAPTIONS", "captions.json"),
            ("TOKENIZER", "tokenizer"),
        ):
            monkeypatch.setattr(latents, name, folder / file)
        (folder / "tokenizer").mkdir()
        return folder

    whole = files(tmp_path / "whole")
    latents.write_latents(300)
    parts, scenes.fails = files(tmp_path / "parts"), 290
    with pytest.raises(KeyboardInterrupt):
        latents.write_latents(300)
    assert not (parts / "captions.json").exists()
    scenes.fails = 3  # is behind it now
    latents.write_latents(300)
    assert (parts / "captions.json").read_text() == (whole / "captions.json").read_text()
    np.testing.assert_array_equal(np.load(parts / "latents.npy"), np.load(whole / "latents.npy"))
    assert np.load(whole / "latents.npy")[299, 0, 0, 0] == np.float16(299 % 251 / 127.5 - 1)
    assert sorted(path.name for path in parts.iterdir()) == [
        "captions.json",
        "latents.npy",
        "tokenizer",
    ]


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


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path, kind):
    def fresh():
        model = torch.nn.Linear(3, 3)
        optimizer = (
            torch.optim.AdamW(model.parameters(), lr=0.1)
            if kind == "adamw"
            else optim.Muon([model.weight], [model.bias], lr=0.1)
        )
        return model, optim.ema_copy(model), optimizer

    def run(steps, resume_at=None):
        torch.manual_seed(0)
        model, mean, optimizer = fresh()
        for step in range(steps):
            if step == resume_at:
                checkpoint.save_checkpoint(
                    tmp_path / "c.safetensors", {"model": model, "mean": mean}, optimizer, step
                )
                model, mean, optimizer = fresh()
                assert (
                    checkpoint.load_checkpoint(
                        tmp_path / "c.safetensors", {"model": model, "mean": mean}, optimizer
                    )
                    == step
                )
            optimizer.zero_grad()
            model(
                torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
            ).square().sum().backward()
            optimizer.step()
            optim.update_ema(mean, model, step)
        return [*model.parameters(), *mean.parameters()]

    for whole, resumed in zip(run(6), run(6, resume_at=3), strict=True):
        assert torch.equal(whole, resumed)


def test_matrices_are_moved_in_all_directions_alike():
    torch.manual_seed(0)
    for shape in ((6, 20), (20, 6), (8, 3, 3, 3)):
        matrix = torch.randn(shape, dtype=torch.float64)
        turned = optim.orthogonalize(matrix)
        left, _, right = torch.linalg.svd(matrix.flatten(1), full_matrices=False)
        values = torch.linalg.svdvals(turned.flatten(1))
        assert turned.shape == matrix.shape and 0.6 < values.min() and values.max() < 1.3
        polar = (left @ right).reshape(shape)
        assert (turned * polar).sum() / turned.norm() / polar.norm() > 0.97


def test_other_weights_are_moved_by_adamw():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.arange(4.0)) for _ in range(2))
    pairs = [
        (ours, optim.Muon([], [ours], lr=0.1)),
        (theirs, torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.99), weight_decay=0.01)),
    ]
    for step in range(5):
        for parameter, optimizer in pairs:
            parameter.grad = torch.sin(torch.arange(4.0) * (step + 1))
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_the_rate_stays_level_until_it_falls():
    rates = [optim.trapezoid_lr(step, 1000, 1.0, warmup=100) for step in range(1001)]
    assert (
        rates[0] == 0.01
        and set(rates[100:700]) == {1.0}
        and abs(rates[850] - 0.51) < 1e-9
        and abs(rates[1000] - 0.02) < 1e-9
    )
    assert all(b <= a for a, b in zip(rates[100:], rates[101:], strict=False))


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


def test_scenes_lay_premultiplied_colour_over_colour():
    canvas = np.full((4, 4, 4), (0, 0, 200, 255), np.uint8)
    paste(canvas, np.full((2, 2, 4), (100, 0, 0, 128), np.uint8), 1, 1)
    assert canvas[0, 0].tolist() == [100, 0, 100, 255]
    assert canvas[3, 3].tolist() == [0, 0, 200, 255]
    green = recolour(np.full((1, 1, 4), (200, 0, 0, 255), np.uint8), 1 / 3)
    assert green[0, 0].tolist() == [0, 200, 0, 255]


def test_texture_is_how_values_are_distributed_wherever_they_lie(monkeypatch):
    rng = np.random.default_rng(5)
    monkeypatch.setattr(decoder, "SAMPLED_PIXELS", 10_000)
    flat = torch.zeros(2, 4, 40, 40)
    flat[:, :, :, 20:] = 0.5
    generator = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    assert decoder.texture_loss(flat, flat, generator()) == 0
    assert decoder.texture_loss(flat.roll(7, -2), flat, generator()) < 1e-6, (
        "moved along its edge, it is the same texture"
    )
    mottled = flat + torch.from_numpy(rng.normal(0, 0.05, flat.shape)).float()
    blurred = torch.nn.functional.avg_pool2d(flat, 9, 1, 4, count_include_pad=False)
    assert (
        decoder.texture_loss(mottled, flat, generator()) > 0.01
        and decoder.texture_loss(blurred, flat, generator()) > 0.01
    )

    lines = []
    monkeypatch.setattr(
        decoder, "DIRECTIONS", 0
    )  # the axes alone: the distance is that of every channel by itself
    value = float(decoder.texture_loss(mottled, flat, generator()))
    for planes in zip(mottled, flat, strict=True):
        here = [plane[:, :-1, :-1] for plane in planes]
        across = [4 * (plane[:, 1:, :-1] - plane[:, :-1, :-1]).abs() for plane in planes]
        along = [4 * (plane[:, :-1, 1:] - plane[:, :-1, :-1]).abs() for plane in planes]
        for first, second in (here, across, along):
            lines += [
                scipy.stats.wasserstein_distance(a.flatten(), b.flatten())
                for a, b in zip(first, second, strict=True)
            ]
    assert abs(value - np.mean(lines)) < 1e-6


def test_the_reward_reads_a_style_as_the_judge_does_and_leads_it():
    from stickerforge.models.judge.model import load_judge
    from stickerforge.models.judge.network import drawing_features

    rng = np.random.default_rng(6)
    pictures, solid = (
        torch.from_numpy(rng.random((3, 3, 64, 64), np.float32)),
        torch.from_numpy(rng.random((3, 64, 64)) < 0.7),
    )
    pictures[0] = 0.5  # one colour: most of the palette is empty, where a root has no slope
    exact, soft = drawing_features(pictures, solid), style_reward.soft_features(pictures, solid)
    assert (exact - soft).abs().max() <= 8 * style_reward.ROOT_EPSILON**0.5 and torch.equal(
        exact[:, 512:], soft[:, 512:]
    )

    reader, judge = style_reward.StyleReward(), load_judge("second")
    decoded = torch.rand((4, 4, 128, 128), generator=torch.Generator().manual_seed(0)) * 0.5
    decoded[:, 3] = 1.0
    decoded.requires_grad_()
    wanted = torch.arange(4)
    optimizer = torch.optim.Adam([decoded], lr=0.02)

    def said_by_the_judge() -> torch.Tensor:
        small = torch.nn.functional.interpolate(
            (decoded.detach() + 1) / 2, size=64, mode="bicubic", antialias=True
        ).clamp(0, 1)
        read = judge.network.style(drawing_features(small[:, :3], small[:, 3] > 0.95)).log_softmax(
            1
        )
        return read[wanted, [judge.styles.index(style) for style in STYLES]]

    before = said_by_the_judge()
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(reader.logits(reader.look(decoded)), wanted)
        optimizer.zero_grad()
        loss.backward()
        assert decoded.grad.isfinite().all()
        optimizer.step()
    assert before[:3].max() < -3 and said_by_the_judge().min() > -0.2


def test_states_that_the_denoiser_reaches_are_to_lead_to_the_drawing():
    from types import SimpleNamespace

    scheduler, generator = networks.build_scheduler(), torch.Generator().manual_seed(1)
    drawing, noise = (torch.randn((8, 16, 16), generator=generator) for _ in range(2))
    timestep = torch.tensor([500])
    noisy = scheduler.add_noise(drawing[None], noise[None], timestep)[0]
    velocity = scheduler.get_velocity(drawing[None], noise[None], timestep)
    reader = style_reward.StyleReward()
    decoded = torch.rand((1, 4, 128, 128), generator=generator).repeat(2, 1, 1, 1)
    decoded[:, 3] = 1
    looks = reader.look(decoded[:1])[0]

    def loss_of(velocity: torch.Tensor, latents: torch.Tensor) -> tuple[float, float]:
        asked = rollouts.Prompt("a cat, in flat style", 3, latents, looks)
        state = rollouts.State(noisy, velocity[0], 500, 2.0, torch.zeros(77, 192), asked)
        unet, decode = (
            (lambda *inputs: SimpleNamespace(sample=velocity.expand(2, -1, -1, -1))),
            lambda _: SimpleNamespace(sample=decoded),
        )
        _, told = reward.reward_loss(
            unet, decode, scheduler, reader, [state, state], torch.ones(8, 1, 1)
        )
        assert told["match"] < 1e-9, "the decoder gives the very picture"
        return told["reach"], told["near"]

    assert loss_of(velocity, drawing)[0] < 1e-8
    off, signal = 0.3, float(scheduler.alphas_cumprod[500])
    assert loss_of(velocity + off, drawing)[0] == pytest.approx((1 - signal) * off**2, rel=1e-4)
    assert loss_of(velocity, drawing.flip(1)) == (0.0, 0.0), (
        "it shows another drawing, which is not mended pixel by pixel"
    )
    assert loss_of(velocity, torch.zeros(8, 16, 16)) == (0.0, 0.0), "nobody drew it"


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
    from types import SimpleNamespace

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
