"""The workflow of `tailor image`: captioned pictures, their references, training, the adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.image_prompt_training import TrainableImagePrompt, new_image_prompt
from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
from stickerforge.adapters.kinds import IMAGE
from stickerforge.config.schema import AugmentConfig, DropConfig
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.generation.inference import load
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.checksums import verify
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.image_encoder import ImageEncoder, check_features, load_image_encoder
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.files import locked, write_whole
from stickerforge.runtime.seeds import derive_seed
from stickerforge.training.batches import TrainingExample
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.captioned_latents import encode_captioned
from stickerforge.training.checkpoint import update_pointer
from stickerforge.training.image_estimate import pictures_at_once, warn_of_memory
from stickerforge.training.image_pairs import ImagePairs
from stickerforge.training.image_plan import ImagePlan
from stickerforge.training.image_validation import ImageValidator
from stickerforge.training.loss_plot import BLUE, Curve, line_plot, moving_average
from stickerforge.training.methods.image_prompt_tuning import ImagePromptTuning
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.personalize import MAX_BYTES
from stickerforge.training.provenance import versions
from stickerforge.training.references import ReferencePixels, References, readable
from stickerforge.training.run_folder import CheckpointInfo
from stickerforge.training.run_plan import begin_run
from stickerforge.training.trainer import train

NO_DROPS = DropConfig(image=0.0, text=0.0, both=0.0)
AS_THEY_ARE = AugmentConfig(crop=1.0, flip=0.0, color=0.0, ground=False)


@dataclass(frozen=True)
class TunedImagePrompt:
    """What a run came to.

    Args:
        kept_step: after how many steps the state that is kept was reached.
        metrics: of that state on what was held out.
        page: the picture that shows it; None where nothing was held out or drawn.
    """

    adapter: store.Adapter
    kept_step: int
    metrics: dict[str, float]
    page: Path | None


@dataclass(frozen=True)
class Session:
    """What training and validation share.

    Args:
        adapter: on the model.
    """

    plan: ImagePlan
    model: DiffusionModel
    adapter: TrainableImagePrompt
    encoder: ImageEncoder
    console: Console

    def method(
        self, pictures: CaptionedPictures, augment: AugmentConfig, drops: DropConfig, seed: int
    ) -> ImagePromptTuning:
        """The training method on some pictures, which are encoded.

        Raises:
            InputError: none can be read any more.
            EnvironmentFault: the disk is full.
        """
        kept, config = self.read_references(pictures, augment.crop), self.plan.config
        examples, conditions = self.encode(pictures)
        fit, views = config.image_prompt.fit, derive_seed(seed, "views")
        references = References(conditions, kept, self.encoder, augment, fit, views)
        return ImagePromptTuning(
            self.model,
            self.adapter,
            examples,
            references,
            self.plan.training,
            drops=drops,
            seed=seed,
            part=pictures_at_once(self.plan),
        )

    def read_references(self, pictures: CaptionedPictures, least: float) -> ReferencePixels:
        """The pixels of all conditions; pictures whose condition is gone by now are left out.

        Args:
            least: the smallest share of a picture's area that is seen.

        Raises:
            InputError: all are gone.
            EnvironmentFault: the disk is full.
        """
        kept = ReferencePixels(self.plan.run.path, self.encoder.side, least)
        gone = readable(pictures.conditions, kept)
        kept.close()
        for place in sorted(gone, reverse=True):
            if len(pictures.pictures) == 1:
                raise InputError(gone[place], "run it again")
            pictures.unreadable.append(gone[place])
            self.console.warn(f"left out: {gone[place]}")
            del pictures.pictures[place], pictures.conditions[place]
        return kept

    def encode(
        self, pictures: CaptionedPictures
    ) -> tuple[Sequence[TrainingExample], Sequence[Picture]]:
        """(the pictures as latents, what each is to be drawn like)."""
        plan = self.plan
        resolution, folder = plan.config.training.resolution, plan.run.path
        latents = encode_captioned(self.model, pictures, resolution, folder, self.console)
        return latents.examples, [pictures.conditions[place] for place in latents.kept]


def tailor_image(
    plan: ImagePlan,
    pairs: ImagePairs,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> TunedImagePrompt:
    """Train and save an image adapter.

    Raises:
        InputError: a picture, the encoder or a checkpoint cannot be used, or training diverged.
        EnvironmentFault: a network cannot be had, memory or the disk is full.
        Interrupted: after a checkpoint was written.
    """
    checkpoint = plan.resumable_with(pairs.digest, force=force, resume=resume)
    warn_of_memory(plan, console)
    verify(plan.card.folder)
    try:
        session = open_session(plan, console, offline=offline)
        captions = pairs.training.captions
        warn_of_unread_text(session.model, captions, "a caption", console)
        method = session.method(
            pairs.training, plan.config.augment, plan.config.drops, plan.config.seed
        )
        schedule = validation_schedule(session, pairs)
        start = begin_run(plan, plan.config, pairs.digest, checkpoint)
        if checkpoint:
            console.say(f"going on after {start.step} of {plan.config.training.steps} steps")
        weights, kept_step = train_image_prompt(plan, method, schedule, start, console)
    except RuntimeError as error:
        hint = "start over with --force and --set training.memory=GIGABYTES, or a smaller --batch"
        raise memory_fault(error, hint) or error from error
    tuned = save(plan, weights, pairs, start, kept_step)
    warn_of_failure(tuned, console)
    return tuned


def open_session(plan: ImagePlan, console: Console, *, offline: bool) -> Session:
    """The model with an adapter that is not trained yet, and the image encoder."""
    device, variant = resolve_device(plan.config.device), plan.config.variant
    encoder = load_image_encoder(plan.encoder, device, offline=offline, say=console.say)
    model = load(plan.card, str(device))
    # A file is read elsewhere, too, where a folder of this machine says nothing.
    name = plan.encoder.title if plan.encoder.place == plan.encoder.title else ""
    width, seed = encoder.width(variant), plan.config.seed
    if plan.start is None:
        weights = new_image_prompt(model, variant, width, encoder=name, seed=seed)
    else:
        weights = replace(plan.start.read_weights(), encoder=name)
        check_features(encoder, plan.encoder, variant, weights.shape.features, plan.start.source)
    return Session(plan, model, TrainableImagePrompt(model, weights), encoder, console)


def validation_schedule(session: Session, pairs: ImagePairs) -> ValidationSchedule | None:
    """How the adapter is validated during training; None where it is not."""
    plan = session.plan
    if not plan.config.validation.every:
        return None
    seed = derive_seed(plan.config.seed, "validation")
    validator = ImageValidator(
        session.method(pairs.held_out, AS_THEY_ARE, NO_DROPS, seed),
        plan.config.seed,
        plan.run.validation_sheets,
        plan.config.validation.shown,
    )
    return ValidationSchedule(plan.config.validation.every, validator.validate)


def train_image_prompt(
    plan: ImagePlan,
    method: ImagePromptTuning,
    schedule: ValidationSchedule | None,
    start: CheckpointInfo,
    console: Console,
) -> tuple[ImagePromptWeights, int]:
    """(the weights to keep, after how many steps they were).

    Raises:
        StickerforgeError, Interrupted: as `train`.
    """
    run, steps = plan.run, plan.config.training.steps
    with console.progress(f"tuning {plan.name}", steps) as advance:
        weights: ImagePromptWeights = train(
            method, plan.training, run, start, advance, schedule, plan.rate
        )
    if schedule is None:
        return weights, steps
    best = BestCheckpoint(run, method.kind, start=steps)
    best.remove_others()
    return best.weights(), int(best.best["step"])


def save(
    plan: ImagePlan,
    weights: ImagePromptWeights,
    pairs: ImagePairs,
    start: CheckpointInfo,
    kept_step: int,
) -> TunedImagePrompt:
    """Write the adapter, and the plots of its run."""
    run, config = plan.run, plan.config
    write_whole(run.loss_plot, loss_plot(read_rows(run.metrics)))
    metrics = {}
    for row in read_rows(run.validation_log):
        if config.validation.every and row["step"] == kept_step:
            metrics = {name: row[name] for name in row if name not in ("step", "score")}
    page = run.validation_sheets / f"{kept_step:06}.png"
    adapter = store.save(
        plan.name,
        weights,
        kind=IMAGE.names[0],
        base=plan.base,
        tokens={},
        phrase="",
        made={
            "objective": "image prompt",
            "variant": config.variant,
            "image_encoder": plan.encoder.place,
            "encoder_fingerprint": plan.encoder.fingerprint,
            "fit": config.image_prompt.fit,
            "begun_from": plan.start.sha256 if plan.start else "",
            "steps": config.training.steps,
            "kept_step": kept_step,
            "batch": config.training.batch,
            "resolution": config.training.resolution,
            "seed": config.seed,
            "settings": start.settings,
            "data": pairs.digest,
            "pictures": len(pairs.training.pictures),
            "held_out": len(pairs.held_out.pictures),
            "figures": metrics,
            "versions": versions(),
        },
    )
    with locked(store.lock_file(plan.name), wait=True):
        for file in filter(Path.exists, (run.config, run.loss_plot, page)):
            name = "preview.png" if file == page else file.name
            write_whole(adapter.path.with_name(name), read_bounded(file, MAX_BYTES))
    update_pointer(run, replace(start, step=config.training.steps, finished=True))
    return TunedImagePrompt(adapter, kept_step, metrics, page if page.exists() else None)


def warn_of_failure(tuned: TunedImagePrompt, console: Console) -> None:
    """Warn of an adapter with which pictures are denoised no better than without."""
    error, without = (tuned.metrics.get(name) for name in ("error", "error_without"))
    if error is not None and without is not None and error >= without:
        console.warn(
            f"the error on held out pictures is {error:.4f} with the reference, and {without:.4f}"
            f" without: --resume --steps {2 * int(tuned.adapter.made['steps'])} trains on"
        )


def loss_plot(rows: list[dict[str, Any]]) -> bytes:
    """The error over the steps, as PNG.

    Args:
        rows: the metrics of every step.
    """
    window = max(1, len(rows) // 25)
    known: list[Mapping[str, Any]] = [row for row in rows if row.get("error") is not None]
    values = moving_average([float(row["error"]) for row in known], window)
    curve = Curve("error", BLUE, [int(row["step"]) for row in known], values)
    return line_plot([curve], f"error of denoising, mean of {window} steps")
