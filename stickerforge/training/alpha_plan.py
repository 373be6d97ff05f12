"""What `tailor alpha` is to do, checked before a picture or a weight is read."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.adapters.store import validate_name
from stickerforge.config.schema import DecoderTrainingConfig, TailorAlphaConfig, TrainingConfig
from stickerforge.config.setting import fill_unset
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import to_tree
from stickerforge.config.unused import unused_in_tailor_alpha
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard, read_json
from stickerforge.models.families.specs import family_spec
from stickerforge.models.network_config import CONFIG, read_network_config
from stickerforge.models.registry import NAMES, check_pixels, find_model
from stickerforge.runtime.console import Console
from stickerforge.training.checks import check_device, check_tensorboard
from stickerforge.training.plan import VALIDATIONS, as_started, base_model
from stickerforge.training.run_folder import run_folder
from stickerforge.training.run_plan import RunPlan

COMMAND = "tailor alpha"
AUTOENCODER = "AutoencoderKL"  # the class of diffusers that can be extended
COLOR = re.compile(r"[0-9a-f]{6}", re.IGNORECASE)
STEPS = 2000
FREE = (
    "steps",
    "save_every",
    "tensorboard",
)  # what a run may be taught on with other values of


@dataclass(frozen=True)
class AlphaPlan(RunPlan):
    """See `RunPlan`; its base is the model whose autoencoder is extended.

    Args:
        config: with what was left open filled in.
    """

    config: TailorAlphaConfig
    command: str = COMMAND

    @property
    def settings(self) -> DecoderTrainingConfig:
        """See `RunPlan`."""
        return self.config.training

    @property
    def training(self) -> TrainingConfig:
        """The settings of the loop."""
        own = self.config.training
        return TrainingConfig(
            steps=own.steps,
            batch=own.batch,
            lr=own.lr,
            objective="plain",
            resolution=own.resolution,
            epsilon=own.epsilon,
            weight_decay=own.weight_decay,
            clip=own.clip,
            save_every=own.save_every,
            tensorboard=own.tensorboard,
        )

    @property
    def held_out_share(self) -> float:
        """Share of the pictures by which the decoder is measured; 0 where it is not."""
        return self.config.validation.share if self.config.validation.every else 0.0

    @property
    def photos(self) -> str:
        """The folder of photographs for grounds; "" for none, or where no ground counts."""
        return self.config.grounds.photos if self.config.loss.composite else ""

    def settings_digest(self) -> str:
        """Changes with whatever decides the adapter's bytes besides the pictures and the steps."""
        tree = to_tree(self.config)
        training = {key: value for key, value in tree["training"].items() if key not in FREE}
        decisive = [COMMAND, training, self.config.seed, self.base.fingerprint]
        decisive += [tree[name] for name in ("decoder", "canvas", "loss")]
        decisive += [tree["validation"] if self.config.validation.every else None]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def plan_tailor_alpha(
    config: TailorAlphaConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> AlphaPlan:
    """Check names and settings, and whether the name is free.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    name = check_settings(config)
    if force and resume:
        raise InputError("--resume goes on, --force starts over", "give one of them")
    check_tensorboard(config.training.tensorboard)
    run = run_folder(name, COMMAND)
    run.check_free(force=force, resume=resume)
    card = find_model(config.model, offline=offline, say=console.say)
    check_autoencoder(card)
    base = base_model(config.model, card)
    for line in unused_in_tailor_alpha(config):
        console.warn(line)
    training, validation = config.training, config.validation
    if resume:
        training, validation = as_started(run, training, validation)
    pixels = card.sampling.get("pixels") or family_spec(card.folder).native_pixels(card.folder)
    training = fill_unset(training, {"steps": STEPS, "resolution": int(pixels)})
    validation = fill_unset(validation, {"every": max(1, training.steps // VALIDATIONS)})
    check_pixels(card, training.resolution, "training.resolution")
    check_device(config.device)
    config = replace(config, training=training, validation=validation, name=name, model=base.name)
    plan = AlphaPlan(card, base, name, with_absolute_paths(config, NAMES))
    plan.resumable(force=force, resume=resume)
    return plan


def check_settings(config: TailorAlphaConfig) -> str:
    """The adapter's name, where the settings are sound.

    Raises:
        InputError: they are not, or the name cannot be one.
    """
    if not config.pictures:
        raise InputError("no pictures given", "give a folder of pictures with a transparent ground")
    if not config.name:
        raise InputError("the adapter has no name", "give --name NAME, for example --name clear")
    name = validate_name(config.name)
    if name in style_presets():
        raise InputError(f"{name!r} is the name of a preset", "give another --name")
    if not config.model:
        raise InputError(
            "no model given", "give --model, a model that draws no alpha (sticker-mini draws it)"
        )
    for place in filter(None, (config.pictures, config.grounds.photos)):
        if not Path(place).exists():
            raise InputError(f"no folder {place}", "check the path")
    canvas, loss = config.canvas, config.loss
    if not COLOR.fullmatch(canvas.color):
        raise InputError(f"canvas.color: {canvas.color[:40]!r} is no colour", "give rrggbb: ffffff")
    if canvas.scale_low > canvas.scale_high:
        raise InputError(
            f"canvas.scale_low = {canvas.scale_low:g} is over canvas.scale_high ="
            f" {canvas.scale_high:g}",
            "give the smaller one first",
        )
    if not (loss.alpha or loss.composite):
        raise InputError(
            "loss.alpha and loss.composite are both 0, so that nothing says what alpha is to be",
            "give one of them a weight",
        )
    return name


def check_autoencoder(card: ModelCard) -> None:
    """Make sure that a model's autoencoder can get a channel for alpha.

    Raises:
        InputError: it has one, or is of a class that cannot.
        EnvironmentFault: its configuration is broken in what was fetched or installed.
    """
    part = card.folder / "vae"
    kind = read_json(part / CONFIG).get("_class_name", AUTOENCODER)
    if kind != AUTOENCODER:
        raise InputError(
            f"the autoencoder of {card.title} is of class {str(kind)[:60]}, whose decoder cannot"
            " be extended",
            f"give a model with an {AUTOENCODER}",
        )
    config = read_network_config(part)
    if config.out_channels == 4:
        raise InputError(
            f"{card.title} draws alpha already", "give a --model whose autoencoder has 3 channels"
        )
    if (config.in_channels, config.out_channels) not in ((3, 3), (None, None)):
        raise InputError(
            f"the autoencoder of {card.title} takes {config.in_channels} channels and makes"
            f" {config.out_channels}",
            "give a --model whose autoencoder has 3 channels",
        )
