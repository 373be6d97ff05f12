"""Captioned pictures as what a model is tuned on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console
from stickerforge.training.batches import TrainingExample
from stickerforge.training.captioned_latents import encode_captioned
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.methods.caption_tuning import CaptionTuning
from stickerforge.training.state import TrainState
from stickerforge.training.tuning_plan import TuningPlan
from stickerforge.training.tuning_source import spread
from stickerforge.training.tuning_validation import Score


@dataclass
class CaptionedSource:
    """Pictures whose noise is taken away under their captions. See `TuningSource`.

    Args:
        data: the pictures; one that has gone or changed since it was read is left out.
        at_once: how many of a batch are computed together.
        examples: the same, encoded.
    """

    plan: TuningPlan[Any]
    data: CaptionedPictures
    at_once: int
    examples: list[TrainingExample] = field(default_factory=list)
    digest: str = ""
    what: str = "pictures or captions"
    objective: str = "captions"
    score: Score | None = None

    def prepare(self, model: DiffusionModel, console: Console, *, offline: bool) -> None:
        """Encode every picture once, one at a time.

        Raises:
            InputError: none can be read any more.
            EnvironmentFault: the disk is full.
        """
        resolution, folder = self.plan.config.training.resolution, self.plan.run.path
        latents = encode_captioned(model, self.data, resolution, folder, console)
        self.examples, self.digest = latents.examples, latents.digest
        captions = [example.caption.text for example in self.examples]
        own = model.long_prompts
        if self.plan.long_prompts:
            model.long_prompts = self.plan.long_prompts
        warn_of_unread_text(model, captions, "a caption", console)
        model.long_prompts = own

    def files(self) -> Mapping[str, bytes]:
        """captions.jsonl: every picture with its caption."""
        rows = [
            {"picture": example.name, "caption": example.caption.text} for example in self.examples
        ]
        return {"captions.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}

    def validation_prompts(self, count: int) -> Sequence[str]:
        """Captions of the pictures."""
        return spread([example.caption.text for example in self.examples], count)

    def method(self, state: TrainState) -> TrainingMethod[Any]:
        """See `CaptionTuning`."""
        return CaptionTuning(
            state,
            self.examples,
            self.plan.training,
            seed=self.plan.config.seed,
            caption_dropout=self.plan.config.training.caption_dropout,
            part=self.at_once,
        )

    def provenance(self) -> Mapping[str, Any]:
        """How many pictures there were."""
        return {"pictures": len(self.examples)}
