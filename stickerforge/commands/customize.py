"""A few pictures to an adapter: references, training, the adapter's file, and a sheet that shows what was learned."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge import __version__
from stickerforge.adapters import store
from stickerforge.commands.courses import Plan, plan, resumable
from stickerforge.commands.masks import Masks, check_masks, masks
from stickerforge.commands.priors import prior_examples, prior_pictures
from stickerforge.commands.references import References, captions_file, references
from stickerforge.config.load import as_toml, resolve
from stickerforge.config.schema import CustomizeConfig
from stickerforge.data.captions import check_caption
from stickerforge.data.pictures import Folder, overlooked, read_folder
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.models.catalog import encoder_repository
from stickerforge.models.weights import verify
from stickerforge.runtime.files import locked, write_whole
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import interruptible

if TYPE_CHECKING:
    from stickerforge.adapters.lora import Taught
    from stickerforge.models.family import Family
    from stickerforge.training.watching import Watch

CONFIG, CAPTIONS, PREVIEW, WATCHED = "customize.toml", "captions.jsonl", "preview.png", "watched.png"
LOOKS = "looks"  # what was drawn on the way, a sheet a look
SUBJECT_PROMPTS = ("{}", "{} in flat style", "{} wearing a crown", "{} astronaut", "small {} on a blue background", "red {}")
PLAIN_SUBJECT_PROMPTS = ("a {}", "a {} on a beach", "a {} wearing a crown", "a painting of a {}")
STYLE_PROMPTS = ("cat", "rocket", "pizza", "house", "tree", "car")


@dataclass
class Customized:
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
            "adapter": self.adapter.name, "kind": self.adapter.kind, "path": str(self.adapter.path), "sha256": self.adapter.sha256,
            "placeholder": next(iter(self.adapter.tokens), None), "phrase": self.adapter.phrase, "base": self.adapter.base.title,
            "pictures": self.pictures, "failed": self.failed, "steps": self.steps, "figures": self.figures,
            "preview": str(self.preview) if self.preview else None, "run": str(self.folder),
        }  # fmt: skip

    def note(self) -> str:
        """For people."""
        token = next(iter(self.adapter.tokens), "")
        use = f'generate "a {token}"' if token else f'generate "cat" --style {self.adapter.name}'
        use += "" if token in ("", f"<{self.adapter.name}>") else f" --adapter {self.adapter.name}"
        seen = f"; see {self.preview}" if self.preview else ""
        many = "pictures" if self.pictures != 1 else "picture"
        return f"learned {self.adapter.name!r} from {self.pictures} {many} in {self.steps} steps{seen}; use it: stickerforge {use}"


def customize(pictures: str | Path, *, settings: Mapping[str, Any] | None = None, force: bool = False, resume: bool = False) -> Customized:
    """Teach from Python: `customize("photos", settings={"subject": "dog", "training.steps": 300})`.

    Args:
        settings: as in a configuration file, by dotted name.

    Raises:
        StickerforgeError: see `stickerforge.errors`; pictures that cannot be read are listed in the result instead.
    """
    config = resolve(CustomizeConfig, settings or {}, {"pictures": str(pictures)})
    return run(config, Messages(quiet=True), offline=False, force=force, resume=resume)


def run(config: CustomizeConfig, messages: Messages, *, offline: bool, force: bool, resume: bool) -> Customized:
    """Learn, save, show.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        whole = plan(config, messages, offline=offline, force=force, resume=resume)
        folder = read_folder(Path(config.pictures))
        tell(folder, whole.placeholder, messages)
        check_masks(config.mask, folder)
        with locked(whole.folder / "lock", wait=False) as free:
            if not free:
                raise InputError(f"another customize is working on {whole.name!r}", "wait for it, or give another --name")
            made = learned(whole, folder, messages, offline=offline, force=force, resume=resume)
        try:
            made.preview = preview(whole, offline=offline)
        except StickerforgeError as error:
            messages.warn(f"{whole.name!r} is learned, but its preview could not be made: {error}")
        made.failed, made.warnings = folder.unreadable, messages.warnings
        return made


def tell(folder: Folder, placeholder: str, messages: Messages) -> None:
    """Say what is left out, and what is unusual.

    Raises:
        InputError: a caption cannot be used.
    """
    for line in overlooked(folder):
        messages.warn(line)
    for picture in folder.pictures:
        if picture.note:
            messages.warn(picture.note)
        check_caption(picture.path, placeholder)  # a broken caption is better found now than after the model was loaded
    for line in folder.unreadable:
        messages.warn(f"left out: {line}")
    if len(folder.pictures) == 1:
        messages.warn("one picture only: what is beside the subject will be learned as part of it; three to ten work better")


def learned(whole: Plan, folder: Folder, messages: Messages, *, offline: bool, force: bool, resume: bool) -> Customized:
    """Everything that needs the model, up to the adapter's file."""
    from stickerforge.runtime.device import out_of_memory
    from stickerforge.training.checkpoint import Mark, drop_checkpoint
    from stickerforge.training.customizing import teach

    mark = resumable(whole, force=force, resume=resume)
    verify(whole.card.folder)
    drawn = prior_pictures(whole, messages, offline=offline)
    try:
        family = loaded(whole)
        counting = masks(whole.config.mask, folder, learns_alpha=family.has_alpha, messages=messages)
        refs = references(family, whole, folder, counting, messages)
        if mark is not None and mark.pictures != refs.digest:
            counting, refs = as_begun(family, whole, folder, counting, mark.pictures)
        watch = watching(family, whole, folder, counting, messages, offline=offline)
        if mark is None:
            drop_checkpoint(whole.folder)
            shutil.rmtree(whole.folder / LOOKS, ignore_errors=True)
            write_whole(whole.folder / CONFIG, as_toml(whole.config, "customize").encode())
            write_whole(whole.folder / CAPTIONS, captions_file(refs.examples, folder))
        elif mark.step:
            messages.say(f"going on after {mark.step} of {whole.course().steps} steps")
        start = mark or Mark(0, whole.settings_digest(), refs.digest)
        with messages.progress(f"teaching {whole.name}", whole.course().steps) as advance:
            prior = prior_examples(family, whole, drawn)
            content = teach(family, refs.examples, whole.course(), whole.tokens, whole.folder, start, prior, advance, watch)
            content, kept_step = kept(whole, content, messages)
    except RuntimeError as error:
        raise out_of_memory(error, "lower --batch or --resolution, or use a smaller model") or error from error
    figures = recorded(whole)
    adapter = store.saved(
        whole.name, content, kind="subject" if whole.placeholder else "style", base=whole.base, tokens=whole.tokens,
        phrase=whole.phrase, made=told(whole, folder, refs, figures) | {"kept_step": kept_step, "matting": counting.matting},
    )  # fmt: skip
    for name in (CONFIG, CAPTIONS, "loss.png"):
        write_whole(store.folder(whole.name) / name, (whole.folder / name).read_bytes())
    drop_checkpoint(whole.folder)
    for state in whole.folder.glob("best-*.safetensors"):  # the adapter holds what was best
        state.unlink(missing_ok=True)
    return Customized(adapter, whole.folder, len(folder.pictures), whole.course().steps, figures=figures)


def as_begun(family: "Family", whole: Plan, folder: Folder, counting: Masks, digest: str) -> tuple[Masks, References]:
    """The references as an unfinished run was started with: before the matting network was here, photographs counted as a whole.

    Args:
        digest: of the references that it was started with.

    Raises:
        InputError: they are others.
    """
    quiet = Messages(quiet=True)
    if counting.matting:
        counting = masks(whole.config.mask, folder, learns_alpha=family.has_alpha, messages=quiet, by_network=False)
        refs = references(family, whole, folder, counting, quiet)
        if refs.digest == digest:
            return counting, refs
    raise InputError(
        f"the unfinished run of {whole.name!r} was started with other pictures, captions or masks (see {whole.folder / CAPTIONS})",
        "give the same, or start over with --force",
    )


def watching(family: "Family", whole: Plan, folder: Folder, counting: Masks, messages: Messages, *, offline: bool) -> "Watch | None":
    """What looks at the model on the way; None where nothing is to."""
    from stickerforge.commands.watching import Watcher
    from stickerforge.training.watching import Watch

    if not (every := whole.watch_every):
        return None
    return Watch(every, Watcher(family, whole, folder, counting, whole.folder / LOOKS, messages, offline=offline).look)


def kept(whole: Plan, last: "Taught", messages: Messages) -> tuple["Taught", int]:
    """(the state that becomes the adapter, after how many steps it was): the last, or the best of those that were looked at."""
    from stickerforge.training.record import watched_picture
    from stickerforge.training.watching import Watched

    steps = whole.course().steps
    if not whole.watch_every:
        return last, steps
    watched = Watched(whole.folder, start=steps)
    write_whole(whole.folder / WATCHED, watched_picture(watched.seen))
    if whole.config.keep == "last":
        return last, steps
    best = int(watched.best["step"])
    messages.say(f"the best state was that after {best} of {steps} steps; see {whole.folder / WATCHED}")
    return watched.content(), best


def loaded(whole: Plan) -> Any:
    """The model on its device, its adapters and tokens in float32 whatever the base has."""
    from stickerforge.models.loading import load
    from stickerforge.runtime.device import chosen_device, working_dtype

    device = chosen_device(whole.config.device)
    return load(whole.card, device, working_dtype(device))


def recorded(whole: Plan) -> dict[str, float]:
    """Draw the loss picture; returns means over the last tenth of the steps."""
    from stickerforge.training.record import LOSS, METRICS, loss_picture, rows

    metrics = rows(whole.folder / METRICS)
    write_whole(whole.folder / LOSS, loss_picture(metrics))
    last = metrics[-max(1, len(metrics) // 10) :]
    keys = [key for key in ("error", "base_error", "gap", "seconds") if last and key in last[-1]]
    return {key: round(sum(row[key] or 0.0 for row in last) / len(last), 6) for key in keys}


def told(whole: Plan, folder: Folder, refs: References, figures: dict[str, float]) -> dict[str, Any]:
    """How the adapter was made, for its description."""
    import diffusers
    import peft
    import torch
    import transformers

    versions = {module.__name__: module.__version__ for module in (torch, diffusers, transformers, peft)}
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


def preview_prompts(whole: Plan) -> tuple[str, ...]:
    """The user's own, or some that the model understands."""
    if whole.config.preview.prompts:
        return tuple(prompt.replace("{}", whole.placeholder) for prompt in whole.config.preview.prompts)
    if not whole.placeholder:
        return STYLE_PROMPTS
    own = SUBJECT_PROMPTS if whole.card.words_file else PLAIN_SUBJECT_PROMPTS
    return tuple(prompt.format(whole.placeholder) for prompt in own)


def preview(whole: Plan, *, offline: bool) -> Path | None:
    """A contact sheet made by `generate` from the adapter's files."""
    from stickerforge.commands import generate
    from stickerforge.config.schema import GenerateConfig

    if not whole.config.preview.count:
        return None
    settings = {
        "prompt": list(preview_prompts(whole)), "count": whole.config.preview.count, "seed": whole.config.seed, "model": whole.base.name,
        "style": whole.config.preview.style if whole.placeholder else whole.name, "adapter": [whole.name], "device": whole.config.device,
        "matting": "none", "output.folder": str(whole.folder / "preview"), "output.columns": min(100, whole.config.preview.count * 3),
    }  # fmt: skip
    made = generate.run(resolve(GenerateConfig, settings), Messages(quiet=True), offline=offline)
    if made.sheet is None:
        return None
    path = store.folder(whole.name) / PREVIEW
    write_whole(path, made.sheet.read_bytes())
    return path


def rehearsed(config: CustomizeConfig, messages: Messages, *, force: bool, resume: bool) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.commands.generate import in_force
    from stickerforge.config.schema import Sampling
    from stickerforge.models.cost import cost, training_cost

    whole = plan(config, messages, offline=True, force=force, resume=resume)
    folder = read_folder(Path(config.pictures))
    check_masks(config.mask, folder)
    for picture in folder.pictures:
        check_caption(picture.path, whole.placeholder)
    course = whole.course()
    from stickerforge.runtime.device import chosen_device

    cuda, dco = chosen_device(config.device).type == "cuda", course.objective == "dco"
    price = training_cost(whole.card, steps=course.steps, batch=course.batch, pixels=whole.resolution, dco=dco, cuda=cuda)
    chosen = in_force(Sampling(), whole.card)
    looks = 8 * (course.steps // whole.watch_every + 2) if whole.watch_every else 0
    drawn = looks + (whole.config.training.prior_count if course.prior_weight else 0)
    steps, guidance = chosen.steps or 1, chosen.guidance or 1.0
    aside = cost(whole.card, pictures=drawn, steps=steps, guidance=guidance, pixels=whole.resolution, cuda=cuda) if drawn else None
    seconds = price.seconds * (2 if course.prior_weight else 1) + (aside.seconds if aside else 0.0)
    writes = [str(store.folder(whole.name)), str(whole.folder)]
    result: dict[str, Any] = {
        "dry_run": True,
        "adapter": whole.name,
        "placeholder": whole.placeholder,
        "phrase": whole.phrase,
        "model": whole.card.title,
        "reads": [str(picture.path) for picture in folder.pictures],
        "drops": folder.unreadable + folder.passed_over,
        "fetches": [name for name in [encoder_repository(whole.config.watch.encoder)] if name and whole.watch_every],
        "writes": writes,
        "training": vars(course) | {"beta": course.beta or "auto"},
        "about_seconds": round(seconds, 1),
        "about_memory_mb": price.memory_bytes // 1_000_000,
    }
    lines = [f"adapter {whole.name} for {whole.card.title}" + (f", placeholder {whole.placeholder}" if whole.placeholder else "")]
    lines += [f"read    {picture.path}" for picture in folder.pictures]
    lines += [f"drop    {line}" for line in folder.unreadable + folder.passed_over]
    lines += [f"write   {path}{os.sep}" for path in writes]
    what = f"rank {course.rank} on {course.layers} layers"
    lines += [f"train   {course.steps} steps of {course.batch}, {what}, lr {course.rate}, {course.objective}"]
    return result, [*lines, f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB"]
