"""The sets of pictures that `tailor style` learns from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.adapters import store
from stickerforge.errors import InputError
from stickerforge.evaluation.metrics.distances import kernel_distance
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.encoders import Encoder, load_encoder
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console
from stickerforge.stickers.alpha import unpremultiply
from stickerforge.stickers.color import WHITE
from stickerforge.training.batches import TrainingExample
from stickerforge.training.captioned_latents import encode_captioned
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.methods.style_tailoring import StyleTailoring
from stickerforge.training.state import TrainState
from stickerforge.training.style_data import StyleData
from stickerforge.training.style_estimate import pictures_at_once
from stickerforge.training.style_plan import SetName, StylePlan
from stickerforge.training.tuning_source import spread

MEASURED = 200  # pictures of the house style that validation compares with


@dataclass
class StyleSource:
    """Pictures of one or two sets. See `TuningSource`.

    Args:
        examples: of each set, encoded; one list where both sets are the same.
        house: features of pictures in the house style, (N, D); None where they are not compared.
    """

    plan: StylePlan
    data: StyleData
    examples: dict[SetName, list[TrainingExample]] = field(default_factory=dict)
    digest: str = ""
    what: str = "pictures or captions"
    objective: str = "style tailoring"
    encoder: Encoder | None = field(default=None, repr=False)
    house: NDArray[np.float32] | None = field(default=None, repr=False)

    def prepare(self, model: DiffusionModel, console: Console, *, offline: bool) -> None:
        """Encode every picture once, one at a time.

        Raises:
            InputError: none can be read any more.
            EnvironmentFault: the disk is full, or a network cannot be had here.
        """
        resolution, folder = self.plan.config.training.resolution, self.plan.run.path
        self.measure_house(console, offline=offline)
        digests: dict[SetName, str] = {}
        for name, pictures in self.data.sets.items():
            latents = encode_captioned(
                model, pictures, resolution, folder, console, f"{name} pictures"
            )
            same = next((other for other in digests if digests[other] == latents.digest), None)
            self.examples[name] = self.examples[same] if same else latents.examples
            digests[name] = latents.digest
        self.digest = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:16]
        warn_of_unread_text(model, self.captions(), "a caption", console)

    def measure_house(self, console: Console, *, offline: bool) -> None:
        """Encode pictures in the house style, for validation.

        Raises:
            EnvironmentFault: what measures cannot be had here.
        """
        pictures = self.data.sets.get("style")
        if not self.plan.validation_interval or pictures is None:
            return
        config = self.plan.config
        self.encoder = load_encoder(
            config.validation.encoder, device=config.device, offline=offline, say=console.say
        )
        shown = pictures.pictures[:: -(-len(pictures.pictures) // MEASURED)]
        images = []
        for picture, _ in shown:
            try:
                images.append(Image.fromarray(picture.rgba()))
            except InputError:  # it is left out where it is encoded, which says so
                continue
        if len(images) > 1:
            self.house = self.encoder.images(images, WHITE)

    def captions(self) -> list[str]:
        """Those of all pictures."""
        return [example.caption.text for each in self.examples.values() for example in each]

    def files(self) -> Mapping[str, bytes]:
        """captions.jsonl: every picture with its set and caption."""
        rows = [
            {"picture": example.name, "set": name, "caption": example.caption.text}
            for name, examples in self.examples.items()
            for example in examples
        ]
        return {"captions.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}

    def validation_prompts(self, count: int) -> Sequence[str]:
        """Captions of the first set, which is the content where there is one."""
        examples = next(iter(self.examples.values()))
        return spread([example.caption.text for example in examples], count)

    def score(
        self, pictures: Sequence[NDArray[np.float32]], prompts: Sequence[str]
    ) -> Mapping[str, float]:
        """Kernel distance of pictures (4, H, W) to the house style."""
        if self.encoder is None or self.house is None:
            return {}
        images = [Image.fromarray(unpremultiply(each.transpose(1, 2, 0))) for each in pictures]
        features, length = self.encoder.images(images, WHITE), self.house.shape[1] ** 0.5
        return {"style_distance": kernel_distance(length * features, length * self.house)}

    def method(self, state: TrainState) -> TrainingMethod[Any]:
        """See `StyleTailoring`."""
        plan = self.plan
        return StyleTailoring(
            state,
            self.examples.get("content") or self.examples.get("domain", []),
            self.examples.get("style", []),
            plan.training,
            plan.routing,
            seed=plan.config.seed,
            caption_dropout=plan.config.training.caption_dropout,
            part=pictures_at_once(plan),
            reference=store.read_weights(plan.start) if plan.start else None,
        )

    def provenance(self) -> Mapping[str, Any]:
        """The arm, and how many pictures there were."""
        counts = {name: len(examples) for name, examples in self.examples.items()}
        return {"arm": self.plan.arm, "pictures": sum(counts.values()), "sets": counts}
