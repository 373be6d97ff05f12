"""Checks of a call: what it would replace, what cannot work, what has changed since an image."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.config.schema import MAX_SEED, SamplingConfig
from stickerforge.data.init_pictures import InitPicture
from stickerforge.errors import InputError, brief
from stickerforge.generation.active_adapters import ActiveAdapter, drawing_adapters
from stickerforge.generation.decoders import check_decoders
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard
from stickerforge.runtime.bounded_files import check_regular, read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import shorten_list
from stickerforge.stickers.image_files import is_truncated, read_params

MAX_BYTES = 100_000_000  # of saved settings, which hold the prompts of the command line


def check_bases(adapters: Sequence[ActiveAdapter], card: ModelCard, fingerprint: str) -> None:
    """Make sure that every adapter was made for this very model, decoders for its latents.

    Args:
        fingerprint: of the model's weights.

    Raises:
        InputError: one was not; the hint says how to train it again.
    """
    check_decoders(adapters, card, fingerprint)
    for adapter in drawing_adapters(adapters):
        base = adapter.base
        if base is None or base.fingerprint == fingerprint:
            continue
        if base.name not in (card.name, str(card.folder.resolve())):
            raise InputError(
                f"the adapter {adapter.source!r} was made for {base.title}, not for {card.title}",
                f"use --model {base.name}",
            )
        model = card.title if card.title != base.title else f"{card.title} with other weights"
        config = store.folder(adapter.source) / "customize.toml"
        again = f"teach it again: stickerforge customize --config {config} --force"
        raise InputError(
            f"the adapter {adapter.source!r} was made for {base.title}, and this is {model}",
            again if config.exists() else "make it again",
        )


def check_settings_file(path: Path) -> None:
    """Make sure that saving the settings replaces no file that we did not write.

    Args:
        path: where they will be saved.

    Raises:
        InputError: there is such a file.
    """
    try:
        ours = read_bounded(path, MAX_BYTES).startswith(b'command = "generate"\n')
    except (FileNotFoundError, NotADirectoryError):  # a folder that is a file is said elsewhere
        ours = not path.is_symlink()
    except OSError:
        ours = False
    if not ours:
        raise InputError(
            f"{path} would be replaced, and stickerforge did not write it",
            "rename it, or give another --out",
        )


def check_seeds(requests: Sequence[Request], seed: int, count: int) -> None:
    """Make sure that every image has a seed that can be given again.

    Args:
        seed: of the first image; image i uses seed + i where its row has no seed of its own.
        count: images per row, where the row does not say.

    Raises:
        InputError: a seed would be too large.
    """
    images = 0
    for row in (request.row for request in requests):
        own = row.count or count
        if row.seed is None:
            images += own
        elif row.seed + own - 1 > MAX_SEED:
            raise InputError(
                f"the seed {row.seed} of {row.prompt[:60]!r} is too large for {own} pictures",
                f"give that row at most {MAX_SEED - own + 1}",
            )
    if seed + images - 1 > MAX_SEED:
        raise InputError(
            f"the seed {seed} is too large for {images} pictures",
            f"give --seed {MAX_SEED - images + 1} or less",
        )


def replaced_jobs(jobs: Sequence[ImageJob], done: Container[Path]) -> list[ImageJob]:
    """Images that are named by an id and would replace intact ones with other parameters.

    Args:
        done: files that are there already, with the parameters of their jobs.
    """
    return [
        job
        for job in jobs
        if job.id and job.path not in done and job.path.exists() and not is_truncated(job.path)
    ]


def seed_of_earlier_call(job: ImageJob, drawn_seed: int) -> int | None:
    """The seed of the call that made the file of a job; None where it cannot have been this call.

    Args:
        drawn_seed: of the present call, where the user gave none.
    """
    params = read_params(job.path) or {}
    seed = params.get("seed")
    if not isinstance(seed, int) or params.get("prompt") != job.prompt:
        return None
    earlier = seed - (job.seed - drawn_seed)
    return earlier if 0 <= earlier <= MAX_SEED else None


def replacement_error(replaced: Sequence[ImageJob], seed: int | None) -> InputError:
    """The error of a call that would replace images.

    Args:
        seed: with which the call would go on instead; None where none is known.
    """
    folder = replaced[0].path.parent
    names = shorten_list([job.path.name for job in replaced], 3)
    resume = "" if seed is None else f"--seed {seed} goes on, "
    return InputError(
        f"{folder} holds {names}, made with another seed or other settings",
        f"{resume}--force replaces, or give another --out",
    )


def check_consistency(
    sampling: SamplingConfig,
    adapters: Sequence[ActiveAdapter],
    console: Console,
    init: InitPicture | None = None,
) -> None:
    """Make sure that consistency guidance has an adapter and a step to work on.

    Warns of LoRA files whose tokens nothing explains, with the words that the base model reads in
    place of those tokens.

    Args:
        sampling: the settings in force, the model's recommendations filled in.
        init: the picture that is started from, which leaves out the first steps.

    Raises:
        InputError: no adapter is in use, or the window is empty.
    """
    start, end = sampling.consistency_start, sampling.consistency_end
    if sampling.consistency is None:
        if start is not None or end is not None:
            raise InputError(
                "sampling.consistency_start and _end belong to consistency guidance",
                "give --set sampling.consistency=1 too",
            )
        return
    if not drawing_adapters(adapters):
        raise InputError(
            "sampling.consistency leads towards what an adapter taught, and none is in use",
            "name one, or leave it out",
        )
    first, last = 0.0 if start is None else start, 1.0 if end is None else end
    skipped = init.skipped_steps(sampling.steps) if init else 0
    shares = [step / sampling.steps for step in range(skipped, sampling.steps)]
    if not any(first <= share < last for share in shares):
        raise InputError(
            f"no step lies between sampling.consistency_start = {first} and _end = {last}",
            "give shares of the steps, for example "
            + (f"{skipped / sampling.steps:.2g} and 1" if skipped else "0 and 0.8"),
        )
    for adapter in adapters:
        if not adapter.describes_tokens:
            pairs = zip(adapter.tokens, adapter.class_words, strict=True)
            words = ", ".join(f"{words!r} for {token}" for token, words in pairs)
            console.warn(
                f"{adapter.source} does not say what its words mean: the base is told {words}"
            )


def warn_of_changes(
    params: Mapping[str, Any],
    jobs: Sequence[ImageJob],
    card: ModelCard,
    fingerprint: str,
    console: Console,
) -> None:
    """Warn of what is no longer as it was when the image that is repeated was made.

    Args:
        params: of that image; empty where none is repeated.
        fingerprint: of the model's weights.
    """
    if params.get("fingerprint", fingerprint) != fingerprint:
        console.warn(
            f"the picture was made with other weights than this {card.title}:"
            " the new one will differ"
        )
    if "text" in params and any(job.params.get("base") != params.get("base") for job in jobs):
        console.warn(
            "consistency guidance told the base other words when the picture was made:"
            " the new one will differ"
        )
    if any(other_files(job, params.get("init")) for job in jobs):
        console.warn(
            "the picture was started from other files than these of --init: the new one will differ"
        )
    output = params.get("output")
    output = output if isinstance(output, dict) else {}
    edges = (None, output.get("edges"))
    if params and any(job.params["output"].get("edges") not in edges for job in jobs):
        console.warn(
            "edges were finished otherwise when the picture was made: the new one will differ"
        )
    flat = output.get("flat")
    if flat and any(job.params["output"].get("flat", flat) != flat for job in jobs):
        console.warn(
            "flat colours were made otherwise when the picture was made: the new one will differ"
        )
    digests = {
        entry["adapter"]: entry["sha256"]
        for job in jobs
        for entry in (adapter.params() for adapter in job.adapters)
    }
    listed = params.get("adapters")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict):
            continue
        name, digest = entry.get("adapter"), entry.get("sha256")
        if isinstance(name, str) and digests.get(name, digest) != digest:
            console.warn(
                f"the picture was made before the adapter {brief(name)} was made again:"
                " the new one will differ"
            )


def other_files(job: ImageJob, init: Any) -> bool:
    """Whether an image that was started from a picture would now be started from another one.

    Args:
        init: what its parameters say of that picture.
    """
    if not isinstance(init, dict):
        return False
    now = job.init.params() if job.init else {}
    return any(now.get(name) != init.get(name) for name in ("sha256", "mask"))


def is_finished(job: ImageJob, *, prompt: bool) -> bool:
    """Whether the job's file is there, with these very parameters, no more and no fewer.

    Args:
        prompt: whether the file is to remember its prompt.

    Raises:
        InputError: the file of a row with an id is there and not ours.
    """
    try:
        check_regular(job.path)
        if is_truncated(job.path):
            return False
        params = read_params(job.path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        params = None
    if params is None:
        if job.id:
            raise InputError(
                f"{job.path} is there and stickerforge did not make it",
                "give another --out or another id",
            )
        return False
    return params.get("digest") == job.digest and ("prompt" in params) == prompt
