"""One step of ours against the same step written out in float64 with plain diffusers networks."""

import math
import shutil
from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from torch.nn import functional as F

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.data.captions import Caption
from stickerforge.models.registry import find_model, load_model
from stickerforge.training.batches import TrainingExample, batch_indices, sample_batch
from stickerforge.training.config import TrainingConfig
from stickerforge.training.methods.dco import step_output
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.state import init_state, project_embeddings
from tests.tiny import edit_json

CPU = torch.device("cpu")
COURSE = TrainingConfig(
    steps=3,
    batch=3,
    rank=2,
    layers="attention",
    rate=1e-3,
    token_rate=1e-2,
    beta=700.0,
    objective="dco",
    offset_noise=0.1,
    seed=5,
    weight_decay=1e-2,
    clip=1.0,
    save_every=10,
)


def examples(family, count=4):
    random = torch.Generator().manual_seed(11)
    shape = family.latent_shape(family.pixels)
    found = []
    for i in range(count):
        mean, deviation = (
            torch.randn(shape, generator=random),
            torch.rand(shape, generator=random) / 9,
        )
        found.append(
            TrainingExample(
                f"{i}",
                Caption(f"a <dog> {i}", f"a dog {i}"),
                mean,
                deviation,
                (40 + i, 50, i, 3, 32, 32),
            )
        )
    return found


def student_of(folder, course=COURSE):
    family = load_model(find_model(str(folder)), CPU, torch.float32)
    student = init_state(family, course, {"<dog>": "dog"})
    with torch.no_grad():  # up factors of zero would hide half of the gradients
        for index, parameter in enumerate(student.factors):
            parameter.add_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)) / 20
            )
    return student


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
    """The model in float64, its adapter written out as W + up @ down, its token as one more row of the table."""

    def __init__(self, student, folder):
        super().__init__()
        family = student.family
        self.unet = (
            UNet2DConditionModel.from_pretrained(folder / "unet").double().requires_grad_(False)
        )
        self.lora = {
            layer: [f.down.double(), f.up.double()]
            for layer, f in AdapterSet(family).weights(student.name).items()
        }
        for pair in self.lora.values():
            for tensor in pair:
                tensor.requires_grad_(True)
        self.towers = []
        for tower in family.text_encoders:
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
            row = student.rows["<dog>"][tower.name].detach().double().clone()
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
    student = student_of(folder)
    family = student.family
    wide = Wide(student, folder)
    draw = sample_batch(examples(family), family, seed=5, step=1, batch=3, offset_noise=0.1)
    found = step_output(student, draw, replace(COURSE, objective=objective), COURSE.beta)
    found.loss.backward()

    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    signal = torch.cumprod(1 - betas, 0)[draw.timesteps][:, None, None, None]
    latents, noise = draw.latents.double(), draw.noise.double()
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    target = noise if kind == "epsilon" else signal.sqrt() * noise - (1 - signal).sqrt() * latents
    frames = torch.tensor([example.frame for example in draw.examples])
    errors = []
    for captions, adapted in (
        ([e.caption.text for e in draw.examples], True),
        ([e.caption.base for e in draw.examples], False),
    ):
        prediction = wide.predict(noisy, draw.timesteps, captions, frames, adapted)
        errors.append(((prediction - target) ** 2).mean((1, 2, 3)))
    loss = (
        -torch.log(torch.sigmoid(-COURSE.beta * (errors[0] - errors[1].detach()))).mean()
        if objective == "dco"
        else errors[0].mean()
    )
    loss.backward()

    torch.testing.assert_close(found.error.double(), errors[0].detach(), rtol=1e-4, atol=1e-6)
    if objective == "dco":
        torch.testing.assert_close(
            found.base_error.double(), errors[1].detach(), rtol=1e-4, atol=1e-6
        )
    torch.testing.assert_close(found.loss.double(), loss, rtol=1e-3, atol=1e-4)
    ours = [parameter.grad for parameter in student.factors] + [
        row.grad for row in student.all_rows()
    ]
    theirs = [tensor.grad for pair in wide.lora.values() for tensor in pair] + [
        row.grad for row in wide.rows()
    ]
    assert len(ours) == len(theirs)
    for first, second in zip(ours, theirs, strict=True):
        assert second.abs().max() > 0
        difference = (first.double() - second).norm() / second.norm()
        assert difference < 2e-3, difference


def test_rows_keep_their_length_and_move_while_the_table_stays(tiny_sdxl):
    student = student_of(tiny_sdxl)
    family = student.family
    tables = [tower.embedding.base.weight.clone() for tower in family.text_encoders]
    rows = [row.detach().clone() for row in student.all_rows()]
    optimizer = build_optimizer(student, COURSE)
    for step in range(3):
        draw = sample_batch(examples(family), family, seed=5, step=step, batch=3, offset_noise=0.0)
        optimizer.zero_grad()
        step_output(student, draw, COURSE, COURSE.beta).loss.backward()
        optimizer.step()
        project_embeddings(student)
    for row, before, norm in zip(student.all_rows(), rows, student.norms, strict=True):
        assert not torch.allclose(row, before, atol=1e-3)
        assert abs(float(row.detach().norm()) - norm) < 1e-4 * norm
    assert all(
        torch.equal(tower.embedding.base.weight, table)
        for tower, table in zip(family.text_encoders, tables, strict=True)
    )


def test_untrained_the_loss_is_the_logarithm_of_two(tiny_sd):
    family = load_model(find_model(str(tiny_sd)), CPU, torch.float32)
    student = init_state(family, COURSE, {})
    plain = [
        TrainingExample(
            e.name, Caption(e.caption.base, e.caption.base), e.mean, e.deviation, e.frame
        )
        for e in examples(family)
    ]
    draw = sample_batch(plain, family, seed=5, step=0, batch=3, offset_noise=0.0)
    found = step_output(student, draw, COURSE, 1000.0)
    assert torch.equal(found.error, found.base_error)
    assert abs(float(found.loss.detach()) - math.log(2)) < 1e-6


def test_draws_depend_on_the_step_alone_and_leave_no_picture_out(tiny_sd):
    family = load_model(find_model(str(tiny_sd)), CPU, torch.float32)
    known = examples(family, 5)
    first, again = (
        sample_batch(known, family, seed=5, step=7, batch=3, offset_noise=0.1) for _ in range(2)
    )
    other = sample_batch(known, family, seed=5, step=8, batch=3, offset_noise=0.1)
    assert (
        torch.equal(first.noise, again.noise)
        and torch.equal(first.latents, again.latents)
        and torch.equal(first.timesteps, again.timesteps)
    )
    assert not torch.equal(first.noise, other.noise)
    seen = [index for step in range(40) for index in batch_indices(known, 5, step, 1)]
    assert all(sorted(seen[i : i + 5]) == [0, 1, 2, 3, 4] for i in range(0, 40, 5))
    timesteps = torch.cat(
        [
            sample_batch(known, family, seed=5, step=step, batch=4, offset_noise=0).timesteps
            for step in range(100)
        ]
    )
    assert (
        abs(timesteps.double().mean() - 499.5) < 15
        and timesteps.min() >= 0
        and timesteps.max() < 1000
    )


def test_a_batch_holds_one_size(tiny_sd):
    family = load_model(find_model(str(tiny_sd)), CPU, torch.float32)
    known = examples(family, 4)
    wide = [
        TrainingExample("w", e.caption, e.mean[:, :8], e.deviation[:, :8], e.frame)
        for e in known[:2]
    ]
    for step in range(20):
        draw = sample_batch([*known, *wide], family, seed=1, step=step, batch=3, offset_noise=0)
        assert len({example.mean.shape for example in draw.examples}) == 1


def test_latents_are_those_of_the_autoencoder(tiny_sd):
    family = load_model(find_model(str(tiny_sd)), CPU, torch.float32)
    pixels = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    mean, deviation = family.encode(pixels)
    vae = AutoencoderKL.from_pretrained(tiny_sd / "vae")
    with torch.no_grad():
        posterior = vae.encode(pixels * 2 - 1).latent_dist
    torch.testing.assert_close(
        mean, posterior.mean * vae.config.scaling_factor, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        deviation, posterior.std * vae.config.scaling_factor, rtol=1e-5, atol=1e-6
    )


def test_captions_without_the_new_word_are_encoded_once(tiny_sd, monkeypatch):
    """Pictures of the class do not hold it: their text has no gradient, and is what the base makes of it."""
    student, asked = student_of(tiny_sd), []
    encode = student.family.encode_prompt
    monkeypatch.setattr(
        student.family, "encode_prompt", lambda texts: asked.append(tuple(texts)) or encode(texts)
    )
    plain = student.text(["a dog", "a dog"], base=False)
    again = student.text(["a dog", "a dog"], base=False)
    assert (
        asked == [("a dog",)]
        and not plain["hidden"].requires_grad
        and torch.equal(plain["hidden"], again["hidden"])
    )
    assert torch.equal(plain["hidden"][0], encode(["a dog"])["hidden"][0].detach())
    student.text(["a <dog>", "a dog"], base=False)
    assert (
        asked[-1] == ("a <dog>", "a dog")
        and student.text(["a <dog>"], base=False)["hidden"].requires_grad
    )
