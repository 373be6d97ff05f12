"""A round for one aspect: the best pictures are chosen and learned from, and that is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.adapters.kinds import LORA
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.data.pictures import load_reference
from stickerforge.errors import InputError
from stickerforge.evaluation.image_set import prompt_params
from stickerforge.objectives.best_of_k import Selection, best_of_prompts, select
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.text import plural
from stickerforge.training.captioned_source import CaptionedSource
from stickerforge.training.checkpoint import remove_checkpoint
from stickerforge.training.loss_plot import loss_plot
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.reward_guard import Change
from stickerforge.training.reward_plan import COMMAND, LORA_FILE, AspectPlan, RewardPlan
from stickerforge.training.reward_prompts import MIN_CHOSEN
from stickerforge.training.scored_pictures import ScoredSet
from stickerforge.training.style_estimate import pictures_at_once
from stickerforge.training.tailor import learn


@dataclass(frozen=True)
class Round:
    """What a round came to.

    Args:
        number: from 1 on.
        selection: what was trained on.
        candidates: what it was chosen from.
        file: the weights.
        after: the held-out prompts as they are drawn with them.
        changes: of every aspect from the base to this round.
        gain: of its own aspect from the round before.
        diversity: change of it from the round before; None where it was not measured.
        lowered: aspects by which it may not be kept.
    """

    number: int
    selection: Selection
    candidates: ScoredSet
    file: Path
    after: ScoredSet
    changes: dict[str, Change]
    gain: Change
    diversity: Change | None
    lowered: list[str]

    @property
    def is_last(self) -> bool:
        """Whether a further round is not worth it: no gain beyond its error, or less diversity."""
        return self.gain.mean <= self.gain.error or self.narrows

    @property
    def narrows(self) -> bool:
        """Whether the diversity falls, its whole interval below 0."""
        return self.diversity is not None and self.diversity.falls

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "round": self.number,
            "chosen": len(self.selection.chosen),
            "of": self.selection.prompts,
            "threshold": self.selection.threshold,
            "file": str(self.file),
            "gain": self.gain.result(),
            "diversity": self.diversity.result() if self.diversity else None,
            "changes": {name: change.result() for name, change in self.changes.items()},
            "lowered": self.lowered,
        }


def choose(plan: RewardPlan, aspect: str, candidates: ScoredSet) -> Selection:
    """The pictures that an aspect is trained on.

    Raises:
        InputError: its scores are all the same, or too few pictures are left.
    """
    settings, pictures = plan.config.selection, candidates.scores(aspect)
    scores = [picture.score for picture in pictures]
    if scores and plan.config.candidates.count > 1 and min(scores) == max(scores):
        raise InputError(
            f"the aspect {aspect!r} gives all {len(scores)} pictures the same, {scores[0]:g}",
            "nothing can be chosen by it: leave it out",
        )
    selection = select(pictures, quantile=settings.quantile, least=settings.threshold)
    if len(selection.chosen) < MIN_CHOSEN:
        raise too_few(plan, aspect, selection, [one.score for one in best_of_prompts(pictures)])
    return selection


def too_few(
    plan: RewardPlan, aspect: str, selection: Selection, best: Sequence[float]
) -> InputError:
    """The error of a threshold that leaves too few pictures to learn from.

    Args:
        best: the best score of each prompt.
    """
    left, ranked = len(selection.chosen), sorted(best, reverse=True)
    limit = (
        f"selection.threshold={selection.threshold:g}"
        if plan.config.selection.threshold is not None
        else f"selection.quantile={plan.config.selection.quantile:g}"
    )
    enough = len(ranked) >= MIN_CHOSEN
    remedy = f"{ranked[MIN_CHOSEN - 1]:.4g} leaves as many" if enough else "give more prompts"
    return InputError(
        f"{limit} leaves {plural(left, 'picture')} of {plural(len(ranked), 'prompt')} for"
        f" {aspect!r}, and at least {MIN_CHOSEN} are needed",
        f"a threshold of {remedy}: start over with --force, what was drawn is not drawn again"
        if enough
        else remedy,
    )


def train_round(
    plan: RewardPlan,
    aspect: str,
    number: int,
    selection: Selection,
    candidates: ScoredSet,
    start: Path | None,
    console: Console,
    *,
    offline: bool,
) -> Path:
    """The file of the weights of a round; one that is there already was trained before.

    Args:
        start: weights that it goes on from; None for fresh ones.

    Raises:
        StickerforgeError, Interrupted: as `learn`.
    """
    folder = plan.run.path / "training" / f"{aspect}-{number}"
    file = folder / LORA_FILE
    if file.exists():
        return file
    make_folder(folder)
    own = AspectPlan(
        plan.config,
        plan.card,
        plan.base,
        f"{aspect}-{number}",
        command=COMMAND,
        folder=folder,
        start_file=start,
    )
    source = CaptionedSource(own, captioned(selection, candidates, console), pictures_at_once(own))
    learned = learn(own, source, console, offline=offline, force=False, resume=True)
    write_whole(own.run.loss_plot, loss_plot(read_rows(own.run.metrics)))
    write_whole(file, LORA.encode(learned.weights))
    remove_checkpoint(own.run)
    return file


def captioned(selection: Selection, candidates: ScoredSet, console: Console) -> CaptionedPictures:
    """The chosen pictures with the texts that they were drawn from, as the model reads prompts.

    Raises:
        InputError: none can be used.
    """
    return read_chosen(chosen_paths(selection, candidates), console)


def chosen_paths(selection: Selection, candidates: ScoredSet) -> dict[Path, str]:
    """The files of the chosen pictures with their prompts, in the order of the choice."""
    return {
        candidates.path(chosen.prompt, chosen.seed): chosen.prompt for chosen in selection.chosen
    }


def read_chosen(prompts: Mapping[Path, str], console: Console) -> CaptionedPictures:
    """Pictures with the texts that they were drawn from, as the model reads prompts.

    Args:
        prompts: {file: what people wrote}.

    Raises:
        InputError: none can be used.
    """
    found = CaptionedPictures()
    for path, prompt in prompts.items():
        try:
            picture = load_reference(path)
        except InputError as error:
            found.unreadable.append(error.message)
            console.warn(f"left out: {error.message}")
            continue
        text = prompt_params(path).get("text", prompt)
        found.pictures.append((picture, text))
    if not found.pictures:
        raise InputError(
            f"none of the {len(prompts)} chosen pictures can be used: {found.unreadable[0]}",
            "choose by another aspect",
        )
    return found
