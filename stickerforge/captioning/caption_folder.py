"""A folder's captions: which are missing, written beside the pictures, and never over a person's."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from stickerforge.adapters.store import validate_name
from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.config.schema import CaptionConfig
from stickerforge.data.caption_files import (
    PERSON,
    RECORD_FILE,
    CaptionRecord,
    append_record,
    new_record,
    read_records,
    write_caption,
    write_records,
)
from stickerforge.data.captions import (
    CLASS_WORDS,
    PLACEHOLDER,
    Caption,
    caption_pair,
    check_caption,
    read_caption,
)
from stickerforge.data.pictures import Picture, PictureFolder, describe_skipped, read_folder
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import stoppable

if TYPE_CHECKING:
    from stickerforge.captioning.captioner import Captioner

MAX_SIDE = 1024  # of what a captioner is shown


@dataclass(frozen=True)
class CaptionPlan:
    """What is to be captioned.

    Args:
        placeholder: "<dog>"; "" where pictures show different things.
        words: the class; "" likewise.
        folder: where the pictures are.
        record: what captions.jsonl says so far.
        kept: captions that a person wrote or changed.
    """

    config: CaptionConfig
    placeholder: str
    words: str
    folder: Path
    found: PictureFolder
    record: dict[str, CaptionRecord]
    kept: dict[str, str]

    @property
    def asked(self) -> str:
        """What decides a caption besides the picture and the model."""
        return "|".join((self.placeholder, self.words, self.config.form))

    def pair(self, said: str) -> Caption:
        """A caption, and the one that the base is asked."""
        said = said or self.placeholder or "a picture"
        return (
            caption_pair(said, self.placeholder, self.words)
            if self.placeholder
            else Caption(said, said)
        )


def plan_captions(config: CaptionConfig, console: Console, *, again: bool = False) -> CaptionPlan:
    """Look at the folder.

    Args:
        again: whether the call is about captions that are there: then subject and class are those of the record where they are not said.

    Raises:
        InputError: a name or a caption that is there cannot be used.
    """
    if not config.pictures:
        raise InputError(
            "no pictures given", "for example stickerforge caption ./photos --subject dog"
        )
    if config.class_words and not config.subject:
        raise InputError("--class belongs to a subject", "give --subject NAME too")
    for name, said in (("name", config.subject), ("class", config.class_words)):
        if said and not CLASS_WORDS.fullmatch(said):
            raise InputError(f"{said[:60]!r} is no {name}", "give letters, digits and dashes")
    path = Path(config.pictures)
    found = read_folder(path)
    place = path if path.is_dir() else path.parent
    record = read_records(place)
    config = with_recorded_subject(config, record, found) if again else config
    slug = slug_of(config.subject)
    words = (config.class_words or config.subject.replace("-", " ")).strip()
    stems = Counter(picture.path.stem for picture in found.pictures)
    if twice := [stem for stem, count in stems.items() if count > 1]:
        raise InputError(
            f"two pictures would share the caption {twice[0]}.txt", "rename one of them"
        )
    check_renamed(place, found, record)
    if gone := sorted(name for name in record if not (place / name).exists()):
        console.warn(
            f"{RECORD_FILE} names pictures that are gone: {', '.join(gone[:5])}{' …' if len(gone) > 5 else ''}"
        )
    for line in [*describe_skipped(found), *(f"left out: {line}" for line in found.unreadable)]:
        console.warn(line)
    placeholder = f"<{slug}>" if slug else ""
    return CaptionPlan(
        config,
        placeholder,
        words,
        place,
        found,
        record,
        captions_by_people(found, record, placeholder),
    )


def slug_of(subject: str) -> str:
    """The name as it stands between < and >."""
    return validate_name(re.sub(r"[\s_'’]+", "-", subject.strip().lower())) if subject else ""


def with_recorded_subject(
    config: CaptionConfig, record: Mapping[str, CaptionRecord], found: PictureFolder
) -> CaptionConfig:
    """The settings, with subject and class of the captions that are there where they are not said.

    Raises:
        InputError: those are of several subjects or classes.
    """
    here = {picture.path.name for picture in found.pictures}
    pairs = {
        tuple(line.asked.split("|")[:2])
        for line in record.values()
        if line.picture in here and line.asked.startswith("<")
    }
    if config.subject:
        pairs = {pair for pair in pairs if pair[0] == f"<{slug_of(config.subject)}>"}
    if config.class_words or not pairs:
        return config
    if len(pairs) > 1:
        told = ", ".join(" ".join(pair) for pair in sorted(pairs))
        raise InputError(
            f"the captions there are of several subjects or classes: {told}",
            "say --subject NAME and --class WORDS",
        )
    placeholder, words = pairs.pop()
    return replace(config, subject=config.subject or placeholder[1:-1], class_words=words)


def check_renamed(place: Path, found: PictureFolder, record: Mapping[str, CaptionRecord]) -> None:
    """Make sure that no picture has got another name while its caption has not.

    Raises:
        InputError: one has, and would get a new caption.
    """
    named = {picture.sha256: picture.path for picture in found.pictures}
    for name, line in record.items():
        old, new = place / name, named.get(line.sha256)
        if (
            new
            and not old.exists()
            and old.with_suffix(".txt").exists()
            and not new.with_suffix(".txt").exists()
        ):
            raise InputError(
                f"{new.name} was {name}, and its caption was not renamed",
                f"rename {old.stem}.txt to {new.stem}.txt, or remove it",
            )


def captions_by_people(
    found: PictureFolder, record: Mapping[str, CaptionRecord], placeholder: str
) -> dict[str, str]:
    """{picture: its caption} of those that a person wrote or changed.

    Raises:
        InputError: one of them cannot be a caption, or a line of the record was changed by hand.
    """
    kept = {}
    for picture in found.pictures:
        name, ours, text = (
            picture.path.name,
            record.get(picture.path.name),
            picture.path.with_suffix(".txt"),
        )
        if ours and ours.changed_by_hand:
            raise InputError(
                f"the line of {name} in {RECORD_FILE} was changed by hand, and texts are what counts",
                f"write the caption into {text.name}, and remove that line",
            )
        if text.exists():
            said = read_caption(picture.path)
            if ours is None or ours.source == PERSON or ours.caption != said:
                if not placeholder and (tokens := PLACEHOLDER.findall(said)):
                    raise InputError(
                        f"the caption {text} holds {tokens[0]}, and no subject is given",
                        f"add --subject {tokens[0][1:-1]}",
                    )
                check_caption(picture.path, placeholder)
                kept[name] = said
    return kept


def existing_captions(whole: CaptionPlan, console: Console) -> CaptionSet:
    """The captions that lie there."""
    lines = [line for picture in whole.found.pictures if (line := existing_record(whole, picture))]
    return CaptionSet(
        whole.folder,
        whole.placeholder,
        whole.words,
        lines,
        failed=list(whole.found.unreadable),
        warnings=console.warnings,
    )


def write_missing(
    whole: CaptionPlan,
    used: "Captioner",
    known: dict[str, CaptionRecord],
    made: CaptionSet,
    console: Console,
) -> None:
    """Caption the pictures that are not in `known`, and add them to it; captions.jsonl grows by a line before every text."""
    pictures = whole.found.pictures
    which = [number for number, picture in enumerate(pictures) if picture.path.name not in known]
    record, by = whole.record | known, f"{used.name}@{used.digest}"
    write_records(whole.folder, record)
    try:
        with stoppable() as check, console.progress("captioning", len(which)) as advance:
            said = generate_captions(used, whole, which, check)
            for number, text in zip(which, said, strict=False):
                picture = pictures[number]
                if isinstance(text, InputError):
                    made.failed.append(f"{picture.path.name}: {text.message}")
                elif read_caption(picture.path) != previous_caption(
                    whole, picture
                ):  # written by somebody while we worked
                    console.warn(
                        f"{picture.path.name} was given a caption meanwhile, which is kept"
                    )
                    made.failed.append(f"{picture.path.name}: given a caption meanwhile")
                else:
                    line = new_record(
                        picture.path.name,
                        picture.sha256,
                        whole.pair(text),
                        "model",
                        by,
                        whole.asked,
                    )
                    append_record(whole.folder, line)
                    write_caption(picture.path, line.caption)
                    record[picture.path.name] = known[picture.path.name] = line
                    made.made += 1
                advance(1)
                check()
    finally:
        write_records(whole.folder, record)


def previous_caption(whole: CaptionPlan, picture: Picture) -> str:
    """The caption that was there when the folder was looked at: ours, or none."""
    line = whole.record.get(picture.path.name)
    return line.caption if line and picture.path.with_suffix(".txt").exists() else ""


def valid_record(
    whole: CaptionPlan, picture: Picture, used: "Captioner", only_missing: bool
) -> CaptionRecord | None:
    """The line of a picture that needs no new caption: a person's, or one that this captioner gave to this very picture.

    Args:
        only_missing: also one that any captioner gave to any picture of that name, if it is about the same subject.
    """
    line = existing_record(whole, picture)
    if line is None or line.source == PERSON:
        return line
    if only_missing:
        return line if line.asked.rpartition("|")[0] == whole.asked.rpartition("|")[0] else None
    same = (line.sha256, line.model, line.asked) == (
        picture.sha256,
        f"{used.name}@{used.digest}",
        whole.asked,
    )
    return line if same else None


def existing_record(whole: CaptionPlan, picture: Picture) -> CaptionRecord | None:
    """The line of the caption that lies beside a picture; None where there is none."""
    name = picture.path.name
    line = whole.record.get(name)
    if name not in whole.kept:
        return line if line and picture.path.with_suffix(".txt").exists() else None
    pair = whole.pair(whole.kept[name])
    fresh = new_record(name, picture.sha256, pair, PERSON, "", whole.asked)
    unchanged = line and (line.caption, line.base_caption, line.sha256, line.source) == (
        pair.text,
        pair.base,
        picture.sha256,
        PERSON,
    )
    return line if unchanged else fresh


class ThumbnailSequence(Sequence[Image.Image]):
    """Pictures as captioners look at them, read when they are asked for."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: Any) -> Any:
        image = Image.fromarray(self.pictures[index].rgba())
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return image


def generate_captions(
    used: "Captioner",
    whole: CaptionPlan,
    which: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> Any:
    """What the captioner says, picture by picture."""
    from stickerforge.captioning.captioner import CaptionRequest

    return used.captions(
        ThumbnailSequence(whole.found.pictures),
        which,
        CaptionRequest(whole.words, whole.placeholder, whole.config.form, check),
    )
