"""Ordinary LoRA training as a training method."""

from dataclasses import replace

import torch

from stickerforge.training.methods.denoising import denoising_error
from tests.training.setups import CONFIG, class_examples, method_of, model_of


def test_class_images_add_their_error(tiny_sd):
    model = model_of(tiny_sd)
    config = replace(CONFIG, objective="plain", prior_weight=0.3)
    method = method_of(model, config, prior=class_examples(model), changed=True)
    batch = method.batch(0)
    with torch.no_grad():
        error, prior_error = (
            denoising_error(method.train_state, part).mean()
            for part in (batch.reference, batch.prior)
        )
    output = method.loss(batch, 0)
    torch.testing.assert_close(output.loss.detach(), error + 0.3 * prior_error)
    assert output.metrics.keys() == {"error"} and torch.equal(output.metrics["error"], error)
