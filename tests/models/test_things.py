import json

import pytest

from stickerforge.errors import InputError
from stickerforge.models.card import read_card
from stickerforge.models.things import Things, read_things, words_of


def test_words_are_parted_by_hyphens_and_keep_apostrophes():
    assert words_of("T-Rex, the woman’s hat") == ("t", "rex", "the", "woman's", "hat")


def test_of_two_things_of_one_name_the_full_name_comes_first():
    things = Things({"animals": {"cat face": "cat", "cat": "cat"}})
    assert things.by_name == {("cat", "face"): "cat face", ("cat",): "cat"}


@pytest.mark.parametrize("table", [{"groups": []}, {"groups": {"a": {"b": 3}}}, {"nouns": {}}])
def test_a_broken_table_is_named(tmp_path, table):
    (tmp_path / "stickerforge.json").write_text(json.dumps({"things": "things.json"}))
    (tmp_path / "things.json").write_text(json.dumps(table))
    with pytest.raises(InputError, match="things.json is broken"):
        read_things(read_card(tmp_path, "mine"))


def test_a_model_without_a_table_has_no_things(tmp_path):
    assert read_things(read_card(tmp_path, "mine")) is None


def test_a_table_is_read_again_only_when_its_file_has_changed(tmp_path):
    (tmp_path / "stickerforge.json").write_text(json.dumps({"things": "things.json"}))
    path = tmp_path / "things.json"
    path.write_text(json.dumps({"groups": {"a": {"cat": "cat"}}}))
    first = read_things(read_card(tmp_path, "mine"))
    assert first.names == {"cat": "cat"} and read_things(read_card(tmp_path, "mine")) is first
    path.write_text(json.dumps({"groups": {"a": {"owl bird": "owl"}}}))
    assert read_things(read_card(tmp_path, "mine")).names == {"owl bird": "owl"}
    path.unlink()
    with pytest.raises(InputError, match=r"things.json"):
        read_things(read_card(tmp_path, "mine"))
