"""Captions beside pictures are written once, and never over what a person wrote."""

import json
import os
import signal

import pytest

from stickerforge.captioning import caption_folder
from stickerforge.captioning.embedded import EmbeddedCaptioner
from stickerforge.commands.caption import caption, run
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.errors import Interrupted
from stickerforge.runtime.console import Console
from tests.captioning.toys import record, texts, write_toys


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


def test_a_kill_does_not_make_our_captions_a_persons(toys, monkeypatch):
    def killed(picture, caption):
        if picture.stem == "three":
            raise MemoryError  # as good as SIGKILL: nothing after it writes the record
        original(picture, caption)

    original, write_records = caption_folder.write_caption, caption_folder.write_records
    monkeypatch.setattr(caption_folder, "write_caption", killed)
    monkeypatch.setattr(caption_folder, "write_records", lambda *_: None)
    with pytest.raises(MemoryError):
        caption(toys, settings={"subject": "duck"})
    monkeypatch.setattr(caption_folder, "write_caption", original)
    monkeypatch.setattr(caption_folder, "write_records", write_records)
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
