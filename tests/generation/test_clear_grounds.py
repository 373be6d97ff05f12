"""Prompts that want nothing behind the thing, and squares that are filled nevertheless."""

import pytest
import torch

from stickerforge.generation.clear_grounds import (
    asks_for_no_ground,
    fills_square,
    names_no_ground,
)


@pytest.mark.parametrize(
    "prompt",
    [
        "cat on a transparent background",
        "a cat, no background",
        "red car without a background",
        "pizza, without any white background",
        "rocket, clear backdrop",
        "house with the background removed",
        "Owl, TRANSPARENT PNG",
        "a die-cut fox",
        "an isolated tree",
    ],
)
def test_prompts_that_ask_for_no_ground(prompt):
    assert asks_for_no_ground(prompt)


@pytest.mark.parametrize(
    "prompt",
    ["cat on a blue background", "no cat on a green background", "ground beef", "a clear sky"],
)
def test_prompts_that_do_not_ask(prompt):
    assert not asks_for_no_ground(prompt)


def test_plain_prompts_name_no_ground():
    for prompt in (
        "cat",
        "a red dragon with wings",
        "tree in flat style",
        "a <dog>, in crayon style",
    ):
        assert names_no_ground(prompt), prompt
    for prompt in ("cat on a beach", "fox, striped background", "owl in a forest, in flat style"):
        assert not names_no_ground(prompt), prompt


def square(border, middle=1.0, channels=4):
    pixels = torch.full((channels, 16, 16), border)
    pixels[:, 2:-2, 2:-2] = middle
    return pixels


@pytest.mark.parametrize(
    ("pixels", "filled"),
    [
        (square(1.0), True),
        (square(0.0), False),
        (square(0.5), False),
        (square(0.0, channels=3), True),
    ],
)
def test_a_square_is_filled_where_its_border_is(pixels, filled):
    assert fills_square(pixels) == filled


def test_a_figure_that_touches_one_side_fills_no_square():
    pixels = square(0.0)
    pixels[3, -2:] = 1.0
    assert not fills_square(pixels)
    pixels[3, :2] = pixels[3, :, :2] = 1.0
    assert fills_square(pixels)


def grounds(ended):
    return [line for line in ended.json["warnings"] if "no ground was asked for" in line]


def test_a_filled_square_is_said_after_drawing(cli):
    """sticker-mini draws a ground where the prompt speaks of one, be it of none."""
    keep = ("--set", "words.unknown=keep")  # else those words are left out, and nothing is filled
    asked = ("--seed", 5, "--size", "native", "--json")
    assert not grounds(cli("generate", "red apple, transparent ground", *asked))
    asked = (*keep, *asked)
    ended = cli("generate", "red apple, transparent ground", *asked)
    (line,) = grounds(ended)
    assert "fills its square" in line and "leave those words out" in line
    assert "--set matting=isnet-general-use" in line
    assert line in ended.err, "on the terminal, too"
    assert not grounds(cli("generate", "red apple", *asked))
    assert not grounds(cli("generate", "red apple on a blue background", *asked))


def test_a_model_without_alpha_is_cut_out_instead(cli, tiny_sd):
    asked = ("--model", tiny_sd, "--set", "matting=none", "--steps", 1, "--json", "--quiet")
    (line,) = grounds(cli("generate", "a cat without background", "--count", 2, *asked))
    assert "fill their square; leave --set matting=none out" in line
    assert not grounds(cli("generate", "a cat", *asked)), "it draws grounds, and cannot know better"
