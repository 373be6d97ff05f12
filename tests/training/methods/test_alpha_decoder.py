"""Training of a decoder: its batches, its loss, and that nothing else changes."""

import copy
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.adapters import decoder_format
from stickerforge.config.schema import AlphaLossConfig, CanvasConfig, TrainingConfig
from stickerforge.data.pictures import load_picture
from stickerforge.errors import Interrupted
from stickerforge.models.alpha_decoder import AlphaDecoder, encoder_digest
from stickerforge.runtime.signals import interruptible
from stickerforge.training import trainer
from stickerforge.training.best_checkpoint import ValidationSchedule
from stickerforge.training.methods.alpha_decoder import (
    AlphaDecoderTuning,
    Canvas,
    decode_alpha,
    encode_mode,
)
from stickerforge.training.run_folder import CheckpointInfo, RunFolder
from stickerforge.training.sticker_pictures import Stickers
from tests.tiny import tiny_vae

SIDE, WEIGHTS = 16, AlphaLossConfig()
CONFIG = TrainingConfig(
    steps=4, batch=3, lr=1e-3, weight_decay=0.0, epsilon=1e-8, clip=1.0, save_every=2
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Five stickers of different shapes."""
    folder = tmp_path_factory.mktemp("art")
    for number in range(5):
        page = Image.new("RGBA", (40, 40))
        page.paste((250 - 50 * number, 40 * number, 90, 255), (5, 5, 10 + 6 * number, 35))
        page.save(folder / f"{number}.png")
    return [load_picture(path)[0] for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(3)
    return tiny_vae(3).eval().requires_grad_(False)


def method_of(vae, pictures, config=CONFIG, part=64, start="mean", weights=WEIGHTS):
    return AlphaDecoderTuning(
        vae,
        AlphaDecoder(vae, start),
        Stickers(pictures, SIDE),
        config,
        canvas=Canvas(CanvasConfig(), SIDE),
        weights=weights,
        photos=(),
        seed=7,
        part=part,
    )


def test_batches_are_functions_of_the_step(vae, pictures):
    one, other = method_of(vae, pictures), method_of(vae, pictures)
    other.batch(0)
    for step in (5, 2):
        first, second = one.batch(step), other.batch(step)
        assert torch.equal(first.target, second.target)
        assert torch.equal(first.grounds, second.grounds)
        assert first.target.shape == (3, 4, SIDE, SIDE)
        assert first.grounds.shape == (3, 3, SIDE, SIDE)
    assert not torch.equal(one.batch(1).target, one.batch(2).target)


def test_every_picture_is_seen_once_in_each_round(vae, pictures):
    method, seen = method_of(vae, pictures), []

    def note(index):
        seen.append(index)
        return np.full((4, SIDE, SIDE), 255, np.uint8)

    method.stickers.planes = note
    for step in range(5):
        method.batch(step)
    rounds = [seen[start : start + 5] for start in (0, 5, 10)]
    assert all(sorted(each) == [0, 1, 2, 3, 4] for each in rounds)
    assert rounds[0] != rounds[1] or rounds[1] != rounds[2]


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.5), (1.0, 1.0), (0.05, 1.0)])
def test_stickers_lie_anywhere_on_the_canvas_in_any_scale(low, high):
    canvas = Canvas(CanvasConfig(scale_low=low, scale_high=high), 40)
    sticker = torch.ones(4, 40, 20)
    random = torch.Generator().manual_seed(1)
    sizes, places = set(), set()
    for _ in range(60):
        (alpha,) = canvas.place([sticker], random)[:, 3]
        rows, columns = (alpha.amax(axis).nonzero().flatten() for axis in (1, 0))
        high_px, wide_px = len(rows), len(columns)
        assert round(low * 40) <= high_px <= round(high * 40)
        assert abs(wide_px - high_px / 2) <= 1
        inside = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert float(inside.min()) > 0.999
        sizes.add(high_px)
        places.add((int(rows[0]), int(columns[0])))
    assert len(places) > 10
    assert len(sizes) == 1 if low == high else len(sizes) > 5


def test_the_canvas_has_its_colour_where_nothing_lies():
    canvas = Canvas(CanvasConfig(color="ff8000"), 8)
    picture = torch.zeros(1, 4, 8, 8)
    picture[:, :, :4] = torch.tensor([0.25, 0.0, 0.5, 0.5])[:, None, None]
    seen = canvas.cover(picture)
    assert seen[0, :, 7, 0].tolist() == pytest.approx([1, 128 / 255, 0])
    assert seen[0, :, 0, 0].tolist() == pytest.approx([0.75, 64 / 255, 0.5])


def test_the_loss_is_the_weighted_sum_of_its_errors(vae, pictures):
    weights = AlphaLossConfig(composite=2.0, alpha=3.0, gradient=5.0)
    method = method_of(vae, pictures, weights=weights)
    output = method.loss(method.batch(0), 0)
    found = {name: float(value) for name, value in output.metrics.items()}
    expected = 2 * found["composite"] + 3 * found["alpha"] + 5 * found["gradient"]
    assert float(output.loss) == pytest.approx(expected, rel=1e-6)


def test_parts_give_the_gradients_of_the_whole(vae, pictures):
    found = []
    for part in (64, 1):
        method = method_of(vae, pictures, part=part)
        assert len(method.split(method.batch(0))) == (1 if part == 64 else 3)
        trainer.accumulate(method, 0)
        found.append([each.grad for each in method.decoder.parameters()])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-3, atol=1e-6)


def test_the_encoder_and_the_models_own_decoder_stay(vae, pictures, tmp_path):
    before = copy.deepcopy(vae.state_dict())
    digest = encoder_digest(before)
    method = method_of(vae, pictures)
    started = method.weights()
    trained = trainer.train(method, CONFIG, RunFolder(tmp_path), CheckpointInfo(0, "s", "p"))
    after = vae.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert trained.encoder == encoder_digest(after) == digest
    changed = [
        name
        for name in trained.tensors
        if not torch.equal(trained.tensors[name], started.tensors[name])
    ]
    assert len(changed) == len(trained.tensors)  # post_quant_conv, too
    assert trained.config["out_channels"] == 4 and vae.config.out_channels == 3


def test_what_is_kept_is_the_mean_of_the_weights_over_steps(vae, pictures, tmp_path):
    method, states = method_of(vae, pictures), []
    note = method.after_step

    def after_step(output):
        note(output)
        states.append(method.decoder.tensors())

    method.after_step = after_step
    mean = method.weights().tensors
    kept = trainer.train(method, CONFIG, RunFolder(tmp_path), CheckpointInfo(0, "s", "p")).tensors
    for number, state in enumerate(states, 1):
        pull = 9 / (number + 9)
        mean = {name: (1 - pull) * mean[name] + pull * state[name] for name in mean}
    for name, value in mean.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("start", ["mean", "opaque"])
def test_it_learns_what_is_transparent(vae, pictures, tmp_path, start):
    config = TrainingConfig(
        steps=40, batch=4, lr=3e-3, weight_decay=0.0, epsilon=1e-8, clip=1.0, save_every=100
    )
    method = method_of(vae, pictures, config, start=start)

    def alpha_error():
        with torch.no_grad():
            target = method.batch(1000).target
            decoded = decode_alpha(method.mean, encode_mode(vae, method.canvas.cover(target)))
            return float((decoded[:, 3] - target[:, 3]).abs().mean())

    before = alpha_error()
    trainer.train(method, config, RunFolder(tmp_path), CheckpointInfo(0, "s", "p"))
    assert alpha_error() < 0.6 * before


def test_an_interrupted_run_ends_in_the_same_bytes(vae, pictures, tmp_path):
    def run(name, start, stop_at=None):
        (tmp_path / name).mkdir(exist_ok=True)
        done = 0

        def on_step(count):
            nonlocal done
            done += count
            if done == stop_at:
                os.kill(os.getpid(), signal.SIGINT)

        schedule = ValidationSchedule(2, lambda step: {"score": float(step)})
        with interruptible():
            method = method_of(vae, pictures)
            folder = RunFolder(tmp_path / name)
            return trainer.train(method, CONFIG, folder, start, on_step, schedule)

    start = CheckpointInfo(0, "settings", "pictures")
    whole = decoder_format.encode(run("whole", start))
    with pytest.raises(Interrupted):
        run("parts", start, stop_at=3)
    checkpoint = RunFolder(tmp_path / "parts").checkpoint_info()
    assert checkpoint is not None and checkpoint.step == 3
    assert decoder_format.encode(run("parts", checkpoint)) == whole
