"""Everything about a call of `generate` that is known before a weight is read."""

from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.config.schema import GenerateConfig, SamplingConfig
from stickerforge.generation.image_params import ImageJob
from stickerforge.models.card import ModelCard, has_alpha

CONFIG_FILE = "generate.toml"


@dataclass(frozen=True)
class GenerationPlan:
    """Everything that is known before a weight is read; `config` has the model's recommendations filled in."""

    config: GenerateConfig
    card: ModelCard
    fingerprint: str
    items: list[ImageJob]
    done: frozenset[Path]  # files that are there already, by the same recipe
    matting: str  # matting model, or "none"

    @property
    def open(self) -> list[ImageJob]:
        """Items still to be made."""
        return [item for item in self.items if item.path not in self.done]


def sampling_settings(given: SamplingConfig, card: ModelCard) -> SamplingConfig:
    """What the call says, else what the model recommends, else what suits Stable Diffusion."""
    suits = {"steps": 25, "guidance": 7.5, "guidance_rescale": 0.0} | dict(card.sampling)
    chosen = {
        name: suits[name] if getattr(given, name) is None else getattr(given, name)
        for name in ("steps", "guidance", "guidance_rescale")
    }
    return replace(
        given,
        steps=int(chosen["steps"]),
        guidance=float(chosen["guidance"]),
        guidance_rescale=float(chosen["guidance_rescale"]),
    )


def select_matting(config: GenerateConfig, card: ModelCard) -> str:
    """The matting model to use: none where the model draws alpha itself, or where it is not wanted."""
    if config.matting == "none" or (config.matting == "auto" and has_alpha(card)):
        return "none"
    from stickerforge.models.matting import matting_model

    return matting_model(config.matting).name


def saved_config(config: GenerateConfig) -> GenerateConfig:
    """The configuration as it is kept: without prompts where pictures are to forget them."""
    return (
        config
        if config.output.prompt
        else replace(config, prompt=(), negative="", subject=(), adapter=())
    )
