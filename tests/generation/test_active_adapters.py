"""Adapters of a call: looked up once, read once, attached to a model."""

import json
import shutil
from pathlib import Path

import pytest

from stickerforge.adapters import store
from stickerforge.adapters.removal import remove
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import AdapterLookup, check_tokens

FAST = ("--steps", 1, "--seed", 1, "--quiet", "--json")


def test_an_adapter_of_the_store_is_described_and_read_later(install):
    adapter = install("dog", {"<dog>": "dog"})
    active = AdapterLookup().find("dog", 0.5)
    assert (active.source, active.scale, active.installed) == ("dog", 0.5, adapter)
    assert active.params() == {"adapter": "dog", "scale": 0.5, "sha256": adapter.sha256[:16]}
    assert (active.tokens, active.class_words, active.weights) == (("<dog>",), ("dog",), None)
    assert set(active.read_weights().tokens) == {"<dog>"}


def test_a_file_is_read_at_once_and_tells_no_folder(install, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(install("dog", {"<dog>": "puppy"}).path.read_bytes())
    active = AdapterLookup().find(str(path))
    assert active.params()["adapter"] == "mine.safetensors"
    assert active.class_words == ("puppy",) and active.describes_tokens, "of the installed adapter"
    path.unlink()
    assert set(active.read_weights().tokens) == {"<dog>"}
    remove("dog")
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="no safetensors file"):
        AdapterLookup().find(str(path))


def test_the_words_of_a_file_that_nobody_describes_are_guessed(install, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(install("dog", {"<dog>": "puppy"}).path.read_bytes())
    remove("dog")
    active = AdapterLookup().find(str(path))
    assert active.class_words == ("dog",) and not active.describes_tokens


def test_a_file_that_changed_since_it_was_described_is_refused(install):
    install("dog", {"<dog>": "dog"})
    active = AdapterLookup().find("dog")
    path = active.installed.path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="is damaged"):
        active.read_weights()
    path.unlink()
    with pytest.raises(InputError, match="make the adapter 'dog' again"):
        active.read_weights()


def test_a_broken_description_hinders_no_other_adapter(install):
    install("dog", {"<dog>": "dog"})
    install("cat", {"<cat>": "cat"})
    (store.folder("cat") / "adapter.json").write_text("{")
    lookup = AdapterLookup()
    assert [adapter.name for adapter in lookup.installed()] == ["dog"]
    with pytest.raises(InputError, match="is broken"):
        lookup.find("cat")


def test_a_token_means_one_thing(install):
    install("dog", {"<dog>": "dog"})
    install("hound", {"<dog>": "hound"})
    lookup = AdapterLookup()
    with pytest.raises(InputError, match="dog and hound both hold <dog>"):
        check_tokens([lookup.find("dog"), lookup.find("hound")])


@pytest.mark.parametrize("guidance", [(), ("--set", "sampling.consistency=2")])
def test_a_call_opens_each_adapter_file_and_description_once(cli, install, opened, guidance):
    install("dog", {"<dog>": "dog"})
    install("crayon", phrase="in crayon style")
    file = Path("mine.safetensors")
    shutil.copy(install("rex", {"<rex>": "dog"}).path, file)
    rows = [{"prompt": "a <dog> and <rex>", "style": "crayon", "seed": n} for n in range(50)]
    Path("p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = ("generate", "--prompts", "p.jsonl", "--adapter", file, *guidance, *FAST)
    opened.clear()
    assert cli(*asked, "--dry-run").code == 0
    paths = [store.folder(name) / "adapter.json" for name in ("dog", "crayon", "rex")]
    assert [opened.count(str(path)) for path in paths] == [1, 1, 1]
    assert opened.count(str(file)) == 1
    Path("p.jsonl").write_text("\n".join(map(json.dumps, rows[:2])))
    tensors = [store.find(name).path for name in ("dog", "crayon", "rex")]
    opened.clear()
    ended = cli(*asked)
    assert ended.code == 0 and len(ended.outputs) == 2
    assert [opened.count(str(path)) for path in paths] == [1, 1, 1]
    assert opened.count(str(file)) == 1
    assert [opened.count(str(path)) for path in tensors] == [1, 1, 0], "rex lends its words alone"
