"""What plans have in common whose data are known by a digest before a network is loaded."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol

from stickerforge.adapters.store import Base
from stickerforge.config.toml import to_toml
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard
from stickerforge.runtime.files import write_whole
from stickerforge.training.checkpoint import remove_checkpoint
from stickerforge.training.run_folder import CheckpointInfo, RunFolder, run_folder


class RunSettings(Protocol):
    """What the loop's settings share."""

    @property
    def steps(self) -> int:
        """Training steps."""

    @property
    def lr_decay(self) -> float:
        """Share of the steps in which the learning rate falls."""


@dataclass(frozen=True)
class RunPlan(ABC):
    """Everything that is known before a picture is read.

    Args:
        base: the model that is trained for.
        name: of the adapter and its run.
    """

    card: ModelCard
    base: Base
    name: str

    @property
    @abstractmethod
    def command(self) -> str:
        """That was called, as people type it."""

    @property
    @abstractmethod
    def settings(self) -> RunSettings:
        """How long it is trained, and how fast in the end."""

    @abstractmethod
    def settings_digest(self) -> str:
        """Changes with whatever decides the adapter's bytes besides the pictures and the steps."""

    @property
    def run(self) -> RunFolder:
        """The files of the run."""
        return run_folder(self.name, self.command)

    def rate(self, step: int) -> float:
        """What the learning rate is multiplied by in a step: 1, then a line that falls to 0."""
        steps, share = self.settings.steps, self.settings.lr_decay
        return min(1.0, (1 - step / steps) / share) if share else 1.0

    def resumable(self, *, force: bool, resume: bool) -> CheckpointInfo | None:
        """The checkpoint to go on from; see `RunFolder.resumable`."""
        steps = self.settings.steps
        return self.run.resumable([self.settings_digest()], steps, force=force, resume=resume)

    def resumable_with(self, digest: str, *, force: bool, resume: bool) -> CheckpointInfo | None:
        """Likewise, where the pictures are known.

        Args:
            digest: of the pictures.

        Raises:
            InputError: the checkpoint cannot be used, or belongs to other pictures.
        """
        checkpoint = self.resumable(force=force, resume=resume)
        if checkpoint and checkpoint.pictures != digest:
            raise InputError(
                f"the run of {self.name!r} was started with other pictures",
                "give the same, or start over with --force",
            )
        return checkpoint


def begin_run(
    plan: RunPlan, config: object, digest: str, checkpoint: CheckpointInfo | None
) -> CheckpointInfo:
    """Write the settings of a run; a new one removes what an earlier run left.

    Args:
        config: the settings.
        digest: of the pictures.
    """
    run = plan.run
    if checkpoint is None:
        remove_checkpoint(run)
        run.remove_validations()
        for path in run.path.glob("*.toml"):  # perhaps of another command
            path.unlink(missing_ok=True)
        checkpoint = CheckpointInfo(0, plan.settings_digest(), digest)
    write_whole(run.config, to_toml(config, plan.command).encode())
    return replace(checkpoint, finished=False)
