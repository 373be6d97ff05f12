"""Captioned pictures as what a model is tuned on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stickerforge.data.buckets import crop_to_bucket
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.data.captions import Caption
from stickerforge.errors import InputError
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console
from stickerforge.training.batches import TrainingExample
from stickerforge.training.dataset import encode_example
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.methods.caption_tuning import CaptionTuning
from stickerforge.training.state import TrainState
from stickerforge.training.tailor_estimate import pictures_at_once
from stickerforge.training.tailor_plan import TailorPlan
from stickerforge.training.tuning_source import spread
from stickerforge.training.tuning_validation import Score


@dataclass
class CaptionedSource:
    """Pictures whose noise is taken away under their captions. See `TuningSource`.

    Args:
        data: the pictures; one that has gone or changed since it was read is left out.
        examples: the same, encoded.
    """

    data: CaptionedPictures
    examples: list[TrainingExample] = field(default_factory=list)
    digest: str = ""
    what: str = "pictures or captions"
    objective: str = "captions"
    score: Score | None = None

    def prepare(
        self, plan: TailorPlan, model: DiffusionModel, console: Console, *, offline: bool
    ) -> None:
        """Encode every picture once, one at a time.

        Raises:
            InputError: none can be read any more.
        """
        described = []
        with console.progress("encoding pictures", len(self.data.pictures)) as advance:
            for picture, caption in self.data.pictures:
                try:
                    example = self.encode(plan, model, picture.rgba(), picture.path.name, caption)
                except InputError as error:
                    self.data.unreadable.append(error.message)
                    console.warn(f"left out: {error.message}")
                    if len(self.data.unreadable) >= len(self.data.pictures):
                        raise
                else:
                    self.examples.append(example)
                    described.append([picture.sha256, caption])
                advance(1)
        self.digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]
        captions = [example.caption.text for example in self.examples]
        own = model.long_prompts
        if plan.long_prompts:
            model.long_prompts = plan.long_prompts
        warn_of_unread_text(model, captions, "a caption", console)
        model.long_prompts = own

    def encode(
        self, plan: TailorPlan, model: DiffusionModel, rgba: Any, name: str, caption: str
    ) -> TrainingExample:
        """A picture as the model's latents, with its caption."""
        cropped = crop_to_bucket(rgba, plan.config.training.resolution, model.multiple)
        return encode_example(model, name, Caption(caption, caption), cropped)

    def files(self) -> Mapping[str, bytes]:
        """captions.jsonl: every picture with its caption."""
        rows = [
            {"picture": example.name, "caption": example.caption.text} for example in self.examples
        ]
        return {"captions.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}

    def validation_prompts(self, count: int) -> Sequence[str]:
        """Captions of the pictures."""
        return spread([example.caption.text for example in self.examples], count)

    def method(self, plan: TailorPlan, state: TrainState) -> TrainingMethod[Any]:
        """See `CaptionTuning`."""
        return CaptionTuning(
            state,
            self.examples,
            plan.training,
            seed=plan.config.seed,
            caption_dropout=plan.config.training.caption_dropout,
            part=pictures_at_once(plan),
        )

    def provenance(self) -> Mapping[str, Any]:
        """How many pictures there were."""
        return {"pictures": len(self.examples)}
