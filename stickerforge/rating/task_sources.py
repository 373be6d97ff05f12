"""What a call rates: a set, a folder of pictures with captions, or folders against each other."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from stickerforge.config.user_paths import to_nfc
from stickerforge.data.captioned_pictures import TABLE, list_folder, table_rows
from stickerforge.data.picture_folder import list_pictures
from stickerforge.data.prompt_tables import is_blank
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import (
    GUIDELINES,
    Candidate,
    Question,
    RatingSet,
    is_set,
    read_set,
)
from stickerforge.rating.rating_task import Item, RatingTask, pairs_of_prompts
from stickerforge.runtime.files import home
from stickerforge.runtime.text import plural
from stickerforge.stickers.image_files import read_foreign_params, read_params


def set_task(rating_set: RatingSet, question: Question, guideline: str, folder: Path) -> RatingTask:
    """The task of a set or folder; a picture whose file is not there is left out.

    Args:
        question: which may be another than that of the set.
        guideline: in place of that of the set; "" for that.
        folder: of the answers.

    Raises:
        InputError: none of the pictures is there, or there is nothing to compare.
    """
    paths = {one.file_name: rating_set.path(one) for one in rating_set.candidates}
    faults = {one: file_fault(paths[one.file_name]) for one in rating_set.candidates}
    there = [one for one, fault in faults.items() if not fault]
    failed = [f"{one.file_name}: {fault}" for one, fault in faults.items() if fault]
    if not there:
        raise InputError(
            f"{rating_set.folder}: none of its {plural(len(failed), 'picture')} is there any more",
            "draw candidates again",
        )
    items = pairs_of_prompts(there) if question == "pair" else [Item(one) for one in there]
    several = len({one.model for one in there}) > 1
    arms = {one.file_name: one.model if several else one.file_name for one in there}
    own = rating_set.guideline if question == rating_set.question else GUIDELINES[question]
    title = set_title(rating_set.folder)
    return RatingTask(title, question, guideline or own, items, paths, arms, folder, failed)


def file_fault(path: Path) -> str:
    """Why a picture's file cannot be asked about; "" where it can."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8, and answers could not name it"
    return "" if path.is_file() else "it has gone"


def set_title(folder: Path) -> str:
    """How people call a set: "fluent/content" of one at home, else its folder's name."""
    folder = folder.resolve()
    sets = (home() / "sets").resolve()
    return str(folder.relative_to(sets)) if folder.is_relative_to(sets) else folder.name


def read_source(folder: Path) -> RatingSet:
    """The set in a folder, or its pictures with captions as one, to be rated for their match.

    Raises:
        InputError: there is no such folder, no picture with a caption, or a line is broken.
    """
    if is_set(folder) or (folder / "set.json").exists():
        return read_set(folder)
    if not folder.is_dir():
        raise InputError(
            f"there is neither a set nor a folder {folder}", "check the name, or give a folder"
        )
    rows = captioned_paths(folder)
    if not rows:
        raise InputError(
            f"{folder}: no picture in it has a caption",
            f"`stickerforge caption {folder}` writes them: a text beside each picture",
        )
    candidates = [Candidate(name_in(folder, path), text) for path, text in rows]
    name, count = Counter(one.file_name for one in candidates).most_common(1)[0]
    if count > 1:
        raise InputError(f"{folder / TABLE}: {name} is there twice", "remove a line of it")
    return RatingSet(folder, "match", GUIDELINES["match"], candidates)


def captioned_paths(folder: Path) -> list[tuple[Path, str]]:
    """Every picture of a folder with its caption, or else the prompt that it carries.

    Raises:
        InputError: there is no picture, or a caption is broken.
    """
    if (folder / TABLE).exists():
        return [row[:2] for row in table_rows(folder / TABLE)]
    found, rows = list_folder(folder)
    carried = [(folder / name, drawn_from(folder / name)[0]) for name in found.without_caption]
    listed = [row[:2] for row in rows]
    return sorted(listed + [(path, text) for path, text in carried if text])


def name_in(folder: Path, path: Path) -> str:
    """A picture's path from a folder; its whole path where it lies elsewhere."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path.absolute())


def drawn_from(path: Path) -> tuple[str, int | None]:
    """(prompt, seed) that a picture carries; "" and None for what it does not say."""
    try:
        params = read_params(path)
        foreign = None if params else read_foreign_params(path)
    except (OSError, ValueError):
        return "", None
    if foreign:
        params = {"prompt": foreign.prompt, "seed": foreign.seed}
    params = params or {}
    text, seed = params.get("text") or params.get("prompt"), params.get("seed")
    usable = isinstance(text, str) and not is_blank(text)
    return to_nfc(str(text)) if usable else "", seed if isinstance(seed, int) else None


def against_task(folders: Sequence[Path], guideline: str, answers: Path) -> RatingTask:
    """The task of several folders whose pictures of one prompt and seed are compared.

    Pictures without either are paired by what is known of them: caption, then the file's name.

    Args:
        answers: folder of the answers.

    Raises:
        InputError: a folder has no picture, is given twice, or no two pictures belong together.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("a folder is given twice", "give --against another folder")
    labels = distinct_labels(folders)
    listed = [side_of(folder, label) for folder, label in zip(folders, labels, strict=True)]
    sides = [{one: path for one, path in side.items() if not file_fault(path)} for side in listed]
    failed = [
        f"{one.file_name}: {fault}"
        for side in listed
        for one, path in side.items()
        if (fault := file_fault(path))
    ]
    items = [
        item
        for one, other in combinations(sides, 2)
        for item in matching_pairs(list(one), list(other))
    ]
    if not items:
        raise InputError(
            f"no picture of {folders[0]} has its match in {folders[1]}: same prompt, or file name",
            "generate both from the same prompts",
        )
    paths = {one.file_name: path for side in sides for one, path in side.items()}
    arms = {one.file_name: label for side, label in zip(sides, labels, strict=True) for one in side}
    title = " against ".join(labels)
    guideline = guideline or GUIDELINES["pair"]
    return RatingTask(title, "pair", guideline, items, paths, arms, answers, failed)


def distinct_labels(folders: Sequence[Path]) -> list[str]:
    """A name for each folder: its own, with those of its parents where two are called alike."""
    paths = [folder.resolve() for folder in folders]
    depth = 1
    while True:
        labels = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(labels)) == len(labels):
            return labels
        depth += 1


def side_of(folder: Path, label: str) -> dict[Candidate, Path]:
    """The pictures of a folder with what they were drawn from.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    if is_set(folder):
        rating_set = read_set(folder)
        return {
            replace(one, file_name=f"{label}/{one.file_name}"): rating_set.path(one)
            for one in rating_set.candidates
        }
    captions = {}
    if (folder / TABLE).exists():
        captions = {row.path: row.caption for row in table_rows(folder / TABLE)}
    paths = list(captions) or list_pictures(folder)[0]
    captions = captions or {row.path: row.caption for row in list_folder(folder)[1]}
    side = {}
    for path in paths:
        text, seed = drawn_from(path)
        text = text or captions.get(path, "")
        name = f"{label}/{name_in(folder, path)}"
        side[Candidate(name, text, prompt=text or path.stem, seed=seed)] = path
    return side


def matching_pairs(first: Sequence[Candidate], second: Sequence[Candidate]) -> list[Item]:
    """Each picture with the one of its prompt: that of its seed, else the next that is left."""
    waiting: dict[str, list[Candidate]] = {}
    for one in second:
        waiting.setdefault(one.prompt_id, []).append(one)
    matches: dict[Candidate, Candidate] = {}
    for same_seed in (True, False):
        for one in first:
            left = waiting.get(one.prompt_id, [])
            fit = [other for other in left if not same_seed or is_seed_of(one, other)]
            if one not in matches and fit:
                matches[one] = fit[0]
                left.remove(fit[0])
    return [Item(one, matches[one]) for one in first if one in matches]


def is_seed_of(one: Candidate, other: Candidate) -> bool:
    """Whether two pictures are known to be drawn from one seed."""
    return one.seed is not None and one.seed == other.seed


def answers_folder(sources: Sequence[Path]) -> Path:
    """Where answers about folders that are no sets are kept: at home, never beside the pictures."""
    texts = [str(path.resolve()) for path in sources]
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(path.resolve().name for path in sources).lower())
    return home() / "ratings" / f"{slug.strip('-')[:60] or 'pictures'}-{digest}"
