"""The workflow of `customize`: data, training, the adapter's files.

What happens to a picture of the user, from its folder to the loss:

1. `data.picture_folder.read_folder` decodes it once to see whether it can be used.
2. `dataset.build_training_set` reads it again, crops it to a bucket (`data.buckets`), decides what
   of it counts (`loss_masks`), gives it a caption with the new word and one without
   (`data.captions`), and encodes it once to the mean and deviation of its latents: a
   `batches.TrainingExample`.
3. `batches.sample_batch` draws latents, noise and a timestep for each example of a step, a function
   of (seed, step) alone.
4. `methods.denoising` lets the model in training predict the noise, and for DCO the base model as
   well, and takes the squared error under the mask; `methods.dco` or `methods.plain` makes the
   loss of it (the formula of DCO is in `objectives.dco`), and `trainer` does the step.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stickerforge.adapters import store
from stickerforge.config.toml import to_toml
from stickerforge.data.picture_folder import PictureFolder
from stickerforge.errors import InputError
from stickerforge.generation.inference import load
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.checksums import verify
from stickerforge.models.encoders import load_encoder
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.files import locked, write_whole
from stickerforge.training.batches import TrainingExample
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import remove_checkpoint, update_pointer
from stickerforge.training.class_images import (
    class_image_config,
    draw_class_images,
    encode_class_images,
)
from stickerforge.training.concept import validation_prompts
from stickerforge.training.dataset import TrainingSet, build_training_set, captions_file
from stickerforge.training.defaults import recommended_training
from stickerforge.training.loss_masks import LossMasks, build_masks
from stickerforge.training.loss_plot import loss_plot, validation_plot
from stickerforge.training.methods import METHODS
from stickerforge.training.methods.denoising import DenoisingMethod
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.outcome import Outcome, check_outcome, measure_outcome
from stickerforge.training.plan import TrainingPlan
from stickerforge.training.provenance import provenance
from stickerforge.training.run_folder import CheckpointInfo, RunFolder
from stickerforge.training.state import init_state
from stickerforge.training.trainer import train
from stickerforge.training.validation import Validator, reference_features

MAX_BYTES = 100_000_000  # of a file of the run that is kept with the adapter
SUMMARY = ("error", "base_error", "gap", "seconds")  # metrics that the result gives


def personalize(
    plan: TrainingPlan,
    folder: PictureFolder,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> tuple[store.Adapter, dict[str, float], Outcome]:
    """Train and save an adapter.

    Returns:
        (the adapter, its metrics over the last tenth of the steps, how the run went).

    Raises:
        InputError: a picture, caption, mask or checkpoint cannot be used, or training diverged.
        EnvironmentFault: a network cannot be had, memory or the disk is full.
        Interrupted: after a checkpoint was written.
    """
    run, steps = plan.run, plan.config.training.steps
    checkpoint = plan.resumable(force=force, resume=resume)
    verify(plan.card.folder)
    try:
        model = load(plan.card, str(resolve_device(plan.config.device)))
        prior = class_images(plan, model, console)
        masks, data = build_data(plan, model, folder, console, checkpoint)
        validation = validation_schedule(plan, model, folder, masks, console, offline=offline)
        if checkpoint is None:
            start_run(plan, captions_file(data.examples, folder))
        else:
            checkpoint = go_on(plan, checkpoint)
            console.say(f"going on after {checkpoint.step} of {steps} steps")
        start = checkpoint or CheckpointInfo(0, plan.settings_digest(), data.digest)
        method = build_method(plan, model, data.examples, prior)
        weights, kept_step = train_adapter(plan, method, start, validation, console)
        recommended = recommended_training(plan.card, plan.concept.kind).steps
        outcome = measure_outcome(method, steps=steps, recommended_steps=recommended)
    except RuntimeError as error:
        hint = "lower --batch or --resolution, or use a smaller model"
        raise memory_fault(error, hint) or error from error
    metrics = summarize_metrics(run)
    check_outcome(outcome, run, plan.config.training.lr)
    adapter = store.save(
        plan.name,
        weights,
        kind=plan.concept.kind,
        base=plan.base,
        tokens=plan.concept.tokens,
        phrase=plan.concept.phrase,
        made=provenance(plan, folder, data, metrics)
        | {"kept_step": kept_step, "matting": masks.matting, "loss": outcome.provenance()},
    )
    files = (run.config, run.captions, run.loss_plot)
    with locked(store.lock_file(plan.name), wait=True):
        for file in files:
            write_whole(adapter.path.with_name(file.name), read_bounded(file, MAX_BYTES))
    # The checkpoint stays: the run can be taught on.
    update_pointer(run, replace(start, step=steps, finished=True))
    return adapter, metrics, outcome


def class_images(
    plan: TrainingPlan, model: DiffusionModel, console: Console
) -> list[TrainingExample]:
    """Class images as training examples; none without prior preservation."""
    if not plan.config.training.prior_weight:
        return []
    config = class_image_config(plan)
    paths = draw_class_images(model, config, console)
    return encode_class_images(model, config.prompt[0], plan.config.training.resolution, paths)


def build_data(
    plan: TrainingPlan,
    model: DiffusionModel,
    folder: PictureFolder,
    console: Console,
    checkpoint: CheckpointInfo | None,
) -> tuple[LossMasks, TrainingSet]:
    """The masks and examples of a run; of an unfinished run as it was started.

    Raises:
        InputError: a picture, caption or mask cannot be used, or is not that of the unfinished run.
    """

    def build(console: Console, *, use_matting: bool) -> tuple[LossMasks, TrainingSet]:
        masks = build_masks(
            plan.config.mask,
            folder,
            learns_alpha=model.takes_alpha,
            console=console,
            use_matting=use_matting,
        )
        resolution = plan.config.training.resolution
        return masks, build_training_set(model, folder, plan.concept, resolution, masks, console)

    masks, data = build(console, use_matting=True)
    if checkpoint is None or checkpoint.pictures == data.digest:
        return masks, data
    if masks.matting:  # it may have been installed only after the run was started
        masks, data = build(Console(quiet=True), use_matting=False)
        if checkpoint.pictures == data.digest:
            return masks, data
    raise InputError(
        f"the run of {plan.name!r} was started with other pictures, captions or masks "
        f"(see {plan.run.captions})",
        "give the same, or start over with --force",
    )


def validation_schedule(
    plan: TrainingPlan,
    model: DiffusionModel,
    folder: PictureFolder,
    masks: LossMasks,
    console: Console,
    *,
    offline: bool,
) -> ValidationSchedule | None:
    """How the model is validated during training; None where it is not."""
    if not plan.validation_interval:
        return None
    encoder = load_encoder(
        plan.config.validation.encoder,
        device=plan.config.device,
        offline=offline,
        say=console.say,
    )
    prompts, base_prompts = validation_prompts(plan.card, plan.concept)
    warn_of_unread_text(model, base_prompts, "a prompt of validation", console)
    validator = Validator(
        model,
        encoder,
        reference_features(encoder, folder.pictures, masks),
        prompts,
        base_prompts,
        resolution=plan.config.training.resolution,
        seed=plan.config.seed,
        sheets=plan.run.validation_sheets,
    )
    return ValidationSchedule(plan.validation_interval, validator.validate)


def start_run(plan: TrainingPlan, captions: bytes) -> None:
    """Remove what an earlier run left, and write the settings and captions of this one."""
    run = plan.run
    remove_checkpoint(run)
    run.remove_validations()
    write_whole(run.config, to_toml(plan.config, "customize").encode())
    write_whole(run.captions, captions)


def go_on(plan: TrainingPlan, checkpoint: CheckpointInfo) -> CheckpointInfo:
    """Write the settings that a run goes on with; returns what its next checkpoint belongs to."""
    start = replace(checkpoint, settings=plan.settings_digest(), finished=False)
    if start.settings != checkpoint.settings:  # of an earlier version, which counted the steps in
        update_pointer(plan.run, start)
    write_whole(plan.run.config, to_toml(plan.config, "customize").encode())
    return start


def build_method(
    plan: TrainingPlan,
    model: DiffusionModel,
    reference: Sequence[TrainingExample],
    prior: Sequence[TrainingExample],
) -> DenoisingMethod:
    """The training method with a new adapter on the model."""
    training, seed = plan.config.training, plan.config.seed
    state = init_state(
        model,
        plan.concept.tokens,
        rank=training.rank,
        layers=training.layers,
        text_rank=training.text_rank,
        seed=seed,
    )
    return METHODS[training.objective](state, reference, training, seed=seed, prior=prior)


def train_adapter(
    plan: TrainingPlan,
    method: DenoisingMethod,
    start: CheckpointInfo,
    validation: ValidationSchedule | None,
    console: Console,
) -> tuple[Any, int]:
    """(the weights to keep, after how many steps they were); the method holds them, too.

    Raises:
        StickerforgeError, Interrupted: as `train`.
    """
    run, steps = plan.run, plan.config.training.steps
    with console.progress(f"teaching {plan.name}", steps) as advance:
        weights = train(method, plan.config.training, run, start, advance, validation)
    if not validation:
        return weights, steps
    best = BestCheckpoint(run, method.kind, start=steps)
    best.remove_others()
    write_whole(run.validation_plot, validation_plot(best.rows))
    if plan.config.keep != "best":
        return weights, steps
    weights, kept_step = select_best(best, steps, console)
    method.train_state.load(weights)
    return weights, kept_step


def select_best(best: BestCheckpoint, steps: int, console: Console) -> tuple[Any, int]:
    """(the weights that validated best, after how many of all steps they were)."""
    step = int(best.best["step"])
    plot = best.run.validation_plot
    console.say(f"the best state was that after {step} of {steps} steps; see {plot}")
    return best.weights(), step


def summarize_metrics(run: RunFolder) -> dict[str, float]:
    """Draw the loss plot; returns means over the last tenth of the steps."""
    rows = read_rows(run.metrics)
    write_whole(run.loss_plot, loss_plot(rows))
    last = rows[-max(1, len(rows) // 10) :]
    names = [name for name in SUMMARY if last and name in last[-1]]
    return {name: round(sum(row[name] or 0.0 for row in last) / len(last), 6) for name in names}
