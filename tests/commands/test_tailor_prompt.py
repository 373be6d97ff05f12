"""`tailor prompt` as people use it, on tiny models and on sticker-mini."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import stickerforge
from stickerforge.adapters import store
from stickerforge.training import tuning_validation
from stickerforge.training.run_folder import run_folder
from tests.conftest import one_line

CAPTION = "A red cat sits on a mat. It looks at two blue birds. " * 3
SHORT = ("--batch", 2, "--rank", 2, "--quiet")
VALIDATION = ("--set", "validation.prompts=2", "--set", "validation.seeds=2")
REWARD = ("--set", "preference.steps=4", "--set", "preference.gradient_every=2")


@pytest.fixture
def data(tmp_path):
    """Three pictures with long captions."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (40, 40), colour).save(folder / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "text": f"{CAPTION}It is {colour}."})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def prompts(tmp_path):
    """Three prompts."""
    file = tmp_path / "prompts.txt"
    file.write_text("a red cat\ntwo dogs on a blue ground\n?!\n")
    return file


@pytest.fixture
def tune(cli, data, quick_sd):
    """Tune a tiny model on the pictures as `long`, without validation unless asked."""

    def tune(*options, validation=("--set", "validation.every=0")):
        name = () if "--name" in options else ("--name", "long")
        model = ("--model", quick_sd)
        return cli("tailor", "prompt", data, *name, *model, *SHORT, *validation, *options)

    return tune


@pytest.fixture
def reward(cli, prompts, quick_sd):
    """Tune it by a reward as `liked`."""

    def reward(*options, validation=("--set", "validation.every=0")):
        name = () if "--name" in options else ("--name", "liked")
        call = ("tailor", "prompt", "--reward", prompts, *name, "--model", quick_sd)
        return cli(*call, *SHORT, *REWARD, *validation, *options)

    return reward


def test_from_captions_to_a_picture(tune, cli, quick_sd):
    ended = tune("--steps", 2, "--length", 150, "--json", validation=VALIDATION)
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["kind"] == "tuned" and result["count"] == 3 and result["kept_step"] == 2
    assert result["long_prompts"] == {"mode": "longalign", "length": 150}
    adapter = store.find("long")
    rule = adapter.long_prompts
    assert rule.length == 150 and len(rule.pad) == 64 and any(rule.pad)
    layers = {key.rpartition(".lora")[0] for key in load_file(adapter.path)}
    kinds = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "conv1", "conv2")
    assert all(any(layer.endswith(f".{kind}") for layer in layers) for kind in kinds)
    run = run_folder("long")
    rows = [json.loads(row) for row in run.validation_log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert {"diversity", "diversity_change", "drift", "alignment"} <= set(rows[0])
    assert [path.name for path in sorted(run.validation_sheets.iterdir())] == [
        "000001.png",
        "000002.png",
    ]
    pictures = {}
    for end in ("It is red.", "It is blue."):
        drawn = cli(
            *("generate", f"{CAPTION[:110]} {end}", "--adapter", "long", "--model", quick_sd),
            *("--seed", 1, "--json", "--set", "matting=none"),
        )
        assert drawn.code == 0 and not drawn.json["warnings"], "all of it is read"
        pictures[end] = np.asarray(Image.open(drawn.outputs[0]["path"]))
    assert not np.array_equal(*pictures.values())


def test_a_new_run_has_no_figures_of_the_one_before(tune):
    assert tune("--steps", 1, validation=VALIDATION).code == 0
    run = run_folder("long")
    assert "alignment" in store.find("long").made["figures"]
    assert tune("--steps", 1, "--force").code == 0
    assert "alignment" not in store.find("long").made["figures"]
    assert not run.validation_log.exists() and not run.validation_plot.exists()


@pytest.mark.parametrize("kind", ["tune", "reward"])
def test_an_interrupted_run_goes_on_to_the_same_bytes(request, kind, monkeypatch, tmp_path):
    teach = request.getfixturevalue(kind)
    name = {"tune": "long", "reward": "liked"}[kind]
    assert teach("--steps", 3).code == 0
    whole = store.find(name)
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    assert teach("--steps", 1).code == 0
    refused = one_line(teach("--steps", 3))
    assert "--resume --steps 2" in refused
    assert "other settings" in one_line(teach("--steps", 3, "--resume", "--lr", 0.01))
    assert teach("--steps", 3, "--resume").code == 0
    assert store.find(name).sha256 == whole.sha256
    rows = [json.loads(row) for row in run_folder(name).metrics.read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2]


def test_a_reward_run_keeps_its_direction_and_how_the_model_reads(reward):
    ended = reward("--steps", 1, "--json", validation=VALIDATION)
    assert ended.code == 0, ended.err
    assert ended.json["result"]["long_prompts"] is None
    figures = ended.json["result"]["figures"]
    assert {"reward", "relevant", "irrelevant", "alignment", "diversity"} <= set(figures)
    direction = json.loads((run_folder("liked").path / "direction.json").read_text())
    assert direction["encoder"] == "second" and direction["captions"] >= 5000
    made = store.find("liked").made
    assert made["reward"].startswith("second ") and made["direction"] == direction["sha256"]
    saved = run_folder("liked").path / "direction.json"
    again = reward("--steps", 1, "--name", "again", "--set", f"preference.direction={saved}")
    assert again.code == 0
    of_another = reward(
        "--name", "other", "--reward-model", "judge", "--set", f"preference.direction={saved}"
    )
    assert of_another.code == 2 and "second" in one_line(of_another)


def test_pictures_that_are_no_numbers_keep_the_last_good_state(reward, monkeypatch):
    drawn = iter([1.0, 1.0, float("nan")])
    features = tuning_validation.TuningValidator.features

    def spoilt(self, images):
        return features(self, images) * next(drawn)

    monkeypatch.setattr(tuning_validation.TuningValidator, "features", spoilt)
    every = (*VALIDATION, "--set", "validation.every=1")
    ended = reward("--steps", 3, "--json", validation=every)
    assert ended.code == 5 and "no numbers" in ended.json["error"]["message"]
    assert ended.json["result"]["kept_step"] == 1


def test_what_is_refused_late_takes_nothing_away(tune, reward, data):
    assert reward("--steps", 1).code == 0
    before = sorted(path.name for path in run_folder("liked").path.iterdir())
    assert tune("--steps", 1).code == 0
    refused = reward("--force", "--adapter", "long", "--rank", 4)
    assert refused.code == 2 and "give --rank 2" in one_line(refused)
    assert sorted(path.name for path in run_folder("liked").path.iterdir()) == before
    rows = (data / "metadata.jsonl").read_text().splitlines()
    (data / "metadata.jsonl").write_text("\n".join(rows[1:]))
    other = tune("--steps", 2, "--resume")
    assert other.code == 2 and "other pictures or captions" in one_line(other)
    (data / "metadata.jsonl").write_text("\n".join(rows))
    assert tune("--steps", 2, "--resume").code == 0


def test_a_run_of_customize_of_the_same_name(cli, reward, art, quick_sd):
    call = ("customize", art, "--style", "crayon", "--name", "liked", "--model", quick_sd)
    assert cli(*call, *SHORT, "--steps", 1, "--set", "preview.count=0").code == 0
    assert "already" in one_line(reward("--steps", 1))
    other = reward("--steps", 2, "--resume")
    assert other.code == 2 and "is one of another command" in one_line(other)
    assert reward("--steps", 1, "--force").code == 0
    settings = [path.name for path in run_folder("liked").path.glob("*.toml")]
    assert settings == ["tailor-prompt.toml"]


def test_a_reward_goes_on_from_a_tuned_adapter(tune, reward, cli):
    assert tune("--steps", 1, "--length", 100).code == 0
    assert reward("--steps", 1, "--adapter", "long").code == 0
    liked, begun = store.find("liked"), store.find("long")
    assert liked.long_prompts == begun.long_prompts and liked.made["from"] == begun.sha256
    other = reward("--name", "x", "--adapter", "long", "--rank", 4)
    assert other.code == 2 and "give --rank 2" in one_line(other)
    for options in (("--length", 120), ("--set", "long_prompts.splitter=official")):
        other = reward("--name", "x", "--adapter", "long", *options)
        assert other.code == 2 and "longalign of 100 tokens" in one_line(other)
    other = reward("--name", "long", "--adapter", "long", "--force")
    assert other.code == 2 and "cannot replace what it begins from" in one_line(other)
    other = reward("--name", "x", "--adapter", "long", "--set", "long_prompts.mode=compat")
    assert other.code == 2 and "long_prompts" in one_line(other)
    other = cli("tailor", "prompt", "--reward", "prompts.txt", "--name", "x", "--adapter", "long")
    assert other.code == 2 and "was made for" in one_line(other)


def test_a_run_ends_where_diversity_is_lost_and_keeps_the_last_good_state(reward, monkeypatch):
    changes = iter([-0.01, -0.2])
    monkeypatch.setattr(
        tuning_validation,
        "relative_change",
        lambda values, first: {"diversity_change": (c := next(changes)), "low": c, "high": c},
    )
    every = (*VALIDATION, "--set", "validation.every=1")
    ended = reward("--steps", 4, "--json", validation=every)
    assert ended.code == 5
    assert "diversity has changed by -20.0%" in ended.json["error"]["message"]
    result = ended.json["result"]
    assert (result["steps"], result["kept_step"]) == (2, 1) and result["ended"]
    assert store.find("liked").made["kept_step"] == 1
    kept = store.find("liked").sha256
    again = reward("--steps", 4, "--resume", validation=every)
    assert again.code == 5, "the log says that it had ended"
    changes = iter([-0.1, -0.1])
    more = (*every, "--set", "validation.diversity=0.5")
    assert reward("--steps", 4, "--resume", validation=more).code == 0
    assert store.find("liked").made["steps"] == 4
    assert reward("--steps", 1, "--name", "first").code == 0
    assert store.find("first").sha256 == kept, "the state of one step"


def test_a_run_that_loses_it_at_once_keeps_nothing(reward, monkeypatch):
    monkeypatch.setattr(
        tuning_validation,
        "relative_change",
        lambda values, first: {"diversity_change": -0.5, "low": -0.6, "high": -0.4},
    )
    ended = reward("--steps", 2, validation=(*VALIDATION, "--set", "validation.every=1"))
    assert ended.code == 2 and "--lr" in one_line(ended)
    assert not store.exists("liked")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), "say what to train on; give a folder"),
        (("data", "--reward", "prompts.txt"), "exclude another"),
        (("data",), "give --name NAME"),
        (("data", "--name", "flat"), "is the name of a preset"),
        (("nowhere", "--name", "x"), "no folder nowhere"),
        (("--reward", "nowhere.txt", "--name", "x"), "no prompt file nowhere.txt"),
        (("--reward", "prompts.txt", "--name", "x", "--reward-model", "dinov2"), "reads no text"),
        (("--reward", "prompts.txt", "--name", "x", "--reward-model", "hpsv2"), "must be given"),
        (("data", "--name", "x", "--adapter", "nobody"), "there is no adapter 'nobody'"),
        (("data", "--name", "x", "--set", "validation.encoder=dinov"), "unknown encoder"),
        (
            ("--reward", "prompts.txt", "--name", "x", "--set", "preference.direction=none.txt"),
            "there is no file none.txt",
        ),
    ],
)
def test_what_cannot_be_meant_is_one_line(cli, data, prompts, options, what):
    ended = cli("tailor", "prompt", *options)
    assert ended.code == 2 and what in one_line(ended)


def test_three_prompts_are_no_direction_for_a_reward_that_ships_none(reward, clip):
    ended = reward("--reward-model", clip, "--steps", 1)
    assert ended.code == 2
    line = one_line(ended)
    assert "needs 5,000 different captions, and there are 3" in line
    assert "preference.direction=FILE" in line


def test_odd_prompts_and_a_limit_of_memory(cli, quick_sd, tmp_path):
    file = tmp_path / "odd.txt"
    file.write_text("?!\n\U0001f431\U0001f431\nשלום hello עולם\n" + "cat " * 900 + "\n")
    ended = cli(
        *("tailor", "prompt", "--reward", file, "--name", "odd", "--model", quick_sd, *SHORT[2:]),
        *(*REWARD, "--batch", 4, "--steps", 1, "--set", "validation.every=0"),
        *("--set", "training.memory=0.1", "--set", "long_prompts.mode=longalign", "--json"),
    )
    assert ended.code == 0, ended.err
    lines = "\n".join(ended.json["warnings"])
    assert "a single picture takes about" in lines and "not read of a prompt" in lines
    file.write_text("cat " * 10_000)
    ended = cli("tailor", "prompt", "--reward", file, "--name", "x", "--model", quick_sd)
    assert ended.code == 2 and "characters" in one_line(ended)


def test_a_dry_run_says_what_and_how_long_and_does_nothing(tune, reward, tmp_path):
    for teach, on in ((tune, "prompt"), (reward, "reward")):
        result = teach("--dry-run", "--json").json["result"]
        assert result["trained_on"] == on and result["count"] == 3
        assert result["about_seconds"] > 0 and result["about_memory_mb"] > 100
    longer = reward("--dry-run", "--json", "--steps", 5000).json["result"]["about_seconds"]
    assert longer > 2 * result["about_seconds"]
    assert not (tmp_path / "home" / "adapters").exists()


def test_settings_without_effect_are_named(tune, reward):
    warned = tune("--dry-run", "--json", "--set", "preference.weight=1").json["warnings"]
    assert any("preference" in line for line in warned)
    warned = reward("--dry-run", "--json", "--set", "training.caption_dropout=0").json["warnings"]
    assert any("caption_dropout" in line for line in warned)


def test_what_is_left_out_or_fetched_is_said_before_work(tune, reward, data, prompts, tmp_path):
    Image.new("RGB", (40, 40)).save(data / "unlisted.png")
    warned = tune("--dry-run", "--json").json["warnings"]
    assert any("without a caption: 1 picture, unlisted.png" in line for line in warned)
    prompts.with_suffix(".jsonl").write_text('{"prompt": "a cat", "negative": "dogs"}')
    options = ("--reward", prompts.with_suffix(".jsonl"), "--dry-run", "--json")
    warned = reward(*options).json["warnings"]
    assert any("negative, seed, count and style" in line for line in warned)
    prompts.write_text("\n".join(f"a cat number {number}" for number in range(5000)))
    fetched = reward("--dry-run", "--json", "--reward-model", "siglip").json["result"]["fetches"]
    assert fetched == ["google/siglip2-base-patch16-224"]


def test_validations_keep_their_distance_on_resume(reward):
    every = ("--set", "validation.prompts=1", "--set", "validation.seeds=2")
    assert reward("--steps", 12, "--dry-run", validation=every).code == 0
    assert reward("--steps", 1, validation=every).code == 0
    assert reward("--steps", 3, "--resume", validation=every).code == 0
    log = run_folder("liked").validation_log.read_text().splitlines()
    assert [json.loads(row)["step"] for row in log] == [1, 2, 3], "as the first call had it: 1"


def test_from_python(data, quick_sd, monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    settings = {
        "name": "long",
        "model": str(quick_sd),
        "training.steps": 1,
        "training.batch": 1,
        "training.rank": 2,
        "validation.every": 0,
    }
    result = stickerforge.tailor_prompt(data, settings=settings)
    assert result.data.count == 3 and store.find("long").kind == "tuned"


def test_words_of_a_long_prompt_are_not_called_unknown(cli, data):
    call = ("tailor", "prompt", data, "--name", "long", "--steps", 1, *SHORT)
    assert cli(*call, "--set", "validation.every=0").code == 0
    prompt = "A friend asked for it. It shows a penguin in front of a bakery. The penguin is red."
    drawn = cli("generate", prompt, "--adapter", "long", "--steps", 1, "--json")
    assert drawn.code == 0 and drawn.json["warnings"] == []
