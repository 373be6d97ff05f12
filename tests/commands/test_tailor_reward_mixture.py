"""The mixture at the end of `tailor reward`: made, measured, used, baked, interrupted, refused."""

import json

import numpy as np
import pytest
from PIL import Image

import stickerforge
from stickerforge.adapters import store
from stickerforge.errors import InputError, Interrupted
from stickerforge.training import mixture, reward_mixture, scored_pictures, tailor_reward
from stickerforge.training.run_folder import run_folder
from tests.commands.test_tailor_reward import PROMPTS, SHORT, rows


@pytest.fixture
def two(cli, tmp_path, tiny_sd):
    """Tailor a tiny model from Python by what is red and by what is green, as `better`."""
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(PROMPTS))
    functions = {
        name: lambda pictures, prompts, at=at: [
            float(np.asarray(picture)[..., at].mean()) for picture in pictures
        ]
        for at, name in enumerate(("red", "green"))
    }

    def run(settings=None, names=("red", "green"), **options):
        own = SHORT | {"name": "better", "model": str(tiny_sd)} | (settings or {})
        given = {name: functions[name] for name in names}
        return stickerforge.tailor_reward(file, given, settings=own, **options)

    return run


@pytest.fixture(autouse=True)
def all_are_kept(monkeypatch):
    """What red costs green is not what is tested here."""
    monkeypatch.setattr(tailor_reward, "lowered_aspects", lambda changes, own, loss: [])


def test_the_loras_become_a_mixture_that_is_measured(two, cli, tiny_sd, monkeypatch):
    read, captions = reward_mixture.read_chosen, []

    def seen(prompts, console):
        data = read(prompts, console)
        captions.append((list(prompts), [text for _, text in data.pictures]))
        return data

    monkeypatch.setattr(reward_mixture, "read_chosen", seen)
    result = two()
    adapter, run = store.find("better"), run_folder("better").path
    assert adapter.kind == "mixture" and store.read_weights(adapter).names == ("red", "green")
    assert [(own["name"], own["sha256"]) for own in adapter.parents] == [
        (name, store.find(name).sha256) for name in ("better-red", "better-green")
    ]
    trained = {
        name: rows(run / "training" / f"{name}-1" / "captions.jsonl") for name in ("red", "green")
    }
    union = {(row["picture"], row["caption"]) for table in trained.values() for row in table}
    (given,) = captions
    assert {(path.name, text) for path, text in zip(*given, strict=True)} == {
        (name.rpartition("/")[2], text) for name, text in union
    }
    own = result.result()["mixture"]
    assert own["adapter"] == "better" and own["sha256"] == adapter.sha256
    assert own["pictures"] == len(union) == len(given[0])
    assert {"red", "green", "validity"} <= set(own["changes"])
    assert json.loads((run / "report.json").read_text())["mixture"] == own
    assert "made 'better', a mixture of better-red and better-green: red " in result.note()
    assert result.note().endswith("--adapter better") and result.paths[-1] == str(adapter.path)
    (measured,) = (run / "held-out").glob("mixture-*")
    drawn = [rows(run / "held-out" / name / "drawn.jsonl") for name in ("base", measured.name)]
    assert len({tuple((row["text"], row["seed"]) for row in table) for table in drawn}) == 1
    assert Image.open(run / "mixture.png").size[0] > 400
    call = ("--model", tiny_sd, "--steps", 1, "--set", "matting=none", "--out")
    made = cli("generate", "cat", "--adapter", "better", *call, "o", "--json")
    assert made.code == 0, made.err
    baked = cli("adapters", "bake", "better", "--prompt", "cat", "--timestep", 400, "--name", "cat")
    assert baked.code == 0 and store.find("cat").kind == "tuned"
    assert cli("generate", "cat", "--adapter", "cat", *call, "p").code == 0


def killed_after(count):
    calls = []

    def after_step(method, output, own=mixture.MixtureTuning.after_step):
        calls.append(1)
        if len(calls) > count:
            raise Interrupted("terminated", 143)
        own(method, output)

    return after_step


@pytest.mark.parametrize("stage", ["gates", "measuring"])
def test_after_a_kill_it_goes_on_to_the_same_bytes(two, stage, monkeypatch, tmp_path):
    whole = two().result()
    sha256 = store.find("better").sha256
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    append, calls = scored_pictures.append_row, []

    def killed(table, row):
        calls.append(1)
        if len(calls) > 12 * 4 + 3:
            raise Interrupted("terminated", 143)
        append(table, row)

    with monkeypatch.context() as patch, pytest.raises(Interrupted) as stop:
        if stage == "gates":
            patch.setattr(mixture.MixtureTuning, "after_step", killed_after(1))
        else:
            patch.setattr(scored_pictures, "append_row", killed)
        two()
    assert "--resume" in stop.value.hint
    checkpoint = mixture.RunFolder(run_folder("better").path / "training" / "mixture")
    assert checkpoint.checkpoint_info().step == (1 if stage == "gates" else 2)
    assert store.exists("better") == (stage == "measuring")
    with pytest.raises(InputError, match="stands unfinished"):
        two()
    loras = {
        path: path.stat().st_mtime_ns
        for path in run_folder("better").path.rglob("lora.safetensors")
    }
    again = two(resume=True).result()
    assert store.find("better").sha256 == sha256
    assert again["mixture"]["changes"] == whole["mixture"]["changes"]
    assert len(loras) == 2 and all(path.stat().st_mtime_ns == at for path, at in loras.items())


def test_other_gates_are_trained_with_resume_and_the_loras_stay(two):
    first = two().result()
    before = run_folder("better").path / "held-out"
    (measured,) = before.glob("mixture-*")
    second = two({"mixture.lr": 0.1}, resume=True).result()
    assert second["mixture"]["sha256"] != first["mixture"]["sha256"]
    assert len(list(before.glob("mixture-*"))) == 2 and measured.is_dir()
    names = ("aspects", "candidates", "chosen")
    assert [first[name] for name in names] == [second[name] for name in names]


def test_none_is_made_where_none_is_asked_for(two):
    result = two({"mixture.steps": 0})
    assert result.result()["adapters"] == ["better-red", "better-green"]
    assert not store.exists("better") and "mixture" not in result.note()
    assert not (run_folder("better").path / "training" / "mixture").exists()
    assert two(resume=True).result()["adapters"][-1] == "better", "asked for later"


def test_one_aspect_has_none_and_says_what_does_nothing(two):
    result = two({"mixture.lr": 0.1}, names=("red",))
    assert result.result()["mixture"] is None and store.find("better").kind == "tuned"
    assert any("mixture is about several --aspects" in line for line in result.warnings)


def test_an_adapter_of_others_is_in_the_way(two):
    two({"mixture.steps": 0})
    other = store.find("better-red")
    store.save(
        "better",
        store.read_weights(other),
        kind="tuned",
        base=other.base,
        tokens={},
        phrase="",
        made={},
    )
    for options in ({"resume": True}, {}):
        with pytest.raises(InputError, match="there is an adapter 'better"):
            two(**options)
    assert store.find("better").kind == "tuned"
    two(force=True)
    assert store.find("better").kind == "mixture"


def test_too_many_aspects_are_refused_before_anything_is_drawn(two, tmp_path, tiny_sd):
    functions = {f"one{at}": lambda pictures, prompts: range(len(pictures)) for at in range(17)}
    own = SHORT | {"name": "better", "model": str(tiny_sd)}
    with pytest.raises(InputError, match="at most 16 LoRAs, and there are 17 aspects"):
        stickerforge.tailor_reward(tmp_path / "prompts.txt", functions, settings=own)
    assert not run_folder("better").path.exists()


def test_gates_that_fail_say_how_to_go_on(two, monkeypatch):
    def failed(*arguments):
        raise InputError("training diverged", "x")

    with monkeypatch.context() as patch:
        patch.setattr(reward_mixture, "train_mixture", failed)
        with pytest.raises(InputError, match="the mixture 'better': training diverged") as error:
            two()
    assert "--resume and another mixture.lr" in error.value.hint
    assert store.exists("better-red") and store.exists("better-green")
    assert two({"mixture.steps": 0}, resume=True).error() is None
