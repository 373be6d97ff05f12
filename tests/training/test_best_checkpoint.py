"""The log of validations, and the best weights."""

import torch

from stickerforge.adapters.kinds import LORA
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.training.best_checkpoint import BestCheckpoint
from stickerforge.training.run_folder import RunFolder


def test_pictures_that_cannot_be_scored_are_never_the_best(tmp_path):
    best = BestCheckpoint(RunFolder(tmp_path), LORA, start=0)
    weights = AdapterWeights({"unet.x": LoraWeights(torch.ones(1, 2), torch.ones(2, 1), 1.0)})
    for step, score in ((1, float("nan")), (2, 0.4), (3, float("inf")), (4, 0.3)):
        best.add(step, {"drift": score, "score": score}, lambda: weights)
    assert best.best["step"] == 2 and (tmp_path / "watched.jsonl").read_text().count("NaN") == 0
