"""LPIPS against the package `lpips` on the same random weights."""

import sys
import types

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stickerforge.errors import InputError
from stickerforge.models.lpips import Lpips, load_lpips


def convolutions(*rows):
    """Convolutions with ReLU, and poolings, as torchvision orders them."""
    layers = []
    for row in rows:
        layers += (
            [nn.MaxPool2d(*row[1:])]
            if row[0] == "pool"
            else [nn.Conv2d(*row), nn.ReLU(inplace=True)]
        )
    return types.SimpleNamespace(features=nn.Sequential(*layers))


def alexnet(pretrained):
    """The published architecture with random weights: all that lpips takes from torchvision."""
    assert not pretrained
    pool = ("pool", 3, 2)
    return convolutions(
        (3, 64, 11, 4, 2),
        pool,
        (64, 192, 5, 1, 2),
        pool,
        (192, 384, 3, 1, 1),
        (384, 256, 3, 1, 1),
        (256, 256, 3, 1, 1),
    )


def vgg16(pretrained):
    assert not pretrained
    rows, before = [], 3
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            rows.append((before, channels, 3, 1, 1))
            before = channels
        rows.append(("pool", 2, 2))
    return convolutions(*rows)


@pytest.fixture
def reference(monkeypatch):
    pytest.importorskip("scipy")
    torchvision = types.ModuleType("torchvision")
    torchvision.models = types.SimpleNamespace(alexnet=alexnet, vgg16=vgg16)
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    package = pytest.importorskip("lpips", reason="needs the package lpips: make test installs it")
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "lpips"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["alex", "vgg"])
@pytest.mark.parametrize("dropout", [True, False])
def test_the_distance_is_that_of_the_package(reference, tmp_path, name, dropout):
    torch.manual_seed(0)
    theirs = reference.LPIPS(
        pretrained=False, net=name, pnet_rand=True, use_dropout=dropout, verbose=False
    )
    for layer in theirs.lins:
        nn.init.uniform_(layer.model[-1].weight)
    weights = theirs.state_dict()  # as the README says
    save_file(
        {key: w.clone() for key, w in weights.items() if not key.startswith("lins.")},
        tmp_path / "lpips.safetensors",
    )
    kind, ours = load_lpips(tmp_path / "lpips.safetensors")
    first, second = torch.rand(2, 3, 64, 80) * 2 - 1, torch.rand(2, 3, 64, 80) * 2 - 1
    with torch.no_grad():
        expected = theirs(first, second).flatten()
    assert kind == name and bool((expected > 0.01).all())
    torch.testing.assert_close(ours(first, second), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(ours(second, first), expected, rtol=1e-4, atol=1e-6)
    assert float(ours(first, first).abs().max()) == 0


def test_what_is_no_lpips_is_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    save_file({"net.slice1.0.weight": torch.zeros(64, 3, 11, 11)}, tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_text("no")
    squeeze = {
        "net.slice1.0.weight": torch.zeros(64, 3, 3, 3),
        "net.slice2.3.squeeze.weight": torch.zeros(1),
    }
    save_file(squeeze, tmp_path / "e.safetensors")
    for name, said in (
        ("a", "no LPIPS"),
        ("e", "no LPIPS"),
        ("b", "no complete LPIPS"),
        ("c", "cannot read"),
        ("d", "cannot read"),
    ):
        with pytest.raises(InputError, match=said):
            load_lpips(tmp_path / f"{name}.safetensors")


def alex_tensors():
    """A whole LPIPS of alex under the package's names."""
    network, tensors = Lpips("alex"), {}
    for number, (place, stage) in enumerate(zip((0, 3, 6, 8, 10), network.stages, strict=True)):
        name = f"net.slice{number + 1}.{place}"
        tensors |= {f"{name}.weight": stage[0].weight.detach(), f"{name}.bias": stage[0].bias.data}
        tensors[f"lin{number}.model.1.weight"] = torch.ones(1, len(stage[0].bias), 1, 1)
    return tensors


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("net.slice3.6.bias", None, "it lacks net.slice3.6.bias"),
        ("lin4.model.1.weight", None, "it lacks lin4.model.0.weight"),
        ("net.slice2.3.weight", None, "it has 4 convolutions, not 5"),
        ("net.slice2.3.bias", torch.zeros(7), "has shape"),
        ("lin0.model.1.weight", torch.full((1, 64, 1, 1), torch.nan), "is not finite"),
    ],
)
def test_weights_that_are_not_all_there(tmp_path, name, value, said):
    tensors, file = alex_tensors(), tmp_path / "lpips.safetensors"
    save_file(tensors, file)
    assert load_lpips(file)[0] == "alex"
    save_file(
        {key: part for key, part in (tensors | {name: value}).items() if part is not None}, file
    )
    with pytest.raises(InputError) as caught:
        load_lpips(file)
    assert "is no complete LPIPS" in str(caught.value) and said in str(caught.value)
