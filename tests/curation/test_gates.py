"""Gates: what each takes out of a set, where it goes, and how it comes back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stickerforge.config.schema.picture_sets import GatesConfig
from stickerforge.curation.candidate_tables import read_drawn
from stickerforge.curation.gates import gate_candidates
from stickerforge.curation.screening import load_screens
from stickerforge.errors import InputError
from stickerforge.models.encoders import load_encoder
from stickerforge.models.picture_safety import load_safety
from stickerforge.rating.rating_set import (
    Candidate,
    SetInfo,
    read_set,
    write_candidates,
    write_info,
)
from tests.curation.conftest import sticker
from tests.rating.sets import read_removals
from tests.tiny import write_tiny_classifier

OPEN = GatesConfig(
    prompt_score=-1.0, prompt_share=0.0, text="off", border=1.0, duplicates="off", coverage_min=0.0
)


@pytest.fixture
def make_set(tmp_path):
    """A set of (picture, prompt); the n-th picture is pictures/00000n.png."""

    def make(pictures):
        folder = tmp_path / "set"
        (folder / "pictures").mkdir(parents=True)
        table = []
        for number, (picture, prompt) in enumerate(pictures, 1):
            name = f"pictures/{number:06d}.png"
            if isinstance(picture, bytes):
                (folder / name).write_bytes(picture)
            else:
                picture.save(folder / name)
            table.append(Candidate(name, prompt, prompt, 100 + number, "m", "emotion"))
        write_candidates(folder, table)
        write_info(folder, SetInfo("match"))
        return folder

    return make


def removed(folder):
    return {int(one.file_name[-10:-4]): one.gate for one in read_removals(folder)}


def left(folder):
    return [int(one.file_name[-10:-4]) for one in read_set(folder).candidates]


def check_places(folder):
    """Every row has its picture where the row says, and no picture is without a row."""
    names = [one.file_name for one in read_set(folder).candidates]
    names += [one.file_name for one in read_removals(folder)]
    files = [f"{path.parent.name}/{path.name}" for path in folder.glob("*/*.png")]
    assert sorted(names) == sorted(files)


def gate(folder, quiet, **changes):
    settings = replace(OPEN, **changes)
    return gate_candidates(folder, settings, load_screens(settings, quiet), quiet)


def square(side=64):
    return Image.new("RGBA", (side, side), "red")


def test_empty_and_filled_squares_go_unless_the_prompt_names_a_place(make_set, quiet):
    folder = make_set(
        [
            (sticker(1), "a cat"),
            (Image.new("RGBA", (64, 64)), "a cat"),
            (square(), "a cat"),
            (square(), "a cat on a beach"),
            (Image.new("RGB", (64, 64), "blue"), "a dog"),
        ]
    )
    report = gate(folder, quiet, border=0.5, coverage_min=0.02)
    assert removed(folder) == {2: "coverage", 3: "border", 5: "border"}
    assert left(folder) == [1, 4]
    check_places(folder)
    row = next(one for one in read_removals(folder) if one.gate == "border")
    assert (row.value, row.limit, row.text) == (1.0, 0.5, "a cat")
    assert report.counts == {"coverage": 1, "border": 2}


def test_copies_go_within_a_prompt_and_not_across_prompts(make_set, quiet):
    folder = make_set(
        [(sticker(1), "a cat"), (sticker(1), "a dog"), (sticker(2), "a cat"), (sticker(1), "a cat")]
    )
    gate(folder, quiet, duplicates="hash")
    assert removed(folder) == {4: "duplicate"}
    assert read_removals(folder)[0].other == "pictures/000001.png"


def test_scores_shares_and_the_best_of_a_prompt(make_set, quiet):
    prompts = ["a ball"] * 4 + ["some dots"] * 4
    folder = make_set([(sticker(at), prompt) for at, prompt in enumerate(prompts)])
    encoder = load_encoder("judge")
    images = [sticker(at) for at in range(8)]
    vectors = encoder.images(images, (255, 255, 255)).astype(float)
    cosines = (vectors * encoder.texts(prompts)).sum(1)
    gate(folder, quiet, best=2)
    best = [*np.argsort(-cosines[:4])[:2], *(4 + np.argsort(-cosines[4:])[:2])]
    assert left(folder) == sorted(int(at) + 1 for at in best)
    gate(folder, quiet, prompt_share=0.25)
    assert sorted(removed(folder)) == sorted(int(at) + 1 for at in np.argsort(cosines)[:2])
    gate(folder, quiet, prompt_score=float(np.sort(cosines)[2]) + 1e-6)
    assert sorted(removed(folder)) == sorted(int(at) + 1 for at in np.argsort(cosines)[:3])
    gate(folder, quiet)
    assert left(folder) == list(range(1, 9)), "with looser gates all come back"
    check_places(folder)
    assert {one.row.seed for one in read_drawn(folder)} == set(range(101, 109))


def test_twice_the_same_gates_change_nothing(make_set, quiet):
    folder = make_set([(sticker(at % 3), "a cat") for at in range(6)])
    gate(folder, quiet, duplicates="hash", prompt_share=0.2)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    gate(folder, quiet, duplicates="hash", prompt_share=0.2)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_safety_classifier(make_set, quiet, tmp_path):
    labels = ("neutral", "porn", "sexy")
    classifier = write_tiny_classifier(tmp_path / "safety", labels)
    images = [sticker(at) for at in range(5)]
    scores = load_safety(str(classifier), labels[1:]).scores(images)
    limit = float(np.sort(scores)[2])
    folder = make_set([(image, "a cat") for image in images])
    gate(folder, quiet, safety=str(classifier), safety_limit=limit)
    assert removed(folder) == {at + 1: "safety" for at, score in enumerate(scores) if score > limit}
    assert len(removed(folder)) == 2


def test_a_picture_that_cannot_be_read_is_taken_out(make_set, quiet):
    folder = make_set([(sticker(1), "a cat"), (b"?", "a cat"), (sticker(2), "a cat")])
    (folder / "pictures" / "000003.png").unlink()
    report = gate(folder, quiet)
    assert left(folder) == [1] and removed(folder) == {2: "unreadable", 3: "unreadable"}
    assert len(report.unreadable) == 2
    assert gate(folder, quiet).total == 3


def test_a_gate_that_takes_all_is_named(make_set, quiet):
    folder = make_set([(sticker(at), "a cat") for at in range(3)])
    report = gate(folder, quiet, coverage_max=0.001)
    with pytest.raises(InputError, match=r"coverage removed all 3; change gates.coverage_min"):
        report.check()
    assert (folder / "candidates.jsonl").read_text() == "" and len(removed(folder)) == 3
    assert gate(folder, quiet).counts == {}
    assert left(folder) == [1, 2, 3]


def test_a_move_that_was_cut_off_is_finished(make_set, quiet):
    folder = make_set([(sticker(at), "a cat") for at in range(3)])
    (folder / "removed").mkdir()
    (folder / "pictures" / "000002.png").rename(folder / "removed" / "000002.png")
    gate(folder, quiet)
    assert left(folder) == [1, 2, 3]
    check_places(folder)


def test_no_set_and_an_empty_one(tmp_path, quiet):
    with pytest.raises(InputError, match="there is no set"):
        gate(tmp_path / "nowhere", quiet)
    with pytest.raises(InputError, match="holds no candidates"):
        gate(tmp_path, quiet)


def test_the_report_of_gates(make_set, quiet, tmp_path):
    folder = make_set([(sticker(1), "a cat"), (square(), "a cat")])
    page = gate(folder, quiet, border=0.5).write(tmp_path / "out")
    assert page.name == "gates.html" and page.read_text().count("<img") == 2
    assert json.loads((tmp_path / "out" / "gates.json").read_text())["removed"] == {"border": 1}
