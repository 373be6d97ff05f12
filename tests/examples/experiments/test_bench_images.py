"""Pictures that the benches have made with the command of a user."""

import json
import subprocess
from types import SimpleNamespace

import pytest
from PIL import Image

from examples.experiments.bench import bench_images, user_prompts, wordings
from examples.experiments.bench.wording_items import WordingItem
from stickerforge.errors import InputError, PartlyDone


@pytest.fixture
def calls(monkeypatch):
    """Commands that were called; they end with the code of `calls.code`."""
    made = SimpleNamespace(commands=[], code=0)

    def run(command, **_):
        made.commands.append(command)
        return subprocess.CompletedProcess(command, made.code)

    monkeypatch.setattr(bench_images.subprocess, "run", run)
    return made


def values_of(command, option):
    return [command[n + 1] for n, part in enumerate(command) if part == option]


def test_a_prompt_with_nothing_left_to_draw_stops_no_bench(calls, tmp_path):
    calls.code = PartlyDone.code
    bench_images.run_generate([{"id": "a", "prompt": "lol"}], tmp_path, [])
    calls.code = InputError.code
    with pytest.raises(subprocess.CalledProcessError):
        bench_images.run_generate([{"id": "a", "prompt": "cat"}], tmp_path, [])


def test_the_model_is_measured_as_drawn_and_by_the_words_of_the_prompt(calls, tmp_path):
    bench_images.generate_images([], tmp_path, ["--set", "output.colours=auto"])
    settings = values_of(calls.commands[0], "--set")
    assert {"output.colours=drawn", "words.unknown=keep"} <= set(settings)
    assert settings[-1] == "output.colours=auto"  # what is said last counts


def test_wordings_are_asked_as_a_user_does_unless_the_call_says_otherwise(calls, tmp_path):
    item = WordingItem("dev-0", "small", "my {}", "my café", "sticker", 7, "cat face")
    for settings in ([], ["words.unknown=keep"]):
        wordings.generate_images([item], "sticker-mini", tmp_path, settings)
        assert values_of(calls.commands[-1], "--set")[1:] == settings
    row = json.loads((tmp_path / "prompts.jsonl").read_text())
    assert row == {"id": "dev-0", "prompt": "my café", "style": "sticker", "seed": 7}


def test_a_wish_without_a_picture_is_a_gap_on_the_sheet(tmp_path):
    (tmp_path / "pictures").mkdir()
    for seed in user_prompts.SEEDS:
        picture = Image.new("RGBA", (128, 128), (250, 0, 0, 255))
        picture.save(tmp_path / "pictures" / f"wish-001-{seed}.png")
    (path,) = user_prompts.write_sheets(["lol", "cat"], tmp_path)
    sheet = Image.open(path)
    width = len(user_prompts.SEEDS) * user_prompts.SIDE + 12
    assert sheet.getpixel((60, 60)) == (206, 206, 206)
    assert sheet.getpixel((width + 60, 60)) == (250, 0, 0)
