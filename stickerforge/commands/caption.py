"""Captions for a folder of pictures: what is in them said in words, beside them, and never over what a person has written."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from stickerforge.adapters.store import checked_name
from stickerforge.commands.captioned import Captioned
from stickerforge.commands.correcting import nothing_taken, refusal, saved_changes, taken, tidy
from stickerforge.commands.courses import WORDS
from stickerforge.config.load import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.data.captions import PLACEHOLDER, Caption, check_caption, paired, sidecar
from stickerforge.data.pictures import Folder, Picture, overlooked, read_folder
from stickerforge.data.sidecars import PERSON, RECORD, Told, append_record, line_of, read_record, write_caption, write_record
from stickerforge.errors import InputError
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import interruptible, stoppable

if TYPE_CHECKING:
    from stickerforge.models.captioners import Captioner

SHOWN = 5  # captions of a dry run
MAX_SIDE = 1024  # of what a captioner is shown


@dataclass(frozen=True)
class Plan:
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
    found: Folder
    record: dict[str, Told]
    kept: dict[str, str]

    @property
    def asked(self) -> str:
        """What decides a caption besides the picture and the model."""
        return "|".join((self.placeholder, self.words, self.config.form))

    def pair(self, said: str) -> Caption:
        """A caption, and the one that the base is asked."""
        said = said or self.placeholder or "a picture"
        return paired(said, self.placeholder, self.words) if self.placeholder else Caption(said, said)


def caption(pictures: str | Path, *, settings: Mapping[str, Any] | None = None, offline: bool = False) -> Captioned:
    """Caption from Python: `caption("photos", settings={"subject": "dog"})`.

    Raises:
        StickerforgeError: see `stickerforge.errors`; pictures that cannot be read or captioned are listed in the result instead.
    """
    return run(resolve(CaptionConfig, settings or {}, {"pictures": str(pictures)}), Messages(quiet=True), offline=offline)


def plan(config: CaptionConfig, messages: Messages, *, again: bool = False) -> Plan:
    """Look at the folder.

    Args:
        again: whether the call is about captions that are there: then subject and class are those of the record where they are not said.

    Raises:
        InputError: a name or a caption that is there cannot be used.
    """
    if not config.pictures:
        raise InputError("no pictures given", "for example stickerforge caption ./photos --subject dog")
    if config.words and not config.subject:
        raise InputError("--class belongs to a subject", "give --subject NAME too")
    for name, said in (("name", config.subject), ("class", config.words)):
        if said and not WORDS.fullmatch(said):
            raise InputError(f"{said[:60]!r} is no {name}", "give letters, digits and dashes")
    path = Path(config.pictures)
    found = read_folder(path)
    place = path if path.is_dir() else path.parent
    record = read_record(place)
    config = as_recorded(config, record, found) if again else config
    slug = slug_of(config.subject)
    words = (config.words or config.subject.replace("-", " ")).strip()
    stems = Counter(picture.path.stem for picture in found.pictures)
    if twice := [stem for stem, count in stems.items() if count > 1]:
        raise InputError(f"two pictures would share the caption {twice[0]}.txt", "rename one of them")
    check_renamed(place, found, record)
    if gone := sorted(name for name in record if not (place / name).exists()):
        messages.warn(f"{RECORD} names pictures that are gone: {', '.join(gone[:5])}{' …' if len(gone) > 5 else ''}")
    for line in [*overlooked(found), *(f"left out: {line}" for line in found.unreadable)]:
        messages.warn(line)
    placeholder = f"<{slug}>" if slug else ""
    return Plan(config, placeholder, words, place, found, record, by_people(found, record, placeholder))


def slug_of(subject: str) -> str:
    """The name as it stands between < and >."""
    return checked_name(re.sub(r"[\s_'’]+", "-", subject.strip().lower())) if subject else ""


def as_recorded(config: CaptionConfig, record: Mapping[str, Told], found: Folder) -> CaptionConfig:
    """The settings, with subject and class of the captions that are there where they are not said.

    Raises:
        InputError: those are of several subjects or classes.
    """
    here = {picture.path.name for picture in found.pictures}
    pairs = {tuple(line.asked.split("|")[:2]) for line in record.values() if line.picture in here and line.asked.startswith("<")}
    if config.subject:
        pairs = {pair for pair in pairs if pair[0] == f"<{slug_of(config.subject)}>"}
    if config.words or not pairs:
        return config
    if len(pairs) > 1:
        told = ", ".join(" ".join(pair) for pair in sorted(pairs))
        raise InputError(f"the captions there are of several subjects or classes: {told}", "say --subject NAME and --class WORDS")
    placeholder, words = pairs.pop()
    return replace(config, subject=config.subject or placeholder[1:-1], words=words)


def check_renamed(place: Path, found: Folder, record: Mapping[str, Told]) -> None:
    """Make sure that no picture has got another name while its caption has not.

    Raises:
        InputError: one has, and would get a new caption.
    """
    named = {picture.sha256: picture.path for picture in found.pictures}
    for name, line in record.items():
        old, new = place / name, named.get(line.sha256)
        if new and not old.exists() and old.with_suffix(".txt").exists() and not new.with_suffix(".txt").exists():
            raise InputError(
                f"{new.name} was {name}, and its caption was not renamed", f"rename {old.stem}.txt to {new.stem}.txt, or remove it"
            )


def by_people(found: Folder, record: Mapping[str, Told], placeholder: str) -> dict[str, str]:
    """{picture: its caption} of those that a person wrote or changed.

    Raises:
        InputError: one of them cannot be a caption, or a line of the record was changed by hand.
    """
    kept = {}
    for picture in found.pictures:
        name, ours, text = picture.path.name, record.get(picture.path.name), picture.path.with_suffix(".txt")
        if ours and ours.changed_by_hand:
            raise InputError(
                f"the line of {name} in {RECORD} was changed by hand, and texts are what counts",
                f"write the caption into {text.name}, and remove that line",
            )
        if text.exists():
            said = sidecar(picture.path)
            if ours is None or ours.source == PERSON or ours.caption != said:
                if not placeholder and (tokens := PLACEHOLDER.findall(said)):
                    raise InputError(f"the caption {text} holds {tokens[0]}, and no subject is given", f"add --subject {tokens[0][1:-1]}")
                check_caption(picture.path, placeholder)
                kept[name] = said
    return kept


def run(config: CaptionConfig, messages: Messages, *, offline: bool, take: Path | None = None, only_missing: bool = False) -> Captioned:
    """Caption what has no caption by this captioner yet.

    Args:
        take: changes that were saved from the page, to be taken instead of captioning.
        only_missing: leave every caption that is there as it is, whoever made it.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    with interruptible():
        whole = plan(config, messages, again=take is not None or only_missing)
        made = captioned(whole, messages)
        if take is not None:
            taken(made, take)
            return made
        from stickerforge.models.captioners import captioner

        used = captioner(config.captioner, device=config.device, offline=offline, messages=messages)
        known = {picture.path.name: line for picture in whole.found.pictures if (line := already(whole, picture, used, only_missing))}
        write_missing(whole, used, known, made, messages)
        made.told = [known[picture.path.name] for picture in whole.found.pictures if picture.path.name in known]
        return made


def captioned(whole: Plan, messages: Messages) -> Captioned:
    """The captions that lie there."""
    lines = [line for picture in whole.found.pictures if (line := there(whole, picture))]
    return Captioned(whole.folder, whole.placeholder, whole.words, lines, failed=list(whole.found.unreadable), warnings=messages.warnings)


def write_missing(whole: Plan, used: "Captioner", known: dict[str, Told], made: Captioned, messages: Messages) -> None:
    """Caption the pictures that are not in `known`, and add them to it; captions.jsonl grows by a line before every text."""
    pictures = whole.found.pictures
    which = [number for number, picture in enumerate(pictures) if picture.path.name not in known]
    record, by = whole.record | known, f"{used.name}@{used.digest}"
    write_record(whole.folder, record)
    try:
        with stoppable() as check, messages.progress("captioning", len(which)) as advance:
            said = captions(used, whole, which, check)
            for number, text in zip(which, said, strict=False):
                picture = pictures[number]
                if isinstance(text, InputError):
                    made.failed.append(f"{picture.path.name}: {text.message}")
                elif sidecar(picture.path) != before(whole, picture):  # written by somebody while we worked
                    messages.warn(f"{picture.path.name} was given a caption meanwhile, which is kept")
                    made.failed.append(f"{picture.path.name}: given a caption meanwhile")
                else:
                    line = line_of(picture.path.name, picture.sha256, whole.pair(text), "model", by, whole.asked)
                    append_record(whole.folder, line)
                    write_caption(picture.path, line.caption)
                    record[picture.path.name] = known[picture.path.name] = line
                    made.made += 1
                advance(1)
                check()
    finally:
        write_record(whole.folder, record)


def before(whole: Plan, picture: Picture) -> str:
    """The caption that was there when the folder was looked at: ours, or none."""
    line = whole.record.get(picture.path.name)
    return line.caption if line and picture.path.with_suffix(".txt").exists() else ""


def already(whole: Plan, picture: Picture, used: "Captioner", only_missing: bool) -> Told | None:
    """The line of a picture that needs no new caption: a person's, or one that this captioner gave to this very picture.

    Args:
        only_missing: also one that any captioner gave to any picture of that name, if it is about the same subject.
    """
    line = there(whole, picture)
    if line is None or line.source == PERSON:
        return line
    if only_missing:
        return line if line.asked.rpartition("|")[0] == whole.asked.rpartition("|")[0] else None
    same = (line.sha256, line.model, line.asked) == (picture.sha256, f"{used.name}@{used.digest}", whole.asked)
    return line if same else None


def there(whole: Plan, picture: Picture) -> Told | None:
    """The line of the caption that lies beside a picture; None where there is none."""
    name = picture.path.name
    line = whole.record.get(name)
    if name not in whole.kept:
        return line if line and picture.path.with_suffix(".txt").exists() else None
    pair = whole.pair(whole.kept[name])
    fresh = line_of(name, picture.sha256, pair, PERSON, "", whole.asked)
    unchanged = line and (line.caption, line.base_caption, line.sha256, line.source) == (pair.text, pair.base, picture.sha256, PERSON)
    return line if unchanged else fresh


class Shrunk(Sequence[Image.Image]):
    """Pictures as captioners look at them, read when they are asked for."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: Any) -> Any:
        image = Image.fromarray(self.pictures[index].rgba())
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return image


def captions(used: "Captioner", whole: Plan, which: Sequence[int], check: Callable[[], None] = lambda: None) -> Any:
    """What the captioner says, picture by picture."""
    from stickerforge.models.captioners import Asked

    return used.captions(Shrunk(whole.found.pictures), which, Asked(whole.words, whole.placeholder, whole.config.form, check))


def rehearsed(config: CaptionConfig, messages: Messages, *, offline: bool, only_missing: bool = False) -> tuple[dict[str, Any], list[str]]:
    """What `run` would say of the first five pictures, and what it would write: (result for the JSON, lines for people).

    Args:
        only_missing: pictures that have a caption keep it, whoever wrote it, as before a review.
    """
    from stickerforge.models.captioners import captioner

    with interruptible():
        whole = plan(config, messages, again=only_missing)
        used = captioner(config.captioner, device=config.device, offline=offline, messages=messages)
        pictures = whole.found.pictures
        which = [number for number, picture in enumerate(pictures) if not already(whole, picture, used, only_missing)]
        said = list(zip(which, captions(used, whole, which[:SHOWN]), strict=False))
        pairs = {pictures[number].path.name: whole.pair(text) for number, text in said if isinstance(text, str)}
        failed = [f"{pictures[number].path.name}: {text.message}" for number, text in said if isinstance(text, InputError)]
    writes = [str(pictures[number].path.with_suffix(".txt")) for number in which] + [str(whole.folder / RECORD)]
    keeps = [picture.path.name for number, picture in enumerate(pictures) if number not in which]
    result = {
        "dry_run": True, "captioner": f"{used.name}@{used.digest}", "captions": {name: pair.text for name, pair in pairs.items()},
        "base_captions": {name: pair.base for name, pair in pairs.items()}, "writes": writes, "keeps": keeps,
        "failed": failed, "drops": whole.found.unreadable + whole.found.passed_over, "fetches": [],
    }  # fmt: skip
    lines = [f"{name}\t{pair.text}" for name, pair in pairs.items()]
    lines += [f"fail    {line}" for line in failed]
    lines += [f"write   {path}" for path in writes]
    lines += [f"keep    {name}: {'a person wrote its caption' if name in whole.kept else 'it has this caption'}" for name in keeps]
    return result, lines


def rehearsed_taking(config: CaptionConfig, take: Path, messages: Messages) -> tuple[dict[str, Any], list[str]]:
    """What `run` would take of a saved page: (result for the JSON, lines for people).

    Raises:
        InputError: it is no such file, no change in it can be taken, or the folder cannot be captioned.
    """
    made, rows = captioned(plan(config, messages, again=True), messages), saved_changes(take)
    refused = [why for row in rows if (why := refusal(made, row))]
    taking = {row["picture"]: tidy(row) for row in rows if not refusal(made, row) and tidy(row) != sidecar(made.folder / row["picture"])}
    if refused and not taking:
        raise nothing_taken(take, refused)
    writes = [str((made.folder / name).with_suffix(".txt")) for name in taking] + ([str(made.folder / RECORD)] if taking else [])
    lines = [f"{name}\t{text}" for name, text in taking.items()] + [f"refuse  {why}" for why in refused]
    return {"dry_run": True, "captions": taking, "refused": refused, "writes": writes}, lines + [f"write   {path}" for path in writes]
