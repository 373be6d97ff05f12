"""The stages of `tailor style` that bring pictures together for people to decide about."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stickerforge.commands import rate
from stickerforge.config.schema import RateConfig, SamplingConfig, TailorStyleConfig
from stickerforge.curation.style_pictures import Gathered, check_style, gather_style
from stickerforge.errors import InputError
from stickerforge.generation.plan import sampling_settings
from stickerforge.models.card import ModelCard
from stickerforge.models.cost import sampling_cost
from stickerforge.models.families.specs import family_spec
from stickerforge.rating.rating_set import OUTCOMES, SingleQuestion, set_folder
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.runtime.text import plural
from stickerforge.training.style_plan import check_name, plan_drawing

QUESTIONS: dict[str, SingleQuestion] = {"content": "match", "style": "style"}


@dataclass(frozen=True)
class Gathering:
    """The pictures of a set, and what people have decided about them by now."""

    name: str
    stage: Literal["content", "style"]
    gathered: Gathered
    rated: rate.Result

    @property
    def failed(self) -> list[str]:
        """A line for each picture that could not be used or drawn."""
        return [*self.gathered.failed, *self.rated.outcome.task.failed]

    @property
    def paths(self) -> list[str]:
        """The table of those that people took."""
        return [str(self.gathered.folder / OUTCOMES[QUESTIONS[self.stage]])]

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        gathered = self.gathered
        return {
            "stage": self.stage,
            "folder": str(gathered.folder),
            "made": gathered.made,
            "kept": gathered.kept,
            "removed": gathered.removed,
            "report": str(gathered.report) if gathered.report else None,
            **self.rated.result(),
            "failed": self.failed,
        }

    def note(self) -> str:
        """For people."""
        removed = ", ".join(f"{gate} {count}" for gate, count in self.gathered.removed.items())
        taken = f"; taken out: {removed}, see {self.gathered.report}" if removed else ""
        outcome = self.rated.outcome
        left = len(outcome.task.items) - outcome.num_rated
        hint = (
            f"; decide about them: stickerforge rate {self.name} --question {QUESTIONS[self.stage]}"
        )
        return (
            f"{plural(self.gathered.made, 'new picture')} of {self.stage},"
            f" {self.gathered.kept} there before{taken}; {self.rated.note()}"
            f"{hint if left else ''}"
        )


def gather(config: TailorStyleConfig, console: Console, *, offline: bool, force: bool) -> Gathering:
    """Bring pictures together, and take in what people decided.

    Raises:
        StickerforgeError: input or environment; what was drawn stays.
        Interrupted: likewise.
    """
    check_name(config)
    ratings = Path(config.ratings) if config.ratings else None
    if ratings and not ratings.is_file():
        raise InputError(f"there is no file of ratings {ratings}", "check the path")
    if config.stage == "style":
        gathered = gather_style(config, console)
    else:
        card, adapters = plan_drawing(config, console, offline=offline)
        from stickerforge.curation.stages import gather_content  # loads torch

        gathered = gather_content(config, card, adapters, console, offline=offline, force=force)
    stage: Literal["content", "style"] = "style" if config.stage == "style" else "content"
    call = RateConfig(run=config.name, question=QUESTIONS[stage])
    return Gathering(
        config.name, stage, gathered, rate.run(call, console, ratings=ratings, page=False)
    )


def gather_dry_run(config: TailorStyleConfig, console: Console) -> tuple[dict[str, Any], list[str]]:
    """What `gather` would do: (result for the JSON, lines for people)."""
    check_name(config)
    folder = set_folder(config.name, QUESTIONS[config.stage])
    result: dict[str, Any] = {"dry_run": True, "stage": config.stage, "writes": [str(folder)]}
    if config.stage == "style":
        count = check_style(config)
        return result | {"reads": config.style.data, "count": count}, [
            f"read    {plural(count, 'picture')}",
            f"write   {folder}{os.sep}",
        ]
    card, adapters = plan_drawing(config, console, offline=True)
    pictures = config.content.prompts * config.content.count
    seconds = drawing_seconds(config, card, pictures)
    result |= {
        "model": card.title,
        "adapters": list(adapters),
        "prompts": config.content.prompts,
        "count": pictures,
        "about_seconds": round(seconds, 1),
    }
    return result, [
        f"draw    {plural(pictures, 'picture')} with {', '.join((card.title, *adapters))}",
        f"write   {folder}{os.sep}",
        f"about   {result['about_seconds']} s",
    ]


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
