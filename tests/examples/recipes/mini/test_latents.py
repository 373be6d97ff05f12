"""Latents on disk."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.recipes.mini import (
    latents,
)


def test_latents_that_were_interrupted_go_on(tmp_path, monkeypatch):
    class Encoder:
        def encode(self, pixels):
            pooled = torch.nn.functional.avg_pool2d(pixels, 8).repeat(1, 2, 1, 1)
            return SimpleNamespace(latent_dist=SimpleNamespace(mean=pooled))

    class Scenes:
        fails = None

        def __getitem__(self, index):
            if index == self.fails:
                raise KeyboardInterrupt
            return np.full((128, 128, 4), index % 251, np.uint8), f"scene {index}"

    scenes = Scenes()
    monkeypatch.setattr(latents, "training_world", lambda: scenes)
    monkeypatch.setattr(latents, "load_standard_autoencoder", lambda scenes: Encoder())
    monkeypatch.setattr(
        latents, "caption_variants", lambda truth, rng: [truth, str(rng.integers(1000))]
    )
    monkeypatch.setattr(latents, "ENCODE_BATCH", 4)

    def files(folder):
        folder.mkdir()
        for name, file in (
            ("RUN", ""),
            ("LATENTS", "latents.npy"),
            ("CAPTIONS", "captions.json"),
            ("TOKENIZER", "tokenizer"),
        ):
            monkeypatch.setattr(latents, name, folder / file)
        (folder / "tokenizer").mkdir()
        return folder

    whole = files(tmp_path / "whole")
    latents.write_latents(300)
    parts, scenes.fails = files(tmp_path / "parts"), 290
    with pytest.raises(KeyboardInterrupt):
        latents.write_latents(300)
    assert not (parts / "captions.json").exists()
    scenes.fails = 3  # is behind it now
    latents.write_latents(300)
    assert (parts / "captions.json").read_text() == (whole / "captions.json").read_text()
    np.testing.assert_array_equal(np.load(parts / "latents.npy"), np.load(whole / "latents.npy"))
    assert np.load(whole / "latents.npy")[299, 0, 0, 0] == np.float16(299 % 251 / 127.5 - 1)
    assert sorted(path.name for path in parts.iterdir()) == [
        "captions.json",
        "latents.npy",
        "tokenizer",
    ]
