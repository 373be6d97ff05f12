"""Models that a setting names by a folder, or as owner/name or owner/name/folder of the hub.

Imports no torch, so that they can be checked at once.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from stickerforge.config.user_paths import user_path
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.hub import download
from stickerforge.models.network_config import CONFIG
from stickerforge.models.origin import hub_cache

NAME = re.compile(r"\w[\w.-]*")  # of an owner, a repository, a folder in it


@dataclass(frozen=True)
class HubPlace:
    """A model, which may still have to be fetched.

    Args:
        title: as images remember it: a name of the hub, or the name of a folder.
        folder: where it is; None where it must be fetched first.
        fingerprint: of a folder; "" for one of the hub.
    """

    WHAT: ClassVar[str]  # it is, for messages
    SETTING: ClassVar[str]  # that names it
    GIVE: ClassVar[str]  # what to do where it cannot be had, for messages
    MEGABYTES: ClassVar[Mapping[str, int]]  # by title, as far as they are known
    FILES: ClassVar[tuple[str, ...]] = ("*.json", "*.safetensors")  # that are fetched

    title: str
    folder: Path | None
    fingerprint: str = ""

    @property
    def fetch_line(self) -> str:
        """What a call would fetch; "" where it is here."""
        if self.folder:
            return ""
        size = self.MEGABYTES.get(self.title)
        return f"{self.title}, {size} MB" if size else self.title

    def fetch_folder(
        self, *, offline: bool, say: Callable[[str], None], weights: bool = True
    ) -> Path:
        """The folder, fetched where it is not here yet; what is in it is not checked.

        Args:
            weights: whether more than its configuration is fetched.

        Raises:
            InputError: the hub has no such model.
            EnvironmentFault: it cannot be had here.
        """
        if self.folder:
            return self.folder
        repository, part = split_name(self.title)
        if offline:
            raise EnvironmentFault(
                f"the {self.WHAT} {self.title} is not in the cache {hub_cache()} and nothing may be"
                " fetched",
                f"use it once without --offline, or {self.GIVE}",
            )
        patterns = patterns_of(part, self.FILES if weights else (CONFIG,))
        return download(repository, offline=False, say=say, patterns=patterns) / part


Place = TypeVar("Place", bound=HubPlace)


def find_place(
    kind: type[Place],
    place: str,
    check: Callable[[Path, str], None],
    fingerprint: Callable[[Iterable[Path]], str] = files_fingerprint,
) -> Place:
    """A model by its folder, or by its name on the hub.

    Args:
        check: makes sure that a folder, called so, holds what is wanted.
        fingerprint: of the files of a folder.

    Raises:
        InputError: it is neither, or what is here is something else.
    """
    folder = Path(user_path(place))
    if folder.is_dir():
        check(folder, str(folder))
        return kind(folder.resolve().name, folder, fingerprint(sorted(folder.glob("*.*"))))
    if folder.is_file():
        raise InputError(f"{kind.SETTING}: {place} is a file", f"give a folder with {CONFIG}")
    if not is_hub_place(place):
        raise InputError(
            f"{kind.SETTING}: there is no folder {place!r}",
            "give a folder, or owner/name or owner/name/folder of the hub",
        )
    found = kind(place, cached(kind, place))
    if found.folder:
        check(found.folder, place)
    return found


def is_hub_place(place: str) -> bool:
    """Whether a text can be owner/name, or owner/name/folder, of the hub."""
    parts = place.split("/")
    return len(parts) > 1 and all(NAME.fullmatch(part) for part in parts)


def split_name(place: str) -> tuple[str, str]:
    """(owner/name, folder within it, "" for none)."""
    owner, _, rest = place.partition("/")
    name, _, part = rest.partition("/")
    return f"{owner}/{name}", part.strip("/")


def patterns_of(part: str, files: Sequence[str]) -> tuple[str, ...]:
    """Files in a folder of a repository, for `download`."""
    return tuple(f"{part}/{name}" if part else name for name in files)


def cached(kind: type[HubPlace], place: str) -> Path | None:
    """The folder of a model in the cache, with its weights; None where it is not all there.

    Args:
        place: its name on the hub.
    """
    repository, part = split_name(place)
    patterns = patterns_of(part, kind.FILES)
    try:
        snapshot = download(repository, offline=True, say=lambda line: None, patterns=patterns)
    except EnvironmentFault:
        return None
    folder = snapshot / part
    whole = (folder / CONFIG).exists() and any(folder.glob("*.safetensors"))
    return folder if whole else None
