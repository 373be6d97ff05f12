"""The proof of `tailor alpha`: its keying, its measures, its model, and who is held out."""

import json

import numpy as np
import pytest
import torch

from examples.experiments.alpha.art_pictures import (
    LEARNED,
    held_out_drawings,
    learned_drawings,
    tuning_drawings,
)
from examples.experiments.alpha.cutouts import FINISHED, KEYED, cut_out, finish, own_colors
from examples.experiments.alpha.drawn import measure_drawn, typed_prompts
from examples.experiments.alpha.drawn import table as drawn_table
from examples.experiments.alpha.keying import (
    Keying,
    edge_keyings,
    ground_keyings,
    key_white,
    tune_keying,
)
from examples.experiments.alpha.measures import (
    alpha_error,
    as_premultiplied,
    clear_holes,
    difference,
    measure_against_truth,
    measure_alone,
    over,
    summary,
    white_parts,
)
from examples.experiments.alpha.opaque_model import fuse, opaque_autoencoder
from examples.experiments.alpha.reconstruction import gain, interval_text, keyed_arm
from examples.recipes.mini.anchors import add_anchors
from examples.recipes.mini.art import withheld_names
from examples.recipes.mini.autoencoder import build_autoencoder
from examples.recipes.mini.settings import DATA
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights

needs_art = pytest.mark.skipif(
    not (DATA / "sprites.npy").exists(), reason="the recipe's art is not here"
)
SIDE = 64
RED, WHITE = (200, 30, 30), (255, 255, 255)


def disc(radius, color, middle=(32, 32), side=SIDE):
    """A premultiplied disc with a soft edge of one pixel, uint8."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    alpha = (radius + 0.5 - np.hypot(rows - middle[0], columns - middle[1])).clip(0, 1)
    return np.rint(np.concatenate([alpha[..., None] * color, 255 * alpha[..., None]], -1)).astype(
        np.uint8
    )


def lay(upper, lower):
    share = 1 - upper[..., 3:].astype(float) / 255
    return np.rint(upper + share * lower).astype(np.uint8)


def seen_on_white(truth):
    return over(truth, WHITE).round().astype(np.uint8)


def straight(premultiplied):
    alpha = np.maximum(premultiplied[..., 3:].astype(float), 1) / 255
    color = (premultiplied[..., :3] / alpha).clip(0, 255)
    return np.concatenate([color, premultiplied[..., 3:]], -1).round().astype(np.uint8)


EYE = lay(disc(8, WHITE), disc(24, RED))  # white that red encloses
RING = disc(24, RED) - disc(10, RED)  # clear that red encloses
GHOST = lay(disc(6, RED, (20, 32)), disc(24, WHITE))  # white against the ground


@pytest.mark.parametrize("color", [RED, (20, 20, 24), (250, 210, 80)])
def test_keying_finds_the_alpha_of_a_soft_disc(color):
    truth = disc(24, color)
    rgba = key_white(seen_on_white(truth), Keying(tolerance=2, reach=2))
    assert alpha_error(rgba, truth[..., 3] / 255) < 0.002
    assert np.abs(rgba[32, 32, :3].astype(int) - color).max() <= 1
    measured = measure_against_truth(rgba, truth)
    assert measured["fringe"] < 3
    assert measured["psnr"] > 45


@pytest.mark.parametrize("foreground", ["nearest", "strongest"])
def test_keying_keeps_enclosed_white_and_loses_white_against_the_ground(foreground):
    keying = Keying(tolerance=8, foreground=foreground)
    eye = measure_against_truth(key_white(seen_on_white(EYE), keying), EYE)
    ghost = measure_against_truth(key_white(seen_on_white(GHOST), keying), GHOST)
    ring = measure_against_truth(key_white(seen_on_white(RING), keying), RING)
    assert eye["white enclosed"] == 1
    assert np.isnan(eye["white open"])
    assert ghost["white open"] == 0
    assert np.isnan(ghost["white enclosed"])
    assert ring["holes clear"] == 0  # a flood from the border does not reach them


def test_keying_drops_specks_of_the_decoder():
    picture = seen_on_white(disc(20, RED))
    picture[2:4, 2:4] = 200
    keep, drop = (key_white(picture, Keying(tolerance=8, specks=n)) for n in (0, 8))
    assert keep[2, 2, 3] > 0
    assert drop[2, 2, 3] == 0


def test_a_blank_picture_is_clear_and_a_full_one_opaque():
    blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
    assert not key_white(blank, Keying())[..., 3].any()
    assert (key_white(blank - 200, Keying())[8:-8, 8:-8, 3] == 255).all()


def test_tuning_takes_the_least_error():
    rng = np.random.default_rng(0)
    truth = disc(20, RED)
    noisy = np.clip(seen_on_white(truth) - rng.integers(0, 20, (SIDE, SIDE, 1)), 0, 255)
    known = [(noisy.astype(np.uint8), truth[..., 3] / 255)]
    keying, error = tune_keying(known, alpha_error)
    assert keying.tolerance > 16  # the noise of the ground is within it
    tried = [Keying(), *ground_keyings(), *edge_keyings(keying)]
    assert error == min(alpha_error(key_white(*known[0][:1], k), known[0][1]) for k in tried)


def test_white_and_holes_are_found_where_they_are():
    enclosed, against = white_parts(EYE)
    assert enclosed[32, 32]
    assert not against.any()
    enclosed, against = white_parts(GHOST)
    assert against[44, 32]
    assert not enclosed.any()
    assert clear_holes(RING)[32, 32]
    assert not clear_holes(EYE).any()


@pytest.mark.parametrize("truth", [EYE, GHOST, RING], ids=["eye", "ghost", "ring"])
def test_the_truth_measures_as_perfect(truth):
    measured = measure_against_truth(straight(truth), truth)
    assert measured["alpha error"] == 0
    assert measured["fringe"] < 0.5
    assert measured["psnr"] > 50
    known = [measured[name] for name in ("white enclosed", "white open", "holes clear")]
    assert [value for value in known if not np.isnan(value)] == [1]


def test_undecided_alpha_counts_only_what_is_visible():
    rgba = straight(disc(24, RED))
    assert measure_alone(rgba)["undecided"] < 0.15
    hazy = rgba.copy()
    hazy[..., 3] //= 2
    assert measure_alone(hazy)["undecided"] > 0.9
    assert np.isnan(measure_alone(np.zeros_like(rgba))["undecided"])


def test_arms_are_compared_with_the_key_of_their_kind():
    arms = cut_out(seen_on_white(EYE), {"native": straight(EYE)}, Keying())
    plain = ["keyed", "native", "native, own colours"]
    assert list(arms) == [*plain, *(name + FINISHED for name in plain)]
    assert keyed_arm("native") == KEYED
    assert keyed_arm("native" + FINISHED) == KEYED + FINISHED
    assert (finish(straight(EYE))[..., 3] >= 0).all()
    assert (arms["native finished"] == finish(straight(EYE))).all()


@pytest.mark.parametrize("truth", [EYE, RING, disc(20, (20, 200, 90))], ids=["eye", "ring", "leaf"])
def test_own_colours_under_a_true_alpha_are_the_figures(truth):
    rgba = own_colors(seen_on_white(truth), truth[..., 3])
    seen = over(as_premultiplied(rgba), WHITE)
    assert np.abs(seen - seen_on_white(truth))[truth[..., 3] > 0].max() <= 1
    strong = truth[..., 3] > 60
    assert np.abs(rgba.astype(int) - straight(truth))[strong].max() <= 6


def test_a_gain_is_above_zero_where_an_arm_is_better():
    groups = [f"subject {number}" for number in range(8)]
    own = [{"halo": 1.0 + n / 10, "psnr": 30.0 + n} for n in range(8)]
    keyed = [{"halo": 3.0 + n / 5, "psnr": 27.0} for n in range(8)]
    assert gain(own, keyed, "halo", groups)["low"] > 0
    assert gain(own, keyed, "psnr", groups)["low"] > 0
    assert gain(keyed, own, "halo", groups)["high"] < 0


def test_means_and_differences_leave_out_what_is_no_number():
    values = [1.0, float("nan"), 3.0, 5.0]
    groups = ["a", "a", "a", "b"]
    assert summary(values, groups)["mean"] == pytest.approx(3.5)  # 2 of a, 5 of b
    assert summary(values, groups)["pictures"] == 3
    assert summary([float("nan")], ["a"])["mean"] is None
    assert difference(values, [0.0] * 4, groups)["change"] == pytest.approx(3.5)
    assert difference([float("nan")], [0.0], ["a"])["change"] is None
    assert interval_text(None, None, 2) == "-"
    assert interval_text(0.5, None, 2) == "0.50"
    assert interval_text(0.5, (0.25, 0.75), 2) == "0.50 (0.25 to 0.75)"


def test_the_record_of_what_is_drawn_can_be_written_and_shown():
    arms = cut_out(seen_on_white(EYE), {"native": straight(EYE)}, Keying())
    record = measure_drawn([(seen_on_white(EYE), arms)] * 3, ["a", "b", "c"])
    assert any("native" in line for line in drawn_table(json.loads(json.dumps(record))))


def test_nobody_asks_for_a_ground():
    prompts = typed_prompts()
    assert len(prompts) == 60
    assert not [text for text in prompts if "background" in text]


@needs_art
def test_held_out_art_is_of_other_subjects_than_what_is_learned_and_tuned_on():
    learned, tuning, held_out = learned_drawings(), tuning_drawings(120), held_out_drawings()
    assert len(learned) == len({drawing.key for drawing in learned}) == LEARNED
    assert len(held_out) >= 200
    assert not {d.name for d in (*learned, *tuning)} & {d.name for d in held_out}
    assert {d.name for d in held_out} <= withheld_names(2)
    assert not {d.key for d in learned} & {d.key for d in tuning}


@torch.no_grad()
def test_the_encoder_of_three_channels_answers_as_to_an_opaque_picture():
    torch.manual_seed(0)
    source = add_anchors(build_autoencoder()).eval()
    opaque = opaque_autoencoder(source).eval()
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1
    whole = torch.cat([pixels, torch.ones(1, 1, 64, 64)], 1)
    first, second = (
        model.encode(each).latent_dist.mean for model, each in ((source, whole), (opaque, pixels))
    )
    assert torch.allclose(first[..., 3:-3, 3:-3], second[..., 3:-3, 3:-3], atol=0.01)
    assert opaque.decode(second).sample.shape == (1, 3, 64, 64)


def test_a_fused_adapter_changes_the_weights_by_its_own_change():
    torch.manual_seed(0)
    network = torch.nn.ModuleDict({"to_q": torch.nn.Linear(4, 3), "conv": torch.nn.Conv2d(2, 3, 3)})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weights = AdapterWeights(
        {
            "unet.to_q": LoraWeights(torch.randn(2, 4), torch.randn(3, 2), 4.0),
            "unet.conv": LoraWeights(torch.randn(2, 2, 3, 3), torch.randn(3, 2, 1, 1), 2.0),
        }
    )
    after = fuse(network, weights).state_dict()
    for name, factors in weights.lora.items():
        key = f"{name.removeprefix('unet.')}.weight"
        change = (after[key] - before[key]).flatten(1).double()
        assert torch.allclose(change, factors.delta(), atol=1e-5)
