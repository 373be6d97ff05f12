"""What a call would overwrite, and what has changed since an image was made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.config.schema import GenerateConfig
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import tokens_by_digest
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.plan import GenerationPlan
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard
from stickerforge.models.vocabulary import known_words, unknown_warning, unknown_words
from stickerforge.runtime.console import Console
from stickerforge.stickers.image_files import is_truncated, read_params


def check_bases(made: list[Request], card: ModelCard, mark: str) -> None:
    """Make sure that every adapter was made for this very model.

    Raises:
        InputError: one was not; how to make it again is said.
    """
    for used in {used.source: used for request in made for used in request.uses}.values():
        if not used.base or used.base.fingerprint == mark:
            continue
        if used.base.name not in (card.name, str(card.folder.resolve())):
            what = (
                f"the adapter {used.source!r} was made for {used.base.title}, not for {card.title}"
            )
            raise InputError(what, f"use --model {used.base.name}")
        now = card.title if card.title != used.base.title else f"{card.title} with other weights"
        again = store.folder(used.source) / "customize.toml"
        hint = (
            f"teach it again: stickerforge customize --config {again} --force"
            if again.exists()
            else "make it again"
        )
        raise InputError(
            f"the adapter {used.source!r} was made for {used.base.title}, and this is {now}", hint
        )


def check_settings_file(path: Path) -> None:
    """The settings of the last call into a folder are written there, and over nobody's file.

    Raises:
        InputError: it is somebody's.
    """
    if path.is_file() and not path.read_text(encoding="utf-8", errors="replace").startswith(
        'command = "generate"\n'
    ):
        raise InputError(
            f"{path} would be replaced, and stickerforge did not write it",
            "rename it, or give another --out",
        )


def check_replaced(open_items: Sequence[ImageJob], drawn: int | None) -> None:
    """A picture that is whole and of another recipe, but named by the same id, is replaced only when the user says so.

    Args:
        drawn: the seed of the call, where it was drawn; that of an interrupted call would go on with it.

    Raises:
        InputError: there is one.
    """
    there = [item for item in open_items if item.path.exists() and not is_truncated(item.path)]
    if not there:
        return
    recipe = read_params(there[0].path) or {}
    names = f"{', '.join(item.path.name for item in there[:3])}{' …' if len(there) > 3 else ''}"
    again = (
        ""
        if drawn is None or recipe.get("prompt") != there[0].prompt
        else f"--seed {recipe['seed'] - there[0].seed + drawn} goes on, "
    )
    raise InputError(
        f"{there[0].path.parent} holds {names}, made with another seed or other settings",
        f"{again}--force replaces, or give another --out",
    )


def check_consistency(config: GenerateConfig, asked: Sequence[Request], console: Console) -> None:
    """Make sure that there is something to be consistent with, and say what the base is told where nobody knows what a word means.

    Raises:
        InputError: no adapter is in use, or the window is empty.
    """
    sampling = config.sampling
    start, end = sampling.consistency_start, sampling.consistency_end
    if sampling.consistency is None:
        if start is not None or end is not None:
            raise InputError(
                "sampling.consistency_start and _end belong to consistency guidance",
                "give --consistency too",
            )
        return
    if not any(request.uses for request in asked):
        raise InputError(
            "--consistency leads towards what an adapter taught, and none is in use",
            "name one, or leave it out",
        )
    first, last = 0.0 if start is None else start, 1.0 if end is None else end
    if not any(first <= step / (sampling.steps or 1) < last for step in range(sampling.steps or 1)):
        what = f"no step lies between sampling.consistency_start = {first} and _end = {last}"
        raise InputError(what, "give shares of the steps, for example 0 and 0.8")
    for used in {used.source: used for request in asked for used in request.uses}.values():
        if used.base is None and used.tokens and not tokens_by_digest(used.sha256):
            told = ", ".join(
                f"{words!r} for {token}"
                for token, words in zip(used.tokens, used.words, strict=True)
            )
            console.warn(f"{used.source} does not say what its words mean: the base is told {told}")


def warn_of_changes(whole: GenerationPlan, repeated: Mapping[str, Any], console: Console) -> None:
    """Say what is no longer as it was when the picture was made."""
    if repeated.get("fingerprint", whole.fingerprint) != whole.fingerprint:
        console.warn(
            f"the picture was made with other weights than this {whole.card.title}: the new one will differ"
        )
    then_flat = (
        repeated.get("output", {}).get("flat") if isinstance(repeated.get("output"), dict) else None
    )
    if then_flat and any(
        item.recipe["output"].get("flat", then_flat) != then_flat for item in whole.items
    ):
        console.warn(
            "flat colours were made otherwise when the picture was made: the new one will differ"
        )
    now = {
        used.described()["adapter"]: used.sha256[:16] for item in whole.items for used in item.uses
    }
    then = repeated.get("adapters")
    for used in then if isinstance(then, list) else []:
        if isinstance(used, dict) and now.get(used.get("adapter"), used.get("sha256")) != used.get(
            "sha256"
        ):
            console.warn(
                f"the picture was made before the adapter {used['adapter']!r} was made again: the new one will differ"
            )


def warn_of_words(whole: GenerationPlan, console: Console) -> None:
    """Say once which words the model never saw; adapters have taught it their own."""
    texts = []
    for item in whole.items:
        text = item.text
        for used in item.uses:
            text = text.replace(used.phrase, "") if used.phrase else text
        texts.append(text)
    unseen = unknown_words(texts, known_words(whole.card))
    if unseen:
        console.warn(unknown_warning(whole.card, unseen))


def is_finished(item: ImageJob, *, prompt: bool) -> bool:
    """Whether the item's file is there, made by this very recipe and remembering no more and no less.

    Raises:
        InputError: the place of a row with an id is taken by a file that is not ours.
    """
    try:
        if is_truncated(item.path):
            return False
        recipe = read_params(item.path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        recipe = None
    if recipe is None and item.id:
        raise InputError(
            f"{item.path} is there and stickerforge did not make it",
            "give another --out or another id",
        )
    return (
        recipe is not None
        and recipe.get("digest") == item.digest
        and ("prompt" in recipe) == prompt
    )
