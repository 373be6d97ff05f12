"""The store: descriptions of today and tomorrow, and files that are read once."""

import json
import pathlib
from dataclasses import dataclass

import pytest
import torch

from stickerforge.adapters import store
from stickerforge.adapters.kinds import KINDS, LORA, kind_of
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.adapters.merge_parents import find_parents
from stickerforge.errors import InputError

LAYER = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
BASE = store.Base("sticker-mini", "2.1", "0123456789abcdef")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path))
    return tmp_path


def save(name="dog", seed=0):
    random = torch.Generator().manual_seed(seed)
    factors = LoraWeights(
        torch.randn((2, 3), generator=random), torch.randn((4, 2), generator=random), 2.0
    )
    weights = AdapterWeights({LAYER: factors}, {f"<{name}>": {"clip_l": torch.ones(5)}})
    return store.save(
        name, weights, kind="subject", base=BASE, tokens={f"<{name}>": "dog"}, phrase="", made={}
    )


def edit(name, **changes):
    path = store.folder(name) / store.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_saved_is_found():
    adapter = save()
    assert store.find("dog") == adapter and store.names() == ["dog"]
    weights = store.read_weights(adapter)
    assert set(weights.lora) == {LAYER} and set(weights.tokens) == {"<dog>"}


def test_weights_are_read_once(monkeypatch):
    adapter, reads = save(), []
    read_bytes = pathlib.Path.read_bytes
    spy = lambda path: reads.append(path) or read_bytes(path)  # noqa: E731
    monkeypatch.setattr(pathlib.Path, "read_bytes", spy)
    store.read_weights(adapter)
    assert reads == [adapter.path]


def test_a_description_that_changed_is_read_again():
    first = save()
    assert store.find("dog").sha256 == first.sha256
    second = save(seed=1)
    assert store.find("dog").sha256 == second.sha256 != first.sha256
    store.remove("dog")
    with pytest.raises(InputError, match="there is no adapter 'dog'"):
        store.find("dog")


def test_a_kind_of_tomorrow_is_refused_by_name():
    save()
    edit("dog", kind="mixture", experts=[1, 2], tokens=3)
    with pytest.raises(InputError) as caught:
        store.find("dog")
    assert str(caught.value) == (
        "'dog' is an adapter of kind 'mixture', which this stickerforge does not know;"
        " update stickerforge"
    )
    assert store.names() == ["dog"], "it is listed, and can be removed"
    assert store.remove("dog")


def test_a_format_of_tomorrow_is_refused_before_anything_else():
    save()
    edit("dog", format=2, kind="mixture", base="elsewhere")
    with pytest.raises(InputError, match="written by a newer stickerforge; update stickerforge"):
        store.find("dog")


def test_fields_of_tomorrow_are_ignored():
    adapter = save()
    edit("dog", rating=5, base=vars(BASE) | {"family": "sd"})
    assert store.find("dog") == adapter


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": ["subject"]},
        {"base": {}},
        {"base": None},
        {"tokens": []},
        {"made": 1},
        {"parents": {}},
        {"phrase": None},
        {"file": "../elsewhere.safetensors"},
    ],
)
def test_a_broken_description_is_one_line(changes):
    save()
    edit("dog", **changes)
    with pytest.raises(InputError, match=r"adapter\.json is broken .*then make it again"):
        store.find("dog")


@pytest.mark.parametrize("text", ["[]", "{}", "null", '"x"', "{", ""])
def test_a_description_that_is_none(text):
    save()
    (store.folder("dog") / store.CARD).write_text(text)
    with pytest.raises(InputError, match="is broken"):
        store.find("dog")


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"\xff" + b[1:], lambda b: b[:4]])
def test_a_damaged_file_is_named_before_it_is_parsed(damage):
    adapter = save()
    adapter.path.write_bytes(damage(adapter.path.read_bytes()))
    with pytest.raises(InputError, match="its sha256 is not the recorded one"):
        store.read_weights(adapter)
    adapter.path.unlink()
    with pytest.raises(InputError, match="cannot read .*make the adapter 'dog' again"):
        store.read_weights(adapter)


@dataclass
class AttachedGain:
    """Multiplies what a model predicts."""

    model: object
    gain: float
    scale: float = 0.0

    def activate(self, scale):
        self.scale = scale

    def deactivate(self):
        self.scale = 0.0


class Gain:
    """A kind of this test's own: one number."""

    names = ("gain",)

    def recognises(self, header):
        return set(header) == {"gain"}

    def read(self, file):
        from safetensors.torch import load

        return float(load(file.content)["gain"])

    def attach(self, model, name, weights, source):
        return AttachedGain(model, weights)


@pytest.fixture
def gain(monkeypatch):
    monkeypatch.setitem(KINDS, "gain", Gain())


def save_gain(name, value):
    """As a newer version would have written it."""
    import hashlib

    from safetensors.torch import save as encode

    content = encode({"gain": torch.tensor(value)})
    folder = store.folder(name)
    folder.mkdir(parents=True)
    (folder / "gain.safetensors").write_bytes(content)
    description = {
        "format": store.FORMAT,
        "name": name,
        "kind": "gain",
        "base": vars(BASE),
        "file": "gain.safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / store.CARD).write_text(json.dumps(description))
    return folder / "gain.safetensors"


def test_a_registered_kind_is_found_read_and_attached(gain):
    path = save_gain("louder", 1.5)
    adapter = store.find("louder")
    weights = store.read_weights(adapter)
    assert (adapter.kind, weights, adapter.tokens) == ("gain", 1.5, {})
    attached = KINDS[adapter.kind].attach("the model", "adapter0", weights, "louder")
    attached.activate(0.7)
    assert (attached.model, attached.gain, attached.scale) == ("the model", 1.5, 0.7)
    from stickerforge.adapters.header import read_file

    assert kind_of(read_file(path)) is KINDS["gain"]
    assert kind_of(read_file(save().path)) is LORA


def test_generation_attaches_any_registered_kind(gain):
    from stickerforge.generation.active_adapters import AdapterLookup, activate, attach_adapters

    path, lookup = save_gain("louder", 1.5), AdapterLookup()
    uses = [lookup.find("louder", 0.7), lookup.find(str(path), 0.2)]
    attached = attach_adapters("the model", uses)
    activate(attached, uses[:1])
    assert [one.gain for one in attached.values()] == [1.5, 1.5]
    assert [one.scale for one in attached.values()] == [0.7, 0.0]


def test_only_loras_can_be_merged(gain):
    save(), save_gain("louder", 1.5)
    with pytest.raises(InputError, match="'louder' is an adapter of kind 'gain', which cannot"):
        find_parents(["dog", "louder"], [])


@pytest.mark.parametrize(
    ("text", "expected"), [("dog", ("dog", 1.0)), ("dog:0.5", ("dog", 0.5)), ("d:-1", ("d", -1.0))]
)
def test_weights_behind_a_colon(text, expected):
    assert store.parse_weight(text) == expected


@pytest.mark.parametrize("text", ["dog:", "dog:x", "dog:nan", "dog:11", "dog:inf"])
def test_weights_that_are_none(text):
    with pytest.raises(InputError, match=r"is no weight|out of range"):
        store.parse_weight(text)
