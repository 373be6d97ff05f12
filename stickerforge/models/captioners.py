"""What says in words what a picture shows: the embedded captioner, or an image-text model of transformers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from PIL import Image

from stickerforge.errors import InputError
from stickerforge.evaluation import appearance
from stickerforge.evaluation.facts import NUMBERS, plurals
from stickerforge.models.catalog import fetched
from stickerforge.models.encoders import BROKEN, readable, whole
from stickerforge.models.judges import judging, on_ground
from stickerforge.models.weights import fingerprint_of
from stickerforge.runtime.device import chosen_device, out_of_memory
from stickerforge.runtime.messages import Messages

Form = Literal["short", "long", "tags"]
EMBEDDED = "embedded"
SIDE = 128  # at which pictures are looked at without a model
SURE = 0.5  # chance from which the judge's word for a style or a second thing is taken
WANTED = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
WORDS = {number: word for word, number in NUMBERS.items() if word.isalpha()}
ASKED: dict[Form, str] = {
    "short": "Describe the {} in this picture in at most eight words.",
    "long": "Describe this picture in one sentence: the {}, its pose or the shot, the background, and the style of the picture. "
    "Name the {} once. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, the first of them {}.",
}
FLORENCE: dict[Form, str] = {"short": "<CAPTION>", "long": "<DETAILED_CAPTION>", "tags": "<CAPTION>"}
LENGTHS: dict[Form, int] = {"short": 24, "long": 96, "tags": 48}  # tokens
OPENINGS = re.compile(
    r"^(?:(?:sure|certainly)[^.:]*[.:]\s*)?(?:(?:in )?(?:this|the) (?:image|picture|photo)(?:graph)?,?\s*"
    r"(?:(?:shows|depicts|features|contains|is of|displays)\s+|(?:we can see|there is|you see)\s+)?)",
    re.IGNORECASE,
)


class Captioner(Protocol):
    """One of them.

    Args:
        name: what captions.jsonl calls it.
        digest: changes with its weights.
    """

    name: str
    digest: str

    def captions(self, pictures: Sequence[Image.Image], words: str, form: Form) -> Iterator[str]:
        """A caption for each picture, in order.

        Args:
            words: the class of what all of them show ("dog"), or "" where they show different things.
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

    def captions(self, pictures: Sequence[Image.Image], words: str, form: Form) -> Iterator[str]:
        """See Captioner. Colours that all pictures of one subject share belong to it, and are not said: its new word is to learn them."""
        seen = [self.look(picture) for picture in pictures]
        shared = reduce(set.intersection, (set(one.colours) for one in seen)) if words and len(seen) > 1 else set()
        for one in seen:
            yield told(one, words, form, tuple(colour for colour in one.colours if colour not in shared))

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
        named = self.judge.styles[int(style.argmax())] if drawn and float(style.max()) >= SURE else ""
        # Where the ground is busy nobody knows what is figure.
        colours = () if ground.kind == "busy" else appearance.palette(rgb, ground.figure & ~clear)
        return Seen((first, *second), count, named, drawn, colours, ground, size, place)


def told(seen: Seen, words: str, form: Form, colours: tuple[str, ...]) -> str:
    """A caption of what was seen.

    Args:
        words: what to call the thing; "" for what the judge calls it.
        colours: those to be said.
    """
    noun = words or named(seen)
    single = bool(words) or (seen.count == 1 and len(seen.things) == 1)
    behind, style = ground_phrase(seen.ground), f"in {seen.style} style" if seen.style else ""
    if form == "tags":
        ground = behind.removeprefix("on ").removeprefix("a ")
        return ", ".join(filter(None, [noun, *colours, seen.size, ground, style.removeprefix("in ") if seen.drawn else "photo"]))
    small, close = seen.drawn and seen.size == "small", seen.size == "close-up"
    attributes = [*(["small"] if small else []), " and ".join(colours[:2])] if form == "long" and single else []
    phrase = articled(" ".join(filter(None, [*attributes, noun]))) if single else noun
    if not seen.drawn:
        phrase = f"a {'close-up ' if close and form == 'long' else ''}photo of {phrase}"
    if form == "short":
        return ", ".join(filter(None, [phrase, style]))
    return ", ".join(filter(None, [f"{phrase} {seen.place}".strip(), behind, style]))


def named(seen: Seen) -> str:
    """What the judge calls the things: "cat", "three cats", "a cat and a house"."""
    plain = [thing.removesuffix(" face") for thing in seen.things]
    if len(plain) > 1:
        return " and ".join(articled(thing) for thing in plain)
    return f"{WORDS[seen.count]} {plurals(plain[0])[-1]}" if seen.count > 1 else plain[0]


def articled(words: str) -> str:
    """With "a" or "an"."""
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def ground_phrase(ground: appearance.GroundSeen) -> str:
    """How a caption says what is behind."""
    if ground.kind == "fading" and len(ground.colours) > 1:
        return f"on a background that fades from {ground.colours[0]} to {ground.colours[1]}"
    return f"on {articled(' and '.join(ground.colours))} background" if ground.colours else ""


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

    def captions(self, pictures: Sequence[Image.Image], words: str, form: Form) -> Iterator[str]:
        """See Captioner.

        Raises:
            InputError: the model cannot cope with a picture.
            EnvironmentFault: out of memory.
        """
        for number, picture in enumerate(pictures):
            try:
                yield tidied(self.said(picture, words or "things", form), form)
            except BROKEN as error:
                if memory := out_of_memory(error, "use a smaller captioner, or --device cpu"):
                    raise memory from error
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
                raise InputError(f"{self.name} fails on picture {number + 1}: {reason}", "use another --captioner") from None

    @torch.inference_mode()
    def said(self, picture: Image.Image, words: str, form: Form) -> str:
        """What the model says, as it says it."""
        image = on_ground(picture, (255, 255, 255))
        if self.kind == "chat":
            asked = [{"type": "image", "image": image}, {"type": "text", "text": ASKED[form].replace("{}", words)}]
            inputs = self.processor.apply_chat_template(
                [{"role": "user", "content": asked}], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
        elif self.kind == "florence2":
            inputs = self.processor(images=image, text=FLORENCE[form], return_tensors="pt")
        else:
            inputs = self.processor(images=image, return_tensors="pt")
        made = self.model.generate(**inputs.to(self.device), do_sample=False, num_beams=1, max_new_tokens=LENGTHS[form])
        answer = made[0, inputs["input_ids"].shape[1] :] if self.kind == "chat" else made[0]
        return str(self.processor.tokenizer.decode(answer, skip_special_tokens=True))


def tidied(text: str, form: Form) -> str:
    """One line without openings, quotes, brackets and half sentences."""
    line = re.sub(r"[<>\"“”*#`]", "", " ".join(text.split())).strip(" '.,")
    line = OPENINGS.sub("", line).strip()
    if form == "long" and len(line) > 200 and ". " in line:
        line = line[: line.rindex(". ", 0, max(201, line.index(". ") + 2))]
    return line.strip(" .,")


def captioner(name: str, *, device: str, offline: bool, messages: Messages) -> Captioner:
    """A captioner by name: "embedded", a folder, or owner/name of the hub.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: the weights cannot be had here.
    """
    if name == EMBEDDED:
        return Embedded()
    folder = Path(name).expanduser()
    if not folder.exists():
        if "/" not in name:
            raise InputError(f"unknown captioner {name!r}", "give embedded, a transformers folder, or owner/name of the hub")
        folder = fetched(name, offline=offline, say=messages.say, wanted=WANTED)
    if not folder.is_dir():
        raise InputError(f"{name} is a file, not a model folder", "give a transformers folder")
    return ImageText(name if "/" in name and not Path(name).expanduser().exists() else folder.resolve().name, folder, chosen_device(device))
