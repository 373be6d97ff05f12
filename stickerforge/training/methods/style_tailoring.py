"""Style Tailoring (Sinha et al., arXiv:2311.10794): the noise of a picture decides its set.

A step draws timesteps first, and then for each of them a picture of the set that is learned at its
noise level. The other rules are what that is compared with.

Shapes: B pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stickerforge.adapters.kinds import LORA, AdapterKind
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.config.schema import TrainingConfig
from stickerforge.objectives.dco import automatic_beta, dco_losses, update_running_mean
from stickerforge.runtime.seeds import generator
from stickerforge.training.batches import Batch, TrainingExample
from stickerforge.training.methods.base import ParameterGroup, StepOutput
from stickerforge.training.methods.denoising import caption_error
from stickerforge.training.set_router import Routing, SetRouter
from stickerforge.training.state import TrainState


@dataclass(frozen=True)
class TailoringBatch:
    """Pictures of a step, by the shape of their latents.

    Args:
        parts: with the loss weights of their rows.
        scale: what the weighted sum of the errors is multiplied by.
        content_share: of the whole batch.
    """

    parts: tuple[tuple[Batch, Tensor], ...]
    scale: float
    content_share: float


class StyleTailoring:
    """Minimizes the denoising error, or the loss of DCO, on pictures of two sets."""

    kind: AdapterKind = LORA

    def __init__(
        self,
        state: TrainState,
        content: Sequence[TrainingExample],
        style: Sequence[TrainingExample],
        config: TrainingConfig,
        routing: Routing,
        *,
        seed: int,
        caption_dropout: float = 0.0,
        part: int = 0,
        reference: AdapterWeights | None = None,
    ) -> None:
        """Prepare training.

        Args:
            content, style: pictures of the sets; one may be empty where the rule does not use it.
                The same object twice is one set.
            config: with the model's recommendations filled in.
            caption_dropout: share of the pictures without caption, 0 to 1.
            part: pictures that are computed at once; 0 for all.
            reference: what DCO compares with; None for the model without adapter.
        """
        self.train_state, self.config, self.seed = state, config, seed
        self.content, self.style = content, style
        self.caption_dropout, self.part, self.reference = caption_dropout, part, reference
        self.router = SetRouter(
            routing,
            state.model.noise_process,
            state.model.latent_shape(state.model.pixels),
            sizes=(len(content), len(style)),
            one_set=content is style,
            batch=config.batch,
            steps=config.steps,
            seed=seed,
        )
        self.mean_gap = 0.0  # running mean of |error - reference error|, for an automatic beta

    def batch(self, step: int) -> TailoringBatch:
        """Pictures with noise; some of them without their caption."""
        places = self.router.fill(step)
        rows: dict[tuple[int, ...], list[tuple[Any, ...]]] = {}
        for slot, place in enumerate(places):
            example = (self.content if place.content else self.style)[place.picture]
            random = generator(self.seed, "step", step, slot)
            mean, deviation = example.mean, example.deviation
            latents = mean + deviation * torch.randn(mean.shape, generator=random)
            noise = torch.randn(mean.shape, generator=random)
            if float(torch.rand((), generator=random)) < self.caption_dropout:
                example = replace(example, caption=replace(example.caption, text=""))
            row = example, latents, noise, place.timestep, place.weight
            rows.setdefault(tuple(mean.shape), []).append(row)
        parts = tuple(self.stack(group) for group in rows.values())
        share = sum(place.content for place in places) / len(places)
        return TailoringBatch(parts, 1 / len(places), share)

    def stack(self, rows: Sequence[tuple[Any, ...]]) -> tuple[Batch, Tensor]:
        """Rows of one shape as a batch on the model's device, with their weights."""
        examples, latents, noise, timesteps, weights = zip(*rows, strict=True)
        device = self.train_state.model.device
        batch = Batch(
            list(examples), torch.stack(latents), torch.stack(noise), torch.tensor(timesteps)
        )
        return batch.to(device), torch.tensor(weights, device=device)

    def split(self, batch: TailoringBatch) -> Sequence[TailoringBatch]:
        """As many pictures at once as were asked for; the losses of the parts average to it."""
        size = self.part or self.config.batch
        pieces = [
            (part.select(rows), weights[rows.start : rows.stop])
            for part, weights in batch.parts
            for rows in chunks(len(weights), size)
        ]
        if sum(len(weights) for _, weights in pieces) <= size:
            return [batch]
        scale = batch.scale * len(pieces)
        return [TailoringBatch((piece,), scale, batch.content_share) for piece in pieces]

    def loss(self, batch: TailoringBatch, step: int) -> StepOutput:
        """The mean error; with DCO that of its losses, compared with the state it began from."""
        weights = torch.cat([weights for _, weights in batch.parts]) * batch.scale
        is_dco = self.config.objective == "dco"
        reference = self.reference_error(batch) if is_dco else None
        error = torch.cat([caption_error(self.train_state, part) for part, _ in batch.parts])
        metrics: dict[str, Tensor | float] = {
            "error": (weights * error.detach()).sum(),
            "content_share": batch.content_share,
        }
        if reference is None:
            return StepOutput((weights * error).sum(), metrics)
        beta = self.beta(step)
        loss = (weights * dco_losses(error - reference, beta)).sum()
        metrics |= {"gap": (weights * (error.detach() - reference).abs()).sum(), "beta": beta}
        return StepOutput(loss, metrics)

    @torch.no_grad()
    def reference_error(self, batch: TailoringBatch) -> Tensor:
        """Squared errors of what training began from."""
        with self.train_state.holding(self.reference):
            return torch.cat([caption_error(self.train_state, part) for part, _ in batch.parts])

    def beta(self, step: int) -> float:
        """How strongly DCO holds this step to what training began from."""
        beta = self.config.beta
        return automatic_beta(self.mean_gap, step) if beta in ("auto", None) else float(beta)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The LoRA factors."""
        config = self.config
        return [
            {
                "params": self.train_state.factors,
                "lr": config.lr,
                "weight_decay": config.weight_decay,
            }
        ]

    def after_step(self, output: StepOutput) -> None:
        """Follow the gap to the reference."""
        if "gap" in output.metrics:
            self.mean_gap = update_running_mean(self.mean_gap, float(output.metrics["gap"]))

    def state(self) -> dict[str, Tensor]:
        """The adapter, and the running mean."""
        mean_gap = torch.tensor(self.mean_gap, dtype=torch.float64)
        return self.train_state.tensors() | {"mean_gap": mean_gap}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.train_state.restore(tensors)
        self.mean_gap = float(tensors["mean_gap"])

    def weights(self) -> AdapterWeights:
        """A copy of the adapter as it is now."""
        return self.train_state.weights()


def chunks(count: int, size: int) -> list[range]:
    """Ranges of at most `size` that cover 0 to `count`."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
