"""Two models on the same prompts: differences that belong together, and limits that hold."""

import json

import numpy as np
import pytest

from examples.experiments.bench import bench_compare

IDS = [f"single-{number:03d}" for number in range(40)]
GROUPS = {each: each for each in IDS}


def scores(values, name="single: subject"):
    return {name: dict(zip(IDS, map(float, values), strict=False))}


def test_a_small_loss_of_nearly_every_prompt_is_seen_although_intervals_overlap():
    before = np.random.default_rng(0).uniform(0, 1, 40)
    after = before - 0.05
    row = bench_compare.changes(scores(after), scores(before), GROUPS)["single: subject"]
    assert row["change"] == pytest.approx(-0.05) and row["p"] < 0.001
    assert bench_compare.worse_rows(scores(after), scores(before), GROUPS) == ["single: subject"]
    assert not bench_compare.worse_rows(scores(after), scores(before), GROUPS, loss=0.06)
    assert not bench_compare.worse_rows(scores(before), scores(after), GROUPS)


def test_noise_of_many_rows_stops_nothing():
    rng, stopped = np.random.default_rng(1), 0
    for _ in range(40):
        both = [
            {f"row {n}": scores(rng.random(40) < 0.7)["single: subject"] for n in range(15)}
            for _ in range(2)
        ]
        stopped += bool(bench_compare.worse_rows(*both, GROUPS))
    assert stopped <= 4  # one in twenty, and either direction


def test_pictures_of_one_prompt_count_once():
    groups = {each: f"prompt {number // 8}" for number, each in enumerate(IDS)}
    row = bench_compare.changes(scores(np.zeros(40)), scores(np.ones(40)), groups)
    assert row["single: subject"]["prompts"] == 5 and row["single: subject"]["low"] is None


def test_only_what_both_have_is_compared():
    ours, theirs = scores(np.ones(40)), scores(np.zeros(20)) | scores(np.zeros(40), "pair: both")
    found = bench_compare.changes(ours, theirs, GROUPS)
    assert list(found) == ["single: subject"] and found["single: subject"]["prompts"] == 20
    assert bench_compare.changes(ours, {"single: subject": {"other": 1.0}}, GROUPS) == {}


@pytest.mark.parametrize(
    "changed", [{"world": 2}, {"judge": "b"}, {"lists": "test"}, {"scores": 0}]
)
def test_records_of_something_else_are_refused(tmp_path, changed):
    record = {"lists": "dev", "world": 3, "judge": "a"}
    other = {**record, "scores": scores(np.ones(3)), **changed}
    if changed == {"scores": 0}:
        del other["scores"]
    (tmp_path / "bench.json").write_text(json.dumps(other))
    with pytest.raises(SystemExit, match="cannot be compared"):
        bench_compare.read_scores(tmp_path / "bench.json", record)
