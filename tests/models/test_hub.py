"""Models of the hub: what is fetched of them, and in which order."""

import fnmatch
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from stickerforge.errors import InputError
from stickerforge.models.hub import download
from stickerforge.models.registry import find_model
from tests.models.test_weights import halve, load
from tests.tiny import edit_json


@pytest.fixture
def repository(tiny_sd, tmp_path, monkeypatch):
    """A repository that can be changed; files that were fetched are listed in `fetched`."""
    source = shutil.copytree(tiny_sd, tmp_path / "source")
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    files = lambda folder: [p for p in folder.rglob("*") if p.is_file()]  # noqa: E731

    def matches(name, patterns):
        return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)

    def fetch(name, *, cache_dir, allow_patterns, ignore_patterns, local_files_only=False):
        to = Path(cache_dir) / "models--owner--name" / "snapshots" / "0"
        names = [str(path.relative_to(source)) for path in files(source)]
        wanted = [
            n for n in names if matches(n, allow_patterns) and not matches(n, ignore_patterns)
        ]
        missing = [name for name in wanted if not (to / name).exists()]
        if local_files_only and (missing or not to.exists()):
            raise LocalEntryNotFoundError("incomplete")
        for name in missing:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, to / name)
            fetched.append(name)
        to.mkdir(parents=True, exist_ok=True)
        return str(to)

    fetched = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    return source, fetched


def test_an_architecture_is_told_before_its_weights_are_fetched(repository):
    source, fetched = repository
    edit_json(source / "model_index.json", _class_name="Flux2KleinPipeline")
    with pytest.raises(InputError, match=r"owner/name holds FLUX.2 \(Flux2KleinPipeline\)"):
        find_model("owner/name")
    assert fetched == ["model_index.json"]


def test_what_is_no_diffusers_model_is_not_fetched(repository):
    source, fetched = repository
    (source / "model_index.json").unlink()
    with pytest.raises(InputError, match=r"owner/name is no diffusers model"):
        find_model("owner/name")
    assert fetched == []


def test_variants_are_fetched_where_there_is_nothing_else(repository):
    source, fetched = repository
    shutil.copy(source / "vae/diffusion_pytorch_model.safetensors", source.parent / "vae")
    halve(source)
    shutil.copy(source.parent / "vae", source / "vae/diffusion_pytorch_model.safetensors")
    card = find_model("owner/name")
    names = {name for name in fetched if name.endswith(".safetensors")}
    assert names == {
        "text_encoder/model.fp16.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }
    load(card.folder)
    fetched.clear()
    assert find_model("owner/name", offline=True).folder == card.folder and not fetched


def test_a_repository_without_safetensors(repository):
    source, _ = repository
    weights = source / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    card = find_model("owner/name")
    with pytest.raises(InputError, match="unet has no safetensors weights"):
        load(card.folder)


def test_the_patterns_of_a_call_hold(repository):
    folder = download("owner/name", offline=False, say=print, patterns=("vae/*.json",))
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["config.json"]
