"""Where a training run keeps its files, and whether it can be resumed."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stickerforge.adapters.store import exists, find
from stickerforge.config.description import Bounds, FileName, Sha256, read_description
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.files import home, locked
from stickerforge.runtime.json_text import parse_json

MAX_BYTES = 100_000  # of checkpoint.json


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint belongs to.

    Args:
        step: how many steps are done.
        settings: digest of everything that decides the result besides the pictures.
        pictures: digest of the pictures, their captions and masks.
        finished: whether its adapter was saved.
    """

    step: Annotated[int, Bounds(0, 10**9)]
    settings: str
    pictures: str
    finished: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckpointFile(CheckpointInfo):
    """The schema of checkpoint.json: what the checkpoint belongs to, and its tensors."""

    file: FileName
    sha256: Sha256


@dataclass(frozen=True)
class RunFolder:
    """The files of a run. Some have names that earlier versions gave them."""

    path: Path
    command: str = "customize"  # that runs here, as people type it

    @property
    def name(self) -> str:
        """That of the run and its adapter."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The settings, as `--config` takes them."""
        return self.path / f"{self.command.replace(' ', '-')}.toml"

    @property
    def captions(self) -> Path:
        """The caption of every picture."""
        return self.path / "captions.jsonl"

    @property
    def metrics(self) -> Path:
        """The metrics of every step."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The same for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def loss_plot(self) -> Path:
        """The loss over the steps."""
        return self.path / "loss.png"

    @property
    def validation_log(self) -> Path:
        """The metrics of every validation."""
        return self.path / "watched.jsonl"

    @property
    def validation_plot(self) -> Path:
        """The same as a plot."""
        return self.path / "watched.png"

    @property
    def validation_sheets(self) -> Path:
        """A contact sheet of every validation."""
        return self.path / "looks"

    @property
    def class_images(self) -> Path:
        """Class images for prior preservation."""
        return self.path / "prior"

    @property
    def preview(self) -> Path:
        """What the finished adapter generates."""
        return self.path / "preview"

    @property
    def pointer(self) -> Path:
        """The checkpoint's description; there is a checkpoint when this file is there."""
        return self.path / "checkpoint.json"

    def checkpoint(self, step: int) -> Path:
        """The tensors of the checkpoint after so many steps."""
        return self.path / f"checkpoint-{step:06}.safetensors"

    def checkpoints(self) -> list[Path]:
        """The tensors of all checkpoints; more than one only after a crash."""
        return list(self.path.glob("checkpoint-*.safetensors"))

    def best(self, step: int) -> Path:
        """The weights after so many steps, which validated best."""
        return self.path / f"best-{step:06}.safetensors"

    def bests(self) -> list[Path]:
        """All weights that validated best at some time."""
        return list(self.path.glob("best-*.safetensors"))

    def remove_validations(self) -> None:
        """Remove what an earlier run measured, and its weights that validated best."""
        for path in (*self.bests(), self.validation_log, self.validation_plot):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.validation_sheets, ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Within, no other process works in this folder.

        Raises:
            InputError: another one does, or the folder is elsewhere: a run deletes what it leaves.
        """
        if self.path.is_symlink():
            raise InputError(f"{self.path} is a link", "remove it, or give another --name")
        with locked(self.path / "lock", wait=False) as free:
            if not free:
                raise InputError(
                    f"another {self.command} is working on {self.name!r}",
                    "wait for it, or give another --name",
                )
            yield

    def checkpoint_info(self) -> CheckpointInfo | None:
        """What the checkpoint belongs to; None where there is none yet.

        Raises:
            InputError: it is there and broken.
        """
        pointer = self.read_pointer()
        if pointer is None:
            return None
        return CheckpointInfo(pointer.step, pointer.settings, pointer.pictures, pointer.finished)

    def read_pointer(self) -> CheckpointFile | None:
        """The checkpoint's description; None where there is none yet.

        Raises:
            InputError: it is there and broken.
        """
        try:
            text = read_text(self.pointer, MAX_BYTES)
            return read_description(CheckpointFile, parse_json(text))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.pointer} is broken: {getattr(error, 'strerror', None) or str(error)[:120]}",
                "start over with --force",
            ) from None

    def holds_result_of(self, checkpoint: CheckpointInfo) -> bool:
        """Whether the adapter of this name is what the run came to with this checkpoint."""
        if not exists(self.name):
            return False
        made = find(self.name).made
        result = (made.get("steps"), made.get("settings"), made.get("data"))
        return result == (checkpoint.step, checkpoint.settings, checkpoint.pictures)

    def check_free(self, *, force: bool, resume: bool) -> None:
        """Make sure that nothing finished or half-finished would be lost.

        Raises:
            InputError: it would be.
        """
        if force:
            return
        checkpoint = self.checkpoint_info()
        own = checkpoint is not None and self.holds_result_of(checkpoint)
        if own and checkpoint and not resume:
            raise InputError(
                f"there is an adapter {self.name!r} already, taught in {checkpoint.step} steps",
                f"--resume --steps {2 * checkpoint.step} teaches it on, --force replaces it, or"
                " give another --name",
            )
        if exists(self.name) and not own and (checkpoint is None or checkpoint.finished):
            what = "and no run to resume" if resume else "already"
            raise InputError(
                f"there is an adapter {self.name!r} {what}",
                "give another --name, or --force to replace it",
            )
        if checkpoint is not None and not checkpoint.finished and not resume:
            raise InputError(
                f"a run of {self.name!r} stands unfinished after {checkpoint.step} steps",
                "go on with --resume, or start over with --force",
            )

    def resumable(
        self, digests: Collection[str], steps: int, *, force: bool, resume: bool
    ) -> CheckpointInfo | None:
        """The checkpoint to go on from, if there is one and it is to be used.

        Args:
            digests: of the settings, as this version and earlier ones compute them.
            steps: until which to train.

        Raises:
            InputError: it belongs to other settings, has done more steps, or the name is taken.
        """
        self.check_free(force=force, resume=resume)
        checkpoint = self.checkpoint_info()
        if checkpoint is None or not resume:
            return None
        if checkpoint.settings not in digests and not self.config.exists():
            raise InputError(
                f"the run of {self.name!r} is one of another command",
                "give another --name, or start over with --force",
            )
        if checkpoint.settings not in digests:
            raise InputError(
                f"the run of {self.name!r} was started with other settings (see {self.config})",
                "give the same, as --config with that file does, or start over with --force",
            )
        done = checkpoint.step
        if steps < done or (steps == done and self.holds_result_of(checkpoint)):
            raise InputError(
                f"the run of {self.name!r} has done {done} steps already",
                f"--resume --steps {2 * done} teaches it on, or start over with --force",
            )
        return checkpoint


def run_folder(name: str, command: str = "customize") -> RunFolder:
    """The folder of the run that trains an adapter of this name."""
    return RunFolder(home() / "runs" / name, command)
