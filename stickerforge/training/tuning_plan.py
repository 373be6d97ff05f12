"""What the commands that tune a model share, checked before a picture or a weight is read."""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from stickerforge.adapters import store
from stickerforge.adapters.store import Adapter, Base
from stickerforge.config.schema import SharedValidationConfig, TrainingConfig, TuningConfig
from stickerforge.config.toml import to_tree
from stickerforge.models.card import ModelCard
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.training.run_folder import CheckpointInfo, RunFolder, run_folder

KIND = "tuned"


class TuningSettings(Protocol):
    """What the configurations of these commands share."""

    @property
    def training(self) -> TuningConfig:
        """How the model is tuned."""

    @property
    def validation(self) -> SharedValidationConfig:
        """How it is measured."""

    @property
    def seed(self) -> int:
        """Decides all randomness."""

    @property
    def device(self) -> str:
        """As the user gave it."""


ConfigT = TypeVar("ConfigT", bound=TuningSettings)


@dataclass(frozen=True)
class TuningPlan(ABC, Generic[ConfigT]):
    """Everything that is known before a picture is read.

    Args:
        config: with the model's recommendations filled in.
        base: what the adapter is made for.
        name: of the adapter and its run.
        long_prompts: how prompts are to be read, what pads them is known later; None for as the
            model does.
        start: the adapter from which this one begins; None for the model as it is.
        command: that was called, as people type it.
    """

    config: ConfigT
    card: ModelCard
    base: Base
    name: str
    long_prompts: LongPrompts | None = None
    start: Adapter | None = None
    command: str = ""

    @property
    def run(self) -> RunFolder:
        """The files of the run."""
        return run_folder(self.name, self.command)

    @property
    def start_name(self) -> str:
        """What the adapter from which this one begins is called; "" for none."""
        return self.start.name if self.start else ""

    def start_weights(self) -> Any:
        """The weights from which training begins; None for fresh ones.

        Raises:
            InputError: their file is missing or broken.
        """
        return store.read_weights(self.start) if self.start else None

    @property
    def training(self) -> TrainingConfig:
        """The settings of the loop and of what it trains."""
        own = self.config.training
        return TrainingConfig(
            steps=own.steps,
            batch=own.batch,
            rank=own.rank,
            layers="blocks",
            lr=own.lr,
            objective="plain",
            resolution=own.resolution,
            offset_noise=0.0,
            epsilon=own.epsilon,
            weight_decay=own.weight_decay,
            clip=own.clip,
            save_every=own.save_every,
            tensorboard=own.tensorboard,
        )

    @property
    def validation_interval(self) -> int:
        """Steps between two validations; 0 for none."""
        return self.config.validation.every

    @property
    def max_loss(self) -> float | None:
        """Share of the diversity whose loss ends the run; None where it is only logged."""
        return None

    @property
    def validates_as_base(self) -> bool:
        """Whether what validation compares with is drawn from prompts read as the base does."""
        return False

    @abstractmethod
    def decisive(self) -> list[Any]:
        """What decides the adapter's bytes besides what all these commands share."""

    def settings_digest(self) -> str:
        """Changes with whatever decides the adapter's bytes besides the data and the steps."""
        training = to_tree(self.config.training)
        for name in ("steps", "save_every", "tensorboard"):
            training.pop(name)
        rule = self.long_prompts and replace(self.long_prompts, pad=())
        method, *further = self.decisive()
        decisive = [
            self.command,
            method,
            training,
            asdict(rule) if rule else None,
            self.config.seed,
            self.base.fingerprint,
            self.start.sha256 if self.start else "",
            *further,
        ]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    def resumable(self, *, force: bool, resume: bool) -> CheckpointInfo | None:
        """The checkpoint to go on from; see `RunFolder.resumable`."""
        steps = self.config.training.steps
        return self.run.resumable([self.settings_digest()], steps, force=force, resume=resume)
