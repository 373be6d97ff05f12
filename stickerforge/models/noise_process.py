"""How noise is added to latents in training, and which scheduler takes it away again.

Shapes: B images; C, H, W latent channels, rows, columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import diffusers
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    SchedulerMixin,
)
from torch import Tensor

from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard, read_json, read_schema
from stickerforge.models.network_config import SchedulerConfig
from stickerforge.models.origin import broken_model
from stickerforge.models.weights import LOAD_ERRORS, load_faults
from stickerforge.objectives.loss_weighting import PredictionType
from stickerforge.sampling.denoise import Scheduler
from stickerforge.sampling.reward_loop import sampling_timesteps

SCHEDULERS = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "dpm++": DPMSolverMultistepScheduler,
}
PATCH = 2  # side in latents of a transformer's token, where a flow's shift depends on their number
LatentShape = Sequence[int]  # (C, H, W)


class NoiseProcess(Protocol):
    """The noise process that a model was trained with; its timesteps are whole numbers."""

    prediction: PredictionType  # what the network predicts
    timesteps: int  # how many there are

    def timestep_at(self, position: float, latent_shape: LatentShape) -> int:
        """The training timestep at a position in [0, 1) of their distribution function."""

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy latents (B, C, H, W) at timesteps (B,)."""

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network should predict for `add_noise` of the same, (B, C, H, W)."""

    def snr(self, timesteps: Tensor) -> Tensor:
        """Signal-to-noise ratio at timesteps, (B,)."""

    def levels(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """(a, s) of noisy latents = a latents + s noise, both of the shape of the timesteps."""

    def split(self, noisy: Tensor, prediction: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """(latents, noise), both (B, C, H, W), that a prediction for noisy latents means.

        Args:
            timestep: ().
        """

    def gradient_timesteps(self, steps: int, latent_shape: LatentShape) -> Tensor:
        """Timesteps (steps,) of `sampling.reward_loop.sample_with_gradients`."""

    def scheduler(self, kind: str, steps: int, latent_shape: LatentShape) -> Scheduler:
        """A scheduler of diffusers with the timesteps of so many steps.

        Args:
            kind: "ddim", "euler", "dpm++", or "model" for the one that the model comes with.

        Raises:
            InputError: that kind cannot sample this process.
        """


class UniformTimesteps:
    """Training timesteps of equal probability."""

    timesteps: int

    def timestep_at(self, position: float, latent_shape: LatentShape) -> int:
        """The whole timestep below, whatever the size of the latents."""
        return min(int(position * self.timesteps), self.timesteps - 1)


class Ddpm(UniformTimesteps):
    """The variance-preserving process of DDPM (arXiv:2006.11239)."""

    def __init__(self, config: Mapping[str, Any], device: torch.device) -> None:
        """Args:
        config: of the model's scheduler: betas, kind of prediction, number of timesteps.
        """
        self.config, self.device = config, device
        self.schedule = DDPMScheduler.from_config(config)
        self.timesteps = int(self.schedule.config.num_train_timesteps)
        self.prediction: PredictionType = self.schedule.config.prediction_type

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """sqrt(alpha_bar) latents + sqrt(1 - alpha_bar) noise (Equation 4)."""
        noisy: Tensor = self.schedule.add_noise(latents, noise, timesteps)
        return noisy

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The noise, the latents, or the velocity (arXiv:2202.00512, Appendix D).

        The velocity is sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) latents.
        """
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return latents
        velocity: Tensor = self.schedule.get_velocity(latents, noise, timesteps)
        return velocity

    def snr(self, timesteps: Tensor) -> Tensor:
        """alpha_bar / (1 - alpha_bar)."""
        signal: Tensor = self.schedule.alphas_cumprod.to(timesteps.device)[timesteps]
        return signal / (1 - signal)

    def levels(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(alpha_bar), sqrt(1 - alpha_bar)."""
        signal: Tensor = self.schedule.alphas_cumprod.to(timesteps.device)[timesteps.long()]
        return signal.sqrt(), (1 - signal).sqrt()

    def split(self, noisy: Tensor, prediction: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """See `NoiseProcess`; what is not predicted follows from the noisy latents.

        Predicted latents are first made a velocity, for which the noisy latents have no gradient:
        else the end of sampling would be the last prediction, and no other would get a gradient.
        """
        a, s = self.levels(timestep)
        if self.prediction == "epsilon":
            return (noisy - s * prediction) / a, prediction
        if self.prediction == "sample":
            prediction = (a * noisy.detach() - prediction) / s
        return a * noisy - s * prediction, a * prediction + s * noisy

    def gradient_timesteps(self, steps: int, latent_shape: LatentShape) -> Tensor:
        """From the last timestep on, in equal distances."""
        return torch.tensor(sampling_timesteps(self.timesteps, steps), device=self.device)

    def scheduler(self, kind: str, steps: int, latent_shape: LatentShape) -> Scheduler:
        """Any kind; betas and the kind of prediction stay the model's."""
        constructor: Any = SCHEDULERS.get(kind) or scheduler_class(self.config)
        with scheduler_faults(constructor, "give --set sampling.scheduler=ddim"):
            scheduler: Scheduler = constructor.from_config(self.config)
            scheduler.set_timesteps(steps, device=self.device)
        return scheduler


class RectifiedFlow(UniformTimesteps):
    """A straight line from latents to noise (arXiv:2209.03003); sigma = timestep / timesteps."""

    prediction: PredictionType = "flow"

    def __init__(self, config: Mapping[str, Any], device: torch.device, title: str) -> None:
        """Args:
        config: of the model's flow-matching scheduler.
        title: of the model, for errors.
        """
        self.config, self.device, self.title = config, device, title
        self.timesteps = int(self.scheduler_of_model().config.num_train_timesteps)

    def scheduler_of_model(self) -> Any:
        """The scheduler that the model comes with."""
        return scheduler_class(self.config).from_config(self.config)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """(1 - sigma) latents + sigma noise (Equation 1)."""
        sigma = (timesteps / self.timesteps)[:, None, None, None]
        return (1 - sigma) * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Where the line leads: noise - latents."""
        return noise - latents

    def snr(self, timesteps: Tensor) -> Tensor:
        """((1 - sigma) / sigma) squared."""
        sigma = (timesteps / self.timesteps).clamp(min=1e-4)
        return ((1 - sigma) / sigma).square()

    def levels(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """1 - sigma, sigma."""
        sigma = timesteps / self.timesteps
        return 1 - sigma, sigma

    def split(self, noisy: Tensor, prediction: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """Both ends of the line on which the noisy latents lie."""
        a, s = self.levels(timestep)
        return noisy - s * prediction, noisy + a * prediction

    def gradient_timesteps(self, steps: int, latent_shape: LatentShape) -> Tensor:
        """Those of the model's own scheduler, with its shift."""
        return self.scheduler("model", steps, latent_shape).timesteps

    def scheduler(self, kind: str, steps: int, latent_shape: LatentShape) -> Scheduler:
        """The model's own; its shift follows the size of the latents where it is configured so."""
        if kind != "model":
            raise InputError(
                f"{self.title} follows a flow, and {kind} is for noise",
                "leave sampling.scheduler=model",
            )
        scheduler = self.scheduler_of_model()
        with scheduler_faults(type(scheduler), "give another model"):
            if scheduler.config.get("use_dynamic_shifting"):
                scheduler.set_timesteps(steps, device=self.device, mu=self.log_shift(latent_shape))
            else:
                scheduler.set_timesteps(steps, device=self.device)
        flow: Scheduler = scheduler
        return flow

    def log_shift(self, latent_shape: LatentShape) -> float:
        """Logarithm of the shift towards noise (arXiv:2403.03206, Section 5.3.2).

        It is linear in the number of tokens, as in the pipelines of diffusers.
        """
        config = self.scheduler_of_model().config
        tokens = (latent_shape[1] // PATCH) * (latent_shape[2] // PATCH)
        share = (tokens - config.base_image_seq_len) / (
            config.max_image_seq_len - config.base_image_seq_len
        )
        return float(config.base_shift + share * (config.max_shift - config.base_shift))


@contextmanager
def scheduler_faults(kind: type, hint: str) -> Iterator[None]:
    """Turn what a scheduler raises over its configuration into one line.

    Raises:
        InputError: it cannot work with it, or not with so many steps.
    """
    try:
        yield
    except LOAD_ERRORS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        message = f"the scheduler of the model, {kind.__name__}, cannot be used: {reason}"
        raise InputError(message, hint) from None


def load_noise_process(card: ModelCard, device: torch.device) -> NoiseProcess:
    """The process that the scheduler in a model's folder is for.

    Raises:
        InputError: the folder names no scheduler of diffusers, or its configuration is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    folder = card.folder / "scheduler"
    path = folder / "scheduler_config.json"
    read_schema(path, SchedulerConfig)
    config = read_json(path)
    try:
        scheduler_class(config)
    except LookupError:
        raise broken_model(
            path, f"{folder} names no scheduler of diffusers", "give another model"
        ) from None
    with load_faults(folder, "a scheduler of diffusers"):
        if str(config["_class_name"]).startswith("FlowMatch"):
            return RectifiedFlow(config, device, card.title)
        return Ddpm(config, device)


def scheduler_class(config: Mapping[str, Any]) -> Any:
    """The class of diffusers that a scheduler's configuration names.

    Raises:
        LookupError: it names none.
    """
    named = getattr(diffusers, str(config.get("_class_name")), None)
    is_scheduler = isinstance(named, type) and issubclass(named, SchedulerMixin)
    if not is_scheduler or not hasattr(named, "from_config"):
        raise LookupError(str(config.get("_class_name")))
    return named
