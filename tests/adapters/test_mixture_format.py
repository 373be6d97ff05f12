"""The files of a mixture: read back as written, refused where they are broken."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load

from stickerforge.adapters import mixture_format, store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import KINDS, LORA, MIXTURE, kind_of
from stickerforge.adapters.lora_export import with_metadata
from stickerforge.adapters.lora_weights import LoraWeights
from stickerforge.adapters.merge_parents import find_parents
from stickerforge.adapters.mixture_blend import blend, blended_adapter, even_shares
from stickerforge.adapters.mixture_weights import MixtureWeights
from stickerforge.adapters.sources import read_source
from stickerforge.errors import InputError
from tests.adapters.test_store import BASE

LAYERS = ("unet.mid_block.attentions.0.to_q", "unet.up_blocks.0.conv1")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    return tmp_path


def lora(seed, layers=LAYERS):
    random = torch.Generator().manual_seed(seed)
    factors = {
        LAYERS[0]: LoraWeights(
            torch.randn(seed, 3, generator=random), torch.randn(4, seed, generator=random), 0.7
        ),
        LAYERS[1]: LoraWeights(
            torch.randn(seed, 2, 3, 3, generator=random),
            torch.randn(5, seed, 1, 1, generator=random),
            2.0,
        ),
    }
    return {layer: factors[layer] for layer in layers}


def mixture(**changes):
    random = torch.Generator().manual_seed(4)
    gates = {layer: torch.randn(3, 9, generator=random) for layer in LAYERS}
    weights = MixtureWeights(
        ("fit", "style", "edge"), (lora(2), lora(3), lora(1, LAYERS[:1])), gates, 0.5
    )
    return replace(weights, **changes)


def save(name="mixed", weights=None):
    parents = [{"name": own, "weight": 1.0, "sha256": "0" * 64} for own in ("a", "b", "c")]
    return store.save(
        name,
        weights or mixture(),
        kind="mixture",
        base=BASE,
        tokens={},
        phrase="",
        made={},
        parents=parents,
    )


def same(first, second):
    assert (first.names, first.temperature) == (second.names, second.temperature)
    assert first.gates.keys() == second.gates.keys()
    assert all(torch.equal(first.gates[key], second.gates[key]) for key in first.gates)
    for one, other in zip(first.loras, second.loras, strict=True):
        assert one.keys() == other.keys()
        for layer, own in one.items():
            assert torch.equal(own.down, other[layer].down)
            assert torch.equal(own.up, other[layer].up)
            assert own.alpha == pytest.approx(other[layer].alpha)


def test_what_is_saved_is_read_whole():
    adapter = save()
    assert store.find("mixed") == adapter and adapter.kind == "mixture"
    same(store.read_weights(adapter), mixture())
    assert [parent["name"] for parent in adapter.parents] == ["a", "b", "c"]
    assert [path.name.partition("-")[0] for path in adapter.paths] == ["mixture", "lora"]
    assert save("again").sha256 == adapter.sha256
    readme = (store.folder("mixed") / "README.md").read_text()
    assert "static average" in readme and adapter.paths[1].name in readme


def test_beside_it_lies_its_average_as_a_plain_lora():
    place = save().paths[1]
    plain = read_file(place)
    assert kind_of(plain) is LORA
    expected = blended_adapter(mixture(), even_shares(mixture())).lora
    found = LORA.read(*read_source(place)).lora
    assert found.keys() == expected.keys()
    for layer, own in expected.items():
        torch.testing.assert_close(found[layer].delta(), own.delta())
    means = sum(each[LAYERS[0]].delta() for each in mixture().loras) / 3
    torch.testing.assert_close(found[LAYERS[0]].delta(), means)


def test_a_blend_is_the_weighted_sum_of_changes():
    shares = {LAYERS[0]: (0.5, 0.2, 0.3), LAYERS[1]: (0.1, 0.2, 0.7)}
    blended, loras = blend(mixture(), shares), mixture().loras
    for layer in LAYERS:
        parts = zip(loras, shares[layer], strict=True)
        expected = sum(own[layer].delta() * share for own, share in parts if layer in own)
        torch.testing.assert_close(blended[layer].delta(), expected, rtol=1e-5, atol=1e-6)


def test_a_folder_or_file_by_its_path(tmp_path):
    adapter = save()
    copied = shutil.copytree(store.folder("mixed"), tmp_path / "copy")
    for source in (copied, copied / adapter.path.name):
        files = read_source(source)
        assert kind_of(files[0]) is MIXTURE
        same(MIXTURE.read(*files), mixture())
    other = save("other", mixture(temperature=2.0))
    shutil.copy(other.path, copied)
    with pytest.raises(InputError, match="more than one adapter"):
        read_source(copied)


def test_it_cannot_be_merged():
    save()
    save("other")
    with pytest.raises(InputError, match="'mixed' is an adapter of kind 'mixture'"):
        find_parents(["mixed", "other"], [])


def broken(change):
    """The bytes of a mixture after a change of (tensors, metadata)."""
    from safetensors.torch import save as save_tensors

    content = mixture_format.encode(mixture())
    tensors = load(content)
    metadata = {mixture_format.ABOUT: json.dumps({"names": ["a", "b", "c"], "temperature": 1})}
    change(tensors, metadata)
    return with_metadata(save_tensors(tensors), metadata)


def head(**values):
    return lambda tensors, metadata: metadata.update({mixture_format.ABOUT: json.dumps(values)})


def drop(*keys):
    return lambda tensors, metadata: [tensors.pop(key) for key in keys]


def put(key, value):
    return lambda tensors, metadata: tensors.update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (head(names=["a", "b"]), "its gates do not fit its 2 LoRAs"),
        (head(names=["a", "b", "c", "d"]), "no factors of its LoRA 3"),
        (head(names=[]), "0 LoRAs"),
        (head(names=["a"] * 17), "17 LoRAs"),
        (head(names="abc"), "metadata about the mixture is broken: names"),
        (head(names=["a", "b", "c"], temperature=0), "temperature"),
        (head(names=["a", "b", "c"], temperature=float("nan")), "metadata about the mixture"),
        (head(names=["a", "b", "c"], temperature="hot"), "temperature"),
        (head(names=["a\n", "b", "c"]), "names"),
        (head(), "names"),
        (lambda t, m: m.update({mixture_format.ABOUT: "{"}), "metadata about the mixture"),
        (drop(f"gate.{LAYERS[0]}"), "its gates are not those of its layers"),
        (put("gate.unet.other", torch.ones(3, 9)), "its gates are not those of its layers"),
        (put(f"gate.{LAYERS[0]}", torch.ones(3, 8)), "its gates do not fit"),
        (put(f"gate.{LAYERS[0]}", torch.ones(9)), "its gates do not fit"),
        (put(f"gate.{LAYERS[0]}", torch.full((3, 9), torch.inf)), "not finite"),
        (drop(f"lora.0.{LAYERS[0]}.lora_A.weight"), "no down factor"),
        (put(f"lora.0.{LAYERS[0]}.lora_A.weight", torch.ones(7, 3)), "do not fit"),
        (put(f"lora.0.{LAYERS[0]}.alpha", torch.ones(2)), "no single number"),
        (put("lora.7.unet.x.lora_A.weight", torch.ones(2, 2)), "holds what no mixture of 3"),
        (put("more", torch.ones(2)), "holds what no mixture of 3"),
    ],
)
def test_broken_ones_are_refused_in_one_line(change, message, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(broken(change))
    with pytest.raises(InputError) as caught:
        MIXTURE.read(read_file(path))
    assert message in caught.value.message and str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_plain_lora_is_no_mixture():
    with pytest.raises(InputError, match="holds no mixture of LoRAs"):
        KINDS["mixture"].read(read_file(save().paths[1]))
