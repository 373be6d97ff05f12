"""What a call rates: sets, folders with captions, and folders against each other."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from stickerforge.config.schema import RateConfig
from stickerforge.errors import InputError
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.plan import plan_rating
from stickerforge.rating.rating_set import Candidate
from stickerforge.rating.rating_task import pairs_of_prompts
from stickerforge.stickers.image_files import encode_image
from tests.rating.sets import rating, write_set


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def planned(run, **settings):
    return plan_rating(RateConfig(run=str(run), **settings))


def keys(task):
    return [item.key for item in task.items]


def draw(path, prompt=None, seed=None, **params):
    """A picture that says from what it was drawn; without a prompt one that does not."""
    path.parent.mkdir(exist_ok=True)
    pixels = np.full((32, 32, 4), 255, np.uint8)
    if prompt is None:
        Image.fromarray(pixels).save(path)
        return
    params |= {"prompt": prompt} | ({} if seed is None else {"seed": seed})
    path.write_bytes(encode_image(pixels, params, "x", "png"))


def test_a_name_means_match_or_what_is_open_for_the_rater(tmp_path):
    home = tmp_path / "home" / "sets" / "fluent"
    content = write_set(home / "content", 4)
    write_set(home / "style", 4, question="style")
    assert planned("fluent").title == "fluent/content"
    assert planned("fluent", question="style").folder == home / "style"
    with AnswerStore(home / "content" / STORE) as store:
        for one in content:
            store.add(rating(one.file_name, True))
    assert planned("fluent", rater="Ann").question == "style", "all of the first are rated"
    assert planned("fluent", rater="Bob").question == "match", "but not by Bob"
    assert planned("fluent").question == "match", "who may be who asks on the page"
    with AnswerStore(home / "style" / STORE) as store:
        for one in content:
            store.add(rating(one.file_name, True, question="style"))
    assert planned("fluent", rater="Ann").question == "match", "nothing is open"
    assert planned("fluent", question="pair").folder == home / "content"


def test_a_name_with_one_set(tmp_path):
    write_set(tmp_path / "home" / "sets" / "fluent" / "style", question="style")
    assert planned("fluent").question == "style"
    with pytest.raises(InputError, match="has one for --question style"):
        planned("fluent", question="match")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("", "nothing to rate"),
        ("fluen", "did you mean 'fluent'"),
        ("./gone", "neither a set nor a folder"),
        ("fluent", "holds no set yet"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, run, message):
    (tmp_path / "home" / "sets" / "fluent").mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        planned(run)


def test_a_folder_with_texts_beside_its_pictures(tmp_path):
    for name in ("a", "b", "c"):
        draw(tmp_path / "toys" / f"{name}.png")
    (tmp_path / "toys" / "a.txt").write_text("a cat")
    draw(tmp_path / "toys" / "b.png", "a dog", 3, text="a dog, outlined")
    task = planned("toys")
    assert [(one.file_name, one.text) for one in task.candidates] == [
        ("a.png", "a cat"),
        ("b.png", "a dog, outlined"),
    ]
    assert task.question == "match" and task.folder.parent == tmp_path / "home" / "ratings"
    assert planned("toys", question="style", guideline="bold").guideline == "bold"
    assert planned("toys/").folder == task.folder == planned(tmp_path / "toys").folder
    assert planned("toys", out="elsewhere").folder.name == "elsewhere"


def test_a_folder_with_a_table(tmp_path):
    draw(tmp_path / "toys" / "a.png")
    draw(tmp_path / "b.png")
    rows = [{"file_name": "a.png", "text": "a cat"}, {"file_name": "../b.png", "text": "a dog"}]
    (tmp_path / "toys" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = planned("toys")
    assert [path.resolve() for path in task.paths.values()] == [
        tmp_path / "toys" / "a.png",
        tmp_path / "b.png",
    ]
    (tmp_path / "toys" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows[:1] * 2)))
    with pytest.raises(InputError, match="a.png is there twice"):
        planned("toys")


def test_pictures_without_captions_cannot_be_matched(tmp_path):
    draw(tmp_path / "toys" / "a.png")
    with pytest.raises(InputError, match="stickerforge caption toys"):
        planned("toys")


def test_folders_are_paired_by_prompt_and_seed(tmp_path):
    for seed in (1, 2, 3):
        draw(tmp_path / "one" / f"{seed}.png", "a cat", seed)
        draw(tmp_path / "two" / f"x{seed}.png", "a cat", 4 - seed)
    draw(tmp_path / "one" / "dog.png", "a dog", 1)
    draw(tmp_path / "two" / "other.png", "a dog", 9)  # no such seed: what is left
    draw(tmp_path / "one" / "owl.png", "an owl", 1)  # no such prompt
    draw(tmp_path / "one" / "plain.png")
    draw(tmp_path / "two" / "plain.png")
    draw(tmp_path / "two" / "alone.png")
    task = planned("one", against=("two",))
    assert keys(task) == [
        ("one/1.png", "two/x3.png"),
        ("one/2.png", "two/x2.png"),
        ("one/3.png", "two/x1.png"),
        ("one/dog.png", "two/other.png"),
        ("one/plain.png", "two/plain.png"),
    ]
    assert set(task.arms.values()) == {"one", "two"} and task.question == "pair"
    assert task.folder.parent == tmp_path / "home" / "ratings"


def test_three_folders_of_one_name_are_told_apart(tmp_path):
    for parent in "abc":
        (tmp_path / parent).mkdir()
        draw(tmp_path / parent / "out" / "x.png", "a cat", 1)
    task = planned("a/out", against=("b/out", "c/out"))
    assert len(task.items) == 3 and set(task.arms.values()) == {"a/out", "b/out", "c/out"}


def test_sets_can_be_compared(tmp_path):
    write_set(tmp_path / "one", 3)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "pictures" / "000001.png").unlink()
    task = planned("one", against=("two",))
    assert len(task.items) == 2 and task.failed == ["two/pictures/000001.png: it has gone"]
    for name in ("one", "two"):
        shutil.move(tmp_path / name, tmp_path / "home" / "sets" / name / "content")
    named = planned("one", against=("two",))
    assert keys(named)[0] == (
        "one/content/pictures/000000.png",
        "two/content/pictures/000000.png",
    )


@pytest.mark.parametrize(
    ("against", "settings", "message"),
    [
        (("one",), {}, "given twice"),
        (("empty",), {}, "no picture in it"),
        (("gone",), {}, "no folder|gone"),
        (("two",), {}, "no picture of one has its match in two"),
        (("two",), {"question": "style"}, "--against compares two"),
    ],
)
def test_what_cannot_be_compared(tmp_path, against, settings, message):
    draw(tmp_path / "one" / "a.png", "a cat")
    draw(tmp_path / "two" / "a.png", "a dog")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        planned("one", against=against, **settings)


def test_pairs_of_one_prompt_are_of_different_models_if_there_are_several():
    one_model = [Candidate(f"{n}", "cat", prompt="p", model="m") for n in range(4)]
    assert len(pairs_of_prompts(one_model)) == 6
    two = [Candidate(f"{n}", "cat", prompt="p", model="mn"[n % 2]) for n in range(4)]
    assert len(pairs_of_prompts(two)) == 4
    with pytest.raises(InputError, match="no two pictures of one prompt"):
        pairs_of_prompts([Candidate("a", "cat"), Candidate("b", "dog")])
    with pytest.raises(InputError, match="no two pictures of different models"):
        pairs_of_prompts([Candidate("a", "cat", model="m"), Candidate("b", "dog", model="n")])
    with pytest.raises(InputError, match="too many"):
        pairs_of_prompts([Candidate(f"{n}", "cat") for n in range(2000)])


def test_pictures_that_have_gone_are_named_and_the_others_are_rated(tmp_path):
    write_set(tmp_path / "set", 4)
    (tmp_path / "set" / "pictures" / "000002.png").unlink()
    task = planned("set")
    assert len(task.items) == 3 and task.failed == ["pictures/000002.png: it has gone"]
    shutil.rmtree(tmp_path / "set" / "pictures")
    with pytest.raises(InputError, match="none of its 4 pictures is there"):
        planned("set")
