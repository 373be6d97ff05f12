"""A training step of a GPU lap as one CUDA graph, for a host slower than its GPU.

Shapes: B pictures; C, H, W latent channels, rows, columns; L tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from examples.recipes.mini.networks import muon_groups
from examples.recipes.mini.optim import Muon

WARM_STEPS = 3  # before the capture


def random_noise(latents: Tensor, steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(noise (B, C, H, W), timesteps (B,)) as `denoiser.velocity_loss` draws them, on the device.

    Args:
        steps: timesteps of the noise schedule.
    """
    count, device = len(latents), latents.device
    strata = (
        torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)
    ) / count
    timesteps = ((1 - (1 - strata).square()) * steps).long().clamp(max=steps - 1)
    return torch.randn(latents.shape, generator=generator, device=device), timesteps


def lap_loss(
    model: nn.ModuleDict,
    signal: Tensor,
    latents: Tensor,
    tokens: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    weight: Tensor,
) -> Tensor:
    """`denoiser.velocity_loss` with noise and timesteps from `random_noise`.

    Args:
        signal: alphas_cumprod of the scheduler, (timesteps,).
        latents: (B, C, H, W).
        tokens: (B, L).
        weight: of the channels, (C, 1, 1).
    """
    alpha, sigma = (
        signal[timesteps].sqrt()[:, None, None, None],
        (1 - signal[timesteps]).sqrt()[:, None, None, None],
    )
    noisy, target = alpha * latents + sigma * noise, alpha * noise - sigma * latents
    device = latents.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        velocity = model["unet"](noisy, timesteps, model["text"](tokens).last_hidden_state).sample
    return ((velocity.float() - target).square() * weight).mean()


@dataclass
class LapStep:
    """One step of a lap after another, with Muon and gradients clipped to a norm of 1.

    Args:
        signal: alphas_cumprod of the scheduler, (timesteps,).
        weight: of the channels, (C, 1, 1).
        generator: of noise and timesteps.
        rate: learning rate, on the device.
    """

    model: nn.ModuleDict
    signal: Tensor
    weight: Tensor
    generator: torch.Generator
    rate: Tensor = field(init=False)
    optimizer: Muon = field(init=False)
    held: list[Tensor] = field(init=False)
    loss: Tensor | None = None
    graph: "torch.cuda.CUDAGraph | None" = None

    def __post_init__(self) -> None:
        self.rate = torch.zeros((), device=self.signal.device)
        self.optimizer = Muon(*muon_groups(self.model), lr=self.rate)
        self.held = []

    def hold(self, latents: Tensor, tokens: Tensor) -> None:
        """Put a batch with fresh noise where the graph reads it."""
        batch = [latents, tokens, *random_noise(latents, len(self.signal), self.generator)]
        if not self.held:
            self.held = [tensor.clone() for tensor in batch]
        for place, tensor in zip(self.held, batch, strict=True):
            place.copy_(tensor)

    def compute(self) -> Tensor:
        """The loss of the batch that is held, and the gradients of it."""
        self.optimizer.zero_grad(set_to_none=False)  # a graph writes where it wrote before
        loss = lap_loss(self.model, self.signal, *self.held, self.weight)
        loss.backward()
        return loss.detach()

    def advance(self) -> Tensor:
        """One step on the batch that is held; returns the loss."""
        loss = self.compute()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss

    def capture(self, sample: Callable[[], tuple[Tensor, Tensor]]) -> None:
        """Make a graph of `advance`, after WARM_STEPS at a learning rate of 0."""
        self.rate.zero_()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_STEPS):
                self.hold(*sample())
                self.advance()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Threads of the data loading may use CUDA meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self.loss = self.advance()
        self.graph = graph

    def __call__(self, latents: Tensor, tokens: Tensor, rate: float) -> Tensor:
        """One step at a learning rate; returns the loss before it, a tensor of no dimensions."""
        self.hold(latents, tokens)
        self.rate.fill_(rate)
        if self.graph is None or self.loss is None:
            return self.advance()
        self.graph.replay()
        return self.loss.clone()
