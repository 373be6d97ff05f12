"""What `tailor prompt` is to do, checked before a picture or a weight is read."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from stickerforge.adapters import store
from stickerforge.adapters.store import Adapter, Base, validate_name
from stickerforge.config.schema import (
    LongPromptsConfig,
    TailorPromptConfig,
    TuningConfig,
)
from stickerforge.config.setting import fill_unset
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import to_tree
from stickerforge.config.unused import unused_in_tailor_prompt
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec
from stickerforge.models.hub import encoder_repository
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.registry import NAMES, check_pixels, find_model
from stickerforge.models.reward_names import check_reward_name
from stickerforge.runtime.console import Console
from stickerforge.training.checks import check_device, check_tensorboard
from stickerforge.training.plan import VALIDATIONS, as_started, base_model
from stickerforge.training.run_folder import run_folder
from stickerforge.training.tuning_plan import KIND, TuningPlan

Mode = Literal["longalign", "compat"]
COMMAND = "tailor prompt"
# LongAlign's (arXiv:2410.11817) rank and learning rate; its batches are of 192 pictures, and of 48
# for the reward, on six GPUs.
TUNING = {
    "prompt": {"steps": 2000, "batch": 16, "rank": 32, "lr": 3e-5},
    "reward": {"steps": 500, "batch": 8, "rank": 32, "lr": 3e-5},
}


@dataclass(frozen=True)
class TailorPlan(TuningPlan[TailorPromptConfig]):
    """See `TuningPlan`."""

    command: str = COMMAND

    @property
    def method(self) -> Literal["prompt", "reward"]:
        """What is trained by: captions of pictures, or a reward of prompts."""
        return "reward" if self.config.reward else "prompt"

    @property
    def max_loss(self) -> float | None:
        """With a reward alone."""
        return self.config.validation.diversity if self.config.reward else None

    @property
    def validates_as_base(self) -> bool:
        """Captions are to teach another way to read prompts; before, the model reads in its own."""
        return self.method == "prompt" and self.start is None

    def decisive(self) -> list[Any]:
        """The method, and with a reward what judges: it is part of what is learned from."""
        if self.method == "prompt":
            return [self.method]
        preference, validation = (
            to_tree(part) for part in (self.config.preference, self.config.validation)
        )
        for tree, names in ((preference, ("model", "direction")), (validation, ("diversity",))):
            for name in names:
                tree.pop(name, None)
        return [self.method, preference, validation]


def plan_tailor_prompt(
    config: TailorPromptConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> TailorPlan:
    """Check names and settings, and whether the name is free.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    name = check_source(config)
    if force and resume:
        raise InputError("--resume goes on, --force starts over", "give one of them")
    check_tensorboard(config.training.tensorboard)
    run = run_folder(name, COMMAND)
    run.check_free(force=force, resume=resume)
    card = find_model(config.model, offline=offline, say=console.say)
    base = base_model(config.model, card)
    start = start_adapter(config, base)
    for line in unused_in_tailor_prompt(config):
        console.warn(line)
    given, validation = config.training, config.validation
    if resume:
        given, validation = as_started(run, given, validation)
    training = with_tuning_defaults(given, card, "reward" if config.reward else "prompt")
    validation = fill_unset(
        validation,
        {"every": max(1, training.steps // VALIDATIONS), "encoder": other_judge(config)},
    )
    check_pixels(card, training.resolution, "training.resolution")
    check_device(config.device)
    config = replace(config, training=training, validation=validation, name=name, model=base.name)
    config = with_absolute_paths(with_absolute_reward(config), NAMES)
    plan = TailorPlan(config, card, base, name, own_rule(config, start), start)
    if plan.validation_interval:
        encoder_repository(config.validation.encoder)
    plan.resumable(force=force, resume=resume)
    return plan


def check_source(config: TailorPromptConfig) -> str:
    """The adapter's name, where the settings say what to train on.

    Raises:
        InputError: they do not, or the name cannot be one.
    """
    if bool(config.data) == bool(config.reward):
        raise InputError(
            "say what to train on" if not config.data else "pictures and --reward exclude another",
            "give a folder of pictures with captions, or --reward PROMPTS",
        )
    if not config.name:
        raise InputError("the adapter has no name", "give --name NAME, for example --name long")
    name = validate_name(config.name)
    if name in style_presets():
        raise InputError(f"{name!r} is the name of a preset", "give another --name")
    if name == config.adapter:
        raise InputError(f"{name!r} cannot replace what it begins from", "give another --name")
    place = Path(config.data or config.reward)
    if not place.exists():
        what = "no prompt file" if config.reward else "no folder"
        raise InputError(f"{what} {place}", "check the path")
    if config.reward:
        check_reward_name(config.preference.model)
    direction = config.preference.direction
    if direction and not Path(direction).is_file():
        raise InputError(f"preference.direction: there is no file {direction}", "check the path")
    return name


def other_judge(config: TailorPromptConfig) -> str:
    """The judge that is not trained on."""
    return "second" if config.reward and config.preference.model == "judge" else "judge"


def start_adapter(config: TailorPromptConfig, base: Base) -> Adapter | None:
    """The adapter that training begins from; None where none is named.

    Raises:
        InputError: there is none of this name, or it is of another kind or model.
    """
    if not config.adapter:
        return None
    adapter = store.find(validate_name(config.adapter))
    if adapter.kind != KIND:
        raise InputError(
            f"{adapter.name!r} is of kind {adapter.kind!r}",
            f"--adapter takes one that `stickerforge {COMMAND}` made",
        )
    if adapter.base.fingerprint != base.fingerprint:
        raise InputError(
            f"{adapter.name!r} was made for {adapter.base.title}",
            f"give --model {adapter.base.name}",
        )
    return adapter


def own_rule(config: TailorPromptConfig, start: Adapter | None) -> LongPrompts | None:
    """How prompts are read by the settings; None for as the model does.

    Raises:
        InputError: the adapter that training begins from reads them otherwise.
    """
    given, default = config.long_prompts, LongPromptsConfig()
    mode, before = cast(Mode | None, given.mode), start.long_prompts if start else None
    changed = (given.length, given.splitter) != (default.length, default.splitter)
    if mode is None and (start or config.reward) and not (start and changed):
        return before
    rule = LongPrompts("compat")
    if mode != "compat":
        rule = LongPrompts("longalign", given.length, splitter=given.splitter)
    if start is None:
        return rule
    if before is None or replace(before, pad=()) != rule:
        title = before.title if before else "its model does"
        raise InputError(
            f"{start.name!r} was trained to read prompts as {title}, and not as {rule.title}",
            "leave the settings of long_prompts out",
        )
    return before


def with_tuning_defaults(
    training: TuningConfig, card: ModelCard, method: Literal["prompt", "reward"]
) -> TuningConfig:
    """The settings with what the user leaves open filled in."""
    pixels = card.sampling.get("pixels") or family_spec(card.folder).native_pixels(card.folder)
    recommended: dict[str, Any] = TUNING[method] | {"resolution": int(pixels)}
    return fill_unset(training, recommended | dict(card.training.get(method, {})))


def with_absolute_reward(config: TailorPromptConfig) -> TailorPromptConfig:
    """The configuration with the place of KIND=PLACE as it can be used from any folder."""
    kind, equals, place = config.preference.model.partition("=")
    if equals and Path(place).exists():
        place = str(Path(place).resolve())
    return replace(config, preference=replace(config.preference, model=f"{kind}{equals}{place}"))
