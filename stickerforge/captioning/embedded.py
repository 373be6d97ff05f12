"""The captioner that ships: the second judge, and plain image analysis."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from PIL import Image

from stickerforge.captioning.captioner import CaptionRequest
from stickerforge.captioning.image_analysis import (
    Background,
    analyze_background,
    dominant_colors,
    framing,
)
from stickerforge.data.english import NUMBERS, plural, with_article
from stickerforge.errors import InputError
from stickerforge.models.judge.model import load_judge
from stickerforge.stickers.photographs import is_photograph

NAME = "embedded"
SIDE = 128  # of the pictures that are analyzed
SECOND_THING = 0.5  # probability from which the judge is believed about a second thing
NUMBER_WORDS = {number: word for word, number in NUMBERS.items() if word.isalpha()}


@dataclass(frozen=True)
class Analysis:
    """What the embedded captioner sees in a picture.

    Args:
        things: labels, the likeliest first.
        count: of all things together.
        style: "" where the judge is not sure, or the picture is a photograph.
        drawing: whether it is drawn, not photographed.
        colors: names of those that make up the figure, where it is known.
        size, position: see `framing`.
    """

    things: tuple[str, ...]
    count: int
    style: str
    drawing: bool
    colors: tuple[str, ...]
    background: Background
    size: str
    position: str


class EmbeddedCaptioner:
    """The second judge reads things, style and count; plain analysis colours and composition."""

    name = NAME

    def __init__(self) -> None:
        self.judge = load_judge("second")
        self.digest = self.judge.sha256[:16]

    def captions(
        self, pictures: Sequence[Image.Image], indices: Sequence[int], request: CaptionRequest
    ) -> Iterator[str | InputError]:
        """See Captioner.

        Colours that all pictures of one subject share belong to it, and captions leave them out,
        so that the placeholder learns them.
        """
        analyses, faults = dict[int, Analysis](), dict[int, InputError]()
        for index in range(len(pictures)) if request.class_words else indices:
            request.check()
            try:
                known = request.photographs[index] if request.photographs else None
                analyses[index] = self.analyze(pictures[index], photograph=known)
            except InputError as error:
                faults[index] = error
        shared = shared_colors(analyses.values()) if request.class_words else set()
        for index in indices:
            if index in faults:
                yield faults[index]
                continue
            colors = tuple(color for color in analyses[index].colors if color not in shared)
            yield compose_caption(analyses[index], request, colors)

    def analyze(self, picture: Image.Image, *, photograph: bool | None = None) -> Analysis:
        """Things, style, colours and composition of one picture.

        Args:
            photograph: whether it is one; None where that is to be told from its pixels.
        """
        small = picture.convert("RGBA")
        drawing = not (is_photograph(np.asarray(small)) if photograph is None else photograph)
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        rgba = np.asarray(small)
        rgb, clear = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3] < 128
        background = analyze_background(rgb, clear)
        cutout = rgba.copy()
        if background.kind != "clear":
            # A style is read by its palette, which that of the background would spoil.
            cutout[..., 3] = np.where(background.foreground, 255, 0)
        things, count, style = self.read(Image.fromarray(cutout), small)
        # On a busy background nobody knows what belongs to the figure.
        busy = background.kind == "busy"
        colors = () if busy else dominant_colors(rgb, background.foreground & ~clear)
        size, position = framing(background.foreground)
        return Analysis(
            things, count, style if drawing else "", drawing, colors, background, size, position
        )

    def read(self, cutout: Image.Image, picture: Image.Image) -> tuple[tuple[str, ...], int, str]:
        """What the judge reads in a picture and in its cut-out: (things, count, style or "")."""
        readings = self.judge.read(self.judge.pictures([cutout, picture]))
        presence = readings.presence.sigmoid()[0]
        count = int(readings.count[0].argmax()) + 1
        labels = self.judge.labels
        # Both pictures vote: each shows what the other misses.
        first = labels[int(readings.subject.log_softmax(1).sum(0).argmax())]
        likely = [i for i in presence.topk(3).indices.tolist() if presence[i] >= SECOND_THING]
        second = [labels[i] for i in likely if labels[i] != first][:1] if count == 2 else []
        style = self.judge.sure_style(readings.style[0])
        return tuple(map(self.plain_name, (first, *second))), count, style

    def plain_name(self, label: str) -> str:
        """What people call a label: "cat face" is a cat, since there is a label "cat" too.

        The faces of people keep their names.
        """
        short = label.removesuffix(" face")
        return short if short in self.judge.label_of else label


def shared_colors(analyses: Iterable[Analysis]) -> set[str]:
    """Colours that all figures have whose colours are known; none of a single one."""
    known = [set(analysis.colors) for analysis in analyses if analysis.colors]
    return reduce(set.intersection, known) if len(known) > 1 else set()


def compose_caption(analysis: Analysis, request: CaptionRequest, colors: tuple[str, ...]) -> str:
    """A caption of what was seen.

    Args:
        colors: those to be named.
    """
    noun = request.class_words or name_things(analysis.things, analysis.count)
    behind = background_phrase(analysis.background)
    style = f"in {analysis.style} style" if analysis.style else ""
    if request.form == "tags":
        background = re.sub(r"^on an? ", "", behind)
        kind = style.removeprefix("in ") if analysis.drawing else "photo"
        first = request.placeholder or noun
        return join(", ", [first, *colors, analysis.size, background, kind])
    long = request.form == "long"
    phrase = noun
    if request.class_words or (analysis.count == 1 and len(analysis.things) == 1):
        small = "small" if analysis.drawing and analysis.size == "small" else ""
        adjectives = [small, " and ".join(colors[:2])] if long else []
        phrase = with_article(join(" ", [*adjectives, noun]))
    if request.placeholder:  # for the last mention: the class may be a colour too
        phrase = phrase.removesuffix(noun) + request.placeholder
    if not analysis.drawing:
        close = "close-up " if analysis.size == "close-up" and long else ""
        phrase = f"a {close}photo of {phrase}"
    if not long:
        return join(", ", [phrase, style])
    return join(", ", [join(" ", [phrase, analysis.position]), behind, style])


def join(separator: str, parts: Iterable[str]) -> str:
    """The parts that are not empty, with a separator between them."""
    return separator.join(part for part in parts if part)


def name_things(things: Sequence[str], count: int) -> str:
    """What the judge calls the things: "cat", "three cats", "a cat and a house"."""
    if len(things) > 1:
        return " and ".join(with_article(thing) for thing in things)
    return f"{NUMBER_WORDS[count]} {plural(things[0])}" if count > 1 else things[0]


def background_phrase(background: Background) -> str:
    """How a caption names what is behind; "" where nothing is known of it."""
    colors = background.colors
    if not colors:
        return ""
    if background.kind == "fading" and len(colors) > 1:
        return f"on a background that fades from {colors[0]} to {colors[1]}"
    pattern = " patterned" if background.kind == "patterned" else ""
    return f"on {with_article(' and '.join(colors))}{pattern} background"
