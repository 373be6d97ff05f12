"""A mixture of LoRAs from its parents and captioned pictures: gates, training, the adapter.

The pictures are those that each LoRA was taught with, together (VersaT2I, arXiv:2403.18493).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.kinds import KINDS, LORA
from stickerforge.adapters.mixture import attach_mixture, initial_mixture
from stickerforge.adapters.mixture_weights import MAX_PARENTS, MixtureWeights
from stickerforge.adapters.upgrade import read_upgraded
from stickerforge.config.schema import MixtureConfig, TrainingConfig
from stickerforge.config.setting import fill_unset
from stickerforge.config.toml import to_tree
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.errors import InputError
from stickerforge.generation.inference import load
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.card import ModelCard
from stickerforge.models.checksums import verify
from stickerforge.models.cost import training_cost
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.families.specs import family_spec
from stickerforge.models.long_prompts import LongPrompts, shared_rule
from stickerforge.models.registry import check_pixels
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.text import plural
from stickerforge.training.batch_parts import largest_part
from stickerforge.training.captioned_latents import CaptionedLatents, encode_captioned
from stickerforge.training.checkpoint import remove_checkpoint, update_pointer
from stickerforge.training.loss_plot import loss_plot
from stickerforge.training.methods.mixture_tuning import MixtureTuning
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.provenance import versions
from stickerforge.training.run_folder import CheckpointInfo, RunFolder
from stickerforge.training.trainer import train
from stickerforge.training.tuning_result import summary

KIND = "mixture"
FREE = ("steps", "save_every")  # what a run may go on with other values of


@dataclass(frozen=True)
class MixturePlan:
    """What is known before a picture is read.

    Args:
        name: of the adapter.
        card: the model that the parents were made for.
        base: the same, for the adapter's description.
        settings: how the gates are trained.
        run: a folder of its own; another one than that of a command which holds its lock.
        device: as a user gives it.
    """

    name: str
    card: ModelCard
    base: store.Base
    settings: MixtureConfig
    run: RunFolder
    seed: int = 0
    device: str = "auto"

    def filled(self) -> "MixturePlan":
        """The plan with the resolution of its model, where it says none."""
        own = self.card.sampling.get("pixels")
        pixels = int(own or family_spec(self.card.folder).native_pixels(self.card.folder))
        return replace(self, settings=fill_unset(self.settings, {"resolution": pixels}))

    @property
    def training(self) -> TrainingConfig:
        """The settings of the loop."""
        own = self.settings
        return TrainingConfig(
            steps=own.steps,
            batch=own.batch,
            lr=own.lr,
            objective="plain",
            resolution=own.resolution,
            offset_noise=0.0,
            epsilon=own.epsilon,
            weight_decay=own.weight_decay,
            clip=own.clip,
            save_every=own.save_every,
        )

    @property
    def pictures_at_once(self) -> int:
        """How many pictures of a batch are computed together, so that memory suffices."""
        own, cuda = self.settings, resolve_device(self.device).type == "cuda"

        def bytes_of(size: int) -> int:
            cost = training_cost(
                self.card, steps=1, batch=size, pixels=own.resolution, dco=False, cuda=cuda
            )
            return cost.memory_bytes

        return largest_part(own, bytes_of)

    def settings_digest(self, parents: Mapping[str, store.Adapter]) -> str:
        """Changes with whatever decides the adapter's bytes besides the pictures and the steps."""
        tree = to_tree(self.settings)
        decisive = [
            KIND,
            {key: value for key, value in tree.items() if key not in FREE},
            self.seed,
            self.base.fingerprint,
            [[name, parent.sha256] for name, parent in parents.items()],
        ]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def check_mixable(parents: Mapping[str, store.Adapter], base: store.Base) -> LongPrompts | None:
    """How a mixture reads long prompts, where its parents can be mixed.

    Args:
        parents: {what each is called in the mixture: adapter}.
        base: the model that the mixture is for.

    Raises:
        InputError: there are too few or too many, or one is no plain LoRA of that model.
    """
    if not 2 <= len(parents) <= MAX_PARENTS:
        raise InputError(
            f"a mixture of {plural(len(parents), 'LoRA')} cannot be made",
            f"give 2 to {MAX_PARENTS}",
        )
    for adapter in parents.values():
        if KINDS[adapter.kind] is not LORA:
            raise InputError(
                f"{adapter.name!r} is an adapter of kind {adapter.kind!r}, which cannot be mixed",
                "leave it out",
            )
        if words := [*adapter.tokens, *([adapter.phrase] if adapter.phrase else [])]:
            raise InputError(
                f"{adapter.name!r} holds the word {words[0]!r}, and a mixture has no words",
                "mix LoRAs without tokens or phrases, or use `stickerforge merge`",
            )
        if adapter.base.fingerprint != base.fingerprint:
            raise InputError(
                f"{adapter.name!r} was made for {adapter.base.title}, not for {base.title}"
                f"{' as it is' if adapter.base.title == base.title else ''}",
                "mix LoRAs of one base",
            )
    return shared_rule([(own.name, own.long_prompts) for own in parents.values()])


def train_mixture(
    plan: MixturePlan,
    parents: Mapping[str, store.Adapter],
    data: CaptionedPictures,
    console: Console,
) -> store.Adapter:
    """Train gates for LoRAs, which stay as they are, and save the mixture.

    A run of the same settings, parents and pictures goes on where it was interrupted, and is not
    repeated where its mixture is there; any other run in the folder is replaced. The mixture holds
    copies of its parents, so that these may be removed.

    Args:
        parents: {what each is called in the mixture: adapter}, in an order that counts.

    Raises:
        InputError: parents or pictures cannot be used, or training diverged.
        EnvironmentFault: memory or the disk is full.
        Interrupted: after a checkpoint was written.
    """
    if plan.settings.steps < 1:
        raise InputError("a mixture of 0 steps is none", "give 1 or more")
    plan = plan.filled()
    rule = check_mixable(parents, plan.base)
    check_pixels(plan.card, plan.settings.resolution, "resolution")
    verify(plan.card.folder)
    loras = {name: read_upgraded(adapter).lora for name, adapter in parents.items()}
    with plan.run.lock():
        try:
            model = load(plan.card, str(resolve_device(plan.device)))
            model.long_prompts = rule or plan.card.long_prompts
            resolution, folder = plan.settings.resolution, plan.run.path
            latents = encode_captioned(model, data, resolution, folder, console)
            captions = [example.caption.text for example in latents.examples]
            warn_of_unread_text(model, captions, "a caption", console)
            start = begin(plan, plan.settings_digest(parents), latents.digest)
            if start.finished:
                return store.find(plan.name)
            weights = train_gates(plan, model, loras, latents, start, console)
        except RuntimeError as error:
            hint = "give fewer gigabytes as its memory, or a smaller batch"
            raise memory_fault(error, hint) or error from error
        return save(plan, parents, weights, rule, start, len(latents.examples))


def begin(plan: MixturePlan, settings: str, pictures: str) -> CheckpointInfo:
    """The checkpoint to go on from, or a new beginning; finished where nothing is left to do."""
    run, steps = plan.run, plan.settings.steps
    found = run.checkpoint_info()
    if found and (found.settings, found.pictures) == (settings, pictures) and found.step <= steps:
        return replace(found, finished=found.step == steps and is_result(plan, found))
    remove_checkpoint(run)
    return CheckpointInfo(0, settings, pictures)


def is_result(plan: MixturePlan, checkpoint: CheckpointInfo) -> bool:
    """Whether the adapter of the plan's name is what a run came to with this checkpoint."""
    if not store.exists(plan.name):
        return False
    made = store.find(plan.name).made
    result = (made.get("steps"), made.get("settings"), made.get("data"))
    return result == (checkpoint.step, checkpoint.settings, checkpoint.pictures)


def train_gates(
    plan: MixturePlan,
    model: DiffusionModel,
    loras: Mapping[str, Mapping[str, Any]],
    latents: CaptionedLatents,
    start: CheckpointInfo,
    console: Console,
) -> MixtureWeights:
    """The mixture with its gates trained.

    Args:
        loras: {name: factors by layer}.

    Raises:
        StickerforgeError, Interrupted: as `train`.
    """
    settings = plan.settings
    initial = initial_mixture(model, loras, settings.temperature)
    method = MixtureTuning(
        model,
        attach_mixture(model, KIND, initial, "the mixture"),
        initial,
        latents.examples,
        plan.training,
        seed=plan.seed,
        balance_weight=settings.balance,
        caption_dropout=settings.caption_dropout,
        part=plan.pictures_at_once,
    )
    with console.progress(f"gates of {plan.name}", settings.steps) as advance:
        weights: MixtureWeights = train(method, plan.training, plan.run, start, advance)
    return weights


def save(
    plan: MixturePlan,
    parents: Mapping[str, store.Adapter],
    weights: MixtureWeights,
    rule: LongPrompts | None,
    start: CheckpointInfo,
    pictures: int,
) -> store.Adapter:
    """Write the adapter, and the plot of its run."""
    run, settings = plan.run, plan.settings
    rows = read_rows(run.metrics)
    write_whole(run.loss_plot, loss_plot(rows))
    adapter = store.save(
        plan.name,
        weights,
        kind=KIND,
        base=plan.base,
        tokens={},
        phrase="",
        made={
            "objective": "gates of a mixture",
            "steps": settings.steps,
            "batch": settings.batch,
            "balance": settings.balance,
            "temperature": settings.temperature,
            "resolution": settings.resolution,
            "seed": plan.seed,
            "settings": start.settings,
            "data": start.pictures,
            "pictures": pictures,
            "figures": summary(rows, [], settings.steps),
            "versions": versions(),
        },
        parents=[
            {"name": parent.name, "weight": 1.0, "sha256": parent.sha256}
            for parent in parents.values()
        ],
        long_prompts=rule,
    )
    update_pointer(run, replace(start, step=settings.steps, finished=True))
    return adapter
