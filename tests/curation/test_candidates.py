"""Candidates: drawn into a set, interrupted, gone on with, and of which model they are."""

import os
import signal
import subprocess
import sys
import time

import pytest

from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation import candidates as module
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.data.prompt_bank import BankPrompt
from stickerforge.errors import InputError, Interrupted
from stickerforge.rating.rating_set import SetInfo, read_info
from stickerforge.runtime.seeds import derive_seed
from tests.curation.drawn_set import PROMPTS, content, gate, rows
from tests.tiny import write_tiny_sd


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))


def test_a_set_has_a_row_and_a_picture_for_each_prompt_and_seed(draw, tmp_path):
    result = draw(seed=4)
    folder = tmp_path / "set"
    assert (result.made, result.kept, result.failed) == (6, 0, [])
    table = rows(folder)
    assert [row["file_name"] for row in table] == [f"pictures/{at:06d}.png" for at in range(1, 7)]
    assert [row["text"] for row in table] == ["a cat"] * 3 + ["a dog, and a fox"] * 3
    assert [row["seed"] for row in table] == [
        derive_seed(4, f"candidate {prompt.text}", item=item)
        for prompt in PROMPTS
        for item in range(3)
    ]
    assert len({row["prompt"] for row in table}) == 2 and len({row["model"] for row in table}) == 1
    assert {row["family"] for row in table} == {"file", "pair"}
    assert read_info(folder).question == "match"
    assert len(read_captioned_pictures(folder / "drawn.jsonl").pictures) == 6


def test_a_second_call_draws_nothing_and_more_prompts_are_added(draw, tmp_path):
    draw()
    before = content(tmp_path / "set")
    again = draw()
    assert (again.made, again.kept) == (0, 6)
    more = draw([BankPrompt("a bee", "file"), *PROMPTS], info=SetInfo("match", "Look twice."))
    assert (more.made, more.kept) == (3, 6)
    after = content(tmp_path / "set")
    assert before.items() <= after.items() and len(after) == 9
    assert rows(tmp_path / "set")[-1]["file_name"] == "pictures/000009.png"
    assert read_info(tmp_path / "set").guideline == "Look twice."


def test_an_interruption_loses_nothing_and_the_rest_is_the_same(draw, tmp_path, monkeypatch):
    whole = draw(folder="whole").folder
    original = module.sample_jobs

    def cut_short(*arguments):
        for number, item in enumerate(original(*arguments)):
            if number == 4:
                raise Interrupted
            yield item

    monkeypatch.setattr(module, "sample_jobs", cut_short)
    with pytest.raises(Interrupted):
        draw()
    assert len(rows(tmp_path / "set")) == len(content(tmp_path / "set")) == 4
    monkeypatch.undo()
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    assert draw().made == 2
    assert content(tmp_path / "set") == content(whole)
    assert rows(tmp_path / "set") == rows(whole)


@pytest.mark.parametrize("cut", [1, 40, 150])
def test_a_kill_in_the_middle_of_a_row_or_before_it(draw, tmp_path, cut):
    draw()
    folder = tmp_path / "set"
    before = content(folder)
    table = folder / "drawn.jsonl"
    table.write_bytes(table.read_bytes()[:-cut])
    assert draw().made == 0
    assert content(folder) == before
    assert sorted(row["file_name"] for row in rows(folder)) == [
        f"pictures/{at:06d}.png" for at in range(1, 7)
    ]


def test_pictures_that_gates_took_out_are_not_drawn_again(draw, tmp_path, quiet):
    draw()
    gate(tmp_path / "set", quiet)
    tables = {name: rows(tmp_path / "set", name) for name in ("candidates.jsonl", "removed.jsonl")}
    assert [len(table) for table in tables.values()] == [3, 3]
    assert draw().made == 0
    assert tables == {name: rows(tmp_path / "set", name) for name in tables}
    assert rows(tmp_path / "set") == []


@pytest.mark.parametrize("change", ["steps", "guidance", "model"])
def test_another_model_or_other_settings_are_refused_and_drawn_by_force(
    draw, tmp_path, tiny_sd, change
):
    draw()
    before = content(tmp_path / "set")
    options = {}
    if change == "model":
        options = {"model": str(write_tiny_sd(tmp_path / "other", seed=5))}
    else:
        options = {
            "settings": ContentConfig(
                count=3,
                matting="none",
                **{"steps": 1, change: {"steps": 2, "guidance": 3.0}[change]},
            )
        }
    with pytest.raises(InputError, match="6 pictures of another model or other settings") as error:
        draw(**options)
    assert "--force" in error.value.hint
    assert content(tmp_path / "set") == before and len(rows(tmp_path / "set")) == 6
    assert draw(force=True, **options).made == 6
    after = content(tmp_path / "set")
    assert len(rows(tmp_path / "set")) == len(after) == 6
    assert not set(after.values()) & set(before.values())


def test_a_broken_table_names_its_line(draw, tmp_path):
    draw()
    table = tmp_path / "set" / "drawn.jsonl"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], "{}", *lines[2:]]) + "\n")
    with pytest.raises(InputError, match="drawn.jsonl line 2"):
        draw()


SCRIPT = """
import sys
from pathlib import Path
from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation.candidates import draw_candidates
from stickerforge.data.prompt_bank import BankPrompt
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible

prompts = [BankPrompt(f"a cat {at}", "file") for at in range(400)]
with interruptible():
    draw_candidates(prompts, Path(sys.argv[2]), ContentConfig(count=1, steps=1, matting="none"),
                    Console(quiet=True), model=sys.argv[1], device="cpu")
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_a_set_that_is_gone_on_with(tmp_path, tiny_sd, number):
    folder = tmp_path / "set"
    command = [sys.executable, "-c", SCRIPT, str(tiny_sd), str(folder)]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(rows(folder)) < 5:
        time.sleep(0.02)
    process.send_signal(number)
    process.wait(60)
    count = len(content(folder))
    assert 5 <= count < 400
    assert len(rows(folder)) in (count, count - 1)
