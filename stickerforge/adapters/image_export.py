"""An image adapter as a folder that other programs load: one file, and a README.md.

Imports no torch until a tensor is touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.adapters.header import AdapterFile, parse_file
from stickerforge.adapters.image_prompt_format import GIVE_SUPPORTED, NAME
from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
from stickerforge.adapters.kinds import IMAGE, KINDS, kind_of
from stickerforge.adapters.sources import read_source
from stickerforge.adapters.weight_files import digest, read_files
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.models.card import ModelCard
from stickerforge.runtime.text import printable

FILE = f"{NAME}.safetensors"
REPORT = "this is a bug of stickerforge: please report it, with the adapter"


@dataclass(frozen=True)
class ImageAdapter:
    """An image adapter as it was found.

    Args:
        source: what the user calls it.
        path: of its file.
        weights: its tensors.
        metadata: what its file says of it.
        installed: of the store; None for a file.
    """

    source: str
    path: Path
    weights: ImagePromptWeights
    metadata: Mapping[str, str]
    installed: store.Adapter | None

    def described(self, card: ModelCard) -> store.Adapter:
        """What its README.md is to say of it; for a file, that it is for this model."""
        if self.installed:
            return self.installed
        base = store.Base(card.name, card.version, "")
        return store.Adapter(printable(self.path.stem), IMAGE.names[0], base, {}, "")


def read_image_adapter(source: str, path: Path | None) -> ImageAdapter:
    """An image adapter of the store, or of a file or its folder.

    Args:
        source: its name, where there is no path.

    Raises:
        InputError: there is none, it is broken, or of another kind.
    """
    if path is None:
        adapter = store.find(store.validate_name(source))
        check_kind(adapter)
        hint = f"make the adapter {adapter.name!r} again"
        files = tuple(read_files(adapter.paths, adapter.files.values(), hint))
        return found(source, files, adapter)
    files = read_source(path)
    if kind_of(files[0]) is not IMAGE:
        raise InputError(f"{path} is no image adapter, and only those are exported", GIVE_SUPPORTED)
    return found(source, files, None)


def found(
    source: str, files: tuple[AdapterFile, ...], installed: store.Adapter | None
) -> ImageAdapter:
    """The image adapter in files.

    Raises:
        InputError: they hold none, or a broken one.
    """
    file, weights = files[0], IMAGE.read(*files)
    return ImageAdapter(source, file.path, weights, file.metadata, installed)


def check_kind(adapter: store.Adapter) -> None:
    """Make sure that an adapter is of a kind that is exported.

    Raises:
        InputError: it is not; where its files are that other programs take.
    """
    if KINDS[adapter.kind] is IMAGE:
        return
    place = store.folder(adapter.name)
    hint = f"copy {place}: diffusers loads the files there, as {store.README} beside them says"
    if not (place / store.README).exists():  # as older versions kept them
        hint = f"draw with it once, then copy {place}"
    raise InputError(
        f"{adapter.name!r} is an adapter of kind {adapter.kind!r}, and only image adapters are"
        " exported",
        hint,
    )


def encode_folder(adapter: ImageAdapter, card: ModelCard) -> dict[str, bytes]:
    """{name: content} of what is exported: the file in the layout of IP-Adapter, and README.md.

    Args:
        card: of the model that it is for.

    Raises:
        StickerforgeError: what was encoded does not read back as it is.
    """
    encoded = IMAGE.encode_files(adapter.weights, adapter.metadata)
    files = {f"{start}.safetensors": content for start, content in encoded.items()}
    again = IMAGE.read(*(parse_file(Path(name), content) for name, content in files.items()))
    if IMAGE.encode(again) != IMAGE.encode(adapter.weights):
        raise StickerforgeError(
            f"the export of {adapter.source} does not read back as it was, and was not kept",
            REPORT,
        )
    digests = {name: digest(content) for name, content in files.items()}
    readme = IMAGE.readme(adapter.weights, replace(adapter.described(card), files=digests))
    return files | {store.README: readme.encode()}
