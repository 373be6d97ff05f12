"""How a run went, and how it goes on: diverged, too short, finished, of earlier versions."""

import json
from pathlib import Path

import pytest

from stickerforge.adapters import store
from stickerforge.config.schema import MAX_SEED, CustomizeConfig
from stickerforge.config.toml import to_toml
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.training.outcome import Outcome
from stickerforge.training.plan import plan_training
from stickerforge.training.run_folder import run_folder
from tests.conftest import one_line

SHORT = ("--batch", 2, "--rank", 2, "--set", "preview.count=0", "--quiet")


@pytest.fixture
def teach(cli, art, tiny_sd):
    """Teach `blob` as an apple."""

    def teach(*options):
        asked = ("customize", art, "--subject", "blob", "--class", "apple", "--model", tiny_sd)
        return cli(*asked, *SHORT, *options)

    return teach


@pytest.mark.parametrize(
    ("loss", "base", "error", "steps", "verdict"),
    [
        (0.2, 0.25, 0.001, 400, {"learned"}),
        (0.2, 0.25, 0.2, 400, {"learned"}),
        (0.2499, 0.25, 1e-6, 400, {"failed"}),
        (0.2499, 0.25, 1e-6, 100, {"failed"}),
        (0.2499, 0.25, 1e-6, 99, set()),
        (0.2499, 0.25, 0.001, 400, set()),
        (0.2501, 0.25, 0.001, 400, set()),
        (0.26, 0.25, 0.001, 400, {"failed"}),
        (1.3, 0.25, 0.001, 400, {"diverged", "failed"}),
        (1.3, 0.25, 5.0, 3, {"diverged"}),
        (float("nan"), 0.25, float("nan"), 3, {"diverged"}),
        (float("inf"), 0.25, float("nan"), 3, {"diverged"}),
    ],
)
def test_the_verdict(loss, base, error, steps, verdict):
    outcome = Outcome(loss, base, error, steps, recommended_steps=400)
    assert {name for name in ("learned", "diverged", "failed") if getattr(outcome, name)} == verdict


@pytest.mark.parametrize(
    ("model", "what"),
    [("tiny_sd", ("--subject", "blob", "--class", "apple")), ("tiny_sdxl", ("--style", "crayon"))],
)
def test_a_short_run_at_the_defaults_is_no_failure(cli, art, request, model, what):
    """Twenty steps of a thousand: whether the loss rose or fell by then is chance."""
    folder = request.getfixturevalue(model)
    ended = cli("customize", art, *what, "--model", folder, "--steps", 20, *SHORT[4:], "--json")
    assert ended.code == 0, ended.json
    result = ended.json["result"]
    assert result["loss"] == pytest.approx(result["base_loss"], rel=0.01)


def test_the_losses_are_in_the_line_the_json_and_the_adapter(teach):
    result = teach("--steps", 3, "--json").json["result"]
    assert result["learned"] is True and 0 < result["loss"] < result["base_loss"]
    made = store.find("blob").made["loss"]
    assert made == {"loss": result["loss"], "base_loss": result["base_loss"], "steps": 3}


@pytest.mark.parametrize("options", [("--objective", "plain", "--lr", 1.0), ("--lr", 0.5)])
def test_a_run_that_diverged_is_refused_and_what_was_there_stays(taught, art, options):
    before = store.find("blob")
    asked = ("customize", art, "--subject", "blob", "--class", "apple", *SHORT, "--force")
    ended = taught(*asked, "--steps", 4, *options)
    assert ended.code == 2 and "training diverged: loss on the pictures" in one_line(ended)
    assert store.find("blob") == before
    lower = one_line(ended).rpartition("--lr ")[2]
    assert float(lower) == options[options.index("--lr") + 1] / 10


@pytest.mark.slow
def test_a_loss_that_never_fell_is_exit_5(teach):
    ended = teach("--steps", 75, "--lr", 1e-8, "--set", "training.token_lr=0", "--json")
    assert ended.code == 5 and ended.json["result"]["learned"] is False
    assert "not learned" in ended.json["error"]["message"] and store.exists("blob")


def test_a_finished_run_is_taught_on_to_the_bytes_of_a_longer_one(teach, monkeypatch, tmp_path):
    assert teach("--steps", 2).code == 0
    refused = one_line(teach("--steps", 2))
    assert "--resume --steps 4" in refused and "--force" in refused
    for done in ((), ("--steps", 2), ("--steps", 1)):
        again = one_line(teach("--resume", *done))
        assert "has done 2 steps already; --resume --steps 4" in again
    assert "other settings" in one_line(teach("--resume", "--steps", 4, "--lr", 0.01))
    assert teach("--resume", "--steps", 4).code == 0
    taught_on = store.find("blob")
    assert taught_on.made["steps"] == 4
    rows = run_folder("blob").metrics.read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [0, 1, 2, 3]
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    assert teach("--steps", 4).code == 0
    assert store.find("blob").sha256 == taught_on.sha256


@pytest.mark.slow
def test_the_best_state_is_kept_while_a_run_is_taught_on(teach):
    assert teach("--steps", 2, "--keep", "best").code == 0
    first = [row["step"] for row in map(json.loads, log_of_validations())]
    assert teach("--resume", "--steps", 3, "--keep", "best").code == 0
    rows = [json.loads(row) for row in log_of_validations()]
    assert [row["step"] for row in rows] == [*first, 3]
    best = max(rows, key=lambda row: row["score"])["step"]
    assert store.find("blob").made["kept_step"] == best
    assert [path.name for path in run_folder("blob").bests()] == [f"best-{best:06}.safetensors"]


def log_of_validations():
    return run_folder("blob").validation_log.read_text().splitlines()


def test_an_adapter_that_is_not_of_the_run_is_not_taught_on(teach, cli, tiny_sd):
    teach("--steps", 2)
    cli("customize", "art", "--style", "crayon", "--model", tiny_sd, *SHORT, "--steps", 2)
    assert cli("merge", "blob", "crayon", "--name", "blob", "--force").code == 0
    refused = teach("--resume", "--steps", 4)
    assert refused.code == 2 and "no run to resume" in one_line(refused)
    assert store.find("blob").kind == "merged"
    assert cli("adapters", "remove", "blob").code == 0
    assert teach("--steps", 2, "--resume").code == 0, "the run can still be finished anew"
    assert cli("adapters", "remove", "blob").code == 0
    asked = cli("merge", "crayon", "nobody", "--name", "blob")
    assert "no adapter 'nobody'" in one_line(asked), "and not that a run is unfinished"
    assert teach("--steps", 2).code == 0, "a name that was freed is free"


def plan_of(pictures, *, resume=True, **training):
    config = CustomizeConfig(pictures=str(pictures), subject="blob", class_words="apple")
    settings = type(config.training)(**training)
    config = type(config)(**(vars(config) | {"training": settings}))
    return plan_training(config, Console(quiet=True), offline=True, force=False, resume=resume)


@pytest.mark.parametrize(("asked", "steps"), [(12, 12), (None, 12), (20, 20)])
def test_runs_of_earlier_versions_are_resumed(cli, art, asked, steps):
    """Their digest counts the steps in."""
    plan = plan_of(art, resume=False, steps=12)
    run = plan.run
    run.path.mkdir(parents=True)
    run.config.write_text(to_toml(plan.config, "customize"))
    config = plan.config
    tree = plan.decisive_settings()
    assert tree["steps"] == 12 and "draws" in tree and "save_every" not in tree
    earlier = plan.digest([tree, config.keep, 0])
    assert earlier != plan.settings_digest()
    pointer = {"file": "f", "sha256": "0" * 64, "step": 4, "settings": earlier, "pictures": "p"}
    run.pointer.write_text(json.dumps(pointer))
    resumed = plan_of(art, **({"steps": asked} if asked else {}))
    assert resumed.config.training.steps == steps
    assert resumed.resumable(force=False, resume=True).step == 4
    with pytest.raises(InputError, match="other settings"):
        plan_of(art, steps=12, lr=0.5)


def test_the_digest_of_earlier_versions_is_pinned(cli, art):
    plan = plan_of(art, resume=False, steps=12)
    base = store.Base("model", "1", "f" * 16)
    pinned = type(plan)(plan.config, plan.card, base, plan.name, plan.concept)
    assert pinned.earlier_digests() == ["bb6bc86f479e102e"]


@pytest.mark.parametrize(
    ("options", "first"),
    [
        (("--seed", MAX_SEED), MAX_SEED - 11),
        (("--seed", MAX_SEED, "--set", "preview.count=1"), MAX_SEED - 5),
    ],
)
def test_seeds_of_the_preview_that_overflow_are_refused_before_work(cli, art, options, first):
    call = ("customize", art, "--subject", "blob", "--class", "apple")
    ended = cli(*call, *options)
    assert ended.code == 2 and f"give --seed {first} or less" in one_line(ended)
    assert not Path("home/runs/blob").exists()
    assert cli(*call, *options, "--seed", first, "--dry-run").code == 0
