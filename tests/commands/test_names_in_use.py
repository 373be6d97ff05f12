"""One name for what `merge` and `customize` make, and what of it `adapters remove` leaves."""

import json
from pathlib import Path

import pytest

from stickerforge.adapters import store
from stickerforge.training.run_folder import run_folder
from tests.adapters.test_store import save
from tests.conftest import one_line

MERGE = ("merge", "dog", "cat", "--name", "both")


@pytest.fixture
def pair(cli):
    """The command line with two adapters."""
    save("dog")
    save("cat")
    return cli


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_no_merge_takes_the_name_of_a_run_in_progress(pair, force):
    """At its end the run would write its adapter over the merge."""
    with run_folder("both").lock():
        assert "another customize is working on 'both'" in one_line(pair(*MERGE, *force))
        assert not store.exists("both")
    assert pair(*MERGE, *force).code == 0 and store.exists("both")


def test_a_name_that_was_taken_meanwhile_is_refused(pair, monkeypatch):
    run = run_folder("both")
    run.path.mkdir(parents=True)
    lock = type(run).lock

    def lock_late(self):
        save("both")
        return lock(self)

    monkeypatch.setattr(type(run), "lock", lock_late)
    assert "there is an adapter 'both' already" in one_line(pair(*MERGE))
    assert store.find("both").kind == "subject"


def test_a_merge_of_a_free_name_leaves_no_run(pair):
    assert pair(*MERGE).code == 0
    assert not run_folder("both").path.exists()


@pytest.mark.parametrize("finished", [True, False])
def test_the_run_that_stays_when_its_adapter_is_removed_is_named(pair, finished):
    run = run_folder("dog")
    run.path.mkdir(parents=True)
    pointer = {"step": 2, "settings": "s", "pictures": "p", "finished": finished}
    run.pointer.write_text(json.dumps(pointer | {"file": "f", "sha256": "0" * 64}))
    asked = pair("adapters", "remove", "dog", "--dry-run", "--json").json["result"]
    assert asked["dry_run"] and asked["run"] == str(run.path) and len(asked["removes"]) == 4
    ended = pair("adapters", "remove", "dog")
    assert ended.code == 0 and f"stays in {run.path}, " in ended.err
    assert run.pointer.exists() and not store.folder("dog").exists()
    alone = pair("adapters", "remove", "cat", "--json").json["result"]
    assert alone["run"] is None and not any(map(Path.exists, map(Path, alone["removed"])))
