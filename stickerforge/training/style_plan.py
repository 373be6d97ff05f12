"""What a training of `tailor style` is to do, checked before a picture or a weight is read."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from stickerforge.adapters import store
from stickerforge.adapters.store import Adapter, Base, validate_name
from stickerforge.config.schema import Arm, TailorStyleConfig, TrainingConfig, TuningConfig
from stickerforge.config.setting import fill_unset
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import to_tree
from stickerforge.config.unused import unused_in_tailor_style
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec
from stickerforge.models.hub import encoder_repository
from stickerforge.models.registry import NAMES, check_pixels, find_model
from stickerforge.objectives.style_tailoring import THRESHOLD
from stickerforge.runtime.console import Console
from stickerforge.training.checks import check_device, check_tensorboard
from stickerforge.training.plan import VALIDATIONS, as_started, base_model
from stickerforge.training.run_folder import run_folder
from stickerforge.training.set_router import Routing, Rule
from stickerforge.training.tuning_plan import KIND, TuningPlan

COMMAND = "tailor style"
SetName = Literal["domain", "content", "style"]
# Learning rate and batch for LoRA; the paper trains whole networks on many GPUs.
TUNING = {"steps": 2000, "batch": 8, "rank": 32, "lr": 1e-4}
RULES: dict[Arm, Rule] = {
    "content": "content",
    "style": "style",
    "sequential": "halves",
    "mixed": "share",
    "reversed": "noise",
    "joint": "noise",
}


@dataclass(frozen=True)
class StylePlan(TuningPlan[TailorStyleConfig]):
    """See `TuningPlan`.

    Args:
        arm: what is trained.
    """

    command: str = COMMAND
    arm: Arm = "joint"

    @property
    def sets(self) -> tuple[SetName, ...]:
        """The sets that are trained on."""
        match self.arm:
            case "prompt":
                return ()
            case "domain" | "content" | "style":
                return (self.arm,)
            case _:
                return ("content", "style")

    @property
    def routing(self) -> Routing:
        """Which set each place of a batch is filled from; those of a domain count as content."""
        joint, content = self.config.joint, self.config.joint.content
        if self.arm == "reversed":
            content = "clean" if content == "noisy" else "noisy"
        rule = RULES.get(self.arm, "content")
        return Routing(rule, joint.threshold, content, joint.stratified)

    @property
    def training(self) -> TrainingConfig:
        """The settings of the loop; DCO for the arms that are compared with the joint one, too."""
        own = super().training
        if self.arm == "domain":
            return own
        return replace(own, objective=self.config.joint.objective, beta=self.config.joint.beta)

    def decisive(self) -> list[Any]:
        """The arm and its rule; how many steps there are decides where an arm of halves turns."""
        rule = {} if self.arm in ("prompt", "domain") else to_tree(self.config.joint)
        halves = [self.config.training.steps] if self.arm == "sequential" else []
        return [self.arm, rule, self.config.style.phrase if self.arm == "prompt" else "", *halves]


def adapter_name(name: str, arm: str) -> str:
    """The adapter of an arm of the tailored model of this name."""
    return name if arm == "joint" else f"{name}-{arm}"


def plan_style_training(
    config: TailorStyleConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> StylePlan:
    """Check names and settings, and whether the name is free.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    arm: Arm = "domain" if config.stage == "domain" else config.arm
    name = adapter_name(check_name(config), arm)
    validate_name(name)
    if config.ratings:
        raise InputError(
            "--ratings is about the stages content and style",
            f"`stickerforge rate {config.name} --ratings FILE` takes them in before {arm}",
        )
    for line in unused_in_tailor_style(config, arm):
        console.warn(line)
    if force and resume:
        raise InputError("--resume goes on, --force starts over", "give one of them")
    check_tensorboard(config.training.tensorboard)
    run = run_folder(name, COMMAND)
    run.check_free(force=force, resume=resume)
    card = find_model(config.model, offline=offline, say=console.say)
    base = base_model(config.model, card)
    start = start_stage(config, arm, base)
    given, validation = config.training, config.validation
    if resume:
        given, validation = as_started(run, given, validation)
    if start:
        given = with_rank_of(start, given)
    training = with_tailoring_defaults(given, card)
    recommended = {"every": max(1, training.steps // VALIDATIONS), "encoder": "judge"}
    validation = fill_unset(validation, recommended)
    if config.joint.stratified and training.batch < 2:
        raise InputError("joint.stratified needs two pictures per step", "give --batch 2 or more")
    check_pixels(card, training.resolution, "training.resolution")
    check_device(config.device)
    own = card.training.get("tailoring", {})
    joint = fill_unset(config.joint, {"threshold": own.get("threshold", THRESHOLD)})
    config = replace(config, training=training, validation=validation, joint=joint, model=base.name)
    long_prompts = start.long_prompts if start else None
    plan = StylePlan(
        with_absolute_paths(config, NAMES), card, base, name, long_prompts, start, arm=arm
    )
    if plan.validation_interval:
        encoder_repository(config.validation.encoder)
    plan.resumable(force=force, resume=resume)
    return plan


def check_name(config: TailorStyleConfig) -> str:
    """The name of the tailored model.

    Raises:
        InputError: there is none, or it cannot be one.
    """
    if not config.name:
        raise InputError(
            "the tailored model has no name", "give --name NAME, for example --name house"
        )
    name = validate_name(config.name)
    if name in style_presets():
        raise InputError(f"{name!r} is the name of a preset", "give another --name")
    if config.stage != "joint" and config.arm != "joint":
        raise InputError(
            f"--arm {config.arm} is about --stage joint, and the stage is {config.stage}",
            "leave one of them out",
        )
    if config.stage == "joint" and config.arm == "prompt" and not config.style.phrase.strip():
        raise InputError(
            "--arm prompt adds style.phrase to prompts, and there is none",
            'give --set style.phrase="words for the style"',
        )
    return name


def start_stage(config: TailorStyleConfig, arm: Arm, base: Base) -> Adapter | None:
    """The adapter that an arm begins from; None for the model as it is.

    Raises:
        InputError: it is not there, of another kind or model, or the arm itself.
    """
    origin = config.init_from
    if arm in ("prompt", "domain") or origin == "model":
        return None
    if origin == arm:
        raise InputError(f"--arm {arm} cannot begin from itself", "give another --init-from")
    name = adapter_name(config.name, origin)
    what = f"the stage {config.stage}" if config.stage != "joint" else arm
    if not store.exists(name):
        stage = "--stage domain" if origin == "domain" else f"--arm {origin}"
        raise InputError(
            f"there is no adapter {name!r}, from which {what} begins",
            f"make it with {stage}, or begin from the model with --init-from model",
        )
    adapter = store.find(name)
    if adapter.kind != KIND or adapter.made.get("arm") != origin:
        raise InputError(
            f"{name!r} is an adapter of kind {adapter.kind!r}, and no stage of {config.name!r}",
            "give another --name, or --init-from model",
        )
    if adapter.base.fingerprint != base.fingerprint:
        raise InputError(
            f"{name!r} was made for {adapter.base.title}, and not for {base.title}",
            f"give --model {adapter.base.name}, or --init-from model",
        )
    return adapter


def plan_drawing(
    config: TailorStyleConfig, console: Console, *, offline: bool
) -> tuple[ModelCard, tuple[str, ...]]:
    """(the model that draws candidates, the adapter of the stage that it draws with).

    Raises:
        InputError: that stage is not there, or of another model.
        EnvironmentFault: the model cannot be had here.
    """
    card = find_model(config.model, offline=offline, say=console.say)
    check_device(config.device)
    start = start_stage(config, "joint", base_model(config.model, card))
    return card, (start.name,) if start else ()


def with_rank_of(start: Adapter, training: TuningConfig) -> TuningConfig:
    """The settings with the rank of the adapter that training begins from.

    Raises:
        InputError: another one is given.
    """
    rank = start.made.get("rank")
    if training.rank not in (None, rank):
        raise InputError(
            f"{start.name!r} has the rank {rank}, and the new adapter {training.rank}",
            f"leave --rank out, or give --rank {rank}",
        )
    return fill_unset(training, {"rank": rank})


def with_tailoring_defaults(training: TuningConfig, card: ModelCard) -> TuningConfig:
    """The settings with what the user leaves open filled in."""
    pixels = card.sampling.get("pixels") or family_spec(card.folder).native_pixels(card.folder)
    recommended: dict[str, Any] = TUNING | {"resolution": int(pixels)}
    return fill_unset(training, recommended | dict(card.training.get("tailoring", {})))
