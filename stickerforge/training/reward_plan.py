"""What `tailor reward` is to do, checked before a picture or a weight is read."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import LORA
from stickerforge.adapters.store import Base
from stickerforge.config.description import read_description
from stickerforge.config.schema import TailorRewardConfig, TuningConfig
from stickerforge.config.setting import fill_unset
from stickerforge.config.toml import to_tree
from stickerforge.config.unused import unused_in_tailor_reward
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.errors import InputError
from stickerforge.evaluation.aspect_names import (
    AspectName,
    measured_aspects,
    read_aspects,
)
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec
from stickerforge.models.registry import NAMES, check_pixels, find_model
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.json_text import parse_json
from stickerforge.training.checks import check_device, check_tensorboard
from stickerforge.training.plan import base_model
from stickerforge.training.reward_checks import (
    adapter_name,
    check_alignment,
    check_mixture,
    check_name,
    check_selection,
    with_mixture,
)
from stickerforge.training.reward_prompts import (
    RewardPrompts,
    prompts_digest,
    read_reward_prompts,
)
from stickerforge.training.run_folder import CheckpointInfo, RunFolder, run_folder
from stickerforge.training.tuning_plan import TuningPlan

COMMAND = "tailor reward"
# Rank and learning rate are ours: those of VersaT2I (arXiv:2403.18493) are not public.
TUNING = {"steps": 500, "batch": 8, "rank": 16, "lr": 1e-4}
STATE, LORA_FILE = "reward.json", "lora.safetensors"
MAX_BYTES = 1_000_000  # of the settings and the state


@dataclass(frozen=True)
class RewardState:
    """How far a run is; the schema of its file.

    Args:
        settings: digest of everything that decides the result.
        drawing: digest of what decides the pictures of the base alone.
        aspects: what each aspect's scores come from, by name.
        finished: whether its adapters were saved, or held back.
    """

    settings: str
    drawing: str
    aspects: dict[str, str]
    finished: bool = False


@dataclass(frozen=True)
class RewardPlan:
    """Everything that is known before a picture is drawn.

    Args:
        config: with the model's recommendations filled in.
        base: what the adapters are made for.
        aspects: that pictures are chosen by.
        measured: those, and what else is measured of every picture.
    """

    config: TailorRewardConfig
    card: ModelCard
    base: Base
    prompts: RewardPrompts
    aspects: list[AspectName]
    measured: list[AspectName]

    @property
    def run(self) -> RunFolder:
        """The files of the run."""
        return run_folder(self.config.name, COMMAND)

    @property
    def has_mixture(self) -> bool:
        """Whether what is kept of the aspects becomes a mixture, where that is two or more."""
        return with_mixture(self.config, self.aspects)

    @property
    def mixture_run(self) -> RunFolder:
        """The files of the mixture's training; the folder is there once the name is this run's."""
        return RunFolder(self.run.path / "training" / "mixture", COMMAND)

    @property
    def adapter_names(self) -> list[str]:
        """The names of all adapters that may come of it, the mixture last."""
        names = [self.adapter_name(aspect.name) for aspect in self.aspects]
        return names + ([self.config.name] if self.has_mixture else [])

    def adapter_name(self, aspect: str) -> str:
        """The name of the adapter of an aspect."""
        return adapter_name(self.config.name, aspect, len(self.aspects))

    def settings_digest(self) -> str:
        """Changes with whatever decides the LoRAs, besides what the aspects come from.

        The mixture's training knows its own settings.
        """
        tree = to_tree(self.config)
        for name in ("device", "prompts", "name", "mixture"):
            tree.pop(name)
        tree["held_out"].pop("file", None)
        for name in ("save_every", "tensorboard"):
            tree["training"].pop(name, None)
        prompts = [prompts_digest(self.prompts.training), prompts_digest(self.prompts.held_out)]
        names = [[aspect.title, aspect.place] for aspect in self.measured]
        decisive = [tree, self.base.fingerprint, prompts, names]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    def drawing_digest(self) -> str:
        """Changes with whatever decides the pictures that the base draws."""
        config, prompts = self.config, self.prompts
        decisive = [
            to_tree(config.candidates),
            config.held_out.count,
            config.seed,
            self.base.fingerprint,
            prompts_digest(prompts.training),
            prompts_digest(prompts.held_out),
        ]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    def state(self) -> RewardState | None:
        """How far the run is; None where there is none.

        Raises:
            InputError: its file is broken.
        """
        path = self.run.path / STATE
        try:
            return read_description(RewardState, parse_json(read_text(path, MAX_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} is broken: {str(error)[:120]}", "start over with --force"
            ) from None

    def write_state(self, state: RewardState) -> None:
        """Write it."""
        write_whole(self.run.path / STATE, json.dumps(vars(state)).encode())

    def check_free(self, *, force: bool, resume: bool) -> None:
        """Make sure that nothing would be lost.

        Raises:
            InputError: it would be, or there is nothing to go on with.
        """
        if force:
            return
        state, name = self.state(), self.config.name
        if resume:
            if state is None:
                raise InputError(
                    f"there is no run of {COMMAND} {name!r} to go on with", "leave --resume out"
                )
            if state.settings != self.settings_digest():
                raise InputError(
                    f"the run of {name!r} was started with other settings or prompts"
                    f" (see {self.run.config})",
                    "give the same, or start over with --force",
                )
            if self.has_mixture and store.exists(name) and not self.mixture_run.path.exists():
                raise InputError(
                    f"there is an adapter {name!r} already, which is not of this run",
                    f"`stickerforge adapters remove {name}`, or give --set mixture.steps=0",
                )
            return
        if state and not state.finished:
            raise InputError(
                f"a run of {name!r} stands unfinished",
                "go on with --resume, or start over with --force",
            )
        there = [each for each in self.adapter_names if store.exists(each)]
        if there or state:
            what = f"an adapter {there[0]!r}" if there else f"a run {name!r}"
            raise InputError(
                f"there is {what} already", "--force replaces it, or give another --name"
            )
        if self.run.checkpoint_info():
            raise InputError(
                f"there is a run {name!r} of another command already",
                "give another --name, or --force to replace it",
            )


@dataclass(frozen=True)
class AspectPlan(TuningPlan[TailorRewardConfig]):
    """A round of training for one aspect; see `TuningPlan`.

    Args:
        folder: of the round.
        start_file: the weights that it goes on from; None for fresh ones.
    """

    folder: Path = Path()
    start_file: Path | None = None

    @property
    def run(self) -> RunFolder:
        """The files of the round."""
        return RunFolder(self.folder, COMMAND)

    @property
    def start_name(self) -> str:
        """See TuningPlan."""
        return str(self.start_file or "")

    def start_weights(self) -> Any:
        """See TuningPlan."""
        return LORA.read(read_file(self.start_file)) if self.start_file else None

    def decisive(self) -> list[Any]:
        """The round: its pictures are known by their own digest."""
        return ["best of several", self.folder.name]

    def resumable(self, *, force: bool, resume: bool) -> CheckpointInfo | None:
        """The checkpoint of the round: whether it may be gone on with the whole run has decided."""
        checkpoint = self.run.checkpoint_info()
        return checkpoint if checkpoint and checkpoint.settings == self.settings_digest() else None


def plan_tailor_reward(
    config: TailorRewardConfig,
    console: Console,
    *,
    given: Collection[str],
    offline: bool,
    force: bool,
    resume: bool,
) -> RewardPlan:
    """Check names and settings, and whether the names are free.

    Args:
        given: names of the aspects that come as functions.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    aspects = read_aspects(config.aspects, given)
    name = check_name(config, aspects)
    check_selection(config, aspects)
    check_mixture(config, aspects)
    check_alignment(config)
    if force and resume:
        raise InputError("--resume goes on, --force starts over", "give one of them")
    check_tensorboard(config.training.tensorboard)
    prompts = read_reward_prompts(config, console)
    card = find_model(config.model, offline=offline, say=console.say)
    base = base_model(config.model, card)
    for line in unused_in_tailor_reward(config, len(aspects)):
        console.warn(line)
    training = with_reward_defaults(config.training, card)
    check_pixels(card, training.resolution, "training.resolution")
    mixture = fill_unset(config.mixture, {"resolution": training.resolution})
    check_pixels(card, mixture.resolution, "mixture.resolution")
    if config.candidates.pixels:
        check_pixels(card, config.candidates.pixels, "candidates.pixels")
    check_device(config.device)
    asked = tuple(each.name + (f"={each.place}" if each.place else "") for each in aspects)
    config = replace(config, training=training, mixture=mixture, aspects=asked)
    config = replace(config, name=name, model=base.name)
    measured = measured_aspects(aspects, config.alignment.model)
    plan = RewardPlan(with_absolute_paths(config, NAMES), card, base, prompts, aspects, measured)
    plan.check_free(force=force, resume=resume)
    return plan


def with_reward_defaults(training: TuningConfig, card: ModelCard) -> TuningConfig:
    """The settings with what the user leaves open filled in."""
    pixels = card.sampling.get("pixels") or family_spec(card.folder).native_pixels(card.folder)
    recommended: dict[str, Any] = TUNING | {"resolution": int(pixels)}
    # As for style tailoring: both learn from captioned pictures.
    return fill_unset(training, recommended | dict(card.training.get("tailoring", {})))
