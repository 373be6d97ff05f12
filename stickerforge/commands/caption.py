"""Captions for a folder of pictures: what is in them said in words, beside them, and never over what a person has written."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from stickerforge.adapters.store import checked_name
from stickerforge.commands.courses import WORDS
from stickerforge.config.load import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.data.captions import MAX_CHARACTERS, PLACEHOLDER, Caption, check_caption, paired, sidecar
from stickerforge.data.pictures import Folder, Picture, read_folder
from stickerforge.data.sidecars import PERSON, RECORD, Told, now, read_record, write_caption, write_record
from stickerforge.errors import InputError
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import stoppable

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
        said = said or self.words or "a picture"
        return paired(said, self.placeholder, self.words) if self.placeholder else Caption(said, said)


@dataclass
class Captioned:
    """What a call made: one line per picture, in their order."""

    folder: Path
    placeholder: str = ""
    words: str = ""
    told: list[Told] = field(default_factory=list)
    made: int = 0
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        told = [asdict(one) for one in self.told]
        return {"captions": told, "made": self.made, "failed": self.failed, "record": str(self.folder / RECORD)}

    def lines(self) -> list[str]:
        """For people and pipes."""
        return [f"{one.picture}\t{one.caption}" for one in self.told]

    def changed(self, texts: Mapping[str, str]) -> list[str]:
        """Take captions that a person changed, {picture: caption}; returns a line for each that cannot be one, and takes the others.

        Raises:
            EnvironmentFault: the disk is full or read-only.
        """
        refused, record = [], read_record(self.folder)
        for number, line in enumerate(self.told):
            text = " ".join(texts.get(line.picture, line.caption).split())
            if text == line.caption:
                continue
            if why := unfit(text, self.placeholder):
                refused.append(f"{line.picture}: {why}")
                continue
            base = text.replace(self.placeholder, self.words) if self.placeholder else text
            self.told[number] = replace(line, caption=text, base_caption=base, source=PERSON, model="", time=now())
            write_caption(self.folder / line.picture, text)
            record[line.picture] = self.told[number]
        write_record(self.folder, record)
        return refused

    def take(self, path: Path) -> None:
        """Take what was saved from the page.

        Raises:
            InputError: it is no such file, or a caption in it cannot be one; the others are taken.
        """
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            texts = {str(row["picture"]): str(row["caption"]) for row in rows}
        except FileNotFoundError:
            raise InputError(f"no file {path}", "give the captions.jsonl that the page saved") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} holds no captions: {str(error)[:80]}", "give the captions.jsonl that the page saved") from None
        if strangers := sorted(set(texts) - {line.picture for line in self.told}):
            raise InputError(f"{path} names pictures that are not here: {', '.join(strangers[:5])}", "give the folder it belongs to")
        if refused := self.changed(texts):
            raise InputError(f"{path}: {refused[0]}", "change it there; the others were taken")

    def note(self) -> str:
        """For people."""
        kept = sum(one.source == PERSON for one in self.told)
        return f"{self.made} captions written beside the pictures" + (f", {kept} of people kept" if kept else "")


def unfit(text: str, placeholder: str) -> str:
    """Why a text cannot be a caption; "" where it can."""
    if not text:
        return "the caption is empty"
    if len(text) > MAX_CHARACTERS or not text.isprintable():
        return f"give up to {MAX_CHARACTERS} readable characters"
    if placeholder and text.count(placeholder) != 1:
        return f"say {placeholder} once"
    strangers = [token for token in PLACEHOLDER.findall(text) if token != placeholder]
    return f"{strangers[0]} is another new word" if strangers else ""


def caption(pictures: str | Path, *, settings: Mapping[str, Any] | None = None, offline: bool = False) -> Captioned:
    """Caption from Python: `caption("photos", settings={"subject": "dog"})`.

    Raises:
        StickerforgeError: see `stickerforge.errors`; pictures that cannot be read are listed in the result instead.
    """
    return run(resolve(CaptionConfig, settings or {}, {"pictures": str(pictures)}), Messages(quiet=True), offline=offline)


def plan(config: CaptionConfig, messages: Messages) -> Plan:
    """Look at the folder.

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
    slug = checked_name(re.sub(r"[\s_'’]+", "-", config.subject.strip().lower())) if config.subject else ""
    words = (config.words or config.subject.replace("-", " ")).strip()
    path = Path(config.pictures)
    found = read_folder(path)
    place = path if path.is_dir() else path.parent
    placeholder, record, kept = f"<{slug}>" if slug else "", read_record(place), {}
    for picture in found.pictures:
        if picture.path.with_suffix(".txt").exists():
            check_caption(picture.path, placeholder)
            said, ours = sidecar(picture.path), record.get(picture.path.name)
            if ours is None or ours.source == PERSON or ours.caption != said:
                kept[picture.path.name] = said
    there = {picture.path.name for picture in found.pictures}
    if gone := sorted(set(record) - there):
        messages.warn(f"{RECORD} names pictures that are gone: {', '.join(gone[:5])}{' …' if len(gone) > 5 else ''}")
    for line in found.unreadable:
        messages.warn(f"left out: {line}")
    stems = [picture.path.stem for picture in found.pictures]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise InputError(f"two pictures would share the caption {twice[0]}.txt", "rename one of them")
    return Plan(config, placeholder, words, place, found, record, kept)


def run(config: CaptionConfig, messages: Messages, *, offline: bool) -> Captioned:
    """Caption what has no caption by this captioner yet.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    whole = plan(config, messages)
    made = Captioned(whole.folder, whole.placeholder, whole.words, failed=whole.found.unreadable, warnings=messages.warnings)
    from stickerforge.models.captioners import captioner

    used = captioner(config.captioner, device=config.device, offline=offline, messages=messages)
    known = {picture.path.name: line for picture in whole.found.pictures if (line := already(whole, picture, used))}
    missing = [picture for picture in whole.found.pictures if picture.path.name not in known]
    record = {name: line for name, line in whole.record.items() if name not in known} | known
    with stoppable() as check, messages.progress("captioning", len(missing)) as advance:
        with closing(captions(used, whole, missing)) as said:
            for picture, text in zip(missing, said, strict=False):
                pair = whole.pair(text)
                write_caption(picture.path, pair.text)
                by = f"{used.name}@{used.digest}"
                line = Told(picture.path.name, picture.sha256, pair.text, pair.base, "model", by, whole.asked, now())
                record[picture.path.name] = known[picture.path.name] = line
                write_record(whole.folder, record)
                made.made += 1
                advance(1)
                check()
    write_record(whole.folder, record)
    made.told = [known[picture.path.name] for picture in whole.found.pictures]
    return made


def already(whole: Plan, picture: Picture, used: "Captioner") -> Told | None:
    """The line of a picture that needs no new caption: a person's, or one that this captioner gave to this very picture."""
    name = picture.path.name
    line = whole.record.get(name)
    if name in whole.kept:
        said = whole.kept[name]
        base = said.replace(whole.placeholder, whole.words) if whole.placeholder else said
        if line and line.source == PERSON and (line.caption, line.sha256) == (said, picture.sha256):
            return line
        return Told(name, picture.sha256, said, base, PERSON, "", whole.asked, now())
    same = line is not None and (line.sha256, line.model, line.asked) == (picture.sha256, f"{used.name}@{used.digest}", whole.asked)
    return line if same and picture.path.with_suffix(".txt").exists() else None


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


def captions(used: "Captioner", whole: Plan, pictures: Sequence[Picture]) -> Any:
    """What the captioner says, picture by picture."""
    return used.captions(Shrunk(pictures), whole.words, whole.config.form)


def rehearsed(config: CaptionConfig, messages: Messages, *, offline: bool) -> tuple[dict[str, Any], list[str]]:
    """What the call would say of the first five pictures, and what it would write: (result for the JSON, lines for people)."""
    from stickerforge.models.captioners import captioner

    whole = plan(config, messages)
    used = captioner(config.captioner, device=config.device, offline=offline, messages=messages)
    missing = [picture for picture in whole.found.pictures if not already(whole, picture, used)]
    with closing(captions(used, whole, missing[:SHOWN])) as said:
        pairs = {picture.path.name: whole.pair(text) for picture, text in zip(missing, said, strict=False)}
    writes = [str(picture.path.with_suffix(".txt")) for picture in missing] + [str(whole.folder / RECORD)]
    result = {
        "dry_run": True, "captioner": f"{used.name}@{used.digest}", "captions": {name: pair.text for name, pair in pairs.items()},
        "base_captions": {name: pair.base for name, pair in pairs.items()}, "writes": writes, "keeps": sorted(whole.kept),
        "drops": whole.found.unreadable + whole.found.passed_over, "fetches": [],
    }  # fmt: skip
    lines = [f"{name}\t{pair.text}" for name, pair in pairs.items()]
    lines += [f"write   {path}" for path in writes] + [f"keep    {name}: a person wrote its caption" for name in sorted(whole.kept)]
    return result, lines
