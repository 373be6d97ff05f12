"""Captions beside pictures: which are there, which are missing, and writing those.

A caption that a person wrote or changed is never overwritten.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.captioning.captioner import Captioner, CaptionRequest, captioner_id
from stickerforge.captioning.plan import CaptionPlan
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.caption_files import (
    PERSON,
    CaptionRecord,
    append_record,
    lock_captions,
    new_record,
    read_records,
    update_records,
    write_caption,
)
from stickerforge.data.captions import caption_path, read_caption
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import stoppable
from stickerforge.runtime.text import shorten_list

MAX_SIDE = 1024  # of the pictures that captioners are given


def existing_captions(plan: CaptionPlan, warnings: list[str]) -> CaptionSet:
    """The captions that lie beside the pictures.

    Args:
        warnings: those of the call, to which more may be added.
    """
    records = [
        record for picture in plan.contents.pictures if (record := existing_record(plan, picture))
    ]
    return CaptionSet(
        plan.folder,
        plan.subject,
        records,
        failed=list(plan.contents.unreadable),
        warnings=warnings,
    )


def existing_record(plan: CaptionPlan, picture: Picture) -> CaptionRecord | None:
    """The record of the caption that lies beside a picture; None where there is none."""
    name = picture.path.name
    record = plan.records.get(name)
    if name not in plan.by_people:
        return record if record and caption_path(picture.path).exists() else None
    pair = plan.subject.pair(plan.by_people[name])
    if record and (record.caption, record.base_caption, record.sha256, record.source) == (
        pair.text,
        pair.base,
        picture.sha256,
        PERSON,
    ):
        return record
    return new_record(name, picture.sha256, pair, PERSON, "", plan.key)


def valid_records(
    plan: CaptionPlan, captioner: str, *, only_missing: bool
) -> dict[str, CaptionRecord]:
    """{picture: record} of the pictures that need no new caption.

    Those have a caption by a person, or one that this captioner wrote for this very picture.

    Args:
        captioner: its name and digest, as in captions.jsonl.
        only_missing: whether a caption that any captioner wrote for any picture of that name will
            do, if it is about the same subject.
    """
    records = {}
    for picture in plan.contents.pictures:
        record = existing_record(plan, picture)
        if record and (
            record.source == PERSON
            or (only_missing and subject_part(record.asked) == subject_part(plan.key))
            or (not only_missing and is_current(record, picture.sha256, captioner, plan.key))
        ):
            records[picture.path.name] = record
    return records


def subject_part(key: str) -> str:
    """Placeholder and class words of a `CaptionPlan.key`."""
    return key.rpartition("|")[0]


def is_current(record: CaptionRecord, sha256: str, captioner: str, key: str) -> bool:
    """Whether this captioner wrote a caption for a picture of this content, and of this kind."""
    return (record.sha256, record.model, record.asked) == (sha256, captioner, key)


def indices_without(pictures: Sequence[Picture], names: Collection[str]) -> list[int]:
    """Where in the sequence the pictures are that have none of these names."""
    return [index for index, picture in enumerate(pictures) if picture.path.name not in names]


@dataclass
class NewCaptions:
    """What came of captioning.

    Args:
        records: {picture: its record} of what was captioned, here or by another call meanwhile.
        written: the pictures that were captioned here.
        failures: a line for each picture that got no caption.
    """

    records: dict[str, CaptionRecord] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def write_missing(
    plan: CaptionPlan,
    captioner: Captioner,
    valid: Mapping[str, CaptionRecord],
    console: Console,
) -> NewCaptions:
    """Caption the pictures that need it; captions.jsonl grows by a line before every text.

    At the end, also of an interruption, captions.jsonl is written anew, in order. Other calls may
    work on the same folder: each caption is looked at and written under the lock of the folder.

    Args:
        valid: {picture: record} of those that need none.

    Raises:
        EnvironmentFault: the disk is full or read-only.
        Interrupted: Ctrl-C; what is written stays.
    """
    pictures, result = plan.contents.pictures, NewCaptions()
    indices = indices_without(pictures, valid)
    changes = {name: record for name, record in valid.items() if record != plan.records.get(name)}
    update_records(plan.folder, changes, plan.records)
    try:
        with stoppable() as check, console.progress("captioning", len(indices)) as advance:
            request = plan.request(check)
            for index, text in captions_of(captioner, pictures, indices, request):
                picture = pictures[index]
                if isinstance(text, InputError):
                    result.failures.append(fault_line(picture.path.name, text))
                else:
                    record = new_record(
                        picture.path.name,
                        picture.sha256,
                        plan.subject.pair(text),
                        "model",
                        captioner_id(captioner),
                        plan.key,
                    )
                    with lock_captions(plan.folder):
                        try:
                            write_one(plan, picture, record, result, console)
                        except InputError as error:
                            result.failures.append(fault_line(picture.path.name, error))
                advance(1)
                check()
    finally:
        update_records(plan.folder, {}, {})
    if kept := [name for name in result.records if name not in result.written]:
        console.warn(f"another call captioned meanwhile: {shorten_list(kept, 5)}")
    return result


def write_one(
    plan: CaptionPlan,
    picture: Picture,
    record: CaptionRecord,
    result: NewCaptions,
    console: Console,
) -> None:
    """Write one caption, unless one has come in since the call began; under the lock.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    name, text = picture.path.name, read_caption(picture.path)
    if text == earlier_caption(plan.records, picture):
        append_record(plan.folder, record)
        write_caption(picture.path, record.caption)
        result.records[name] = record
        result.written.append(name)
        return
    other = read_records(plan.folder).get(name)
    is_same = other and is_current(other, picture.sha256, record.model, record.asked)
    if other and is_same and other.caption == text:
        result.records[name] = other
    else:
        console.warn(f"{name} was given a caption meanwhile, which is kept")
        result.failures.append(f"{name}: given a caption meanwhile")


def fault_line(name: str, error: InputError) -> str:
    """Why a picture got no caption, after its name."""
    return f"{name}: {error.message.removeprefix(f'{name}: ')}"


def earlier_caption(records: Mapping[str, CaptionRecord], picture: Picture) -> str:
    """The caption that we wrote beside a picture before this call, or "".

    Args:
        records: captions.jsonl as it was when the call began.
    """
    record = records.get(picture.path.name)
    return to_nfc(record.caption) if record and caption_path(picture.path).exists() else ""


def captions_of(
    captioner: Captioner,
    pictures: Sequence[Picture],
    indices: Sequence[int],
    request: CaptionRequest,
) -> Iterator[tuple[int, str | InputError]]:
    """(index of a picture, its caption or why there is none), one by one as they are made."""
    texts = captioner.captions(SmallImages(pictures), indices, request)
    return zip(indices, texts, strict=False)


class SmallImages(Sequence[Image.Image]):
    """Pictures as captioners are given them, RGBA of up to 1024 pixels; read on access."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: Any) -> Any:
        image = Image.fromarray(self.pictures[index].rgba())
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return image
