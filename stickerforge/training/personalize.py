"""The workflow of `customize`: dataset, training, the adapter's file."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.config.toml import to_toml
from stickerforge.data.pictures import PictureFolder
from stickerforge.errors import InputError
from stickerforge.models.checksums import verify
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.training.class_images import draw_class_images, encode_class_images
from stickerforge.training.dataset import TrainingSet, build_training_set, captions_file
from stickerforge.training.loss_masks import LossMasks, build_masks
from stickerforge.training.plan import TrainingPlan
from stickerforge.training.run_folder import (
    CAPTIONS_FILE,
    CONFIG_FILE,
    VALIDATION_FOLDER,
    VALIDATION_PLOT,
    resumable,
)
from stickerforge.version import __version__

if TYPE_CHECKING:
    from stickerforge.adapters.lora_weights import AdapterWeights
    from stickerforge.models.families.base import DiffusionModel
    from stickerforge.training.best_checkpoint import ValidationSchedule


@dataclass
class Personalized:
    """What a call made.

    Args:
        pictures: how many were learned from.
        failed: a line for each picture that could not be used.
        figures: means over the last tenth of the steps.
    """

    adapter: store.Adapter
    folder: Path
    pictures: int
    steps: int
    failed: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    preview: Path | None = None
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "adapter": self.adapter.name,
            "kind": self.adapter.kind,
            "path": str(self.adapter.path),
            "sha256": self.adapter.sha256,
            "placeholder": next(iter(self.adapter.tokens), None),
            "phrase": self.adapter.phrase,
            "base": self.adapter.base.title,
            "pictures": self.pictures,
            "failed": self.failed,
            "steps": self.steps,
            "figures": self.figures,
            "preview": str(self.preview) if self.preview else None,
            "run": str(self.folder),
        }

    def note(self) -> str:
        """For people."""
        token = next(iter(self.adapter.tokens), "")
        use = f'generate "a {token}"' if token else f'generate "cat" --style {self.adapter.name}'
        use += "" if token in ("", f"<{self.adapter.name}>") else f" --adapter {self.adapter.name}"
        seen = f"; see {self.preview}" if self.preview else ""
        many = "pictures" if self.pictures != 1 else "picture"
        return f"learned {self.adapter.name!r} from {self.pictures} {many} in {self.steps} steps{seen}; use it: stickerforge {use}"


def personalize(
    whole: TrainingPlan,
    folder: PictureFolder,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> Personalized:
    """Everything that needs the model, up to the adapter's file."""
    from stickerforge.runtime.device import memory_fault
    from stickerforge.training.checkpoint import Mark, drop_checkpoint
    from stickerforge.training.trainer import train

    mark = resumable(whole.name, whole.settings_digest(), force=force, resume=resume)
    verify(whole.card.folder)
    drawn = draw_class_images(whole, console, offline=offline)
    try:
        family = load(whole)
        counting = build_masks(
            whole.config.mask, folder, learns_alpha=family.has_alpha, console=console
        )
        refs = build_training_set(family, whole, folder, counting, console)
        if mark is not None and mark.pictures != refs.digest:
            counting, refs = masks_of_run(family, whole, folder, counting, mark.pictures)
        watch = validation_schedule(family, whole, folder, counting, console, offline=offline)
        if mark is None:
            drop_checkpoint(whole.folder)
            shutil.rmtree(whole.folder / VALIDATION_FOLDER, ignore_errors=True)
            write_whole(whole.folder / CONFIG_FILE, to_toml(whole.config, "customize").encode())
            write_whole(whole.folder / CAPTIONS_FILE, captions_file(refs.examples, folder))
        elif mark.step:
            console.say(f"going on after {mark.step} of {whole.course().steps} steps")
        start = mark or Mark(0, whole.settings_digest(), refs.digest)
        with console.progress(f"teaching {whole.name}", whole.course().steps) as advance:
            prior = encode_class_images(family, whole, drawn)
            content = train(
                family,
                refs.examples,
                whole.course(),
                whole.tokens,
                whole.folder,
                start,
                prior,
                advance,
                watch,
            )
            content, kept_step = select_checkpoint(whole, content, console)
    except RuntimeError as error:
        raise (
            memory_fault(error, "lower --batch or --resolution, or use a smaller model") or error
        ) from error
    figures = write_loss_plot(whole)
    adapter = store.save(
        whole.name,
        content,
        kind="subject" if whole.placeholder else "style",
        base=whole.base,
        tokens=whole.tokens,
        phrase=whole.phrase,
        made=provenance(whole, folder, refs, figures)
        | {"kept_step": kept_step, "matting": counting.matting},
    )
    for name in (CONFIG_FILE, CAPTIONS_FILE, "loss.png"):
        write_whole(store.folder(whole.name) / name, (whole.folder / name).read_bytes())
    drop_checkpoint(whole.folder)
    for state in whole.folder.glob("best-*.safetensors"):  # the adapter holds what was best
        state.unlink(missing_ok=True)
    return Personalized(
        adapter, whole.folder, len(folder.pictures), whole.course().steps, figures=figures
    )


def masks_of_run(
    family: "DiffusionModel",
    whole: TrainingPlan,
    folder: PictureFolder,
    counting: LossMasks,
    digest: str,
) -> tuple[LossMasks, TrainingSet]:
    """The references as an unfinished run was started with: before the matting network was here, photographs counted as a whole.

    Args:
        digest: of the references that it was started with.

    Raises:
        InputError: they are others.
    """
    quiet = Console(quiet=True)
    if counting.matting:
        counting = build_masks(
            whole.config.mask,
            folder,
            learns_alpha=family.has_alpha,
            console=quiet,
            by_network=False,
        )
        refs = build_training_set(family, whole, folder, counting, quiet)
        if refs.digest == digest:
            return counting, refs
    raise InputError(
        f"the unfinished run of {whole.name!r} was started with other pictures, captions or masks (see {whole.folder / CAPTIONS_FILE})",
        "give the same, or start over with --force",
    )


def validation_schedule(
    family: "DiffusionModel",
    whole: TrainingPlan,
    folder: PictureFolder,
    counting: LossMasks,
    console: Console,
    *,
    offline: bool,
) -> "ValidationSchedule | None":
    """What looks at the model on the way; None where nothing is to."""
    from stickerforge.training.best_checkpoint import ValidationSchedule
    from stickerforge.training.validation import Validator

    if not (every := whole.watch_every):
        return None
    return ValidationSchedule(
        every,
        Validator(
            family,
            whole,
            folder,
            counting,
            whole.folder / VALIDATION_FOLDER,
            console,
            offline=offline,
        ).look,
    )


def select_checkpoint(
    whole: TrainingPlan, last: "AdapterWeights", console: Console
) -> tuple["AdapterWeights", int]:
    """(the state that becomes the adapter, after how many steps it was): the last, or the best of those that were looked at."""
    from stickerforge.training.best_checkpoint import BestCheckpoint
    from stickerforge.training.loss_plot import validation_plot

    steps = whole.course().steps
    if not whole.watch_every:
        return last, steps
    watched = BestCheckpoint(whole.folder, start=steps)
    write_whole(whole.folder / VALIDATION_PLOT, validation_plot(watched.seen))
    if whole.config.keep == "last":
        return last, steps
    best = int(watched.best["step"])
    console.say(
        f"the best state was that after {best} of {steps} steps; see {whole.folder / VALIDATION_PLOT}"
    )
    return watched.content(), best


def load(whole: TrainingPlan) -> Any:
    """The model on its device, its adapters and tokens in float32 whatever the base has."""
    from stickerforge.models.registry import load_model
    from stickerforge.runtime.device import default_dtype, resolve_device

    device = resolve_device(whole.config.device)
    return load_model(whole.card, device, default_dtype(device))


def write_loss_plot(whole: TrainingPlan) -> dict[str, float]:
    """Draw the loss picture; returns means over the last tenth of the steps."""
    from stickerforge.training.loss_plot import LOSS, loss_plot
    from stickerforge.training.metrics_log import METRICS, read_rows

    metrics = read_rows(whole.folder / METRICS)
    write_whole(whole.folder / LOSS, loss_plot(metrics))
    last = metrics[-max(1, len(metrics) // 10) :]
    keys = [key for key in ("error", "base_error", "gap", "seconds") if last and key in last[-1]]
    return {key: round(sum(row[key] or 0.0 for row in last) / len(last), 6) for key in keys}


def provenance(
    whole: TrainingPlan, folder: PictureFolder, refs: TrainingSet, figures: dict[str, float]
) -> dict[str, Any]:
    """How the adapter was made, for its description."""
    import diffusers
    import peft
    import torch
    import transformers

    versions = {
        module.__name__: module.__version__ for module in (torch, diffusers, transformers, peft)
    }
    course = whole.course()
    return {
        "objective": course.objective,
        "steps": course.steps,
        "batch": course.batch,
        "rank": course.rank,
        "layers": course.layers,
        "beta": (course.beta or "auto") if course.objective == "dco" else None,
        "seed": course.seed,
        "pictures": [picture.sha256 for picture in folder.pictures],
        "captions": sorted({example.caption.text for example in refs.examples}),
        "settings": whole.settings_digest(),
        "figures": figures,
        "versions": {"stickerforge": __version__} | versions,
    }
