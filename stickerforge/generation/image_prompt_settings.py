"""Repeating an image that was prompted with pictures: where they and their masks are, how read.

The image's file may be a stranger's: it names files without folders, and only a file of the very
content is taken for one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.schema.image_prompt import ImagePromptConfig
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.image_prompts import MASK_NAMES, REFERENCE_NAMES, ImagePrompt
from stickerforge.generation.image_references import MASKS, MAX_PICTURES, OPTION, parse_reference
from stickerforge.generation.image_settings import HINT, MAX_NAME, short_value
from stickerforge.generation.init_settings import digest_of
from stickerforge.models.hub_place import is_hub_place
from stickerforge.models.image_encoder_place import JUDGE, SETTING, find_image_encoder

SETTINGS = ("fit", "ground", "blocks", "start", "end")


@dataclass(frozen=True)
class RememberedFile:
    """A file as an image's parameters name it.

    Args:
        name: without its folder; "" where it is not known.
        digest: of its content.
    """

    name: str
    digest: str

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name or "of an unknown name"

    def find(self, folder: Path) -> Path | None:
        """The file here, or in a folder, with the very content."""
        paths = (Path(self.name), folder / self.name) if self.name else ()
        return next((path for path in paths if digest_of(path) == self.digest), None)


@dataclass(frozen=True)
class RememberedPictures:
    """What an image was prompted with.

    Args:
        pictures: the files, at least one.
        scales: of each.
        masks: of each; none where they acted everywhere.
    """

    pictures: tuple[RememberedFile, ...]
    scales: tuple[float, ...]
    masks: tuple[RememberedFile, ...]

    def are(self, texts: Sequence[str]) -> bool:
        """Whether these are the pictures that a call gives as FILE[:SCALE], in their order.

        Raises:
            InputError: a text is none.
        """
        digests = [digest_of(parse_reference(text)[0]) for text in texts]
        return digests == [picture.digest for picture in self.pictures]


def remembered_image_prompt(
    params: Mapping[str, Any], folder: Path, asked: ImagePromptConfig
) -> dict[str, Any]:
    """{dotted name: value} of what an image's parameters say of the pictures it was prompted with.

    Files are looked for here, and in the folder of the image; the encoder is named where it is one
    of the hub. The masks of other pictures than those that the call gives are left out.

    Args:
        folder: of the image.
        asked: what the call says itself.

    Raises:
        InputError: they say what no image can say.
    """
    prompt = params.get("image_prompt")
    if not isinstance(prompt, dict):
        return {}
    settings = {
        f"image_prompt.{name}": short_value(f"image_prompt.{name}", prompt[name])
        for name in SETTINGS
        if name in prompt
    }
    encoder = short_value(SETTING, prompt.get("encoder"))
    if isinstance(encoder, str) and is_hub_place(encoder) and not prompt.get("fingerprint"):
        settings[SETTING] = encoder
    remembered = pictures_of(params)
    found = [picture.find(folder) for picture in remembered.pictures]
    if all(found):
        pairs = zip(found, remembered.scales, strict=True)
        settings["image_prompt.pictures"] = [f"{path}:{scale!r}" for path, scale in pairs]
    masks = [mask.find(folder) for mask in remembered.masks]
    if masks and all(masks) and (not asked.pictures or remembered.are(asked.pictures)):
        settings[MASKS] = [str(path) for path in masks]
    return settings


def pictures_of(params: Mapping[str, Any]) -> RememberedPictures:
    """What an image was prompted with.

    Raises:
        InputError: its parameters say what no image can say.
    """
    prompt = params.get("image_prompt")
    listed = prompt.get("references") if isinstance(prompt, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_PICTURES:
        raise InputError("the picture says what cannot be as its image prompt", HINT)
    entries = [entry if isinstance(entry, dict) else {} for entry in listed]
    scales = [entry.get("scale") for entry in entries]
    numbers = tuple(float(scale) for scale in scales if isinstance(scale, int | float))
    masked = [entry for entry in entries if "mask" in entry]
    if len(numbers) < len(entries) or 0 < len(masked) < len(entries):
        raise InputError("the picture says what cannot be as its image prompt", HINT)
    return RememberedPictures(
        files_of(params.get(REFERENCE_NAMES), [entry.get("sha256") for entry in entries]),
        numbers,
        files_of(params.get(MASK_NAMES), [entry["mask"] for entry in masked]),
    )


def files_of(names: Any, digests: Sequence[Any]) -> tuple[RememberedFile, ...]:
    """Files by what an image's parameters say; what is no name, or no list of them, names nothing.

    Raises:
        InputError: a digest is none.
    """
    files, names = [], names if isinstance(names, list) else []
    for number, digest in enumerate(digests):
        if not isinstance(digest, str):
            raise InputError("the picture says what cannot be as its image prompt", HINT)
        name = names[number] if number < len(names) else ""
        plain = Path(name).name if isinstance(name, str) and len(name) <= MAX_NAME else ""
        files.append(RememberedFile(plain, digest[:64]))
    return tuple(files)


def check_image_prompt(
    params: Mapping[str, Any],
    found: Collection[str],
    config: GenerateConfig,
    asked: ImagePromptConfig,
    picture: Path,
) -> None:
    """Make sure that what an image was prompted with is here, and that nothing is fetched for it.

    Args:
        params: of the image.
        found: names of the settings whose files were found; the call may say that there is none.
        config: the settings in force.
        asked: those of the call alone.
        picture: the image's file.

    Raises:
        InputError: a picture, a mask or the encoder must be given.
        EnvironmentFault: the encoder would have to be fetched, and the call does not say so.
    """
    prompt = params.get("image_prompt")
    if not isinstance(prompt, dict):
        return
    check_pictures(pictures_of(params), found, config.image_prompt, picture)
    known = prompt.get("encoder") == JUDGE or knows_encoder(config.adapter, prompt)
    if prompt.get("fingerprint") and not known and not asked.encoder:
        raise InputError(
            f"{picture} was made with the image encoder of a folder",
            f"give --set {SETTING}=FOLDER",
        )
    encoder = config.image_prompt.encoder
    places = [find_image_encoder(place) for place in ([encoder] if encoder else [])]
    if not asked.encoder and any(place.folder is None for place in places):
        size = places[0].fetch_line
        raise EnvironmentFault(
            f"the picture needs the image encoder {places[0].title}, which is not here",
            f"add --set {SETTING}={places[0].title} to fetch it ({size})",
        )


def knows_encoder(adapters: Collection[str], prompt: Mapping[str, Any]) -> bool:
    """Whether one of these adapters is installed and says where the encoder of an image is.

    Args:
        adapters: NAME[:SCALE], or files.
        prompt: what the image says of its image prompt.
    """
    for text in adapters:
        name = text.partition(":")[0]
        if store.NAME.fullmatch(name) and store.exists(name):
            if store.find(name).made.get("encoder_fingerprint") == prompt["fingerprint"]:
                return True
    return False


def check_pictures(
    remembered: RememberedPictures, found: Collection[str], config: ImagePromptConfig, image: Path
) -> None:
    """Make sure that the pictures and their masks are here; see `check_image_prompt`.

    Raises:
        InputError: one is not.
    """
    folder = image.parent
    if not config.pictures:
        gone = next(one for one in remembered.pictures if not one.find(folder))
        pairs = zip(remembered.pictures, remembered.scales, strict=True)
        options = " ".join(f"{OPTION} {one.name or 'FILE'}:{scale:g}" for one, scale in pairs)
        raise InputError(
            f"{image} was prompted with a picture that is not here: {gone.title}",
            f"give {options}",
        )
    lost = [one for one in remembered.masks if not one.find(folder)]
    if lost and not config.masks and MASKS not in found and remembered.are(config.pictures):
        names = ", ".join(f'"{one.name or "FILE"}"' for one in remembered.masks)
        raise InputError(
            f"{image} was prompted with a mask that is not here: {lost[0].title}",
            f"give --set '{MASKS}=[{names}]'",
        )


def warn_of_other_pictures(
    params: Mapping[str, Any], prompt: ImagePrompt | None, warn: Callable[[str], None]
) -> None:
    """Warn where an image was prompted with other pictures, or another encoder, than this call.

    Args:
        params: of the image that is repeated; empty where none is.
    """
    before = params.get("image_prompt")
    if not isinstance(before, dict):
        return
    now = prompt.params() if prompt else {}
    for name, what in (
        ("references", "pictures, scales or masks"),
        ("fingerprint", "image encoder"),
    ):
        if now.get(name) != before.get(name):
            warn(f"the picture was prompted with other {what} than now: the new one will differ")
