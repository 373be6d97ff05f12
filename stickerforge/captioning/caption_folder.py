"""Captions beside pictures: which are there, which are missing, and writing those.

A caption that a person wrote or changed is never overwritten.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.captioning.captioner import Captioner, CaptionRequest, captioner_id
from stickerforge.captioning.plan import CaptionPlan
from stickerforge.data.caption_files import (
    PERSON,
    CaptionRecord,
    append_record,
    new_record,
    write_caption,
    write_records,
)
from stickerforge.data.captions import read_caption
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import stoppable

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
        return record if record and picture.path.with_suffix(".txt").exists() else None
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


def write_missing(
    plan: CaptionPlan,
    captioner: Captioner,
    valid: Mapping[str, CaptionRecord],
    console: Console,
) -> tuple[dict[str, CaptionRecord], list[str]]:
    """Caption the pictures that need it; captions.jsonl grows by a line before every text.

    At the end, also of an interruption, captions.jsonl is written anew, in order.

    Args:
        valid: {picture: record} of those that need none.

    Returns:
        {picture: its new record}; a line for each picture that got none.

    Raises:
        EnvironmentFault: the disk is full or read-only.
        Interrupted: Ctrl-C; what is written stays.
    """
    pictures = plan.contents.pictures
    indices = indices_without(pictures, valid)
    records, failures = dict[str, CaptionRecord](), list[str]()
    write_records(plan.folder, plan.records | dict(valid))
    try:
        with stoppable() as check, console.progress("captioning", len(indices)) as advance:
            request = CaptionRequest(
                plan.subject.class_words, plan.subject.placeholder, plan.form, check
            )
            for index, text in captions_of(captioner, pictures, indices, request):
                picture = pictures[index]
                name = picture.path.name
                if isinstance(text, InputError):
                    failures.append(fault_line(name, text))
                elif read_caption(picture.path) != earlier_caption(plan.records, picture):
                    console.warn(f"{name} was given a caption meanwhile, which is kept")
                    failures.append(f"{name}: given a caption meanwhile")
                else:
                    record = new_record(
                        name,
                        picture.sha256,
                        plan.subject.pair(text),
                        "model",
                        captioner_id(captioner),
                        plan.key,
                    )
                    append_record(plan.folder, record)
                    write_caption(picture.path, record.caption)
                    records[name] = record
                advance(1)
                check()
    finally:
        write_records(plan.folder, plan.records | dict(valid) | records)
    return records, failures


def fault_line(name: str, error: InputError) -> str:
    """Why a picture got no caption, after its name."""
    return f"{name}: {error.message.removeprefix(f'{name}: ')}"


def earlier_caption(records: Mapping[str, CaptionRecord], picture: Picture) -> str:
    """The caption that we wrote beside a picture before this call, or "".

    Args:
        records: captions.jsonl as it was when the call began.
    """
    record = records.get(picture.path.name)
    return record.caption if record and picture.path.with_suffix(".txt").exists() else ""


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
