"""Captions beside pictures are written once, and never over what a person wrote."""

import json
import os
import signal
import subprocess
import sys

import pytest

from stickerforge.captioning import caption_folder
from stickerforge.captioning.embedded import EmbeddedCaptioner
from stickerforge.commands.caption import caption, run
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.errors import Interrupted
from stickerforge.runtime.console import Console
from tests.captioning.toys import edit, record, texts, write_toys


@pytest.fixture
def toys(tmp_path):
    return write_toys(tmp_path / "toys")


def test_an_interruption_keeps_what_is_captioned(toys, monkeypatch):
    config = resolve(CaptionConfig, {"pictures": str(toys), "subject": "duck"})

    def two(self, pictures, indices, request):
        yield "a duck"
        yield "a duck here"
        os.kill(os.getpid(), signal.SIGINT)
        request.check()

    monkeypatch.setattr(EmbeddedCaptioner, "captions", two)
    with pytest.raises(Interrupted):
        run(config, Console(quiet=True), offline=True)
    monkeypatch.undo()
    assert (
        set(texts(toys)) == set(name.partition(".")[0] for name in record(toys)) == {"one", "three"}
    )
    assert len(run(config, Console(quiet=True), offline=True).records) == 3
    assert texts(toys)["one"] == "a <duck>", "it was done"


def test_a_caption_that_is_written_meanwhile_is_kept(toys, monkeypatch):
    def slow(self, pictures, indices, request):
        for index in indices:
            (toys / "two.txt").write_text("a <duck> by hand\n")
            yield f"a duck, number {index}"

    monkeypatch.setattr(EmbeddedCaptioner, "captions", slow)
    captions = caption(toys, settings={"subject": "duck"})
    assert texts(toys)["two"] == "a <duck> by hand" and captions.failed == [
        "two.png: given a caption meanwhile"
    ]


@pytest.mark.parametrize("late", ["one", "three"])
def test_two_calls_at_once_share_the_work(toys, monkeypatch, late):
    """The second begins before the first caption is written, or after it."""
    captions, second = EmbeddedCaptioner.captions, []

    def start_another(self, pictures, indices, request):
        for number, text in enumerate(captions(self, pictures, indices, request)):
            if number == (0 if late == "one" else 2):
                monkeypatch.setattr(EmbeddedCaptioner, "captions", captions)
                second.append(caption(toys, settings={"subject": "duck"}))
            yield text

    monkeypatch.setattr(EmbeddedCaptioner, "captions", start_another)
    first = caption(toys, settings={"subject": "duck"})
    assert first.failed == second[0].failed == []
    assert len(first.records) == len(second[0].records) == 3
    assert first.num_new + second[0].num_new == 3
    assert {row["source"] for row in record(toys).values()} == {"model"} and len(record(toys)) == 3
    again = caption(toys, settings={"subject": "duck"})
    assert again.num_new == 0 and "by people" not in again.note()


def test_calls_of_single_pictures_at_once_keep_every_record(toys):
    command = [sys.executable, "-m", "stickerforge", "caption", "--subject", "duck", "--quiet"]
    calls = [
        subprocess.Popen([*command, toys / f"{name}.png"], stdout=subprocess.DEVNULL)
        for name in ("one", "two", "three")
    ]
    assert [call.wait() for call in calls] == [0, 0, 0]
    assert set(record(toys)) == {"one.png", "two.png", "three.png"}
    assert caption(toys, settings={"subject": "duck"}).num_new == 0


def test_an_edit_of_a_page_while_a_call_captions_is_kept(toys, monkeypatch):
    caption(toys, settings={"subject": "duck"})
    (toys / "new.png").write_bytes((toys / "one.png").read_bytes() + b"\0")
    was, captions = texts(toys)["two"], EmbeddedCaptioner.captions

    def edit_meanwhile(self, pictures, indices, request):
        page = toys.parent / "page.jsonl"
        page.write_text(json.dumps(edit("two.png", "my <duck>", was)))
        run(resolve(CaptionConfig, {"pictures": str(toys)}), Console(), offline=True, take=page)
        yield from captions(self, pictures, indices, request)

    monkeypatch.setattr(EmbeddedCaptioner, "captions", edit_meanwhile)
    caption(toys, settings={"subject": "duck"})
    assert (record(toys)["two.png"]["source"], texts(toys)["two"]) == ("person", "my <duck>")


def test_a_kill_does_not_make_our_captions_a_persons(toys, monkeypatch):
    def killed(picture, caption):
        if picture.stem == "three":
            raise MemoryError  # as good as SIGKILL: nothing after it writes the record
        original(picture, caption)

    original, update_records = caption_folder.write_caption, caption_folder.update_records
    monkeypatch.setattr(caption_folder, "write_caption", killed)
    monkeypatch.setattr(caption_folder, "update_records", lambda *_: None)
    with pytest.raises(MemoryError):
        caption(toys, settings={"subject": "duck"})
    monkeypatch.setattr(caption_folder, "write_caption", original)
    monkeypatch.setattr(caption_folder, "update_records", update_records)
    assert (
        set(texts(toys)) == {"one"} and len((toys / "captions.jsonl").read_text().splitlines()) == 2
    )
    with (toys / "captions.jsonl").open("a") as file:
        file.write('{"picture": "tw')
    captions = caption(toys, settings={"subject": "duck"})
    assert {record.source for record in captions.records} == {"model"}
    assert set(record(toys)) == {"one.png", "two.png", "three.png"}


def test_of_two_lines_that_of_the_text_counts(toys):
    caption(toys, settings={"subject": "duck"})
    first = (toys / "captions.jsonl").read_text().splitlines()[0]
    with (toys / "captions.jsonl").open(
        "a"
    ) as file:  # as a killed call leaves it, before it has written its text
        file.write(
            json.dumps(
                json.loads(first) | {"caption": "a <duck>", "base_caption": "a duck", "seal": ""}
            )
            + "\n"
        )
    assert caption(toys, settings={"subject": "duck"}).num_new == 0
    assert record(toys)["one.png"] == json.loads(first)
