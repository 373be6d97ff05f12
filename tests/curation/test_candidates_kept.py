"""What a set keeps to: what people see, what a refusal or a fault leaves, what is counted."""

import pytest

from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation import candidates as module
from stickerforge.data.prompt_bank import BankPrompt
from stickerforge.errors import EnvironmentFault, InputError, Interrupted
from stickerforge.rating.rating_set import SetInfo, is_set
from tests.curation.drawn_set import PROMPTS, content, files, gate, rows


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))


def test_people_do_not_see_what_no_gate_has_judged(draw, tmp_path, quiet, monkeypatch):
    """Neither of a first call nor of a later one, whether it ends or is interrupted."""
    folder = tmp_path / "set"
    draw()
    assert not is_set(folder)
    gate(folder, quiet)
    shown = rows(folder, "candidates.jsonl")
    original = module.sample_jobs

    def cut_short(*arguments):
        yield next(iter(original(*arguments)))
        raise Interrupted

    monkeypatch.setattr(module, "sample_jobs", cut_short)
    with pytest.raises(Interrupted):
        draw(seed=1)
    assert len(rows(folder)) == 1 and rows(folder, "candidates.jsonl") == shown
    monkeypatch.setattr(module, "sample_jobs", original)
    assert draw(seed=1).made == 5
    assert len(rows(folder)) == 6 and rows(folder, "candidates.jsonl") == shown
    gate(folder, quiet)
    names = [row["file_name"] for row in rows(folder, "candidates.jsonl")]
    assert len(names) == len(set(names)) == 6 and rows(folder) == []


@pytest.mark.parametrize("part", ["verify", "load", "load_cut_out"])
def test_force_deletes_nothing_before_the_new_model_is_there(
    draw, tmp_path, quiet, monkeypatch, part
):
    draw()
    gate(tmp_path / "set", quiet)
    before = files(tmp_path / "set")

    def fail(*arguments, **options):
        raise EnvironmentFault("no room", "get some")

    monkeypatch.setattr(module, part, fail)
    other = ContentConfig(
        count=3, steps=2, matting="isnet-anime" if part == "load_cut_out" else "none"
    )
    with pytest.raises(EnvironmentFault, match="no room"):
        draw(settings=other, force=True)
    after = files(tmp_path / "set")
    after.pop("set.json"), before.pop("set.json")
    assert after == before


def test_a_call_that_is_refused_writes_nothing(draw, tmp_path):
    draw()
    before = files(tmp_path / "set")
    for options in ({"info": SetInfo("match", "Other.")}, {"prompts": PROMPTS[:1]}):
        with pytest.raises(InputError, match="of another model or other settings"):
            draw(settings=ContentConfig(count=3, steps=2, matting="none"), **options)
    assert files(tmp_path / "set") == before


@pytest.mark.parametrize("damage", [lambda data: b"xx", lambda data: b"", lambda data: data[:-30]])
@pytest.mark.parametrize("gated", [False, True])
def test_a_damaged_picture_is_drawn_anew(draw, tmp_path, quiet, damage, gated):
    folder = tmp_path / "set"
    draw()
    before = content(folder)
    for name in ("000002.png", "000005.png"):
        (folder / "pictures" / name).write_bytes(damage(before[name]))
    if gated:
        gate(folder, quiet, prompt_share=0.0)
        assert {row["gate"] for row in rows(folder, "removed.jsonl")} == {"unreadable"}
    again = draw()
    assert (again.made, again.kept) == (2, 4)
    assert content(folder) == before
    gate(folder, quiet, prompt_share=0.0)
    assert len(rows(folder, "candidates.jsonl")) == 6 and not rows(folder, "removed.jsonl")


def test_pictures_of_another_seed_or_prompt_are_counted_and_named(draw, tmp_path, quiet):
    draw()
    result = draw(seed=1)
    assert (result.made, result.kept) == (6, 6)
    assert quiet.warnings == [
        "6 pictures of other prompts or another seed stay in the set; "
        "another --name begins a new one"
    ]
    other = draw([BankPrompt("a bee", "file")], seed=1)
    assert (other.made, other.kept) == (3, 12)
    assert quiet.warnings[1].startswith("12 pictures of other prompts")


def test_a_prompt_that_the_model_cannot_draw_is_a_row_to_change(draw, tmp_path):
    """Not a setting that this command does not have."""
    strange = BankPrompt("quantum entanglement", "file")
    mini = {"model": "sticker-mini"}
    settings = ContentConfig(count=1, steps=1, matting="none", file="mine.txt")
    with pytest.raises(InputError, match="names nothing that sticker-mini draws") as error:
        draw([strange], settings=settings, **mini)
    assert "change its row in mine.txt" in error.value.hint
    assert "words.unknown" not in error.value.hint and not (tmp_path / "set").exists()
    some = draw([strange, BankPrompt("a cat", "file")], settings=settings, **mini)
    assert some.made == 1 and len(some.failed) == 1
    assert "mine.txt" in some.failed[0] and "words.unknown" not in some.failed[0]
