"""One step of ours against the same step written out in float64 with plain diffusers networks."""

import shutil
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from torch.nn import functional as F

from stickerforge.objectives.dco import squared_error
from stickerforge.training.methods.denoising import (
    base_denoising_error,
    denoising_error,
)
from stickerforge.training.state import ADAPTER
from tests.tiny import as_flow, edit_json
from tests.training.setups import CONFIG, method_of, model_of, random_examples


class Table(torch.nn.Module):
    """A table of embeddings with one more row."""

    def __init__(self, table, row):
        super().__init__()
        self.table, self.row = (
            torch.nn.Parameter(table, requires_grad=False),
            torch.nn.Parameter(row),
        )

    def forward(self, ids):
        return F.embedding(ids, torch.cat([self.table, self.row[None]]))


class Wide(torch.nn.Module):
    """The model in float64: its adapter as W + up @ down, its token as a row of the table."""

    def __init__(self, state, folder):
        super().__init__()
        model = state.model
        self.unet = (
            UNet2DConditionModel.from_pretrained(folder / "unet").double().requires_grad_(False)
        )
        self.lora = {
            layer: [f.down.double(), f.up.double()]
            for layer, f in state.adapters.weights(ADAPTER).items()
        }
        for pair in self.lora.values():
            for tensor in pair:
                tensor.requires_grad_(True)
        self.towers = []
        for tower in model.text_encoders:
            fresh = type(tower.encoder)(tower.encoder.config).double().requires_grad_(False)
            core = getattr(fresh, "text_model", fresh)
            stored = load_file(
                folder
                / f"text_encoder{'_2' if tower.name == 'clip_g' else ''}"
                / "model.safetensors"
            )
            prefix = "" if core is not fresh else "text_model."
            fresh.load_state_dict(
                {key.removeprefix(prefix): value.double() for key, value in stored.items()}
            )
            row = state.embeddings["<dog>"][tower.name].detach().double().clone()
            core.embeddings.token_embedding = Table(
                core.embeddings.token_embedding.weight.detach().clone(), row
            )
            self.towers.append((tower, fresh, core))

    def rows(self):
        return [core.embeddings.token_embedding.row for _, _, core in self.towers]

    def text(self, captions):
        hidden, pooled = [], None
        for tower, fresh, core in self.towers:
            ids = tower.ids(captions)
            output = core(input_ids=ids, output_hidden_states=True)
            if len(self.towers) == 1:
                return output.last_hidden_state, None
            hidden.append(output.hidden_states[-2])
            ends = (ids == tower.tokenizer.eos_token_id).int().argmax(-1)
            pooled = (
                output.last_hidden_state[range(len(ids)), ends] @ fresh.text_projection.weight.T
                if tower.name == "clip_g"
                else None
            )
        return torch.cat(hidden, -1), pooled

    def predict(self, noisy, timesteps, captions, frames, adapted):
        plain = {}
        for layer, (down, up) in self.lora.items() if adapted else ():
            module = self.unet.get_submodule(layer.removeprefix("unet."))
            plain[module] = module.forward
            module.forward = lambda x, m=module, a=down, b=up: F.linear(x, m.weight + b @ a, m.bias)
        hidden, pooled = self.text(captions)
        added = None if pooled is None else {"text_embeds": pooled, "time_ids": frames}
        prediction = self.unet(noisy, timesteps, hidden, added_cond_kwargs=added).sample
        for module, forward in plain.items():
            module.forward = forward
        return prediction


STEPS = [
    ("tiny_sd", "dco", "epsilon"),
    ("tiny_sd", "dco", "v_prediction"),
    ("tiny_sd", "plain", "v_prediction"),
    ("tiny_sdxl", "dco", "epsilon"),
]


@pytest.mark.parametrize(("folder", "objective", "kind"), STEPS)
def test_a_step_is_the_equation(folder, objective, kind, request, tmp_path):
    folder = shutil.copytree(request.getfixturevalue(folder), tmp_path / folder)
    edit_json(folder / "scheduler" / "scheduler_config.json", prediction_type=kind)
    model = model_of(folder)
    method = method_of(model, replace(CONFIG, objective=objective), changed=True)
    state = method.train_state
    wide = Wide(state, folder)
    batch = method.batch(1)
    output = method.loss(batch, 1)
    output.loss.backward()
    batch = batch.reference

    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    signal = torch.cumprod(1 - betas, 0)[batch.timesteps][:, None, None, None]
    latents, noise = batch.latents.double(), batch.noise.double()
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    target = noise if kind == "epsilon" else signal.sqrt() * noise - (1 - signal).sqrt() * latents
    frames = torch.tensor([example.frame for example in batch.examples])
    errors = []
    for captions, adapted in (
        ([e.caption.text for e in batch.examples], True),
        ([e.caption.base for e in batch.examples], False),
    ):
        prediction = wide.predict(noisy, batch.timesteps, captions, frames, adapted)
        errors.append(((prediction - target) ** 2).mean((1, 2, 3)))
    loss = (
        -torch.log(torch.sigmoid(-CONFIG.beta * (errors[0] - errors[1].detach()))).mean()
        if objective == "dco"
        else errors[0].mean()
    )
    loss.backward()

    with torch.no_grad():
        error = denoising_error(state, batch)
    torch.testing.assert_close(error.double(), errors[0].detach(), rtol=1e-4, atol=1e-6)
    assert torch.equal(output.metrics["error"], error.mean())
    if objective == "dco":
        base = base_denoising_error(state, batch)
        torch.testing.assert_close(base.double(), errors[1].detach(), rtol=1e-4, atol=1e-6)
        assert torch.equal(output.metrics["base_error"], base.mean())
        assert torch.equal(output.metrics["gap"], (error - base).abs().mean())
    torch.testing.assert_close(output.loss.double(), loss, rtol=1e-3, atol=1e-4)
    ours = [parameter.grad for parameter in state.factors] + [
        row.grad for row in state.embedding_list()
    ]
    theirs = [tensor.grad for pair in wide.lora.values() for tensor in pair] + [
        row.grad for row in wide.rows()
    ]
    assert len(ours) == len(theirs)
    for first, second in zip(ours, theirs, strict=True):
        assert second.abs().max() > 0
        difference = (first.double() - second).norm() / second.norm()
        assert difference < 2e-3, difference


def test_masks_and_sizes_reach_the_error(tiny_sd):
    model = model_of(tiny_sd)
    mask = torch.zeros(16, 16)
    mask[4:9, 2:] = 0.5
    examples = [
        replace(example, mask=mask if i % 2 else None)
        for i, example in enumerate(random_examples(model))
    ]
    method = method_of(model, examples=examples, changed=True)
    batch = method.batch(2).reference
    with torch.no_grad():
        error = denoising_error(method.train_state, batch)
        captions = [example.caption.text for example in batch.examples]
        text = method.train_state.encode_text(captions, base=False)
        noisy = model.noise_process.add_noise(batch.latents, batch.noise, batch.timesteps)
        squares = (model.predict(noisy, batch.timesteps, text) - batch.noise).square().mean(1)
    assert {example.mask is None for example in batch.examples} == {True, False}
    for row, example in enumerate(batch.examples):
        wanted = squares[row].mean() if example.mask is None else squares[row][4:9, 2:].mean()
        torch.testing.assert_close(error[row], wanted, rtol=1e-4, atol=1e-6)


def test_errors_of_a_flow_are_those_of_its_velocity(tiny_sd, tmp_path):
    model = model_of(as_flow(tiny_sd, tmp_path / "flow"))
    method = method_of(model, changed=True)
    assert model.noise_process.prediction == "flow" and model.noise_process.timesteps == 1000
    batch = method.batch(1).reference
    sigma = (batch.timesteps / 1000)[:, None, None, None]
    with torch.no_grad():
        captions = [example.caption.text for example in batch.examples]
        text = method.train_state.encode_text(captions, base=False)
        noisy = (1 - sigma) * batch.latents + sigma * batch.noise
        velocity = model.predict(noisy, batch.timesteps, text)
        torch.testing.assert_close(
            denoising_error(method.train_state, batch),
            squared_error(velocity, batch.noise - batch.latents),
        )
    torch.testing.assert_close(model.noise_process.snr(torch.tensor([500])), torch.ones(1))


@pytest.mark.parametrize("folder", ["tiny_sd", "tiny_sdxl"])
def test_captions_of_any_length_share_a_batch_and_keep_theirs(folder, request):
    """Each is read as it would be alone, by the model in training and by the base."""
    model = model_of(request.getfixturevalue(folder))
    examples = random_examples(model)
    for at, more in ((1, " sits on a big table. It is red." * 9), (3, ", and a cat" * 18)):
        own = examples[at].caption
        caption = replace(own, text=own.text + more, base=own.base + more)
        examples[at] = replace(examples[at], caption=caption)
    method = method_of(model, replace(CONFIG, batch=4), examples=examples, changed=True)
    state, batch = method.train_state, method.batch(0).reference
    lengths = {model.context_windows(example.caption.text) for example in batch.examples}
    assert len(lengths) > 1
    for error_of in (denoising_error, base_denoising_error):
        together = error_of(state, batch)
        alone = torch.cat([error_of(state, batch.select([row])) for row in range(4)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    denoising_error(state, batch).mean().backward()
    assert all(row.grad.abs().sum() > 0 for row in state.embedding_list())
