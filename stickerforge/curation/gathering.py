"""What a stage of `tailor style` gathered for people to decide about, or would gather."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.schema import RateConfig, SamplingConfig, TailorStyleConfig
from stickerforge.curation.candidate_tables import read_drawn
from stickerforge.curation.screening import needs_encoder
from stickerforge.curation.style_pictures import Gathered, plan_style
from stickerforge.data.prompt_bank import normalize
from stickerforge.data.prompts import read_prompts
from stickerforge.errors import InputError
from stickerforge.generation.plan import sampling_settings
from stickerforge.models import language_model, picture_safety
from stickerforge.models.card import ModelCard
from stickerforge.models.cost import sampling_cost
from stickerforge.models.families.specs import family_spec
from stickerforge.models.hub import encoder_repository, model_repository
from stickerforge.rating.outcome import Outcome
from stickerforge.rating.plan import plan_rating
from stickerforge.rating.rating_set import OUTCOMES, SingleQuestion, set_folder
from stickerforge.rating.ratings import numbered_ratings
from stickerforge.rating.ratings_intake import read_for_task
from stickerforge.rating.serving import LOCK, exclusive
from stickerforge.rating.update import update_held
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.runtime.text import plural

QUESTIONS: dict[str, SingleQuestion] = {"content": "match", "style": "style"}
Description = tuple[dict[str, Any], list[str]]  # for the JSON, for people


@dataclass(frozen=True)
class Gathering:
    """The pictures of a set, and what people have decided about them by now.

    Args:
        taken: how many ratings of a file were new; None where there was no file.
    """

    config: TailorStyleConfig
    gathered: Gathered
    outcome: Outcome
    taken: int | None

    @property
    def failed(self) -> list[str]:
        """A line for each picture that could not be used or drawn."""
        return [*self.gathered.failed, *self.outcome.task.failed]

    @property
    def paths(self) -> list[str]:
        """The table of those that people took."""
        return [str(self.gathered.folder / OUTCOMES[QUESTIONS[self.config.stage]])]

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        gathered = self.gathered
        return {
            "stage": self.config.stage,
            "folder": str(gathered.folder),
            "made": gathered.made,
            "kept": gathered.kept,
            "removed": gathered.removed,
            "report": str(gathered.report) if gathered.report else None,
            **self.outcome.result(),
            "taken": self.taken,
            "failed": self.failed,
        }

    def note(self) -> str:
        """For people."""
        removed = ", ".join(f"{gate} {count}" for gate, count in self.gathered.removed.items())
        taken = f"; taken out: {removed}, see {self.gathered.report}" if removed else ""
        left = len(self.outcome.task.items) - self.outcome.num_rated
        question = QUESTIONS[self.config.stage]
        hint = f"; decide about them: stickerforge rate {self.config.name} --question {question}"
        return (
            f"{plural(self.gathered.made, 'new picture')} of {self.config.stage},"
            f" {self.gathered.kept} there before{taken}; {self.outcome.note()}"
            f"{hint if left else ''}"
        )


@contextlib.contextmanager
def held_set(config: TailorStyleConfig) -> Iterator[None]:
    """Within, no other call draws into the set of a stage, gates it or rates it.

    Of a call that wrote nothing no folder is left: its name would be taken for that of a set.

    Raises:
        InputError: another one is doing so.
        EnvironmentFault: the folder cannot be written.
    """
    folder = set_folder(config.name, QUESTIONS[config.stage])
    with exclusive(folder):
        try:
            yield
        finally:
            if [path.name for path in folder.iterdir()] == [LOCK]:
                with contextlib.suppress(OSError):
                    (folder / LOCK).unlink()
                    folder.rmdir()
                    folder.parent.rmdir()


def check_question(config: TailorStyleConfig, ratings: Path) -> None:
    """Make sure that a file of ratings is about the question of a stage.

    Raises:
        InputError: it is broken, or a line is about another question.
    """
    question = QUESTIONS[config.stage]
    for number, rating in numbered_ratings(ratings):
        if rating.question != question:
            raise InputError(
                f"{ratings} line {number}: an answer to the question {rating.question!r}, and"
                f" --stage {config.stage} asks {question!r}",
                f"`stickerforge rate {config.name} --ratings FILE` takes in answers to the others",
            )


def take_ratings(
    config: TailorStyleConfig, gathered: Gathered, ratings: Path | None, console: Console
) -> Gathering:
    """What people have decided about a set, whose lock the caller holds.

    Args:
        ratings: a file of further ratings.

    Raises:
        StickerforgeError: input or environment.
    """
    task = plan_rating(RateConfig(run=config.name, question=QUESTIONS[config.stage]))
    rows = read_for_task(task, ratings) if ratings else None
    return Gathering(config, gathered, *update_held(task, console, rows))


def describe_style(config: TailorStyleConfig, console: Console) -> Description:
    """What the stage "style" would do.

    Raises:
        InputError: there are no pictures, or they cannot be read.
    """
    planned = plan_style(config, console)
    result = {
        "dry_run": True,
        "stage": "style",
        "reads": config.style.data,
        "count": planned.made,
        "kept": planned.kept,
        "drops": planned.failed,
        "writes": [str(planned.folder)],
    }
    there = [f"there   {plural(planned.kept, 'picture')}"]
    return result, [
        f"read    {plural(planned.made, 'new picture')}",
        *(there if planned.kept else []),
        *(f"drop    {line}" for line in planned.failed),
        f"write   {planned.folder}{os.sep}",
    ]


def describe_content(
    config: TailorStyleConfig, card: ModelCard, adapters: tuple[str, ...]
) -> Description:
    """What the stage "content" would do.

    Args:
        adapters: that the model draws with.

    Raises:
        InputError: the file of prompts, or what was drawn before, cannot be read.
    """
    content, folder = config.content, set_folder(config.name, "match")
    prompts = content.prompts
    if content.file:
        rows = read_prompts(Path(content.file), styles=None)
        prompts = len({normalize(row.prompt) or row.prompt for row in rows})
    pictures = prompts * content.count
    kept, fetches = len(read_drawn(folder)), fetched_models(config)
    seconds = drawing_seconds(config, card, pictures)
    result = {
        "dry_run": True,
        "stage": "content",
        "model": card.title,
        "adapters": list(adapters),
        "prompts": prompts,
        "count": pictures,
        "kept": kept,
        "fetches": fetches,
        "writes": [str(folder)],
        "about_seconds": round(seconds, 1),
    }
    there = [
        f"there   {plural(kept, 'picture')}, not drawn again where their prompts are asked for"
    ]
    return result, [
        f"draw    {plural(pictures, 'picture')} with {', '.join((card.title, *adapters))}",
        *(there if kept else []),
        *(f"fetch   {name}, unless it is in the cache" for name in fetches),
        f"write   {folder}{os.sep}",
        f"about   {seconds:.1f} s",
    ]


def fetched_models(config: TailorStyleConfig) -> list[str]:
    """The models of the hub that the stage "content" would use besides the one that draws.

    Raises:
        InputError: no encoder is called as a setting says, or there is no such folder.
    """
    content, gates = config.content, config.gates
    compared = encoder_repository(gates.encoder)
    found = {compared} if needs_encoder(gates) else set()
    if content.duplicate_encoder:
        found.add(encoder_repository(content.duplicate_encoder))
    if gates.safety:
        found.add(model_repository(gates.safety, picture_safety.WHAT))
    if content.language_model and not content.file:
        found.add(model_repository(content.language_model, language_model.WHAT))
    return sorted(found - {""})


def drawing_seconds(config: TailorStyleConfig, card: ModelCard, pictures: int) -> float:
    """How long it takes to draw so many pictures."""
    content = config.content
    given = SamplingConfig(steps=content.steps, guidance=content.guidance, pixels=content.pixels)
    sampling = sampling_settings(given, card)
    return sampling_cost(
        card,
        pictures=pictures,
        steps=sampling.steps,
        guidance=sampling.guidance,
        pixels=sampling.pixels or family_spec(card.folder).native_pixels(card.folder),
        cuda=resolve_device(config.device).type == "cuda",
    ).seconds
