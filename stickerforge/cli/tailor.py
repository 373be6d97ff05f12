"""`stickerforge tailor`: a whole model, tuned to what it is used for."""

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.customize import Force, Resume
from stickerforge.cli.output import Report, partial_failure
from stickerforge.config.schema import (
    TailorAlphaConfig,
    TailorImageConfig,
    TailorPromptConfig,
    TailorRewardConfig,
    TailorStyleConfig,
)

ORDER = (
    "data reward name model adapter training.steps training.batch training.rank training.lr"
    " long_prompts.length preference.model training.resolution seed"
).split()

STYLE_ORDER = (
    "name stage arm init_from ratings model training.steps training.batch training.rank"
    " training.lr training.resolution seed"
).split()

ALPHA_ORDER = (
    "pictures name model training.steps training.batch training.lr training.resolution seed"
).split()

IMAGE_ORDER = (
    "data name model adapter variant training.steps training.batch training.lr"
    " training.resolution seed"
).split()

REWARD_ORDER = (
    "prompts aspects name candidates.count rounds model training.steps training.batch"
    " training.rank training.lr training.resolution seed"
).split()

tailor_app = typer.Typer(
    help="Tune a model: its style, its qualities, its transparency, how it reads long prompts"
    " and pictures.",
    no_args_is_help=True,
)


@tailor_app.command("prompt")
@command(TailorPromptConfig, ORDER, name="tailor prompt")
def prompt(
    call: Call[TailorPromptConfig], *, resume: Resume = False, force: Force = False
) -> Report:
    """Teach a model to read long prompts, from captioned pictures or by a reward."""
    config, console = call.resolve(), call.console
    if call.dry_run:
        return Report(*commands.tailor_prompt.dry_run(config, console, force=force, resume=resume))
    result = commands.tailor_prompt.run(
        config, console, offline=call.offline, force=force, resume=resume
    )
    failure = partial_failure(result.data.failed) or result.error()
    paths = [str(result.tuning.adapter.path)]
    return Report(result.result(), paths, result.note(), failure)


@tailor_app.command("style")
@command(TailorStyleConfig, STYLE_ORDER, name="tailor style")
def style(call: Call[TailorStyleConfig], *, resume: Resume = False, force: Force = False) -> Report:
    """Make a model draw stickers in a house style, from pictures that people choose."""
    config, console = call.resolve(), call.console
    if call.dry_run:
        return Report(*commands.tailor_style.dry_run(config, console, force=force, resume=resume))
    result = commands.tailor_style.run(
        config, console, offline=call.offline, force=force, resume=resume
    )
    return Report(result.result(), result.paths, result.note(), partial_failure(result.failed))


@tailor_app.command("alpha")
@command(TailorAlphaConfig, ALPHA_ORDER, name="tailor alpha")
def alpha(call: Call[TailorAlphaConfig], *, resume: Resume = False, force: Force = False) -> Report:
    """Make a decoder with which an opaque model draws transparent stickers."""
    config, console = call.resolve(), call.console
    if call.dry_run:
        return Report(*commands.tailor_alpha.dry_run(config, console, force=force, resume=resume))
    result = commands.tailor_alpha.run(
        config, console, offline=call.offline, force=force, resume=resume
    )
    paths = [str(result.tuned.adapter.path)]
    failure = partial_failure(result.pictures.unreadable)
    return Report(result.result(), paths, result.note(), failure)


@tailor_app.command("image")
@command(TailorImageConfig, IMAGE_ORDER, name="tailor image")
def image(call: Call[TailorImageConfig], *, resume: Resume = False, force: Force = False) -> Report:
    """Make an image adapter, with which a model draws like a picture."""
    config, console = call.resolve(), call.console
    if call.dry_run:
        return Report(*commands.tailor_image.dry_run(config, console, force=force, resume=resume))
    result = commands.tailor_image.run(
        config, console, offline=call.offline, force=force, resume=resume
    )
    paths = [str(result.tuned.adapter.path)]
    failure = partial_failure(result.pairs.unreadable)
    return Report(result.result(), paths, result.note(), failure)


@tailor_app.command("reward")
@command(TailorRewardConfig, REWARD_ORDER, name="tailor reward")
def reward(
    call: Call[TailorRewardConfig], *, resume: Resume = False, force: Force = False
) -> Report:
    """Let a model learn from the best of its own pictures."""
    config, console = call.resolve(), call.console
    if call.dry_run:
        return Report(*commands.tailor_reward.dry_run(config, console, force=force, resume=resume))
    result = commands.tailor_reward.run(
        config, console, offline=call.offline, force=force, resume=resume
    )
    failure = result.error() or partial_failure(result.failed)
    return Report(result.result(), result.paths, result.note(), failure)
