"""The workflow of `tailor reward`: candidates, choices, a LoRA for each aspect, the guard.

VersaT2I (arXiv:2403.18493). Its second stage is in `reward_mixture.py`.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stickerforge.config.toml import to_toml
from stickerforge.errors import InputError
from stickerforge.evaluation.aspects import Aspect, Scorer, has_functions, load_aspects
from stickerforge.evaluation.statistics import MIN_PROMPTS
from stickerforge.models.checksums import verify
from stickerforge.models.encoders import Encoder, load_encoder
from stickerforge.objectives.best_of_k import Selection
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.text import plural
from stickerforge.training.checkpoint import remove_checkpoint
from stickerforge.training.drawn_set import Draw
from stickerforge.training.reward_guard import (
    compare,
    diversities,
    diversity_change,
    lowered_aspects,
)
from stickerforge.training.reward_mixture import make_mixture
from stickerforge.training.reward_outcome import AspectOutcome, MixtureOutcome
from stickerforge.training.reward_plan import RewardPlan, RewardState
from stickerforge.training.reward_prompts import MIN_CHOSEN
from stickerforge.training.reward_result import (
    Choices,
    RewardResult,
    save_adapter,
    write_report,
)
from stickerforge.training.reward_rounds import Round, choose, train_round
from stickerforge.training.scored_pictures import TABLE, ScoredSet, applied, score_set

CANDIDATES, HELD_OUT, BASE = "candidates", "held-out", "base"  # folders of a run


@dataclass(frozen=True)
class RewardRun:
    """What the parts of a run share.

    Args:
        aspects: all that are measured.
        encoder: what measures diversity.
    """

    plan: RewardPlan
    aspects: Sequence[Aspect]
    encoder: Encoder
    draw: Draw
    console: Console
    offline: bool

    def held_out(self, name: str, adapters: tuple[str, ...] = ()) -> ScoredSet:
        """The prompts that measure, drawn with adapters and scored."""
        prompts, count = self.plan.prompts.held_out, self.plan.config.held_out.count
        return self.scored(HELD_OUT, name, prompts, count, adapters)

    def candidates(self, name: str, adapters: tuple[str, ...] = ()) -> ScoredSet:
        """The prompts that are trained on, likewise."""
        prompts, count = self.plan.prompts.training, self.plan.config.candidates.count
        return self.scored(CANDIDATES, name, prompts, count, adapters)

    def scored(
        self, part: str, name: str, prompts: Sequence[str], count: int, adapters: tuple[str, ...]
    ) -> ScoredSet:
        """Pictures of prompts, drawn and scored; what is there already stays."""
        folder = self.plan.run.path / part / name
        return score_set(self.draw(prompts, folder, count, adapters), self.aspects, self.console)


def tailor_reward(
    plan: RewardPlan,
    given: Mapping[str, Scorer],
    draw: Draw,
    console: Console,
    *,
    offline: bool,
    force: bool,
) -> RewardResult:
    """Draw, choose, train a LoRA for each aspect, and save those that cost no other aspect much.

    Args:
        given: aspects that are functions of the user's.
        draw: draws pictures into a folder; see `Draw`.
        force: start over, where there is a run; else it is gone on with.

    Raises:
        InputError: something cannot be used, or too few pictures are left to learn from.
        EnvironmentFault: a network cannot be had, memory or the disk is full.
        Interrupted: what was drawn, scored and trained stays, and the run can be gone on with.
    """
    verify(plan.card.folder)
    aspects = load_aspects(
        plan.measured,
        given,
        console,
        model=plan.config.alignment.model,
        direction=plan.config.alignment.direction,
        device=plan.config.device,
        offline=offline,
    )
    check_prompts(plan, aspects)
    state = begin(plan, aspects, force=force)
    run = RewardRun(plan, aspects, load_encoder("judge"), draw, console, offline)
    candidates = run.candidates(BASE)
    selections = {aspect.name: choose(plan, aspect.name, candidates) for aspect in plan.aspects}
    choices = Choices(candidates, selections)
    for line in choices.lines():
        console.say(line)
    base = run.held_out(BASE)
    for aspect in plan.aspects:
        check_measured(base, aspect.name, "give other prompts")
    outcomes = [
        improve(run, aspect.name, candidates, selections[aspect.name], base)
        for aspect in plan.aspects
    ]
    for outcome in outcomes:
        if outcome.kept:
            save_adapter(plan, outcome, state.settings)
    result = RewardResult(plan, choices, base, outcomes, mix(run, outcomes, base))
    write_report(result)
    plan.write_state(replace(state, finished=True))
    return result


def check_prompts(plan: RewardPlan, aspects: Sequence[Aspect]) -> None:
    """Make sure that the aspects apply to prompts enough.

    Raises:
        InputError: one does not.
    """
    asked = {aspect.name for aspect in plan.aspects}
    for aspect in aspects:
        if aspect.name not in asked:
            continue
        for prompts, least, what in (
            (plan.prompts.training, MIN_CHOSEN, "that are trained on"),
            (plan.prompts.held_out, MIN_PROMPTS, "that measure"),
        ):
            if (count := applied(aspect, prompts)) < least:
                raise InputError(
                    f"the aspect {aspect.name!r} applies to {count} of the {len(prompts)} prompts"
                    f" {what}, and at least {least} are needed",
                    'name a style in more of them, as in "a cat, in flat style"'
                    if aspect.name == "style"
                    else "give other prompts",
                )


def check_measured(pictures: ScoredSet, aspect: str, hint: str) -> None:
    """Make sure that there are prompts enough to say anything by.

    Raises:
        InputError: too few of them could be drawn.
    """
    if (count := len({one.prompt for one in pictures.scores(aspect)})) < MIN_PROMPTS:
        why = f": {pictures.failed[0]}" if pictures.failed else ""
        raise InputError(
            f"{plural(count, 'prompt')} that measure {aspect!r} could be drawn, and at least"
            f" {MIN_PROMPTS} are needed{why}",
            hint,
        )


def begin(plan: RewardPlan, aspects: Sequence[Aspect], *, force: bool) -> RewardState:
    """Write the settings of a run; a new one removes what an earlier one left.

    Pictures of the base that would be drawn to the same bytes again stay.

    Raises:
        InputError: a run that is gone on with was scored by others.
    """
    run, before = plan.run, None if force else plan.state()
    own = {aspect.name: aspect.digest for aspect in aspects}
    if before and before.aspects != own:
        changed = sorted(name for name in own if before.aspects.get(name) != own[name])
        raise InputError(
            f"the run of {run.name!r} was scored with other weights of {', '.join(changed)}",
            "give the same, or start over with --force",
        )
    if before is None:
        remove_checkpoint(run)
        run.remove_validations()
        for path in run.path.glob("*.toml"):  # perhaps of another command
            path.unlink(missing_ok=True)
        remove_earlier(plan, own)
    state = before or RewardState(plan.settings_digest(), plan.drawing_digest(), own)
    make_folder(run.path)
    if plan.has_mixture:
        make_folder(plan.mixture_run.path)
    write_whole(run.config, to_toml(plan.config, run.command).encode())
    plan.write_state(replace(state, finished=False))
    return state


def remove_earlier(plan: RewardPlan, aspects: Mapping[str, str]) -> None:
    """Remove what an earlier run left, but for the base's pictures if they are those of this one.

    Args:
        aspects: what each aspect's scores come from; where that changed, all are scored again.
    """
    try:
        before = plan.state()
    except InputError:  # which is why it is started over
        before = None
    stays = before is not None and before.drawing == plan.drawing_digest()
    # Nothing tells whether a function is the one that it was.
    scored = before is not None and before.aspects == aspects and not has_functions(aspects)
    for part in (CANDIDATES, HELD_OUT, "training", "sheets"):
        for path in (plan.run.path / part).glob("*"):
            if not (stays and path.name == BASE):
                shutil.rmtree(path, ignore_errors=True)
            elif not scored:
                (path / TABLE).unlink(missing_ok=True)


def improve(
    run: RewardRun, aspect: str, candidates: ScoredSet, selection: Selection, base: ScoredSet
) -> AspectOutcome:
    """Train a LoRA for an aspect, in rounds that go on as long as they gain."""
    rounds, kept = list[Round](), None
    before, spread = base, diversities(base, run.encoder)
    for number in range(1, run.plan.config.rounds + 1):
        title = f"{aspect}-{number}"
        if kept:
            candidates = run.candidates(title, (str(kept.file),))
            try:
                selection = choose(run.plan, aspect, candidates)
            except InputError as error:
                run.console.warn(f"{aspect!r} ends after {plural(number - 1, 'round')}: {error}")
                break
        file = train_round(
            run.plan,
            aspect,
            number,
            selection,
            candidates,
            kept.file if kept else None,
            run.console,
            offline=run.offline,
        )
        after = run.held_out(title, (str(file),))
        check_measured(after, aspect, "start over with --force and a lower --lr")
        names = [each.name for each in run.aspects]
        changes = compare(base, after, names)
        gain = compare(before, after, [aspect])[aspect]
        now = diversities(after, run.encoder)
        lowered = lowered_aspects(changes, aspect, run.plan.config.guard.loss)
        done = Round(
            number,
            selection,
            candidates,
            file,
            after,
            changes,
            gain,
            diversity_change(spread, now),
            lowered,
        )
        rounds.append(done)
        if lowered or (kept and done.is_last):
            break
        kept, before, spread = done, after, now
        if done.is_last:
            break
    return AspectOutcome(aspect, run.plan.adapter_name(aspect), rounds, kept)


def mix(
    run: RewardRun, outcomes: Sequence[AspectOutcome], base: ScoredSet
) -> MixtureOutcome | None:
    """Make and measure the mixture; None where none is asked for, or of fewer than two LoRAs.

    It is saved whatever it changes: its parents are there, and no guard held them back.
    """
    kept = [outcome for outcome in outcomes if outcome.kept]
    if not run.plan.has_mixture or len(kept) < 2:
        return None
    adapter = make_mixture(run.plan, kept, run.console)
    # Another mixture, of other settings, has pictures of its own.
    after = run.held_out(f"mixture-{adapter.sha256[:8]}", (adapter.name,))
    for each in run.plan.aspects:
        check_measured(after, each.name, "go on with --resume and a lower mixture.lr")
    changes = compare(base, after, [each.name for each in run.aspects])
    lowered = lowered_aspects(changes, "", run.plan.config.guard.loss)
    if lowered:
        run.console.warn(f"the mixture {adapter.name!r} lowers {', '.join(lowered)}")
    return MixtureOutcome(adapter, after, changes, lowered)
