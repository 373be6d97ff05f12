"""A mixture from its parents and captioned pictures: the adapter, interruption, bad parents."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from stickerforge.adapters import store
from stickerforge.adapters.removal import remove
from stickerforge.config.schema import MixtureConfig
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.errors import InputError, Interrupted
from stickerforge.models.checksums import fingerprint
from stickerforge.models.registry import find_model
from stickerforge.runtime.console import Console
from stickerforge.training import mixture
from stickerforge.training.mixture import MixturePlan, check_mixable, train_mixture
from stickerforge.training.run_folder import RunFolder
from tests.adapters.test_mixture import random_lora
from tests.training.setups import model_of

SETTINGS = MixtureConfig(steps=4, batch=2, save_every=1, caption_dropout=0.5)
QUIET = Console(quiet=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def plan(tiny_sd, home):
    card = find_model(str(tiny_sd))
    base = store.Base(str(card.folder.resolve()), card.version, fingerprint(card.folder))
    return MixturePlan("mixed", card, base, SETTINGS, RunFolder(home / "runs" / "gates"), seed=3)


@pytest.fixture
def parents(plan, tiny_sd):
    model = model_of(tiny_sd)
    return {
        name: install(plan.base, f"lora-{name}", random_lora(model, rank, rank))
        for rank, name in ((2, "fit"), (3, "style"))
    }


@pytest.fixture
def data(home):
    folder = home / "chosen"
    folder.mkdir()
    for number, color in enumerate(((200, 30, 30), (30, 30, 200), (30, 200, 30))):
        Image.new("RGB", (32, 32), color).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a thing of kind {number}")
    return read_captioned_pictures(folder)


def install(base, name, lora, **about):
    from stickerforge.adapters.lora_weights import AdapterWeights

    values = {"kind": "tuned", "tokens": {}, "phrase": "", "made": {}} | about
    return store.save(name, AdapterWeights(lora), base=base, **values)


def test_the_mixture_is_kept_with_copies_of_its_parents(plan, parents, data):
    adapter = train_mixture(plan, parents, data, QUIET)
    assert store.find("mixed") == adapter and adapter.kind == "mixture"
    assert [(own["name"], own["sha256"]) for own in adapter.parents] == [
        (parent.name, parent.sha256) for parent in parents.values()
    ]
    assert adapter.made["steps"] == 4 and adapter.made["pictures"] == 3
    figures = adapter.made["figures"]
    assert figures["share_fit"] + figures["share_style"] == pytest.approx(1, abs=1e-4)
    of_parents = [store.read_weights(parent).lora for parent in parents.values()]
    for parent in parents.values():
        remove(parent.name)
    weights = store.read_weights(adapter)
    assert weights.names == ("fit", "style") and weights.temperature == 1.0
    for lora, own in zip(weights.loras, of_parents, strict=True):
        assert all(torch.equal(lora[layer].down, own[layer].down) for layer in own)
    assert all(bool(gate.any()) for gate in weights.gates.values())


def test_an_interrupted_run_goes_on_to_the_same_bytes(plan, parents, data, monkeypatch):
    whole = train_mixture(replace(plan, name="whole"), parents, data, QUIET)
    halves = replace(plan, run=RunFolder(plan.run.path.with_name("halves")))
    trained, steps = mixture.MixtureTuning.after_step, []

    def stop(method, output):
        steps.append(1)
        if len(steps) == 3:
            raise Interrupted("stopped", 130)
        trained(method, output)

    monkeypatch.setattr(mixture.MixtureTuning, "after_step", stop)
    with pytest.raises(Interrupted):
        train_mixture(halves, parents, data, QUIET)
    assert halves.run.checkpoint_info().step == 2 and not store.exists("mixed")
    resumed = train_mixture(halves, parents, data, QUIET)
    assert len(steps) == 5 and resumed.sha256 == whole.sha256
    assert train_mixture(halves, parents, data, QUIET) == resumed and len(steps) == 5
    remove("mixed")
    again = train_mixture(halves, parents, data, QUIET)
    assert again.sha256 == whole.sha256 and len(steps) == 5, "the checkpoint has it"
    other = replace(halves, settings=replace(SETTINGS, balance=1.0))
    assert train_mixture(other, parents, data, QUIET).sha256 != whole.sha256
    assert len(steps) == 9, "other settings begin anew"


def test_parents_that_cannot_be_mixed(plan, parents, tiny_sd):
    lora = store.read_weights(parents["fit"]).lora
    styled = install(plan.base, "styled", lora, kind="style", phrase="in ink")
    foreign = install(store.Base("sticker-mini", "2", "0" * 16), "foreign", lora)
    changed = install(replace(plan.base, fingerprint="1" * 16), "changed", lora)
    for other, message in (
        ({}, "a mixture of 1 LoRA cannot be made; give 2 to 16"),
        ({"s": styled}, "'styled' holds the word 'in ink'"),
        ({"f": foreign}, "'foreign' was made for sticker-mini@2, not for"),
        ({"c": changed}, "as it is; mix LoRAs of one base"),
        ({f"{i}": parents["style"] for i in range(16)}, "a mixture of 17 LoRAs"),
        ({"m": replace(styled, kind="decoder", phrase="")}, "of kind 'decoder'"),
    ):
        with pytest.raises(InputError) as caught:
            check_mixable({"fit": parents["fit"]} | other, plan.base)
        assert message in str(caught.value)


def test_a_parent_that_is_gone_or_a_side_that_does_not_suit(plan, parents, data):
    with pytest.raises(InputError, match="resolution = 33 does not suit"):
        odd = replace(SETTINGS, resolution=33)
        train_mixture(replace(plan, settings=odd), parents, data, QUIET)
    parents["fit"].path.unlink()
    with pytest.raises(InputError, match="make the adapter 'lora-fit' again"):
        train_mixture(plan, parents, data, QUIET)
    assert not store.exists("mixed")
