"""What of a mixture of LoRAs is to become a plain LoRA: checked before a weight is read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.data.prompts import check_prompt
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter, AdapterLookup, is_path
from stickerforge.generation.checks import check_bases
from stickerforge.models.card import ModelCard, read_schema
from stickerforge.models.checksums import fingerprint
from stickerforge.models.network_config import SchedulerConfig
from stickerforge.models.registry import find_model


@dataclass(frozen=True)
class BakeRequest:
    """What a call asks for.

    Args:
        source: the mixture's name.
        name: of the LoRA.
        prompt: that the gates read; "" with `average`.
        timestep: of training, likewise; None with `average`.
        average: whether every parent counts alike instead.
        model: in whose place the mixture's own base is taken; "" for that.
        force: whether an adapter of this name may be replaced.
    """

    source: str
    name: str
    prompt: str = ""
    timestep: int | None = None
    average: bool = False
    model: str = ""
    force: bool = False


@dataclass(frozen=True)
class BakePlan:
    """What is baked; the model is needed to read a prompt only."""

    request: BakeRequest
    mixture: store.Adapter
    active: ActiveAdapter
    card: ModelCard | None


def plan_bake(request: BakeRequest, *, offline: bool, say: Callable[[str], None]) -> BakePlan:
    """What would be baked, checked; the name that it is to have is not.

    Raises:
        InputError: there is no such mixture, nothing says what to bake, or its model is elsewhere.
        EnvironmentFault: the model cannot be had here.
    """
    check_request(request)
    active = AdapterLookup().find(request.source)
    mixture = active.installed
    if mixture is None or not active.is_mixture:
        kind = f"of kind {mixture.kind!r}" if mixture else "no mixture"
        raise InputError(
            f"{request.source!r} is {kind}, and only a mixture of LoRAs can be baked",
            "give a mixture: see `stickerforge adapters list`",
        )
    if request.average:
        return BakePlan(request, mixture, active, None)
    card = find_model(model_of(request, mixture), offline=offline, say=say)
    check_bases([active], card, fingerprint(card.folder))
    check_timestep(request, card)
    return BakePlan(request, mixture, active, card)


def model_of(request: BakeRequest, mixture: store.Adapter) -> str:
    """The model that reads the prompt.

    Raises:
        InputError: it is not where it was.
    """
    name = request.model or mixture.base.name
    if not request.model and Path(name).is_absolute() and not Path(name).exists():
        raise InputError(
            f"the model that {request.source!r} was made for is no longer in {name}",
            "give --model FOLDER, where it is now",
        )
    return name


def check_request(request: BakeRequest) -> None:
    """Make sure that a call says what to bake.

    Raises:
        InputError: it does not, or says two things.
    """
    if is_path(request.source):
        raise InputError(
            f"{request.source!r} is no adapter's name", "give one of `stickerforge adapters list`"
        )
    given = bool(request.prompt) or request.timestep is not None
    if request.average and given:
        raise InputError(
            "--average is for every prompt and timestep", "leave out --prompt and --timestep"
        )
    if request.average:
        return
    if not given:
        raise InputError(
            "nothing says what to bake",
            "give --prompt and --timestep, or --average for what suits every prompt",
        )
    check_prompt(request.prompt, "--prompt")
    if request.timestep is None:
        raise InputError(
            "no timestep given", "give --timestep, for example 500: high ones are noisier"
        )


def check_timestep(request: BakeRequest, card: ModelCard) -> None:
    """Make sure that a model has a timestep.

    Raises:
        InputError: it has not.
    """
    path = card.folder / "scheduler" / "scheduler_config.json"
    last = read_schema(path, SchedulerConfig).num_train_timesteps - 1
    if request.timestep is not None and not 0 <= request.timestep <= last:
        raise InputError(
            f"{card.title} has no timestep {request.timestep}", f"give --timestep 0 to {last}"
        )
