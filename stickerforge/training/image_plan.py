"""What `tailor image` is to do, checked before a picture or a weight is read."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.adapters.image_prompt_weights import check_width
from stickerforge.adapters.store import validate_name
from stickerforge.config.schema import ImageTrainingConfig, TailorImageConfig, TrainingConfig
from stickerforge.config.setting import fill_unset
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import to_tree
from stickerforge.config.unused import unused_in_tailor_image
from stickerforge.config.user_paths import with_absolute_paths
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter, AdapterLookup
from stickerforge.generation.image_adapters import adapter_encoder, adapter_shape
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec
from stickerforge.models.image_encoder_place import (
    OFFICIAL,
    EncoderPlace,
    find_image_encoder,
)
from stickerforge.models.network_config import read_network_config
from stickerforge.models.registry import NAMES, check_pixels, find_model
from stickerforge.runtime.console import Console
from stickerforge.training.checks import check_device, check_tensorboard
from stickerforge.training.plan import VALIDATIONS, as_started, base_model
from stickerforge.training.run_folder import run_folder
from stickerforge.training.run_plan import RunPlan

COMMAND = "tailor image"
# The learning rate of IP-Adapter (arXiv:2308.06721), whose batches are of 64 pictures.
RECOMMENDED = {"steps": 4000, "batch": 8, "lr": 1e-4}
# What a run may be taught on with other values of.
FREE = ("steps", "save_every", "tensorboard")


@dataclass(frozen=True)
class ImagePlan(RunPlan):
    """See `RunPlan`; its base is the model that is to read pictures.

    Args:
        config: with what was left open filled in.
        encoder: what reads the pictures that are prompted with.
        start: the image adapter from which this one begins; None for the weights of the text.
    """

    config: TailorImageConfig
    encoder: EncoderPlace
    start: ActiveAdapter | None = None
    command: str = COMMAND

    @property
    def settings(self) -> ImageTrainingConfig:
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
        """Share of the pictures by which the adapter is measured; 0 where it is not."""
        return self.config.validation.share if self.config.validation.every else 0.0

    def settings_digest(self) -> str:
        """Changes with whatever decides the adapter's bytes besides the pictures and the steps."""
        tree = to_tree(self.config)
        training = {key: value for key, value in tree["training"].items() if key not in FREE}
        decisive = [COMMAND, training, self.config.seed, self.base.fingerprint]
        decisive += [self.config.variant, self.config.image_prompt.fit]
        decisive += [self.encoder.title, self.encoder.fingerprint]
        decisive += [self.start.sha256 if self.start else ""]
        decisive += [tree[name] for name in ("drops", "augment")]
        tree["validation"].pop("shown")
        decisive += [tree["validation"] if self.config.validation.every else None]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def plan_tailor_image(
    config: TailorImageConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> ImagePlan:
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
    if config.image_prompt.encoder:  # before gigabytes are fetched
        find_image_encoder(config.image_prompt.encoder)
    card = find_model(config.model, offline=offline, say=console.say)
    check_denoiser(card)
    start = start_adapter(config, card)
    encoder = find_encoder(config, card, start)
    base = base_model(config.model, card)
    for line in unused_in_tailor_image(config):
        console.warn(line)
    training, validation = config.training, config.validation
    if resume:
        training, validation = as_started(run, training, validation)
    pixels = card.sampling.get("pixels") or family_spec(card.folder).native_pixels(card.folder)
    recommended = RECOMMENDED | {"resolution": int(pixels)} | dict(card.training.get("image", {}))
    training = fill_unset(training, recommended)
    validation = fill_unset(validation, {"every": max(1, training.steps // VALIDATIONS)})
    check_pixels(card, training.resolution, "training.resolution")
    check_device(config.device)
    config = replace(config, training=training, validation=validation, name=name, model=base.name)
    plan = ImagePlan(card, base, name, with_known_paths(config, encoder, start), encoder, start)
    plan.resumable(force=force, resume=resume)
    return plan


def check_settings(config: TailorImageConfig) -> str:
    """The adapter's name, where the settings are sound.

    Raises:
        InputError: they are not, or the name cannot be one.
    """
    if not config.data:
        raise InputError(
            "no pictures given", "give a folder of captioned pictures, or a .jsonl file"
        )
    if not config.name:
        raise InputError("the adapter has no name", "give --name NAME, for example --name looks")
    name = validate_name(config.name)
    if name in style_presets():
        raise InputError(f"{name!r} is the name of a preset", "give another --name")
    if not Path(config.data).exists():
        raise InputError(f"there is no {config.data}", "check the path")
    drops = config.drops
    if (total := drops.image + drops.text + drops.both) > 1:
        raise InputError(
            f"drops.image, drops.text and drops.both come to {total:g}",
            "they are shares of all pictures: give less",
        )
    return name


def check_denoiser(card: ModelCard) -> None:
    """Make sure that a model can get an image adapter.

    Raises:
        InputError: it cannot.
    """
    spec = family_spec(card.folder)
    if read_network_config(card.folder / spec.denoiser).cross_attention_dim is None:
        raise InputError(
            f"{card.title} has no cross-attention of its own with the text, and an image adapter"
            " needs that",
            "give a Stable Diffusion 1.x, 2.x or XL --model, or sticker-mini",
        )


def start_adapter(config: TailorImageConfig, card: ModelCard) -> ActiveAdapter | None:
    """The image adapter that training begins from; None where none is named.

    Raises:
        InputError: there is none of this name, or it is of another kind, variant or width.
    """
    if not config.adapter:
        return None
    adapter = AdapterLookup().find(config.adapter)
    if not adapter.is_image:
        raise InputError(
            f"{adapter.source} is no image adapter",
            f"--adapter takes a file of IP-Adapter, or what `stickerforge {COMMAND}` made",
        )
    shape = adapter_shape(adapter)
    if shape.variant != config.variant:
        raise InputError(
            f"{adapter.source} is of variant {shape.variant}", f"give --variant {shape.variant}"
        )
    denoiser = read_network_config(card.folder / family_spec(card.folder).denoiser)
    check_width(shape, denoiser.cross_attention_dim, adapter.source, card.title)
    return adapter


def find_encoder(
    config: TailorImageConfig, card: ModelCard, start: ActiveAdapter | None
) -> EncoderPlace:
    """The image encoder: the one that is named, that of what training begins from, or the usual.

    Raises:
        InputError: it is not here, or does not make what the variant reads.
    """
    given = config.image_prompt.encoder
    if start is not None:
        encoder = adapter_encoder(start, adapter_shape(start), given)
    else:
        encoder = find_image_encoder(given or card.image_encoder or OFFICIAL)
    if encoder.is_judge and config.variant != "base":
        raise InputError(
            f"--variant {config.variant} reads patches of a picture, and the image encoder"
            f" {encoder.title} makes one vector",
            "give --variant base, or --set image_prompt.encoder=PLACE",
        )
    return encoder


def with_known_paths(
    config: TailorImageConfig, encoder: EncoderPlace, start: ActiveAdapter | None
) -> TailorImageConfig:
    """The settings with places that mean the same in any folder."""
    named = (config.adapter,) if start is not None and start.installed else ()
    config = with_absolute_paths(config, (*NAMES, *named))
    return replace(config, image_prompt=replace(config.image_prompt, encoder=encoder.place))
