"""`tailor reward`: a model learns from the best of its own pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorRewardConfig
from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation.candidate_tables import read_drawn
from stickerforge.data.prompt_bank import BankPrompt
from stickerforge.errors import Interrupted
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.training.drawn_set import Draw, DrawnPicture, DrawnSet
from stickerforge.training.reward_plan import RewardPlan, plan_tailor_reward

if TYPE_CHECKING:
    from stickerforge.evaluation.aspects import Scorer
    from stickerforge.training.reward_result import RewardResult

GO_ON = "the same with --resume, and without --force, goes on from here"
NONE: Mapping[str, "Scorer"] = {}


def tailor_reward(
    prompts: str | Path = "",
    aspects: "Sequence[str] | Mapping[str, Scorer]" = (),
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> "RewardResult":
    """Tailor from Python: `tailor_reward("prompts.txt", ["validity"], settings={"name": "n"})`.

    Args:
        prompts: a file of prompts.
        aspects: names; or functions by name, `{"geometry": f}`, from pictures (RGBA) and their
            prompts to a number for each, the higher the better, beside the names in the settings.
        settings: as in a configuration file, by dotted name: {"candidates.count": 4}.
        force: replace an adapter or run of this name.
        resume: go on with a run that was interrupted.

    Raises:
        StickerforgeError: input or environment; pictures that failed are listed in the result.
    """
    functions = aspects if isinstance(aspects, Mapping) else NONE
    own: dict[str, Any] = {"prompts": str(prompts)} if prompts else {}
    if functions:
        own |= {"aspects": list((settings or {}).get("aspects", ()))}
    elif aspects:
        own |= {"aspects": list(aspects)}
    config = resolve(TailorRewardConfig, settings or {}, own)
    console = Console(quiet=True)
    return run(config, console, functions, offline=False, force=force, resume=resume)


def plan(
    config: TailorRewardConfig,
    console: Console,
    functions: "Mapping[str, Scorer]" = NONE,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> RewardPlan:
    """Check the settings, and read the prompts.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    return plan_tailor_reward(
        config, console, given=functions.keys(), offline=offline, force=force, resume=resume
    )


def run(
    config: TailorRewardConfig,
    console: Console,
    functions: "Mapping[str, Scorer]" = NONE,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> "RewardResult":
    """Draw, choose, train and measure.

    Raises:
        StickerforgeError: input or environment; what was drawn, scored and trained stays.
        Interrupted: likewise.
    """
    with interruptible():
        own = plan(config, console, functions, offline=offline, force=force, resume=resume)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.tailor_reward import tailor_reward

        draw = drawing(own, console, offline=offline)
        try:
            with own.run.lock():
                result = tailor_reward(own, functions, draw, console, offline=offline, force=force)
        except Interrupted as stop:
            raise Interrupted(stop.message, stop.code, GO_ON) from None
        return replace(result, warnings=console.warnings)


def drawing(own: RewardPlan, console: Console, *, offline: bool) -> Draw:
    """Draws pictures of prompts into a folder, as the content stage of `tailor style` does."""
    from stickerforge.curation.candidates import draw_candidates  # loads torch

    config, given = own.config, own.config.candidates

    def draw(
        prompts: Sequence[str], folder: Path, count: int, adapters: tuple[str, ...]
    ) -> DrawnSet:
        drawn = draw_candidates(
            [BankPrompt(prompt, "file") for prompt in prompts],
            folder,
            ContentConfig(
                file=config.prompts,
                count=count,
                steps=given.steps,
                guidance=given.guidance,
                batch=given.batch,
                pixels=given.pixels,
                matting=given.matting,
            ),
            console,
            model=config.model,
            adapters=adapters,
            seed=config.seed,
            device=config.device,
            offline=offline,
        )
        rows = [one.row for one in read_drawn(folder) if one.path.exists()]
        pictures = [
            DrawnPicture(row.file_name, row.text, row.seed) for row in rows if row.seed is not None
        ]
        return DrawnSet(folder, pictures, drawn.failed)

    return draw


def dry_run(
    config: TailorRewardConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.training.reward_estimate import describe  # loads torch

    return describe(plan(config, console, offline=True, force=force, resume=resume), console)
