"""Prompts that train and prompts that measure have none in common."""

import random
from dataclasses import replace

import pytest

from stickerforge.config.schema import HeldOutConfig, TailorRewardConfig
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.training.reward_prompts import read_reward_prompts

PROMPTS = [f"a {colour} {thing}" for colour in ("red", "blue") for thing in "abcdefghijklmno"]


def read(tmp_path, prompts=PROMPTS, held_out=None, **settings):
    (tmp_path / "prompts.txt").write_text("\n".join(prompts))
    own = HeldOutConfig(**settings)
    if held_out is not None:
        (tmp_path / "held-out.txt").write_text("\n".join(held_out))
        own = replace(own, file=str(tmp_path / "held-out.txt"))
    console = Console(quiet=True)
    config = TailorRewardConfig(prompts=str(tmp_path / "prompts.txt"), held_out=own)
    return read_reward_prompts(config, console), console.warnings


def test_a_share_measures_whatever_the_order(tmp_path):
    prompts, _ = read(tmp_path, share=0.5)
    assert len(prompts.held_out) == 15 and not set(prompts.held_out) & set(prompts.training)
    assert set(prompts.held_out + prompts.training) == set(PROMPTS)
    again, _ = read(tmp_path, random.Random(0).sample(PROMPTS, 30), share=0.5)
    assert again == prompts
    assert len(read(tmp_path, share=0.0)[0].held_out) == 6
    assert len(read(tmp_path, PROMPTS[:10], share=0.9)[0].training) == 4


def test_what_says_the_same_counts_once(tmp_path):
    prompts, _ = read(tmp_path, [*PROMPTS, *(f"A {prompt[2:]}." for prompt in PROMPTS)])
    assert len(prompts.held_out + prompts.training) == 30


def test_a_file_that_measures_is_not_trained_on(tmp_path):
    prompts, warnings = read(tmp_path, held_out=[*PROMPTS[:3], "x", "y", "z", "u"])
    assert len(prompts.held_out) == 7 and len(prompts.training) == 27
    assert "3 prompts" in warnings[0] and "not trained on" in warnings[0]


@pytest.mark.parametrize(
    ("prompts", "held_out", "message"),
    [
        (PROMPTS[:1], None, "holds 1 prompt to train and to measure, and at least 10 are needed"),
        (PROMPTS[:9], None, "at least 10"),
        (["same"] * 30, None, "holds 1 prompt "),
        (PROMPTS[:6], PROMPTS[:8], "holds 0 prompts to train on, and at least 4"),
        (PROMPTS, PROMPTS[:5], "holds 5 prompts to measure, and at least 6"),
        ([""], None, "holds no prompts"),
    ],
)
def test_too_few_are_refused_with_how_many_are_needed(tmp_path, prompts, held_out, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, prompts, held_out)


def test_no_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no prompts to draw"):
        read_reward_prompts(TailorRewardConfig(), Console(quiet=True))
    with pytest.raises(InputError, match="no prompt file"):
        read_reward_prompts(TailorRewardConfig(prompts=str(tmp_path / "x.txt")), Console())


def test_columns_that_do_nothing_are_named(tmp_path):
    rows = ["prompt,seed", *(f"{prompt},3" for prompt in PROMPTS)]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    console = Console(quiet=True)
    read_reward_prompts(TailorRewardConfig(prompts=str(tmp_path / "p.csv")), console)
    assert "do nothing here" in console.warnings[0]
