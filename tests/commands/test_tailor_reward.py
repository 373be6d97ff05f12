"""`tailor reward` as people use it, on tiny models and on sticker-mini."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import stickerforge
from stickerforge.adapters import store
from stickerforge.errors import CheckFailed, InputError, Interrupted, PartlyDone
from stickerforge.training import reward_rounds, scored_pictures, tailor_reward
from stickerforge.training.run_folder import run_folder
from tests.conftest import one_line

PROMPTS = "cat dog fox owl apple penguin frog lion bear car banana rose".split()
SHORT = {
    "candidates.count": 2,
    "candidates.steps": 1,
    "candidates.matting": "none",
    "selection.quantile": 0.0,
    "training.steps": 2,
    "training.batch": 2,
    "training.rank": 2,
    "training.lr": 1e-6,
    "mixture.steps": 2,
    "mixture.batch": 2,
    "mixture.save_every": 1,
}


@pytest.fixture
def prompts(tmp_path):
    """Twelve prompts: six to train on, six to measure."""
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(PROMPTS))
    return file


@pytest.fixture
def reward(cli, prompts, tiny_sd):
    """Tailor a tiny model by an aspect as `better`."""

    def reward(*options, aspects="alignment", **settings):
        given = [f"{name}={value}" for name, value in (SHORT | settings).items()]
        call = ("tailor", "reward", "--prompts", prompts, "--aspects", aspects, "--name", "better")
        return cli(
            *call,
            "--model",
            tiny_sd,
            "--quiet",
            *(x for one in given for x in ("--set", one)),
            *options,
        )

    return reward


@pytest.fixture
def from_python(cli, prompts, tiny_sd):
    """The same from Python, by functions."""

    def run(functions, settings=None, **options):
        own = SHORT | {"name": "better", "model": str(tiny_sd)} | (settings or {})
        return stickerforge.tailor_reward(prompts, functions, settings=own, **options)

    return run


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".png", ".safetensors") or path.name == "scores.jsonl"
    }


def test_one_aspect_becomes_the_adapter_of_the_name(reward, cli, tiny_sd):
    ended = reward("--json")
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["adapters"] == ["better"] and result["kind"] == "tuned"
    assert result["prompts"] == result["held_out"] == 6 and result["candidates"] == 12
    assert len(result["best_of_k"]["alignment"]) == 2 and result["chosen"]["alignment"] == 6
    (aspect,) = result["aspects"]
    changes = aspect["rounds"][0]["changes"]
    assert aspect["promoted"] and {"alignment", "validity", "alignment@judge"} == set(changes)
    adapter, run = store.find("better"), run_folder("better").path
    assert adapter.made["aspect"] == "alignment" and adapter.made["pictures"] == 6
    assert result["mixture"] is None and "mixture" not in ended.err
    assert aspect["sha256"] == adapter.sha256
    assert json.loads((run / "report.json").read_text()) == result
    for path in result["sheets"]["alignment"]:
        assert Image.open(path).size == (4 * 200 + 8, 3 * 220 + 8)
    scored = rows(run / "candidates" / "base" / "scores.jsonl")
    names = {row["prompt"] for row in scored}
    measured = {row["prompt"] for row in rows(run / "held-out" / "base" / "scores.jsonl")}
    assert len(names) == len(measured) == 6 and not names & measured
    captions = {row["caption"] for row in rows(run / "training" / "alignment-1" / "captions.jsonl")}
    assert captions == names
    again = cli(
        "tailor", "reward", "--config", run / "tailor-reward.toml", "--name", "other", "--dry-run"
    )
    assert again.code == 0 and "other" in again.out
    drawn = cli(
        *("generate", "cat", "--adapter", "better", "--model", tiny_sd, "--steps", 1),
        *("--set", "matting=none", "--out", "o"),
    )
    assert drawn.code == 0


def test_the_best_picture_of_a_prompt_is_trained_on(reward):
    assert reward().code == 0
    run = run_folder("better").path
    scored = rows(run / "candidates" / "base" / "scores.jsonl")
    best = {
        max((r for r in scored if r["prompt"] == prompt), key=lambda r: r["scores"]["alignment"])[
            "file_name"
        ]
        for prompt in {row["prompt"] for row in scored}
    }
    trained = rows(run / "training" / "alignment-1" / "captions.jsonl")
    assert {f"pictures/{row['picture']}" for row in trained} == best


def test_before_and_after_have_the_same_seeds(reward):
    assert reward("--lr", 0.01, **{"guard.loss": 1000}).code in (0, 5)
    run = run_folder("better").path / "held-out"
    base, after = (rows(run / name / "drawn.jsonl") for name in ("base", "alignment-1"))
    keys = [[(row["text"], row["seed"]) for row in table] for table in (base, after)]
    assert keys[0] == keys[1] and len(keys[0]) == 12
    pictures = [run / name / base[0]["file_name"] for name in ("base", "alignment-1")]
    assert not np.array_equal(*(np.asarray(Image.open(path)) for path in pictures))


def test_several_aspects_share_the_pictures_and_have_an_adapter_each(from_python):
    calls = []

    def red(pictures, prompts):
        calls.append(len(pictures))
        return [float(np.asarray(picture)[..., 0].mean()) for picture in pictures]

    def green(pictures, prompts):
        return [float(np.asarray(picture)[..., 1].mean()) for picture in pictures]

    result = from_python({"red": red, "green": green})
    assert result.result()["adapters"] == ["better-red", "better-green", "better"]
    assert list(result.result()["overlap"]) == ["red, green"]
    assert store.exists("better-red") and store.find("better").kind == "mixture"
    assert sum(calls) == 12 + 4 * 12, "each picture is scored once by each aspect"
    assert "better-green" in result.note() and result.error() is None


class Falls:
    """A function of the user's that is content until the base is measured, and then falls."""

    def __init__(self, pictures):
        self.left = pictures

    def __call__(self, pictures, prompts):
        values = np.linspace(1, 2, len(pictures)) - 3 * (self.left <= 0)
        self.left -= len(pictures)
        return values


def test_what_lowers_another_aspect_is_held_back(from_python):
    result = from_python({"falls": Falls(24)}, {"aspects": ["alignment"]})
    error = result.error()
    assert isinstance(error, CheckFailed) and "'better-alignment' lowers falls" in error.message
    assert "better-falls" in error.message and not result.paths
    assert not store.exists("better-alignment") and not store.exists("better-falls")
    (before_after, lowered) = result.sheets["alignment"]
    assert lowered.endswith("alignment-lowered.png") and Image.open(lowered).size[0] > 400
    assert not result.result()["aspects"][0]["promoted"]


def test_what_is_held_back_beside_others_is_partly_done(from_python, monkeypatch):
    def lowered(changes, own, loss):
        return ["validity"] if own == "red" else []

    monkeypatch.setattr(tailor_reward, "lowered_aspects", lowered)
    functions = {
        name: lambda pictures, prompts, at=at: [
            float(np.asarray(picture)[..., at].mean()) for picture in pictures
        ]
        for at, name in enumerate(("red", "green"))
    }
    result = from_python(functions)
    assert isinstance(result.error(), PartlyDone) and len(result.paths) == 1
    assert store.exists("better-green") and not store.exists("better-red")
    assert "no mixture, as fewer than two LoRAs were kept" in result.note()
    assert result.result()["mixture"] is None and not store.exists("better")


@pytest.mark.parametrize("stage", ["drawing", "scoring", "training", "measuring"])
def test_after_a_kill_in_any_stage_it_goes_on_to_the_same_bytes(
    reward, stage, monkeypatch, tmp_path
):
    assert reward().code == 0
    whole = content(run_folder("better").path)
    sha256 = store.find("better").sha256
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    place, name, after = {
        "drawing": (scored_pictures, "load_picture", 0),
        "scoring": (scored_pictures, "append_row", 5),
        "training": (reward_rounds, "learn", 0),
        "measuring": (scored_pictures, "append_row", 26),
    }[stage]
    function, calls = getattr(place, name), []

    def killed(*arguments, **options):
        calls.append(1)
        if len(calls) > after:
            raise RuntimeError("killed")
        return function(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, killed)
        assert reward().code == 1
    assert "--resume" in one_line(reward())
    other = reward("--resume", "--lr", 0.1)
    assert other.code == 2 and "other settings or prompts" in one_line(other)
    pictures = {
        path: path.stat().st_mtime_ns for path in run_folder("better").path.rglob("*/pictures/*")
    }
    assert reward("--resume").code == 0
    assert store.find("better").sha256 == sha256
    assert content(run_folder("better").path) == whole
    assert all(path.stat().st_mtime_ns == time for path, time in pictures.items())


def test_what_was_stopped_says_how_to_go_on(reward, monkeypatch):
    def stopped(path):
        raise Interrupted("terminated", 143)

    with monkeypatch.context() as patch:
        patch.setattr(scored_pictures, "load_picture", stopped)
        ended = reward()
    assert ended.code == 143 and "the same with --resume" in one_line(ended)
    assert reward("--resume").code == 0


def test_a_finished_run_is_not_replaced_without_force(reward, prompts):
    assert reward().code == 0
    before = content(run_folder("better").path)
    assert "--force" in one_line(reward())
    assert reward("--resume").code == 0 and content(run_folder("better").path) == before
    prompts.write_text("\n".join([*PROMPTS, "whale"]))
    assert "other settings or prompts" in one_line(reward("--resume"))
    assert reward("--force").code == 0 and store.find("better").made["pictures"] == 7
    assert "give one of them" in one_line(reward("--force", "--resume"))


def test_force_draws_nothing_again_that_is_chosen_from_otherwise(reward):
    assert reward(**{"selection.threshold": 50}).code == 2
    run = run_folder("better").path
    drawn = {path: path.stat().st_mtime_ns for path in run.rglob("base/*/*.png")}
    assert len(drawn) == 12
    assert reward("--force").code == 0
    assert all(path.stat().st_mtime_ns == time for path, time in drawn.items())
    first = (run / "candidates" / "base" / "pictures" / "000001.png").stat().st_mtime_ns
    assert reward("--force", "--seed", 5).code == 0
    assert (run / "candidates" / "base" / "pictures" / "000001.png").stat().st_mtime_ns != first
    (run / "reward.json").write_text("{")
    assert reward("--force").code == 0


def test_force_scores_by_functions_again(from_python):
    calls = []

    def red(pictures, prompts):
        calls.append(len(pictures))
        return [float(np.asarray(picture)[..., 0].mean()) for picture in pictures]

    from_python({"red": red})
    from_python({"red": red}, force=True)
    assert sum(calls) == 2 * (12 + 12 + 12)


def test_an_adapter_or_a_run_of_others_is_in_the_way(reward, cli, art, quick_sd):
    call = ("customize", art, "--style", "crayon", "--name", "better", "--model", quick_sd)
    made = cli(
        *call, "--steps", 1, "--batch", 1, "--rank", 1, "--set", "preview.count=0", "--quiet"
    )
    assert made.code == 0
    assert "already" in one_line(reward())
    assert "no run" in one_line(reward("--resume"))
    assert reward("--force").code == 0 and store.find("better").kind == "tuned"
    files = [path.name for path in run_folder("better").path.glob("*.toml")]
    assert files == ["tailor-reward.toml"]


def test_a_run_that_was_scored_by_others_is_not_gone_on_with(reward):
    assert reward().code == 0
    state = run_folder("better").path / "reward.json"
    about = json.loads(state.read_text())
    about["aspects"]["alignment"] = "other"
    state.write_text(json.dumps(about))
    assert "other weights of alignment" in one_line(reward("--resume"))
    state.write_text("{")
    assert "is broken" in one_line(reward("--resume"))


def gains(amounts):
    """A function whose numbers rise by an amount with each set of twelve pictures."""
    state = {"pictures": 0}

    def function(pictures, prompts):
        number = state["pictures"] // 12
        state["pictures"] += len(pictures)
        noise = [0.01 * (len(prompt) + at % 2) for at, prompt in enumerate(prompts)]
        return [sum(amounts[: number + 1]) + each for each in noise]

    return function


def test_rounds_go_on_while_they_gain(from_python, monkeypatch):
    """Sets: candidates, base, round 1, candidates of 2, round 2, candidates of 3, round 3."""
    monkeypatch.setattr(tailor_reward, "diversities", lambda pictures, encoder: {})
    result = from_python({"fit": gains([0, 0, 1, 0, 1, 0, 0])}, {"rounds": 5})
    (outcome,) = result.outcomes
    assert [each.number for each in outcome.rounds] == [1, 2, 3]
    assert outcome.kept.number == 2 and store.find("better").made["round"] == 2
    assert [each.gain.mean > 0.9 for each in outcome.rounds] == [True, True, False]
    run = run_folder("better").path
    assert (run / "candidates" / "fit-3").is_dir() and not (run / "candidates" / "fit-4").exists()
    first, second = (each.file.read_bytes() for each in outcome.rounds[:2])
    assert first != second


def test_a_later_round_that_leaves_nothing_keeps_the_one_before(from_python, monkeypatch):
    monkeypatch.setattr(tailor_reward, "diversities", lambda pictures, encoder: {})
    function = gains([0, 0, 1, -9])
    result = from_python({"fit": function}, {"rounds": 3, "selection.threshold": 0.0})
    (outcome,) = result.outcomes
    assert outcome.kept.number == 1 and store.exists("better")
    assert any("ends after 1 round" in line for line in result.warnings)


def test_too_few_pictures_that_measure_are_refused(from_python, monkeypatch):
    drawn = scored_pictures.load_picture

    def some(path):
        if "held-out/red-1" in str(path) and int(path.stem) > 4:
            raise InputError(f"{path.name}: it is broken")
        return drawn(path)

    monkeypatch.setattr(scored_pictures, "load_picture", some)
    with pytest.raises(InputError, match="2 prompts that measure 'red' could be drawn"):
        from_python({"red": lambda pictures, prompts: range(len(pictures))})


def test_less_diversity_ends_the_rounds(from_python, monkeypatch):
    spread = iter([0.5, 0.1])
    monkeypatch.setattr(
        tailor_reward,
        "diversities",
        lambda pictures, encoder, values=spread: dict.fromkeys(map(str, range(8)), next(values)),
    )
    result = from_python({"fit": gains([0, 0, 1])}, {"rounds": 5})
    (outcome,) = result.outcomes
    assert len(outcome.rounds) == 1 and outcome.kept.narrows


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"candidates.count": 1, "selection.quantile": 0.5}, (), "--count 2 or more"),
        ({"candidates.count": 1, "selection.threshold": 0.1}, (), "--count 2 or more"),
        ({"alignment.model": "clip"}, (), "alignment.direction=FILE"),
        ({"alignment.model": "dinov2"}, (), "alignment.model"),
        ({"alignment.direction": "gone.txt"}, (), "no file gone.txt"),
        ({"held_out.file": "gone.txt"}, (), "no prompt file"),
        ({"candidates.pixels": 17}, (), "candidates.pixels"),
        ({}, ("--resolution", 17), "training.resolution"),
        ({}, ("--model", "gone"), "gone"),
        ({}, ("--name", "Bad Name"), "Bad Name"),
        ({}, ("--name", "flat"), "preset"),
        ({"mixture.resolution": 33}, ("--aspects", "alignment,validity"), "mixture.resolution"),
        ({}, ("--aspects", "alignment,validity", "--name", "flat"), "'flat' is the name of a"),
        ({}, ("--aspects", "geometry"), "unknown aspect 'geometry'"),
        ({}, ("--aspects", "hpsv2"), "--aspects hpsv2=FOLDER"),
        ({}, ("--prompts", "gone.txt"), "no prompt file"),
        ({"selection.threshold": 1}, ("--aspects", "alignment,validity"), "unit of one aspect"),
        ({}, ("--aspects", "style"), "applies to 0 of the 6 prompts"),
        ({"selection.threshold": 50}, (), "at least 4 are needed"),
    ],
)
def test_bad_input_is_one_line(reward, settings, options, message):
    ended = reward(*options, **settings)
    assert ended.code == 2 and message in one_line(ended)
    assert not store.exists("better")


def test_nothing_is_drawn_for_what_is_refused_early(reward):
    assert reward("--aspects", "style").code == 2
    assert not (run_folder("better").path / "candidates").exists()


def test_a_name_is_needed(cli, prompts):
    assert "give --name" in one_line(cli("tailor", "reward", "--prompts", prompts))
    assert "give --prompts" in one_line(cli("tailor", "reward", "--name", "x"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda pictures, prompts: None, "gives no number"),
        (lambda pictures, prompts: [float("nan")] * len(pictures), "gives no number"),
        (lambda pictures, prompts: [1.0], "gives no number"),
        (lambda pictures, prompts: [0.5] * len(pictures), "gives all 12 pictures the same, 0.5"),
    ],
)
def test_functions_that_cannot_choose_are_refused(from_python, function, message):
    with pytest.raises(InputError, match=message):
        from_python({"odd": function})
    assert not store.exists("better")


def test_a_threshold_says_what_would_leave_enough(reward):
    line = one_line(reward(**{"selection.threshold": 50}))
    limit = float(line.partition("a threshold of ")[2].split()[0])
    ended = reward("--force", "--json", **{"selection.threshold": limit - 1e-4})
    assert ended.code == 0 and ended.json["result"]["chosen"]["alignment"] >= 4


def test_a_dry_run_says_pictures_hours_disk(reward):
    ended = reward("--dry-run", "--json", aspects="alignment,validity", rounds=2)
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["pictures"] == 6 * 2 * 3 + 6 * 2 * 6
    assert result["adapters"] == ["better-alignment", "better-validity", "better"]
    assert result["mixture"]["adapter"] == "better" and result["mixture"]["resolution"] == 32
    assert str(store.folder("better")) in result["writes"]
    lines = reward("--dry-run", aspects="alignment,validity").out
    assert "mix     2 steps of 2 for the gates of better" in lines
    none = reward("--dry-run", "--json", aspects="alignment,validity", **{"mixture.steps": 0})
    assert none.json["result"]["adapters"] == ["better-alignment", "better-validity"]
    assert none.json["result"]["mixture"] is None
    assert result["about_seconds"] > 0 and result["about_disk_mb"] >= 0
    lines = reward("--dry-run").out
    assert "12 pictures to choose from, 24 to measure" in lines
    assert "hours" in lines and "MB of disk" in lines
    assert not run_folder("better").path.exists()


def test_from_python_by_names(prompts, cli, tiny_sd):
    settings = SHORT | {"name": "better", "model": str(tiny_sd)}
    result = stickerforge.tailor_reward(prompts, ["alignment"], settings=settings)
    assert result.result()["adapters"] == ["better"]
    with pytest.raises(InputError, match="already"):
        stickerforge.tailor_reward(prompts, ["alignment"], settings=settings)
    resumed = stickerforge.tailor_reward(prompts, ["alignment"], settings=settings, resume=True)
    assert resumed.result() == result.result()


def test_a_picture_that_was_damaged_is_drawn_again(reward):
    assert reward().code == 0
    run = run_folder("better").path
    before = content(run)
    (run / "candidates" / "base" / "pictures" / "000003.png").write_bytes(b"\x89PNG broken")
    assert reward("--resume").code == 0 and content(run) == before


@pytest.mark.slow
def test_sticker_mini_learns_in_its_own_words(cli, tmp_path):
    """Captions are what the model read: it knows no "cute corgi", and draws a dog."""
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join([f"cute {name}" for name in PROMPTS]))
    given = SHORT | {"candidates.steps": 2}
    ended = cli(
        *("tailor", "reward", "--prompts", file, "--aspects", "alignment", "--name", "mini"),
        *(x for name, value in given.items() for x in ("--set", f"{name}={value}")),
        *("--json", "--quiet"),
    )
    assert ended.code == 0, ended.err
    table = run_folder("mini").path / "training" / "alignment-1" / "captions.jsonl"
    assert not [row for row in rows(table) if "cute" in row["caption"]]
    shutil.rmtree(run_folder("mini").path)
