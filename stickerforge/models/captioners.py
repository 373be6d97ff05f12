"""What says in words what a picture shows: the embedded captioner, or an image-text model of transformers."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from PIL import Image

from stickerforge.errors import InputError
from stickerforge.evaluation import appearance
from stickerforge.evaluation.facts import NUMBERS
from stickerforge.evaluation.wording import articled, plural
from stickerforge.models.catalog import fetched
from stickerforge.models.encoders import BROKEN, readable, whole
from stickerforge.models.judges import judging, on_ground
from stickerforge.models.weights import fingerprint_of
from stickerforge.runtime.device import chosen_device, out_of_memory
from stickerforge.runtime.messages import Messages

Form = Literal["short", "long", "tags"]
EMBEDDED = "embedded"
LONGEST = 2000  # characters of a caption
SIDE = 128  # at which pictures are looked at without a model
SURE, SURE_STYLE = 0.5, 0.35  # chances from which the judge's word for a second thing and for a style is taken
WANTED = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
WORDS = {number: word for word, number in NUMBERS.items() if word.isalpha()}
ASKED: dict[Form, str] = {
    "short": "Describe the {} in this picture in at most eight words.",
    "long": "Describe this picture in one sentence: the {}, its pose or the shot, the background, and the style of the picture. "
    "Name the {} once. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, the first of them {}.",
}
OPEN: dict[Form, str] = {  # where nobody has said what is shown
    "short": "Describe this picture in at most eight words.",
    "long": "Describe this picture in one sentence: what it shows, the shot, the background, and its style. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, the main thing first.",
}
FLORENCE: dict[Form, str] = {"short": "<CAPTION>", "long": "<DETAILED_CAPTION>", "tags": "<CAPTION>"}
LENGTHS: dict[Form, int] = {"short": 24, "long": 96, "tags": 48}  # tokens
OPENINGS = re.compile(
    r"^(?:(?:sure|certainly|of course)[^.:!]*[.:!]\s*)?"
    r"(?:in (?:this|the) (?:image|picture|photo|photograph)s?,?\s+(?:(?:we can see|there is|there are|you see)\s+)?"
    r"|(?:this|the|these) (?:image|picture|photo|photograph)s?\s+"
    r"(?:shows?|depicts?|features?|contains?|displays?|captures?|presents?|portrays?|is of|are of|is|are)\s+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Asked:
    """What captions are to be.

    Args:
        words: the class of what all pictures show ("dog"), or "" where they show different things.
        token: its new word, which stands in the class's place; "" likewise.
        check: called now and then; raises where the work is to stop.
    """

    words: str
    token: str
    form: Form
    check: Callable[[], None] = lambda: None


class Captioner(Protocol):
    """One of them.

    Args:
        name: what captions.jsonl calls it.
        digest: changes with its weights.
    """

    name: str
    digest: str

    def captions(self, pictures: Sequence[Image.Image], which: Sequence[int], asked: Asked) -> Iterator[str | InputError]:
        """A caption for each of some pictures, in order, or why there is none.

        Args:
            pictures: all of the folder, which may say what they have in common.
            which: those to be captioned.
        """


@dataclass(frozen=True)
class Seen:
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
    ground: appearance.GroundSeen
    size: str
    place: str


class Embedded:
    """The second judge, which reads things, style and count, and plain analysis: colours, framing, ground."""

    name = EMBEDDED

    def __init__(self) -> None:
        self.judge = judging("second")
        self.digest = self.judge.sha256[:16]

    def captions(self, pictures: Sequence[Image.Image], which: Sequence[int], asked: Asked) -> Iterator[str | InputError]:
        """See Captioner. Colours that all pictures of one subject share belong to it, and are not said: its new word is to learn them."""
        seen = {}
        for index in range(len(pictures)) if asked.words else which:
            asked.check()
            seen[index] = self.look(pictures[index])
        known = [set(one.colours) for one in seen.values() if one.colours]
        shared = reduce(set.intersection, known) if asked.words and len(known) > 1 else set()
        for index in which:
            yield told(seen[index], asked, tuple(colour for colour in seen[index].colours if colour not in shared))

    def look(self, picture: Image.Image) -> Seen:
        """Read one picture."""
        small = picture.convert("RGBA")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        rgba = np.asarray(small)
        rgb, clear = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3] < 128
        ground = appearance.ground_of(rgb, clear)
        drawn = appearance.is_drawn(rgb, clear, ground.figure)
        alone = rgba.copy()
        if ground.kind != "clear":  # a style is read by its palette, which that of the ground would spoil
            alone[..., 3] = np.where(ground.figure, 255, 0)
        read = self.judge.read(self.judge.pictures([Image.fromarray(alone), small]))
        style, presence = read.style.softmax(1)[0], read.presence.sigmoid()[0]
        count = int(read.count[0].argmax()) + 1
        first = self.judge.labels[int(read.subject.log_softmax(1).sum(0).argmax())]  # cut out and as it is: each sees what the other misses
        others = [self.judge.labels[i] for i in presence.topk(3).indices.tolist() if float(presence[i]) >= SURE]
        second = [label for label in others if label != first][:1] if count == 2 else []
        size, place = appearance.framing(ground.figure)
        named = self.judge.styles[int(style.argmax())] if drawn and float(style.max()) >= SURE_STYLE else ""
        # Where the ground is busy nobody knows what is figure.
        colours = () if ground.kind == "busy" else appearance.palette(rgb, ground.figure & ~clear)
        return Seen(tuple(map(self.plain, (first, *second))), count, named, drawn, colours, ground, size, place)

    def plain(self, label: str) -> str:
        """What people say: "cat" for "cat face", of which there is a whole one too; the faces of people keep their names."""
        short = label.removesuffix(" face")
        return short if short in self.judge.label_of else label


def told(seen: Seen, asked: Asked, colours: tuple[str, ...]) -> str:
    """A caption of what was seen.

    Args:
        colours: those to be said.
    """
    noun = asked.words or named(seen)
    single = bool(asked.words) or (seen.count == 1 and len(seen.things) == 1)
    behind, style = ground_phrase(seen.ground), f"in {seen.style} style" if seen.style else ""
    if asked.form == "tags":
        ground = re.sub(r"^on an? ", "", behind)
        look = style.removeprefix("in ") if seen.drawn else "photo"
        return ", ".join(filter(None, [asked.token or noun, *colours, seen.size, ground, look]))
    long = asked.form == "long"
    attributes = [*(["small"] if seen.drawn and seen.size == "small" else []), " and ".join(colours[:2])] if long and single else []
    phrase = articled(" ".join(filter(None, [*attributes, noun]))) if single else noun
    if asked.token:  # the last mention: the class may be a colour too
        phrase = phrase.removesuffix(noun) + asked.token
    if not seen.drawn:
        phrase = f"a {'close-up ' if seen.size == 'close-up' and long else ''}photo of {phrase}"
    if not long:
        return ", ".join(filter(None, [phrase, style]))
    return ", ".join(filter(None, [f"{phrase} {seen.place}".strip(), behind, style]))


def named(seen: Seen) -> str:
    """What the judge calls the things: "cat", "three cats", "a cat and a house"."""
    if len(seen.things) > 1:
        return " and ".join(articled(thing) for thing in seen.things)
    return f"{WORDS[seen.count]} {plural(seen.things[0])}" if seen.count > 1 else seen.things[0]


def ground_phrase(ground: appearance.GroundSeen) -> str:
    """How a caption says what is behind."""
    if ground.kind == "fading" and len(ground.colours) > 1:
        return f"on a background that fades from {ground.colours[0]} to {ground.colours[1]}"
    look = " patterned" if ground.kind == "patterned" else ""
    return f"on {articled(' and '.join(ground.colours))}{look} background" if ground.colours else ""


class ImageText:
    """An image-text model of transformers: one with a chat template, BLIP, or Florence-2; no code of its folder is ever run."""

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.name, self.device, self.digest = name, device, fingerprint_of(sorted(folder.glob("*.*")))
        with readable(folder, "an image-text model that transformers knows"):
            self.processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            self.model: Any = whole(AutoModelForImageTextToText, folder).to(device).eval()
            self.kind = "chat" if getattr(self.processor, "chat_template", None) else str(self.model.config.model_type)
            self.said(Image.new("RGB", (64, 64)), "thing", "short")

    def captions(self, pictures: Sequence[Image.Image], which: Sequence[int], asked: Asked) -> Iterator[str | InputError]:
        """See Captioner.

        Raises:
            EnvironmentFault: out of memory.
        """
        for index in which:
            asked.check()
            try:
                yield tidied(self.said(pictures[index], asked.words, asked.form), asked.form)
            except BROKEN as error:
                if memory := out_of_memory(error, "use a smaller captioner, or --device cpu"):
                    raise memory from error
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
                yield InputError(f"{self.name} fails on it: {reason}", "use another --captioner")

    @torch.inference_mode()
    def said(self, picture: Image.Image, words: str, form: Form) -> str:
        """What the model says, as it says it."""
        image = on_ground(picture, (255, 255, 255))
        if self.kind == "chat":
            question = ASKED[form].replace("{}", words) if words else OPEN[form]
            content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
            inputs = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
        elif self.kind == "florence2":
            inputs = self.processor(images=image, text=FLORENCE[form], return_tensors="pt")
        else:
            inputs = self.processor(images=image, return_tensors="pt")
        made = self.model.generate(**inputs.to(self.device), do_sample=False, num_beams=1, max_new_tokens=LENGTHS[form])
        answer = made[0, inputs["input_ids"].shape[1] :] if self.kind == "chat" else made[0]
        return str(self.processor.tokenizer.decode(answer, skip_special_tokens=True))


def tidied(text: str, form: Form) -> str:
    """One line without openings, quotes, brackets, unprintable signs and half sentences."""
    line = "".join(sign for sign in re.sub(r"[<>\"“”*#`]", "", " ".join(text.split())) if sign.isprintable())
    line = OPENINGS.sub("", line.strip(" '"))
    if form != "tags" and ". " in line:  # what comes after the first sentences may be cut short
        whole = re.findall(r".*?[.!?](?=\s|$)", line)
        line = "".join(whole if form == "long" else whole[:1]) or line
    return " ".join(line.split()).strip(" .,'")[:LONGEST]


def captioner(name: str, *, device: str, offline: bool, messages: Messages) -> Captioner:
    """A captioner by name: "embedded", a folder, or owner/name of the hub.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: the weights cannot be had here.
    """
    chosen = chosen_device(device)
    if name == EMBEDDED:
        return Embedded()
    folder = Path(name).expanduser()
    if not folder.exists():
        if "/" not in name:
            raise InputError(f"unknown captioner {name!r}", "give embedded, a transformers folder, or owner/name of the hub")
        folder = fetched(name, offline=offline, say=messages.say, wanted=WANTED)
    if not folder.is_dir():
        raise InputError(f"{name} is a file, not a model folder", "give a transformers folder")
    return ImageText(name if "/" in name and not Path(name).expanduser().exists() else folder.resolve().name, folder, chosen)
