"""What tests of generation share: small adapters in the store, and which files are opened."""

import sys

import pytest
import torch

from stickerforge.adapters import store
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.models.checksums import fingerprint
from stickerforge.models.registry import find_model


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Put a small adapter of sticker-mini into an empty store."""
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    card = find_model("sticker-mini")
    base = store.Base(card.name, card.version, fingerprint(card.folder))

    def save(name, tokens=None, phrase="", **changes):
        tokens = tokens or {}
        embeddings = {token: {"clip_l": torch.ones(192)} for token in tokens}
        weights = AdapterWeights({}, embeddings or {"<none>": {"clip_l": torch.ones(192)}})
        known = {"kind": "style" if phrase else "subject", "base": base, "made": {}}
        return store.save(name, weights, tokens=tokens, phrase=phrase, **known | changes)

    return save


@pytest.fixture
def opened():
    """The paths of all files that are opened meanwhile."""
    paths, recording = [], [True]

    def hook(event, arguments):
        if recording and event == "open":
            paths.append(str(arguments[0]))

    sys.addaudithook(hook)
    yield paths
    recording.clear()
