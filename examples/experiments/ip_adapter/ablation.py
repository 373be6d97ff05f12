"""Two arms after equal steps, with as much to train: decoupled attention, and appended tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from examples.experiments.ip_adapter.concatenation import AppendedAdapter, ConcatenationTuning
from examples.experiments.ip_adapter.drawing import Prompts, adapter_prompts, appended_token_prompts
from stickerforge.adapters.image_prompt_training import TrainableImagePrompt, new_image_prompt
from stickerforge.adapters.image_prompt_weights import ImagePromptShape
from stickerforge.config.schema import AugmentConfig, DropConfig, TrainingConfig
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.data.pictures import Picture
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.image_encoder import JudgeImageEncoder
from stickerforge.models.image_encoder_place import JUDGE
from stickerforge.runtime.console import Console
from stickerforge.training.batches import TrainingExample
from stickerforge.training.captioned_latents import encode_captioned
from stickerforge.training.methods.image_prompt_tuning import ImagePromptTuning, References
from stickerforge.training.trainer import accumulate

SEEDS = (0, 1, 2)
DROPS = DropConfig(image=0.05, text=0.15, both=0.05)
TRAINING = TrainingConfig(
    steps=800, batch=16, lr=2e-3, objective="plain", resolution=128, weight_decay=0.0, clip=1.0
)


@dataclass(frozen=True)
class PairLatents:
    """Pairs as the model takes them."""

    examples: list[TrainingExample]
    conditions: list[Picture]


def read_pairs(model: DiffusionModel, folder: Path) -> PairLatents:
    """The pairs of a folder, encoded."""
    found = read_captioned_pictures(folder, conditions=True)
    latents = encode_captioned(
        model, found, TRAINING.resolution, folder / "latents", Console(quiet=True)
    )
    return PairLatents(latents.examples, [found.conditions[place] for place in latents.kept])


def method_of(
    arm: type[ImagePromptTuning],
    model: DiffusionModel,
    adapter: TrainableImagePrompt | AppendedAdapter,
    pairs: PairLatents,
    seed: int,
) -> ImagePromptTuning:
    """The training method of an arm."""
    references = References(pairs.conditions, JudgeImageEncoder(), AugmentConfig(), "crop", seed)
    return arm(
        model,
        adapter,  # type: ignore[arg-type]
        pairs.examples,
        references,
        TRAINING,
        drops=DROPS,
        seed=seed,
        part=TRAINING.batch,
    )


def train(method: ImagePromptTuning) -> float:
    """Train in place; the rate falls over the second half.

    Returns:
        The mean error of the last tenth of the steps.
    """
    groups = method.parameter_groups()
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), fused=True)
    steps, last = TRAINING.steps, list[float]()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = TRAINING.lr * min(1.0, 2 * (1 - step / steps))
        output = accumulate(method, step)
        torch.nn.utils.clip_grad_norm_(groups[0]["params"], TRAINING.clip)
        optimizer.step()
        optimizer.zero_grad()
        if step >= steps - steps // 10:
            last.append(float(output.loss.detach()))
    return sum(last) / len(last)


def compare_arms(model: DiffusionModel, folder: Path) -> Iterator[tuple[str, Prompts]]:
    """Every arm with every seed, trained: its title, and how it is prompted with."""
    pairs, encoder = read_pairs(model, folder), JudgeImageEncoder()
    for seed in SEEDS:
        start = new_image_prompt(model, "base", encoder.width("base"), encoder=JUDGE, seed=seed)
        adapter = TrainableImagePrompt(model, start)
        error = train(method_of(ImagePromptTuning, model, adapter, pairs, seed))
        adapter.attached.deactivate()
        title = f"decoupled, seed {seed}, {size_of(adapter)} weights, error {error:.4f}"
        with adapter_prompts(model, adapter.weights(), encoder) as prompts:
            yield title, prompts
        appended = AppendedAdapter(shape_of(model, encoder), seed)
        error = train(method_of(ConcatenationTuning, model, appended, pairs, seed))
        title = f"appended, seed {seed}, {size_of(appended)} weights, error {error:.4f}"
        yield title, appended_token_prompts(appended.projection, encoder)


def shape_of(model: DiffusionModel, encoder: JudgeImageEncoder) -> ImagePromptShape:
    """The widths of an image adapter for a model."""
    features = encoder.width("base")
    return new_image_prompt(model, "base", features, encoder=JUDGE, seed=0).shape


def size_of(adapter: TrainableImagePrompt | AppendedAdapter) -> int:
    """How many weights are trained."""
    return sum(value.numel() for value in adapter.parameters())
