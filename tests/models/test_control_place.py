"""Where a ControlNet is, and whether it fits a model, before a weight is read."""

import fnmatch
import json
import shutil
from dataclasses import replace

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.control_pictures import KINDS
from stickerforge.models import hub_place
from stickerforge.models.control_place import STEM, USUAL, find_control, usual_control
from stickerforge.models.registry import find_model
from tests.tiny import write_tiny_control


@pytest.fixture
def card(tiny_sd):
    return find_model(str(tiny_sd))


@pytest.fixture
def network(tiny_sd, tmp_path):
    return write_tiny_control(tmp_path / "control", tiny_sd)


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_folder_is_known_by_its_content(network, card, tmp_path, tiny_sd):
    place = find_control(str(network), card)
    assert (place.title, place.folder, place.fetch_line) == ("control", network, "")
    copy = find_control(str(shutil.copytree(network, tmp_path / "renamed")), card)
    assert copy.fingerprint == place.fingerprint and len(copy.fingerprint) == 16
    other = write_tiny_control(tmp_path / "other", tiny_sd, seed=1)
    assert find_control(str(other), card).fingerprint != place.fingerprint


def test_one_of_the_hub_is_fetched_when_it_is_needed(card, monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    place = find_control("lllyasviel/control_v11p_sd15_canny", card)
    assert place.folder is None and place.fingerprint == ""
    assert place.fetch_line == "lllyasviel/control_v11p_sd15_canny, 1445 MB"
    with pytest.raises(EnvironmentFault, match="is not in the cache"):
        place.fetch(card, offline=True, say=print)


def test_what_is_fetched_is_checked(card, monkeypatch, network, tiny_sdxl, tmp_path):
    place = find_control("somebody/else", card)
    monkeypatch.setattr(hub_place, "download", lambda *names, **options: network)
    assert place.fetch(card, offline=False, say=print) == network
    other = find_model(str(tiny_sdxl))
    with pytest.raises(InputError, match="somebody/else is not for Stable Diffusion XL"):
        place.fetch(other, offline=False, say=print)
    monkeypatch.setattr(hub_place, "download", lambda *names, **options: tmp_path)
    with pytest.raises(InputError, match=r"somebody/else holds no ControlNet: no config.json"):
        place.fetch(card, offline=False, say=print)


def test_what_does_not_fit_is_told_before_its_weights_are_fetched(
    card, monkeypatch, network, tiny_sdxl, tmp_path
):
    fetched = []

    def download(name, *, offline, say, patterns):
        if offline:
            raise EnvironmentFault("not in the cache")
        fetched.append(patterns)
        return network

    monkeypatch.setattr(hub_place, "download", download)
    place = find_control("somebody/else/part", card)
    change(shutil.copytree(network, network / "part"), _class_name="ControlNetUnionModel")
    with pytest.raises(InputError, match="somebody/else/part is a ControlNetUnionModel"):
        place.fetch(card, offline=False, say=print)
    assert fetched == [("part/config.json",)]
    change(network / "part", _class_name="ControlNetModel")
    assert place.fetch(card, offline=False, say=print) == network / "part"
    assert fetched[1] == ("part/config.json",) and len(fetched) == 3


@pytest.mark.parametrize("part", ["", "part/"])
@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_no_other_weights_are_fetched(card, monkeypatch, network, tmp_path, part, variant):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    weights, to, fetched = network / f"{STEM}{variant}.safetensors", tmp_path / "snapshot", []
    (network / f"{STEM}.safetensors").rename(weights)
    (network / "README.md").touch()
    if not variant:
        shutil.copy(weights, network / f"{STEM}_twins.safetensors")
        shutil.copy(weights, network / "original.safetensors")

    def fetch(name, *, cache_dir, allow_patterns, ignore_patterns, local_files_only=False):
        wanted = [
            path
            for path in sorted(network.iterdir())
            if any(fnmatch.fnmatch(part + path.name, pattern) for pattern in allow_patterns)
            and not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignore_patterns)
        ]
        missing = [path for path in wanted if not (to / part / path.name).exists()]
        if local_files_only and (missing or not to.exists()):
            raise LocalEntryNotFoundError("incomplete")
        (to / part).mkdir(parents=True, exist_ok=True)
        for path in missing:
            shutil.copy(path, to / part)
            fetched.append(path.name)
        return str(to)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    name = f"owner/name/{part}".rstrip("/")
    place = find_control(name, card)
    assert place.folder is None and not fetched
    assert place.fetch(card, offline=False, say=print) == to / part
    assert fetched == ["config.json", weights.name]
    again = find_control(name, card)
    assert again.folder == to / part and again.fetch_line == "" and len(fetched) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "T2IAdapter"}, "is a T2IAdapter, and --control takes"),
        ({"_class_name": "ControlNetUnionModel"}, "is a ControlNetUnionModel"),
        (
            {"cross_attention_dim": 1024},
            "is for Stable Diffusion 2.x: it reads texts of width 1024, those of .* have width 64",
        ),
        ({"cross_attention_dim": 96}, "control reads texts of width 96, those of .* have width 64"),
        ({"addition_embed_type": "text_time"}, "is for Stable Diffusion XL, and .* another model"),
        ({"in_channels": 9}, "reads latents of 9 channels, and .* has 4"),
        ({"block_out_channels": [32, 64, 64]}, "its levels are not those of tiny-sd"),
        ({"layers_per_block": 2}, "its levels are not those of tiny-sd"),
        ({"conditioning_channels": 6}, "6 channels, and there are 3"),
        ({"global_pool_conditions": True}, "not where, which --control does not"),
        ({"conditioning_embedding_out_channels": [16, 32, 96, 256]}, "latents of another size"),
        ({"in_channels": "four"}, "config.json"),
    ],
)
def test_what_does_not_fit_is_refused(network, card, changes, message):
    change(network, **changes)
    with pytest.raises(InputError, match=message) as error:
        find_control(str(network), card)
    assert error.value.hint and "\n" not in str(error.value)


def test_folders_that_hold_none(network, card, tmp_path, tiny_sd):
    for name in (tmp_path, tiny_sd, tiny_sd / "unet"):
        with pytest.raises(InputError):
            find_control(str(name), card)
    weights = network / "diffusion_pytorch_model.safetensors"
    weights.rename(network / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match="pickled ones are never read"):
        find_control(str(network), card)
    with pytest.raises(InputError, match="there is no folder 'nothing'"):
        find_control("nothing", card)
    with pytest.raises(InputError, match="config.json is a file") as error:
        find_control(str(network / "config.json"), card)
    assert error.value.hint == "give a folder with config.json"


def test_the_usual_ones(tiny_sd, card, tmp_path):
    with pytest.raises(InputError, match="no usual ControlNet for edges and tiny-sd"):
        usual_control("edges", card)
    for width, names in USUAL.items():
        folder = shutil.copytree(tiny_sd, tmp_path / str(width))
        change(folder / "unet", cross_attention_dim=width)
        wide = replace(card, folder=folder)
        assert {kind: usual_control(kind, wide) for kind in names} == names
        assert names["edges"] == names["canny"] and set(names) < set(KINDS)
        for kind in set(KINDS) - set(names):
            with pytest.raises(InputError, match=f"no usual ControlNet for {kind} and"):
                usual_control(kind, wide)
    assert set(USUAL[768]) == set(KINDS) - {"tile", "other"}
