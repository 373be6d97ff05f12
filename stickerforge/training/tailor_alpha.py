"""The workflow of `tailor alpha`: an autoencoder, its decoder extended and trained, the adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from stickerforge.adapters import store
from stickerforge.adapters.decoder_format import AUTOENCODER
from stickerforge.adapters.decoder_weights import DecoderWeights
from stickerforge.models.alpha_decoder import AlphaDecoder, autoencoder_files
from stickerforge.models.checksums import verify
from stickerforge.models.families.latent_diffusion import load_vae
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.files import locked, write_whole
from stickerforge.training.alpha_estimate import pictures_at_once, warn_of_memory
from stickerforge.training.alpha_plan import AlphaPlan
from stickerforge.training.alpha_validation import AlphaValidator
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import update_pointer
from stickerforge.training.loss_plot import BLUE, GREEN, ORANGE, Curve, line_plot, moving_average
from stickerforge.training.methods.alpha_decoder import AlphaDecoderTuning, Canvas
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.personalize import MAX_BYTES
from stickerforge.training.provenance import versions
from stickerforge.training.run_folder import CheckpointInfo
from stickerforge.training.run_plan import begin_run
from stickerforge.training.sticker_pictures import StickerPictures, Stickers, photo_planes
from stickerforge.training.trainer import train

KIND = "decoder"
CURVES = {"composite": BLUE, "alpha": ORANGE, "gradient": GREEN}


@dataclass(frozen=True)
class TunedDecoder:
    """What a run came to.

    Args:
        kept_step: after how many steps the state that is kept was reached.
        metrics: of that state on what was held out.
        page: the picture that shows it; None where nothing was held out.
    """

    adapter: store.Adapter
    kept_step: int
    metrics: dict[str, float]
    page: Path | None


def tailor_alpha(
    plan: AlphaPlan, pictures: StickerPictures, console: Console, *, force: bool, resume: bool
) -> TunedDecoder:
    """Train and save a decoder.

    Raises:
        InputError: a picture or a checkpoint cannot be used, or training diverged.
        EnvironmentFault: the weights are damaged, memory or the disk is full.
        Interrupted: after a checkpoint was written.
    """
    checkpoint = plan.resumable_with(pictures.digest, force=force, resume=resume)
    warn_of_memory(plan, console)
    verify(plan.card.folder)
    try:
        vae = load_vae(plan.card).to(resolve_device(plan.config.device))
        vae.eval().requires_grad_(False)
        method = begin_method(plan, vae, pictures)
        start = begin_run(plan, plan.config, pictures.digest, checkpoint)
        if checkpoint:
            console.say(f"going on after {start.step} of {plan.config.training.steps} steps")
        weights, kept_step = train_decoder(plan, method, pictures, start, console)
    except RuntimeError as error:
        hint = "start over with --force and --set training.memory=GIGABYTES, or a smaller --batch"
        raise memory_fault(error, hint) or error from error
    tuned = save(plan, vae, weights, pictures, start, kept_step)
    warn_of_failure(tuned, console)
    return tuned


def begin_method(
    plan: AlphaPlan, vae: AutoencoderKL, pictures: StickerPictures
) -> AlphaDecoderTuning:
    """The training method with a decoder that is extended and not yet trained."""
    config, side = plan.config, plan.config.training.resolution
    photos = [torch.from_numpy(photo_planes(picture, side)) for picture in pictures.photos]
    return AlphaDecoderTuning(
        vae,
        AlphaDecoder(vae, config.decoder.start),
        Stickers(pictures.training, side),
        plan.training,
        canvas=Canvas(config.canvas, side),
        weights=config.loss,
        photos=photos,
        seed=config.seed,
        part=pictures_at_once(plan),
    )


def train_decoder(
    plan: AlphaPlan,
    method: AlphaDecoderTuning,
    pictures: StickerPictures,
    start: CheckpointInfo,
    console: Console,
) -> tuple[DecoderWeights, int]:
    """(the weights to keep, after how many steps they were).

    Raises:
        StickerforgeError, Interrupted: as `train`.
    """
    run, steps, every = plan.run, plan.config.training.steps, plan.config.validation.every
    schedule = None
    if every:
        validator = AlphaValidator(
            method.vae,
            method.mean,
            Stickers(pictures.held_out, plan.config.training.resolution),
            method.canvas,
            method.loss_weights,
            plan.config.seed,
            run.validation_sheets,
            plan.config.preview.count,
        )
        schedule = ValidationSchedule(every, validator.validate)
    with console.progress(f"tuning {plan.name}", steps) as advance:
        weights: DecoderWeights = train(
            method, plan.training, run, start, advance, schedule, plan.rate
        )
    if not every:
        return weights, steps
    best = BestCheckpoint(run, method.kind, start=steps)
    best.remove_others()
    return best.weights(), int(best.best["step"])


def save(
    plan: AlphaPlan,
    vae: AutoencoderKL,
    weights: DecoderWeights,
    pictures: StickerPictures,
    start: CheckpointInfo,
    kept_step: int,
) -> TunedDecoder:
    """Write the adapter with a plain AutoencoderKL beside it, and the plots of its run."""
    run, training = plan.run, plan.config.training
    rows = read_rows(run.metrics)
    write_whole(run.loss_plot, error_plot(rows))
    metrics = {}
    for row in read_rows(run.validation_log):
        if plan.config.validation.every and row["step"] == kept_step:
            metrics = {name: row[name] for name in row if name not in ("step", "score")}
    page = run.validation_sheets / f"{kept_step:06}.png"
    adapter = store.save(
        plan.name,
        weights,
        kind=KIND,
        base=plan.base,
        tokens={},
        phrase="",
        made={
            "objective": "alpha",
            "steps": training.steps,
            "kept_step": kept_step,
            "batch": training.batch,
            "resolution": training.resolution,
            "canvas": plan.config.canvas.color,
            "seed": plan.config.seed,
            "settings": start.settings,
            "data": pictures.digest,
            "pictures": len(pictures.training),
            "held_out": len(pictures.held_out),
            "figures": metrics,
            "versions": versions(),
        },
        encoder=weights.encoder,
        folders={AUTOENCODER: autoencoder_files(vae, weights.tensors)},
    )
    with locked(store.lock_file(plan.name), wait=True):
        for file in filter(Path.exists, (run.config, run.loss_plot, page)):
            name = "preview.png" if file == page else file.name
            write_whole(adapter.path.with_name(name), read_bounded(file, MAX_BYTES))
    update_pointer(run, replace(start, step=training.steps, finished=True))
    return TunedDecoder(adapter, kept_step, metrics, page if page.exists() else None)


def warn_of_failure(tuned: TunedDecoder, console: Console) -> None:
    """Warn of alpha that is no better than the same everywhere."""
    error, constant = (tuned.metrics.get(name) for name in ("alpha_error", "constant_error"))
    if error is not None and constant is not None and error >= constant:
        console.warn(
            f"alpha is off by {error:.2f} on held out pictures, and where it is the same"
            f" everywhere by {constant:.2f}:"
            f" --resume --steps {2 * int(tuned.adapter.made['steps'])} trains on"
        )


def error_plot(rows: list[dict[str, Any]]) -> bytes:
    """The errors over the steps, as PNG.

    Args:
        rows: the metrics of every step.
    """
    window = max(1, len(rows) // 25)
    curves = []
    for name, color in CURVES.items():
        known: list[Mapping[str, Any]] = [row for row in rows if row.get(name) is not None]
        values = moving_average([float(row[name]) for row in known], window)
        curves.append(Curve(name, color, [int(row["step"]) for row in known], values))
    return line_plot(curves, f"absolute error, mean of {window} steps")
