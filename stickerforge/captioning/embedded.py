"""The captioner that ships: the second judge, and plain image analysis."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from PIL import Image

from stickerforge.captioning import image_analysis
from stickerforge.captioning.captioner import CaptionRequest
from stickerforge.data.english import NUMBERS, plural, with_article
from stickerforge.errors import InputError
from stickerforge.models.judge.model import load_judge

NAME = "embedded"
SIDE = 128  # at which pictures are looked at without a model
SURE, SURE_STYLE = (
    0.5,
    0.35,
)  # chances from which the judge's word for a second thing and for a style is taken
NUMBER_WORDS = {number: word for word, number in NUMBERS.items() if word.isalpha()}


@dataclass(frozen=True)
class Analysis:
    """What the embedded captioner sees in a picture.

    Args:
        things: labels, the likeliest first.
        count: of all things together.
        style: "" where the judge is not sure, or the picture is a photograph.
        colours: names of those that make up the figure, where it is known.
    """

    things: tuple[str, ...]
    count: int
    style: str
    drawn: bool
    colours: tuple[str, ...]
    ground: image_analysis.Background
    size: str
    place: str


class EmbeddedCaptioner:
    """The second judge, which reads things, style and count, and plain analysis: colours, framing, ground."""

    name = NAME

    def __init__(self) -> None:
        self.judge = load_judge("second")
        self.digest = self.judge.sha256[:16]

    def captions(
        self, pictures: Sequence[Image.Image], which: Sequence[int], asked: CaptionRequest
    ) -> Iterator[str | InputError]:
        """See Captioner. Colours that all pictures of one subject share belong to it, and are not said: its new word is to learn them."""
        seen = {}
        for index in range(len(pictures)) if asked.words else which:
            asked.check()
            seen[index] = self.look(pictures[index])
        known = [set(one.colours) for one in seen.values() if one.colours]
        shared = reduce(set.intersection, known) if asked.words and len(known) > 1 else set()
        for index in which:
            yield compose_caption(
                seen[index],
                asked,
                tuple(colour for colour in seen[index].colours if colour not in shared),
            )

    def look(self, picture: Image.Image) -> Analysis:
        """Read one picture."""
        small = picture.convert("RGBA")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        rgba = np.asarray(small)
        rgb, clear = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3] < 128
        ground = image_analysis.analyze_background(rgb, clear)
        drawn = image_analysis.is_drawn(rgb, clear, ground.figure)
        alone = rgba.copy()
        if (
            ground.kind != "clear"
        ):  # a style is read by its palette, which that of the ground would spoil
            alone[..., 3] = np.where(ground.figure, 255, 0)
        read = self.judge.read(self.judge.pictures([Image.fromarray(alone), small]))
        style, presence = read.style.softmax(1)[0], read.presence.sigmoid()[0]
        count = int(read.count[0].argmax()) + 1
        first = self.judge.labels[
            int(read.subject.log_softmax(1).sum(0).argmax())
        ]  # cut out and as it is: each sees what the other misses
        others = [
            self.judge.labels[i]
            for i in presence.topk(3).indices.tolist()
            if float(presence[i]) >= SURE
        ]
        second = [label for label in others if label != first][:1] if count == 2 else []
        size, place = image_analysis.framing(ground.figure)
        named = (
            self.judge.styles[int(style.argmax())]
            if drawn and float(style.max()) >= SURE_STYLE
            else ""
        )
        # Where the ground is busy nobody knows what is figure.
        colours = (
            ()
            if ground.kind == "busy"
            else image_analysis.dominant_colors(rgb, ground.figure & ~clear)
        )
        return Analysis(
            tuple(map(self.plain, (first, *second))),
            count,
            named,
            drawn,
            colours,
            ground,
            size,
            place,
        )

    def plain(self, label: str) -> str:
        """What people say: "cat" for "cat face", of which there is a whole one too; the faces of people keep their names."""
        short = label.removesuffix(" face")
        return short if short in self.judge.label_of else label


def compose_caption(seen: Analysis, asked: CaptionRequest, colours: tuple[str, ...]) -> str:
    """A caption of what was seen.

    Args:
        colours: those to be said.
    """
    noun = asked.words or name_subject(seen)
    single = bool(asked.words) or (seen.count == 1 and len(seen.things) == 1)
    behind, style = background_phrase(seen.ground), f"in {seen.style} style" if seen.style else ""
    if asked.form == "tags":
        ground = re.sub(r"^on an? ", "", behind)
        look = style.removeprefix("in ") if seen.drawn else "photo"
        return ", ".join(filter(None, [asked.token or noun, *colours, seen.size, ground, look]))
    long = asked.form == "long"
    attributes = (
        [*(["small"] if seen.drawn and seen.size == "small" else []), " and ".join(colours[:2])]
        if long and single
        else []
    )
    phrase = with_article(" ".join(filter(None, [*attributes, noun]))) if single else noun
    if asked.token:  # the last mention: the class may be a colour too
        phrase = phrase.removesuffix(noun) + asked.token
    if not seen.drawn:
        phrase = f"a {'close-up ' if seen.size == 'close-up' and long else ''}photo of {phrase}"
    if not long:
        return ", ".join(filter(None, [phrase, style]))
    return ", ".join(filter(None, [f"{phrase} {seen.place}".strip(), behind, style]))


def name_subject(seen: Analysis) -> str:
    """What the judge calls the things: "cat", "three cats", "a cat and a house"."""
    if len(seen.things) > 1:
        return " and ".join(with_article(thing) for thing in seen.things)
    return (
        f"{NUMBER_WORDS[seen.count]} {plural(seen.things[0])}" if seen.count > 1 else seen.things[0]
    )


def background_phrase(ground: image_analysis.Background) -> str:
    """How a caption says what is behind."""
    if ground.kind == "fading" and len(ground.colours) > 1:
        return f"on a background that fades from {ground.colours[0]} to {ground.colours[1]}"
    look = " patterned" if ground.kind == "patterned" else ""
    return (
        f"on {with_article(' and '.join(ground.colours))}{look} background"
        if ground.colours
        else ""
    )
