"""The store: descriptions of today and tomorrow, and files that are read once."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load
from safetensors.torch import save as save_tensors

from stickerforge.adapters import store, weight_files
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import KINDS, LORA, kind_of
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.adapters.merge_parents import find_parents
from stickerforge.adapters.removal import remove
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.active_adapters import AdapterLookup, activate, attach_adapters
from stickerforge.generation.sampler import GuidanceParams, SamplingParams, sample
from stickerforge.models.registry import find_model, load_model
from tests.conftest import one_line

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


def test_folders_that_no_adapter_wrote_stay_and_those_of_another_one_go():
    save()
    place = store.folder("dog")
    kept = ("notes/mine.txt", "preview/000.png", "vae/config.json", "vae-mine/x")
    for name in (*kept, "vae-0123456789ab/x", ".vae-0123456789ab-new/x"):
        (place / name).parent.mkdir()
        (place / name).write_text("x")
    save(seed=1)
    found = {str(path.relative_to(place)) for path in place.glob("*/*")}
    assert found == set(kept)


def test_weights_are_read_once(monkeypatch):
    adapter, reads = save(), []
    read = weight_files.read_bounded
    spy = lambda path, limit: reads.append(path) or read(path, limit)  # noqa: E731
    monkeypatch.setattr(weight_files, "read_bounded", spy)
    store.read_weights(adapter)
    assert reads == adapter.paths


def test_a_description_that_changed_is_read_again():
    first = save()
    assert store.find("dog").sha256 == first.sha256
    second = save(seed=1)
    assert store.find("dog").sha256 == second.sha256 != first.sha256
    remove("dog")
    with pytest.raises(InputError, match="there is no adapter 'dog'"):
        store.find("dog")


def test_a_kind_of_tomorrow_is_refused_by_name():
    save()
    edit("dog", kind="selection", experts=[1, 2], tokens=3)
    with pytest.raises(InputError) as caught:
        store.find("dog")
    assert str(caught.value) == (
        "'dog' is an adapter of kind 'selection', which this stickerforge does not know;"
        " update stickerforge"
    )
    assert store.names() == ["dog"], "it is listed, and can be removed"
    assert remove("dog")


def test_a_format_of_tomorrow_is_refused_before_anything_else():
    save()
    edit("dog", format=3, kind="selection", base="elsewhere")
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
        {"files": {"../elsewhere.safetensors": "0" * 64}},
        {"files": {}},
        {"files": None},
        {"format": 1, "file": "../elsewhere.safetensors"},
    ],
)
def test_a_broken_description_is_one_line(changes):
    save()
    edit("dog", **changes)
    with pytest.raises(InputError, match=r"adapter\.json is broken: .*then make it again"):
        store.find("dog")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": None}, "format is None"),
        ({"format": -1}, "format is -1"),
        ({"tokens": {"dog": "dog"}}, "tokens is 'dog', not a placeholder"),
        ({"tokens": {"<dog>": None}}, "tokens.<dog> is None"),
        ({"phrase": "a\nb"}, "phrase is"),
        ({"sha256": "0"}, "sha256 is '0', not a sha256"),
        ({"base": {"name": "x", "version": [], "fingerprint": "0"}}, "base.version is []"),
        ({"made": {"steps": 10**12}}, "made.steps is"),
        ({"made": {"captions": {"a": 1}}}, "made.captions is"),
        ({"made": {"captions": [None]}}, "made.captions[0] is None"),
        ({"parents": [None]}, "parents[0] is None, not a table"),
        ({"parents": [{"name": "a", "weight": "1", "sha256": "0" * 64}]}, "parents[0].weight"),
        ({"parents": [{"name": "a", "weight": 1e300, "sha256": "0" * 64}]}, "parents[0].weight"),
    ],
)
def test_values_of_a_description_have_types_and_bounds(changes, said):
    save()
    edit("dog", **changes)
    with pytest.raises(InputError) as caught:
        store.find("dog")
    assert f"adapter.json is broken: {said}" in str(caught.value)


def test_one_broken_adapter_leaves_the_others_in_the_list(cli, home):
    save("cat")
    for name, text in {
        "deep": '{"a":' * 50_000,
        "nan": '{"format": NaN}',
        "huge": '{"format": 1e999}',
        "null": "null",
        "bytes": "\udcff",
    }.items():
        place = store.folder(name)
        place.mkdir(parents=True)
        (place / store.CARD).write_text(text, errors="surrogateescape")
    shutil.copytree(home, home / "home", dirs_exist_ok=True)
    ended = cli("adapters", "list")
    assert ended.code == 4 and "cat" in ended.out
    assert len(ended.err.splitlines()) == 1 and "5 adapters cannot be used: bytes, " in ended.err
    listed = cli("adapters", "list", "--json")
    assert listed.code == 4 and not listed.json["ok"]
    kinds = {row["name"]: row["kind"] for row in listed.json["result"]["adapters"]}
    assert kinds.pop("cat") == "subject" and set(kinds.values()) == {"broken"}
    for arguments in (
        ("adapters", "show", "deep"),
        ("merge", "cat", "nan", "--name", "both"),
        ("generate", "a cat", "--adapter", "huge", "--dry-run"),
        ("generate", "a cat", "--style", "null", "--dry-run"),
    ):
        ended = cli(*arguments)
        assert ended.code == 2 and "adapter.json is broken" in one_line(ended)


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


class AttachedGain:
    """Multiplies what the denoiser predicts, the more the noisier the latents are."""

    def __init__(self, model, gain):
        self.gain, self.scale = gain, 0.0
        model.networks[model.spec.denoiser].register_forward_hook(self.multiply)

    def multiply(self, network, inputs, outputs):
        strength = self.scale * float(inputs[1]) / 1000  # the timestep
        return tuple(output * (1 + strength * (self.gain - 1)) for output in outputs)

    def activate(self, scale):
        self.scale = scale

    def deactivate(self):
        self.scale = 0.0


class Gain:
    """A kind of this test's own: one number."""

    names = ("gain",)

    def recognises(self, file):
        return set(file.header) == {"gain"}

    def read(self, file):
        return float(load(file.content)["gain"])

    def encode(self, weights):
        return save_tensors({"gain": torch.tensor(weights)})

    def encode_files(self, weights, metadata):
        return {"gain": save_tensors({"gain": torch.tensor(weights)}, metadata)}

    def readme(self, weights, adapter):
        return f"{adapter.name} multiplies by {weights}"

    def attach(self, model, name, weights, source):
        return AttachedGain(model, weights)


@pytest.fixture
def gain(monkeypatch):
    monkeypatch.setitem(KINDS, "gain", Gain())


def save_gain(name, value):
    return store.save(name, value, kind="gain", base=BASE, tokens={}, phrase="", made={})


def test_a_registered_kind_is_saved_found_and_read(gain):
    adapter = save_gain("louder", 1.5)
    assert store.find("louder") == adapter and (adapter.kind, adapter.tokens) == ("gain", {})
    assert store.read_weights(adapter) == 1.5
    assert kind_of(read_file(adapter.path)) is KINDS["gain"]
    assert kind_of(read_file(save().path)) is LORA


def test_what_does_not_read_back_is_not_saved(gain, monkeypatch):
    monkeypatch.setattr(Gain, "read", lambda self, file: 0.0)
    with pytest.raises(EnvironmentFault, match="does not read back as it was written"):
        save_gain("louder", 1.5)
    assert store.names() == [] and not list(store.folder("louder").glob("*.safetensors"))


def test_what_no_adapter_may_hold_is_not_saved():
    adapter = save()
    weights = store.read_weights(adapter)
    weights.lora[LAYER].up[0, 0] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        store.save("dog", weights, kind="subject", base=BASE, tokens={}, phrase="", made={})
    assert store.find("dog") == adapter and store.read_weights(adapter)
    assert sorted(store.folder("dog").glob("*.safetensors")) == sorted(adapter.paths)


def test_generation_takes_any_registered_kind_whose_strength_follows_the_timestep(gain, tiny_sd):
    adapter, lookup = save_gain("louder", 1.5), AdapterLookup()
    uses = [lookup.find("louder", 0.7), lookup.find(str(adapter.path), 0.2)]
    model = load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)

    def sampled():
        size = SamplingParams(steps=2, pixels=model.pixels)
        return next(sample(model, ["a cat"], [3], size, GuidanceParams(scale=1.0)))

    before = sampled()
    attached = attach_adapters(model, uses)
    assert torch.equal(sampled(), before), "attached is not active"
    activate(attached, uses[:1])
    assert [one.gain for one in attached.values()] == [1.5, 1.5]
    assert [one.scale for one in attached.values()] == [0.7, 0.0]
    ours = sampled()

    predict = model.predict
    activate(attached, ())
    model.predict = lambda noisy, timestep, text: (
        predict(noisy, timestep, text) * (1 + 0.7 * float(timestep) / 1000 * 0.5)
    )
    assert torch.equal(sampled(), ours) and not torch.equal(ours, before)


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
