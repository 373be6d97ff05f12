"""What a picture is judged by before it may be trained on or shown: measured one at a time.

A whole picture is in memory only while it is measured; a few small copies wait for the networks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.config.schema.picture_sets import GatesConfig, PictureFilters
from stickerforge.data.pictures import OPAQUE, VISIBLE, load_picture
from stickerforge.errors import InputError
from stickerforge.generation.clear_grounds import names_no_ground
from stickerforge.models.encoders import Encoder, encode_texts, load_encoder
from stickerforge.models.hub import JUDGES, encoder_repository
from stickerforge.models.picture_safety import SafetyClassifier, load_safety
from stickerforge.models.text_area import TextArea, can_find_text, load_text_area
from stickerforge.runtime.console import Console
from stickerforge.stickers.color import WHITE
from stickerforge.stickers.image_reader import DecodedImage
from stickerforge.stickers.perceptual_hash import color_grid, perceptual_hash

JUDGE_SCORE = 0.2  # least cosine by a judge: of what sticker-mini draws 2 % lie below it
BATCH = 16  # pictures that go through a network together
WORKING_SIDE = 512  # of their copies


@dataclass(frozen=True)
class Entry:
    """A picture that is judged.

    Args:
        group: within which nearly the same pictures are looked for.
    """

    path: Path
    caption: str
    group: str = ""


@dataclass(frozen=True)
class Removal:
    """A picture that one filter took out.

    Args:
        entry: its number.
        name: of the filter.
        value: what was measured.
        limit: that it did not keep.
        note: more about it, or "".
        other: the file's name of the picture that it repeats, or "".
    """

    entry: int
    name: str
    value: float
    limit: float
    note: str = ""
    other: str = ""


@dataclass
class Screened:
    """What came of the single pictures.

    Args:
        removed: by entry.
        unreadable: {entry: why it cannot be read}.
        scores: cosines of pictures and captions, by entry, where an encoder was asked.
        pixels: how many the files have, by entry.
        hashes, grids, vectors: of those that stay, by entry.
        figures: {measure: values of all pictures that it was taken of}, for the report.
    """

    removed: dict[int, Removal] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=dict)
    hashes: dict[int, np.uint64] = field(default_factory=dict)
    grids: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    vectors: dict[int, NDArray[np.float16]] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Screens:
    """The networks that pictures are judged by; None for what is not asked for."""

    encoder: Encoder | None
    text_area: TextArea | None
    safety: SafetyClassifier | None


def load_screens(
    settings: PictureFilters, console: Console, *, device: str = "cpu", offline: bool = False
) -> Screens:
    """What the settings ask for; warns of an encoder that nothing asks for.

    Raises:
        InputError: a model is no such model, or the encoder reads no text and must.
        EnvironmentFault: one cannot be had here, or the package that finds text.
    """
    safety, encoder, say = None, None, console.say
    if isinstance(settings, GatesConfig) and settings.safety:
        safety = load_safety(
            settings.safety, settings.safety_labels, device=device, offline=offline, say=say
        )
    encoder_repository(settings.encoder)  # says where nothing is called that
    if needs_encoder(settings):
        encoder = load_encoder(settings.encoder, device=device, offline=offline, say=say)
    elif settings.encoder not in JUDGES:
        console.warn(
            f"{settings.encoder} compares nothing: give prompt_score, prompt_share or duplicates"
        )
    if encoder is not None and needs_score(settings) and not encoder.reads_text:
        raise InputError(
            f"the encoder {encoder.name} reads no text, so it cannot compare pictures with prompts",
            "give judge, second, clip or siglip, or leave prompt_score, prompt_share and best out",
        )
    wants_text = settings.text == "on" or (settings.text == "auto" and can_find_text())
    return Screens(encoder, load_text_area() if wants_text else None, safety)


def needs_encoder(settings: PictureFilters) -> bool:
    """Whether pictures are compared with their captions, or with each other by an encoder."""
    return needs_score(settings) or needs_vectors(settings)


def needs_vectors(settings: PictureFilters) -> bool:
    """Whether pictures are compared with each other by an encoder."""
    return settings.duplicates in ("encoder", "either", "both")


def needs_score(settings: PictureFilters) -> bool:
    """Whether pictures are compared with their captions."""
    best = settings.best if isinstance(settings, GatesConfig) else 0
    return score_limit(settings) is not None or settings.prompt_share > 0 or best > 0


def score_limit(settings: PictureFilters) -> float | None:
    """The least cosine of a picture and its caption; None for none."""
    if settings.prompt_score is None:
        return JUDGE_SCORE if settings.encoder in JUDGES else None
    return settings.prompt_score if settings.prompt_score > -1 else None


def screen_pictures(
    entries: Sequence[Entry],
    settings: PictureFilters,
    screens: Screens,
    advance: Callable[[int], None],
) -> Screened:
    """Measure every picture, and take out those that one of the limits of single pictures rejects.

    Args:
        advance: called with the number of pictures that are done.
    """
    result = Screened()
    waiting: list[tuple[int, Image.Image]] = []
    for number, entry in enumerate(entries):
        if (copy := screen_shape(number, entry, settings, result)) is not None:
            waiting.append((number, copy))
        if len(waiting) == BATCH:
            screen_content(waiting, entries, settings, screens, result)
            waiting = []
        advance(1)
    if waiting:
        screen_content(waiting, entries, settings, screens, result)
    return result


def screen_shape(
    number: int, entry: Entry, settings: PictureFilters, result: Screened
) -> Image.Image | None:
    """What is known of a picture without a network, into the result.

    Returns:
        A copy for the networks; None where it cannot be read, or is taken out already.
    """
    try:
        decoded = load_picture(entry.path)[1]
    except InputError as error:
        result.unreadable[number] = error.message
        return None
    result.pixels[number] = decoded.size[0] * decoded.size[1]
    fault = next(shape_faults(number, entry, decoded, settings, result.figures), None)
    if fault is not None:
        result.removed[number] = fault
        return None
    if settings.duplicates != "off":
        result.hashes[number] = perceptual_hash(decoded.rgba)
        result.grids[number] = color_grid(decoded.rgba)
    return working_copy(decoded)


def shape_faults(
    number: int,
    entry: Entry,
    decoded: DecodedImage,
    settings: PictureFilters,
    figures: dict[str, list[float]],
) -> Iterator[Removal]:
    """What is wrong with the size and the alpha of a picture; one after the other is measured."""
    side = min(decoded.size)
    figures.setdefault("size", []).append(side)
    if side < settings.min_side:
        yield Removal(number, "size", side, settings.min_side)
    alpha = decoded.rgba[..., 3]
    if bool((alpha > OPAQUE).all()):
        if settings.alpha == "required":
            yield Removal(number, "alpha", 1.0, 1.0, "no pixel is transparent")
        if not isinstance(settings, GatesConfig):  # a photograph covers all of its square
            return
    visible = alpha > VISIBLE
    coverage = float(visible.mean())
    figures.setdefault("coverage", []).append(coverage)
    if coverage < settings.coverage_min:
        yield Removal(number, "coverage", coverage, settings.coverage_min, "nearly empty")
    if not names_no_ground(entry.caption):
        return
    if coverage > settings.coverage_max:
        yield Removal(number, "coverage", coverage, settings.coverage_max, "fills its square")
    edge = border_share(visible)
    figures.setdefault("border", []).append(edge)
    if edge > settings.border:
        yield Removal(number, "border", edge, settings.border)


def border_share(visible: NDArray[np.bool_]) -> float:
    """The share of the outermost pixels of (H, W) that are visible."""
    sides = (visible[0], visible[-1], visible[1:-1, 0], visible[1:-1, -1])
    return float(np.concatenate(sides).mean())


def working_copy(decoded: DecodedImage) -> Image.Image:
    """A picture as the networks are given it: RGBA, at most `WORKING_SIDE` on a side."""
    image = Image.fromarray(decoded.rgba)
    if max(image.size) <= WORKING_SIDE:
        return image
    small = image.convert("RGBa")
    small.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    return small.convert("RGBA")


def screen_content(
    waiting: Sequence[tuple[int, Image.Image]],
    entries: Sequence[Entry],
    settings: PictureFilters,
    screens: Screens,
    result: Screened,
) -> None:
    """What the networks say of some pictures, into the result."""
    numbers, images = [number for number, _ in waiting], [image for _, image in waiting]
    score_prompts(numbers, images, entries, settings, screens.encoder, result)
    if screens.safety is not None and isinstance(settings, GatesConfig):
        for number, unsafe in zip(numbers, screens.safety.scores(images), strict=True):
            result.figures.setdefault("safety", []).append(unsafe)
            if unsafe > settings.safety_limit:
                limit = settings.safety_limit
                result.removed.setdefault(number, Removal(number, "safety", unsafe, limit))
    if screens.text_area is not None:
        for number, image in waiting:
            if number not in result.removed:
                area = screens.text_area(image)
                result.figures.setdefault("text", []).append(area)
                if area > settings.text_area:
                    result.removed[number] = Removal(number, "text", area, settings.text_area)
    for number in numbers:
        if number in result.removed:
            for kept in (result.hashes, result.grids, result.vectors):
                kept.pop(number, None)


def score_prompts(
    numbers: Sequence[int],
    images: Sequence[Image.Image],
    entries: Sequence[Entry],
    settings: PictureFilters,
    encoder: Encoder | None,
    result: Screened,
) -> None:
    """Vectors of some pictures, and their cosines with the captions, into the result."""
    if encoder is None:
        return
    vectors = encoder.images(images, WHITE)
    if needs_vectors(settings):
        result.vectors |= dict(zip(numbers, vectors.astype(np.float16), strict=True))
    if not needs_score(settings):
        return
    texts = encode_texts(encoder, [entries[number].caption for number in numbers])
    cosines, limit = (vectors.astype(np.float64) * texts).sum(1), score_limit(settings)
    for number, cosine in zip(numbers, cosines.tolist(), strict=True):
        result.scores[number] = cosine
        result.figures.setdefault("prompt", []).append(cosine)
        if limit is not None and cosine < limit:
            result.removed[number] = Removal(number, "prompt", cosine, limit)
