"""What `customize` is to do, checked before a picture or a weight is read."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from stickerforge.adapters.store import Base, validate_name
from stickerforge.config.schema import CustomizeConfig
from stickerforge.config.setting import UNSET, fill_unset
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import parse_toml, to_tree
from stickerforge.config.unused import unused_in_customize
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.data.captions import are_words
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard
from stickerforge.models.checksums import fingerprint
from stickerforge.models.hub import encoder_repository
from stickerforge.models.registry import EMBEDDED, NAMES, check_pixels, find_model
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.console import Console
from stickerforge.training.checks import check_config, check_device, check_preview_seeds
from stickerforge.training.concept import Concept, preview_prompts
from stickerforge.training.defaults import with_defaults
from stickerforge.training.run_folder import CheckpointInfo, RunFolder, run_folder

MAX_BYTES = 100_000_000  # of a run's settings, which hold the paths of the command line
Training = TypeVar("Training")
Validation = TypeVar("Validation")
VALIDATIONS = 6  # of a run that is to keep its best state


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that is known before a picture is read.

    Args:
        config: with the model's recommendations filled in.
        base: what the adapter is made for.
        name: of the adapter and its run.
        concept: what it learns.
    """

    config: CustomizeConfig
    card: ModelCard
    base: Base
    name: str
    concept: Concept

    @property
    def run(self) -> RunFolder:
        """The files of the run."""
        return run_folder(self.name)

    @property
    def validation_interval(self) -> int:
        """Steps between two validations; 0 for none."""
        default = 0
        if self.config.keep == "best":
            default = max(1, self.config.training.steps // VALIDATIONS)
        every = self.config.validation.every
        return default if every is None else every

    def settings_digest(self) -> str:
        """Changes with whatever decides the adapter's bytes besides the pictures and the steps.

        Step i is the same in a run of any length, so that a finished run can be taught on.
        """
        training = self.decisive_settings()
        training.pop("steps")
        return self.digest([training, self.config.keep, self.config.validation.every])

    def earlier_digests(self) -> list[str]:
        """What earlier versions computed, of these steps and of those that the run began with."""
        digests = []
        for steps in (self.config.training.steps, saved_steps(self.run)):
            if steps is UNSET:
                continue
            training = replace(self.config.training, steps=steps)
            plan = replace(self, config=replace(self.config, training=training))
            every = plan.validation_interval
            digests.append(plan.digest([plan.decisive_settings(), plan.config.keep, every]))
        return digests

    def decisive_settings(self) -> dict[str, Any]:
        """The settings of training that decide the adapter's bytes."""
        training = to_tree(self.config.training)
        for name in ("save_every", "tensorboard"):
            training.pop(name)
        training["draws"] = training.pop("cached_noise")  # its key when runs were first resumed
        return training

    def digest(self, settings: list[Any]) -> str:
        """16 hexadecimal digits of settings and of what is learned from which base."""
        decisive = [
            *settings,
            self.config.validation.encoder,
            self.config.seed,
            self.base.fingerprint,
            self.concept.placeholder,
            self.concept.class_words,
            self.concept.phrase,
        ]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    def resumable(self, *, force: bool, resume: bool) -> CheckpointInfo | None:
        """The checkpoint to go on from; see `RunFolder.resumable`."""
        digests = [self.settings_digest(), *self.earlier_digests()]
        return self.run.resumable(digests, self.config.training.steps, force=force, resume=resume)


def saved_steps(run: RunFolder) -> Any:
    """Until which step the run was to train when it was last started; UNSET if nothing says."""
    return saved_setting(run, "training.steps")


def saved_setting(run: RunFolder, name: str) -> Any:
    """A whole number of the settings that a run was last started with; UNSET if nothing says."""
    try:
        value = parse_toml(read_text(run.config, MAX_BYTES), run.config, run.command).get(name)
    except (OSError, ValueError, InputError):
        value = UNSET
    return value if isinstance(value, int) else UNSET


def as_started(
    run: RunFolder, training: Training, validation: Validation
) -> tuple[Training, Validation]:
    """The settings of a run that is gone on with: its own, unless the call says otherwise.

    Args:
        training: with a field "steps".
        validation: with a field "every".
    """
    if not run.checkpoint_info():
        return training, validation
    return (
        fill_unset(training, {"steps": saved_setting(run, "training.steps")}),
        fill_unset(validation, {"every": saved_setting(run, "validation.every")}),
    )


def plan_training(
    config: CustomizeConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> TrainingPlan:
    """Check names and settings, and whether the name is free.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    name, concept = name_adapter(config)
    run = run_folder(name)
    if name in style_presets() and not force and not (resume and run.checkpoint_info()):
        raise InputError(
            f"{name!r} is the name of a preset", "give another --name, or --force to have both"
        )
    if concept.class_words and not are_words(concept.class_words):
        raise InputError(
            f"{concept.class_words[:60]!r} is no class",
            "give a word or a few, for example --class dog",
        )
    if force and resume:
        raise InputError("--resume goes on, --force starts over", "give one of them")
    check_config(config)
    for line in unused_in_customize(config):
        console.warn(line)
    run.check_free(force=force, resume=resume)
    card = find_model(config.model, offline=offline, say=console.say)
    given = config.training
    if resume and run.checkpoint_info():  # until where it was to go, unless the call says
        given = fill_unset(given, {"steps": saved_steps(run)})
    training = with_defaults(given, card, concept.kind)
    check_pixels(card, training.resolution, "training.resolution")
    check_preview_seeds(config, len(preview_prompts(card, concept, config.preview.prompts)))
    check_device(config.device)
    base = base_model(config.model, card)
    plan = TrainingPlan(
        with_absolute_paths(replace(config, training=training, name=name, model=base.name), NAMES),
        card,
        base,
        name,
        concept,
    )
    if plan.validation_interval:
        encoder_repository(plan.config.validation.encoder)
    plan.resumable(force=force, resume=resume)
    return plan


def name_adapter(config: CustomizeConfig) -> tuple[str, Concept]:
    """(name of the adapter, what it learns).

    Raises:
        InputError: the settings do not say, or name what cannot be a name.
    """
    if bool(config.subject) == bool(config.style):
        raise InputError(
            "say what the pictures teach", "give either --subject NAME or --style NAME"
        )
    if not config.pictures:
        raise InputError(
            "no pictures given", "for example stickerforge customize ./photos --subject dog"
        )
    label = config.subject or config.style
    if not are_words(label):
        raise InputError(f"{label[:60]!r} is no name", "give letters, digits and dashes")
    slug = validate_name(re.sub(r"[\s_'’]+", "-", label.strip().lower()))
    name, words = validate_name(config.name or slug), label.replace("-", " ")
    if config.subject:
        return name, Concept(f"<{slug}>", (config.class_words or words).strip())
    if config.class_words:
        raise InputError("--class belongs to a subject", "leave it out for a style")
    return name, Concept(phrase=f"in {words} style")


def base_model(model: str, card: ModelCard) -> Base:
    """What the adapter is made for: by name, or by path if the user gave a folder of their own."""
    is_own = is_folder(model) and card.folder not in EMBEDDED.values()
    name = str(card.folder.resolve()) if is_own else card.name
    return Base(name, card.version, fingerprint(card.folder))


def is_folder(name: str) -> bool:
    """Whether a model or encoder was given as a path."""
    return Path(name).is_dir()
