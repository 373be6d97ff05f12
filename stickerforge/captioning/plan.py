"""What a call of `caption` is about: the folder, its captions so far, and what they are to be."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters.store import validate_name
from stickerforge.captioning.caption_set import Subject
from stickerforge.captioning.captioner import CaptionRequest, Form
from stickerforge.config.schema import CaptionConfig
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.caption_files import (
    PERSON,
    RECORD_FILE,
    CaptionRecord,
    lock_captions,
    read_records,
)
from stickerforge.data.captions import (
    PLACEHOLDER,
    are_words,
    caption_path,
    check_caption,
    leave_out_unreadable,
    read_caption,
)
from stickerforge.data.picture_folder import PictureFolder, describe_skipped, read_folder
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import shorten_list


@dataclass(frozen=True)
class CaptionPlan:
    """What is to be captioned, and how.

    Args:
        folder: where the pictures are.
        records: what captions.jsonl says so far, by the pictures' names.
        by_people: captions that a person wrote or changed, likewise.
    """

    folder: Path
    contents: PictureFolder
    subject: Subject
    form: Form
    records: dict[str, CaptionRecord]
    by_people: dict[str, str]

    @property
    def key(self) -> str:
        """What decides a caption besides the picture and the model: `CaptionRecord.asked`."""
        return "|".join((self.subject.placeholder, self.subject.class_words, self.form))

    def request(self, check: Callable[[], None] = lambda: None) -> CaptionRequest:
        """What a captioner is asked for.

        Args:
            check: called now and then; raises where the work is to stop.
        """
        return CaptionRequest(
            self.subject.class_words,
            self.subject.placeholder,
            self.form,
            [picture.photograph for picture in self.contents.pictures],
            check,
        )


def plan_captions(config: CaptionConfig, console: Console, *, again: bool = False) -> CaptionPlan:
    """Read the folder and its captions.

    Args:
        again: whether the call is about captions that are there: then subject and class are those
            of captions.jsonl where the settings do not give them.

    Raises:
        InputError: a name or a caption that is there cannot be used.
    """
    if not config.pictures:
        raise InputError(
            "no pictures given", "for example stickerforge caption ./photos --subject dog"
        )
    check_names(config.subject, config.class_words)
    path = Path(config.pictures)
    contents = read_folder(path)
    folder = path if path.is_dir() else path.parent
    with lock_captions(folder):  # else a text could be read and its record not
        return plan_folder(config, folder, contents, console, again=again)


def plan_folder(
    config: CaptionConfig, folder: Path, contents: PictureFolder, console: Console, *, again: bool
) -> CaptionPlan:
    """Read a folder's captions, under their lock; see `plan_captions`."""
    records = read_records(folder)
    leave_out_unreadable(contents)
    name, class_words = config.subject, config.class_words
    if again:
        names = {picture.path.name for picture in contents.pictures}
        keys = [record.asked for record in records.values() if record.picture in names]
        name, class_words = recorded_subject(name, class_words, keys)
    subject = build_subject(name, class_words)
    check_stems(contents.pictures)
    check_renamed(folder, contents.pictures, records)
    warn_of_folder(folder, contents, records, console)
    by_people = captions_by_people(contents.pictures, records, subject.placeholder)
    return CaptionPlan(folder, contents, subject, config.form, records, by_people)


def check_names(subject: str, class_words: str) -> None:
    """Make sure that subject and class can be those of captions.

    Raises:
        InputError: they cannot.
    """
    if class_words and not subject:
        raise InputError("--class belongs to a subject", "give --subject NAME too")
    for what, text in (("name", subject), ("class", class_words)):
        if text and not are_words(text):
            raise InputError(f"{text[:60]!r} is no {what}", "give letters, digits and dashes")


def build_subject(name: str, class_words: str) -> Subject:
    """The subject of a name; its class is the name where none is given.

    Raises:
        InputError: the name cannot be that of an adapter.
    """
    if not name:
        return Subject()
    return Subject(f"<{slug_of(name)}>", (class_words or name.replace("-", " ")).strip())


def slug_of(name: str) -> str:
    """A subject's name as it stands between < and >.

    Raises:
        InputError: it cannot be the name of an adapter.
    """
    return validate_name(re.sub(r"[\s_'’]+", "-", name.strip().lower()))


def recorded_subject(name: str, class_words: str, keys: Iterable[str]) -> tuple[str, str]:
    """Name and class of the subject, taken from captions that are there where they are not given.

    Args:
        keys: `CaptionRecord.asked` of those captions.

    Raises:
        InputError: those are of several subjects or classes.
    """
    subjects = {tuple(key.split("|")[:2]) for key in keys if key.startswith("<")}
    if name:
        subjects = {subject for subject in subjects if subject[0] == f"<{slug_of(name)}>"}
    if class_words or not subjects:
        return name, class_words
    if len(subjects) > 1:
        listing = ", ".join(" ".join(subject) for subject in sorted(subjects))
        raise InputError(
            f"the captions there are of several subjects or classes: {listing}",
            "say --subject NAME and --class WORDS",
        )
    placeholder, class_words = subjects.pop()
    return name or placeholder[1:-1], class_words


def check_stems(pictures: Sequence[Picture]) -> None:
    """Make sure that no two pictures differ in their suffix, or the spelling of accents, alone.

    Raises:
        InputError: two do, and would share a caption.
    """
    stems = Counter(to_nfc(picture.path.stem) for picture in pictures)
    if repeated := [stem for stem, count in stems.items() if count > 1]:
        raise InputError(
            f"two pictures would share the caption {repeated[0]}.txt", "rename one of them"
        )


def check_renamed(
    folder: Path, pictures: Sequence[Picture], records: Mapping[str, CaptionRecord]
) -> None:
    """Make sure that no picture has got another name while its caption has not.

    Raises:
        InputError: one has, and would get a new caption.
    """
    by_content = {picture.sha256: picture.path for picture in pictures}
    for name, record in records.items():
        old, new = folder / name, by_content.get(record.sha256)
        if (
            new
            and not old.exists()
            and caption_path(old).exists()
            and not caption_path(new).exists()
        ):
            raise InputError(
                f"{new.name} was {name}, and its caption was not renamed",
                f"rename {old.stem}.txt to {new.stem}.txt, or remove it",
            )


def warn_of_folder(
    folder: Path, contents: PictureFolder, records: Mapping[str, CaptionRecord], console: Console
) -> None:
    """Say which records have no picture any more, and which files get no caption."""
    if missing := sorted(name for name in records if not (folder / name).exists()):
        console.warn(f"{RECORD_FILE} names pictures that are gone: {shorten_list(missing, 5)}")
    for line in describe_skipped(contents.other_files):
        console.warn(line)
    for line in contents.unreadable:
        console.warn(f"left out: {line}")


def captions_by_people(
    pictures: Sequence[Picture], records: Mapping[str, CaptionRecord], placeholder: str
) -> dict[str, str]:
    """{picture: its caption} of those that a person wrote or changed.

    Raises:
        InputError: one of them cannot be a caption, or a line of captions.jsonl was changed by
            hand.
    """
    captions = {}
    for picture in pictures:
        name, path = picture.path.name, caption_path(picture.path)
        record = records.get(name)
        if record and record.changed_by_hand:
            raise InputError(
                f"the line of {name} in {RECORD_FILE} was changed by hand, "
                "and texts are what counts",
                f"write the caption into {path.name}, and remove that line",
            )
        if not path.exists():
            continue
        text = read_caption(picture.path)
        if record and record.source != PERSON and to_nfc(record.caption) == text:
            continue
        if not placeholder and (tokens := PLACEHOLDER.findall(text)):
            raise InputError(
                f"the caption {path} holds {tokens[0]}, and no subject is given",
                f"add --subject {tokens[0][1:-1]}",
            )
        check_caption(picture.path, placeholder)
        captions[name] = text
    return captions
