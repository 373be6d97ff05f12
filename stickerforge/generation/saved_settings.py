"""The settings of a call as they are saved beside its images."""

from dataclasses import replace

from stickerforge.config.schema import ControlConfig, GenerateConfig, ImagePromptConfig, InitConfig
from stickerforge.generation.control import ControlPlan, with_scale
from stickerforge.generation.image_prompts import ImagePrompt, with_scales


def complete_config(
    config: GenerateConfig, image_prompt: ImagePrompt | None, control: ControlPlan | None
) -> GenerateConfig:
    """The configuration with the scale of every picture that is prompted with or followed."""
    return replace(
        config,
        image_prompt=with_scales(config.image_prompt, image_prompt),
        control=with_scale(config.control, control),
    )


def saved_config(config: GenerateConfig) -> GenerateConfig:
    """The configuration as it is saved: without prompts where images are to forget them."""
    if config.output.prompt:
        return config
    return replace(
        config,
        prompt=(),
        negative="",
        subject=(),
        adapter=(),
        init=InitConfig(),
        image_prompt=ImagePromptConfig(),
        control=ControlConfig(),
    )
