"""Settings that have no effect beside the others: they are named in warnings."""

from collections.abc import Iterator
from dataclasses import replace

from stickerforge.config.schema import (
    CustomizeConfig,
    GenerateConfig,
    RateConfig,
    TailorAlphaConfig,
    TailorImageConfig,
    TailorPromptConfig,
    TailorRewardConfig,
    TailorStyleConfig,
    TrainingConfig,
    ValidationConfig,
)


def unused_in_customize(config: CustomizeConfig) -> Iterator[str]:
    """A line for each setting of `customize` without effect."""
    training, default = config.training, TrainingConfig()
    if training.text_lr is not None and not training.text_rank:
        yield "training.text_lr does nothing without training.text_rank"
    if training.prior_count != default.prior_count and not training.prior_weight:
        yield "training.prior_count does nothing without training.prior_weight"
    if training.objective == "plain":
        for name in ("beta", "reduction"):
            if getattr(training, name) != getattr(default, name):
                yield f"training.{name} belongs to the objective dco: it does nothing here"
    if training.token_lr is not None and config.style:
        yield "training.token_lr is that of a subject's new word: it does nothing for a style"
    if (
        config.validation.encoder != ValidationConfig().encoder
        and config.keep == "last"
        and not config.validation.every
    ):
        yield "validation.encoder does nothing without --keep best or validation.every"
    if not config.preview.count and (config.preview.prompts or config.preview.style):
        name = "prompts" if config.preview.prompts else "style"
        yield f"preview.{name} does nothing with preview.count=0"


def unused_in_generate(config: GenerateConfig) -> Iterator[str]:
    """A line for each setting of `generate` without effect.

    Args:
        config: with the model's recommendations filled in.
    """
    unguided = config.sampling.guidance == 1
    if unguided and config.negative:
        yield "--negative does nothing with sampling.guidance=1"
    if unguided and config.sampling.guidance_rescale:
        yield "sampling.guidance_rescale does nothing with sampling.guidance=1"
    if config.init.file and config.init.strength == 1 and not config.init.mask:
        yield "--init does nothing with init.strength=1 and no init.mask"
    if config.output.columns is not None and not config.output.sheet:
        yield "output.columns does nothing with output.sheet=false"


def unused_in_tailor_prompt(config: TailorPromptConfig) -> Iterator[str]:
    """A line for each setting of `tailor prompt` without effect."""
    default = TailorPromptConfig()
    if config.reward:
        if config.training.caption_dropout != default.training.caption_dropout:
            yield "training.caption_dropout is about captions of pictures: it does nothing here"
    elif config.preference != default.preference:
        yield "preference is about --reward: it does nothing here"
    reads_as_before = config.reward and not config.adapter and config.long_prompts.mode is None
    if config.long_prompts.mode == "compat" or reads_as_before:
        for name in ("length", "splitter"):
            if getattr(config.long_prompts, name) != getattr(default.long_prompts, name):
                yield f"long_prompts.{name} does nothing without long_prompts.mode=longalign"
    if not config.reward and config.validation.diversity != default.validation.diversity:
        yield "validation.diversity is about --reward: it does nothing here"
    if config.reward and config.validation.encoder == config.preference.model:
        yield "validation.encoder is what is trained on: give another one"
    if config.reward and config.validation.prompts < 6 and config.validation.every != 0:
        yield "validation.diversity ends no run with fewer than six validation.prompts"


def unused_in_rate(config: RateConfig, *, page: bool) -> Iterator[str]:
    """A line for each setting of `rate` without effect.

    Args:
        page: whether people decide now, and not elsewhere.
    """
    if not page:
        for name in ("port", "guideline"):
            if getattr(config, name):
                yield f"{name} is about the page: it does nothing with --ratings or --export"


def unused_in_tailor_alpha(config: TailorAlphaConfig) -> Iterator[str]:
    """A line for each setting of `tailor alpha` without effect."""
    default = TailorAlphaConfig()
    if config.grounds.photos and not config.loss.composite:
        yield "grounds.photos does nothing with loss.composite=0"
    if config.validation.every != 0:
        return
    for name in ("share", "pictures"):
        if getattr(config.validation, name) != getattr(default.validation, name):
            yield f"validation.{name} does nothing with validation.every=0"
    if config.preview != default.preview:
        yield "preview.count does nothing with validation.every=0"


def unused_in_tailor_image(config: TailorImageConfig) -> Iterator[str]:
    """A line for each setting of `tailor image` without effect."""
    default = TailorImageConfig()
    if config.validation.every != 0:
        return
    for name in ("share", "pictures", "shown"):
        if getattr(config.validation, name) != getattr(default.validation, name):
            yield f"validation.{name} does nothing with validation.every=0"


def unused_in_tailor_reward(config: TailorRewardConfig, aspects: int) -> Iterator[str]:
    """A line for each setting of `tailor reward` without effect.

    Args:
        aspects: how many there are, with functions.
    """
    default, selection, held_out = TailorRewardConfig(), config.selection, config.held_out
    if selection.threshold is not None and selection.quantile != default.selection.quantile:
        yield "selection.quantile does nothing with selection.threshold"
    if held_out.file and held_out.share != default.held_out.share:
        yield "held_out.share does nothing with held_out.file"
    if config.mixture.steps and aspects < 2 and config.mixture != default.mixture:
        yield "mixture is about several --aspects: it does nothing here"
    if not config.mixture.steps and config.mixture != replace(default.mixture, steps=0):
        yield "mixture has no effect besides mixture.steps=0"


def unused_in_tailor_style(config: TailorStyleConfig, arm: str) -> Iterator[str]:
    """A line for each setting of a training of `tailor style` without effect.

    Args:
        arm: what is trained.
    """
    default, joint = TailorStyleConfig(), config.joint
    for section in ("content", "gates"):
        if getattr(config, section) != getattr(default, section):
            yield f"{section} is about --stage content: it does nothing here"
    if arm != "domain" and config.domain != default.domain:
        yield "domain is about --stage domain: it does nothing here"
    if replace(config.style, phrase="") != default.style:
        yield "style.data, drawn and guideline are about --stage style: they do nothing here"
    if arm != "prompt" and config.style.phrase:
        yield "style.phrase is about --arm prompt: it does nothing here"
    if arm in ("prompt", "domain") and config.init_from != default.init_from:
        yield f"--init-from does nothing here: {arm} begins from the model"
    parts = ("joint", "reversed", "mixed")  # arms to which the threshold means something
    if arm not in parts and (joint.threshold, joint.content) != (
        default.joint.threshold,
        default.joint.content,
    ):
        yield f"joint.threshold and joint.content do nothing with the arm {arm}"
    if joint.stratified and arm not in ("joint", "reversed"):
        yield f"joint.stratified does nothing with the arm {arm}"
    if joint.objective == "plain" and joint.beta != default.joint.beta:
        yield "joint.beta belongs to joint.objective=dco: it does nothing here"
