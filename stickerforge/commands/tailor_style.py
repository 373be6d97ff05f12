"""`tailor style`: a general model becomes one of stickers in a house style."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorStyleConfig
from stickerforge.config.toml import to_toml
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.curation.gathering import (
    Gathering,
    check_question,
    describe_content,
    describe_style,
    held_set,
    take_ratings,
)
from stickerforge.curation.style_pictures import gather_style, gathered_before
from stickerforge.errors import InputError
from stickerforge.models.registry import NAMES
from stickerforge.rating.rating_set import is_set, set_folder
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.signals import interruptible
from stickerforge.training.style_data import StyleData, check_domain, read_domain, read_sets
from stickerforge.training.style_plan import (
    COMMAND,
    StylePlan,
    check_name,
    plan_drawing,
    plan_style_training,
)

if TYPE_CHECKING:
    from stickerforge.training.style_result import StyleResult

SETTINGS = "tailor-style.toml"  # in the folder of a set, as `--config` takes them


def tailor_style(
    name: str,
    stage: str = "joint",
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> "StyleResult | Gathering":
    """Tailor from Python: `tailor_style("house", "joint", settings={"arm": "mixed"})`.

    Args:
        name: of the tailored model.
        stage: domain, content, style or joint.
        settings: as in a configuration file, by dotted name: {"training.steps": 300}.
        force: replace an adapter or run of this name.
        resume: go on with a run, interrupted or finished.

    Raises:
        StickerforgeError: input or environment; single pictures are listed in `Result.failed`.
    """
    config = resolve(TailorStyleConfig, settings or {}, {"name": name, "stage": stage})
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def plan(
    config: TailorStyleConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> tuple[StylePlan, StyleData]:
    """Check the settings, and read what is trained on; a domain is not filtered yet.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    own = plan_style_training(config, console, offline=offline, force=force, resume=resume)
    if own.arm == "domain":
        return own, read_domain(config.domain.data, console)
    return own, read_sets(own, config.name, console)


def run(
    config: TailorStyleConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> "StyleResult | Gathering":
    """Do a stage.

    Raises:
        StickerforgeError: input or environment; a checkpoint, or what was drawn, stays.
        Interrupted: likewise.
    """
    with interruptible():
        if config.stage in ("content", "style"):
            if resume:
                console.warn(
                    "--resume does nothing here: what is there is gone on with in any case"
                )
            return gather(config, console, offline=offline, force=force)
        own, data = plan(config, console, offline=offline, force=force, resume=resume)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.tailor_style import tailor_style

        report = ""
        with own.run.lock():
            if own.arm == "domain":
                data, report = filter_data(own, data, console, offline=offline)
            result = tailor_style(own, data, console, offline=offline, force=force, resume=resume)
        return replace(result, report=report, warnings=console.warnings)


def filter_data(
    own: StylePlan, data: StyleData, console: Console, *, offline: bool
) -> tuple[StyleData, str]:
    """(what the filters leave of a domain, the page that shows the others).

    Raises:
        InputError: too little.
        EnvironmentFault: something that they ask for is missing.
    """
    from stickerforge.curation.stages import filter_domain  # loads torch

    pictures, page = filter_domain(
        own.config, data.sets["domain"], own.run.path, console, offline=offline
    )
    check_domain(pictures, console)
    return StyleData({"domain": pictures}), str(page)


def gather(config: TailorStyleConfig, console: Console, *, offline: bool, force: bool) -> Gathering:
    """Bring pictures together for people, and take in what they decided.

    Raises:
        StickerforgeError: input or environment; what was drawn stays.
        Interrupted: likewise.
    """
    check_name(config)
    ratings = check_ratings(config)
    with held_set(config):
        if config.stage == "style":
            gathered = gather_style(config, console)
        elif ratings and is_set(set_folder(config.name, "match")):
            gathered = gathered_before(config.name)  # whatever it was drawn with
        else:
            card, adapters = plan_drawing(config, console, offline=offline)
            from stickerforge.curation.stages import gather_content  # loads torch

            gathered = gather_content(config, card, adapters, console, offline=offline, force=force)
        settings = to_toml(with_absolute_paths(config, NAMES), COMMAND)
        write_whole(gathered.folder / SETTINGS, settings.encode())
        return take_ratings(config, gathered, ratings, console)


def check_ratings(config: TailorStyleConfig) -> Path | None:
    """The file of ratings to take in; None for none.

    Raises:
        InputError: it is not there, broken, or about another question.
    """
    if not config.ratings:
        return None
    path = Path(config.ratings)
    if not path.is_file():
        raise InputError(f"there is no file of ratings {path}", "check the path")
    check_question(config, path)
    return path


def dry_run(
    config: TailorStyleConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    if config.stage in ("content", "style"):
        check_name(config)
        check_ratings(config)
        if config.stage == "style":
            return describe_style(config, console)
        return describe_content(config, *plan_drawing(config, console, offline=True))
    from stickerforge.training.style_estimate import describe  # loads torch

    own, data = plan(config, console, offline=True, force=force, resume=resume)
    return describe(own, data, console)
