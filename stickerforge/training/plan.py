"""What `customize` is to do, checked before anything is read into memory."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from stickerforge.adapters.store import Base, validate_name
from stickerforge.config.schema import CustomizeConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import to_tree
from stickerforge.config.unused import unused_in_customize
from stickerforge.data.captions import CLASS_WORDS
from stickerforge.data.prompts import check_prompt
from stickerforge.errors import EnvironmentFault, InputError, nearest
from stickerforge.models.card import ModelCard
from stickerforge.models.checksums import fingerprint
from stickerforge.models.hub import encoder_repository
from stickerforge.models.registry import EMBEDDED, check_pixels, find_model
from stickerforge.runtime.console import Console
from stickerforge.runtime.install_hints import install_command
from stickerforge.training.checkpoint import read_mark
from stickerforge.training.config import TrainingConfig
from stickerforge.training.defaults import with_defaults
from stickerforge.training.run_folder import check_free, resumable, run_folder


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that is known before a picture is read.

    Args:
        config: with the model's recommendations filled in.
        name: of the adapter.
        placeholder: "<dog>"; "" for a style.
        words: the class of the subject; "" for a style.
        phrase: "in crayon style"; "" for a subject.
    """

    config: CustomizeConfig
    card: ModelCard
    base: Base
    name: str
    placeholder: str
    words: str
    phrase: str

    @property
    def folder(self) -> Path:
        """Where the run keeps its checkpoint and its record."""
        return run_folder(self.name)

    @property
    def tokens(self) -> dict[str, str]:
        """placeholder -> class words."""
        return {self.placeholder: self.words} if self.placeholder else {}

    @property
    def resolution(self) -> int:
        """Side in pixels."""
        assert self.config.training.resolution is not None
        return self.config.training.resolution

    @property
    def watch_every(self) -> int:
        """Steps between two looks at what is drawn; 0 for none."""
        every, steps = self.config.validation.every, int(self.config.training.steps or 1)
        return (max(1, steps // 6) if self.config.keep == "best" else 0) if every is None else every

    def course(self) -> TrainingConfig:
        """The settings of the loop."""
        said = self.config.training
        needed = (
            said.steps,
            said.batch,
            said.rank,
            said.layers,
            said.lr,
            said.token_lr,
            said.beta,
            said.offset_noise,
        )
        assert None not in needed
        rate = float(said.lr or 0)
        return TrainingConfig(
            steps=int(said.steps or 0),
            batch=int(said.batch or 0),
            rank=int(said.rank or 0),
            layers=said.layers,
            rate=rate,
            token_rate=float(said.token_lr or 0),
            beta=0.0 if said.beta == "auto" else float(said.beta or 0),
            objective=said.objective,
            offset_noise=float(said.offset_noise or 0),
            seed=self.config.seed,
            weight_decay=said.weight_decay,
            clip=said.clip,
            save_every=said.save_every,
            text_rank=said.text_rank,
            text_rate=rate / 5 if said.text_lr is None else said.text_lr,
            reduction=said.reduction,
            snr_gamma=said.snr_gamma,
            prior_weight=said.prior_weight,
            draws=said.cached_noise,
            epsilon=said.epsilon,
            board=said.tensorboard,
        )

    def settings_digest(self) -> str:
        """Changes with whatever decides the adapter's bytes besides the pictures."""
        training = to_tree(self.config.training)
        for name in ("save_every", "tensorboard"):
            training.pop(name)
        training["draws"] = training.pop("cached_noise")  # its key when runs were first resumed
        decides = [
            training,
            self.config.keep,
            self.watch_every,
            self.config.validation.encoder,
            self.config.seed,
            self.base.fingerprint,
            self.placeholder,
            self.words,
            self.phrase,
        ]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def plan_training(
    config: CustomizeConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> TrainingPlan:
    """Check names and settings, and whether the name is free.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    if bool(config.subject) == bool(config.style):
        raise InputError(
            "say what the pictures teach", "give either --subject NAME or --style NAME"
        )
    if not config.pictures:
        raise InputError(
            "no pictures given", "for example stickerforge customize ./photos --subject dog"
        )
    said = config.subject or config.style
    if not CLASS_WORDS.fullmatch(said):
        raise InputError(f"{said[:60]!r} is no name", "give letters, digits and dashes")
    slug = validate_name(re.sub(r"[\s_'’]+", "-", said.strip().lower()))
    name = validate_name(config.name or slug)
    words = (config.class_words or said.replace("-", " ")).strip() if config.subject else ""
    if config.style and config.class_words:
        raise InputError("--class belongs to a subject", "leave it out for a style")
    if name in style_presets() and not force and not (resume and read_mark(run_folder(name))):
        raise InputError(
            f"{name!r} is the name of a preset", "give another --name, or --force to have both"
        )
    if words and not CLASS_WORDS.fullmatch(words):
        raise InputError(
            f"{words[:60]!r} is no class", "give a word or a few, for example --class dog"
        )
    if force and resume:
        raise InputError("--resume goes on, --force starts over", "give one of them")
    if not Path(config.pictures).exists():
        raise InputError(f"no folder {config.pictures}", "check the path")
    if config.keep == "best" and config.validation.every == 0:
        raise InputError(
            "--keep best needs looks on the way, and validation.every is 0",
            "leave validation.every out",
        )
    if config.training.cached_noise and config.training.objective == "plain":
        raise InputError(
            "training.cached_noise keeps the base's errors, for which plain training does not ask",
            "leave it out",
        )
    if config.style and config.training.prior_weight:
        raise InputError(
            "training.prior_weight is about the class of a subject, which a style has not",
            "leave it out",
        )
    if config.training.tensorboard and not find_spec("tensorboard"):
        raise EnvironmentFault(
            "training.tensorboard needs tensorboard, which is not installed",
            f"{install_command('tensorboard')}, or leave it out",
        )
    check_preview(config)
    for line in unused_in_customize(config):
        console.warn(line)
    check_free(name, force=force, resume=resume)
    card = find_model(config.model, offline=offline, say=console.say)
    training = with_defaults(config.training, card, "subject" if config.subject else "style")
    check_pixels(card, int(training.resolution or 0), "training.resolution")
    from stickerforge.runtime.device import resolve_device

    resolve_device(config.device)
    name_of_base = (
        card.name
        if card.folder in EMBEDDED.values() or not is_folder(config.model)
        else str(card.folder.resolve())
    )
    base = Base(name_of_base, card.version, fingerprint(card.folder))
    phrase = f"in {said.replace('-', ' ')} style" if config.style else ""
    watched = config.validation.encoder
    if is_folder(watched):
        watched = str(Path(watched).expanduser().resolve())
    mask = (
        config.mask
        if config.mask in ("auto", "none")
        else str(Path(config.mask).expanduser().resolve())
    )
    full = replace(
        config,
        training=training,
        name=name,
        pictures=str(Path(config.pictures).resolve()),
        model=base.name,
        mask=mask,
    )
    full = replace(full, validation=replace(config.validation, encoder=watched))
    whole = TrainingPlan(
        full, card, base, name, f"<{slug}>" if config.subject else "", words, phrase
    )
    if whole.watch_every:
        encoder_repository(watched)
    resumable(whole.name, whole.settings_digest(), force=force, resume=resume)
    return whole


def check_preview(config: CustomizeConfig) -> None:
    """Make sure that the sheet at the end can be made.

    Raises:
        InputError: its style or a prompt cannot be used.
    """
    if config.preview.style and config.preview.style not in style_presets():
        raise InputError(
            f"unknown style {config.preview.style!r} for the preview",
            nearest(config.preview.style, list(style_presets())),
        )
    for prompt in config.preview.prompts:
        check_prompt(prompt, "preview.prompts")


def is_folder(model: str) -> bool:
    """Whether a model was given as a path."""
    return Path(model).expanduser().is_dir()
