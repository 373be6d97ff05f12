"""From pictures to training examples: captions, rectangles, latents."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stickerforge.commands.courses import Plan
from stickerforge.commands.masks import Masks, on_latents
from stickerforge.config.styles import styles
from stickerforge.data.captions import Caption, mentions, sidecar, style_caption, subject_caption
from stickerforge.data.pictures import Folder, Picture
from stickerforge.errors import InputError
from stickerforge.models.words import is_known, known_words, unseen_warning, unseen_words
from stickerforge.runtime.messages import Messages

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.family import Family
    from stickerforge.training.examples import Example


@dataclass(frozen=True)
class References:
    """Everything that the loop is given."""

    examples: "list[Example]"
    digest: str  # of pictures, captions and masks


def references(family: "Family", whole: Plan, folder: Folder, counting: Masks, messages: Messages) -> References:
    """Encode every picture once, one at a time, so that the bytes do not depend on their company.

    Raises:
        InputError: a picture, its caption or its mask cannot be used.
    """
    import torch

    from stickerforge.data.buckets import framed, on_white
    from stickerforge.training.examples import Example

    examples = []
    for picture in folder.pictures:
        rgba = picture.rgba()
        ready = framed(rgba, whole.resolution, family.multiple, counting.of(picture, rgba))
        if ready.mask is not None and not ready.mask.any():
            raise InputError(
                f"{picture.path.name}: what counts of it lies outside of the middle, which is trained on",
                "crop the picture around it" + (", or give --mask none" if whole.config.mask == "auto" else ""),
            )
        planes = ready.premultiplied if family.has_alpha else on_white(ready.premultiplied)
        with torch.no_grad():
            mean, deviation = family.encode(torch.from_numpy(planes)[None])
        caption = Caption(*captioned(whole, picture, "", messages))
        check_length(family, whole, caption, picture, messages)
        weight = on_latents(ready.mask, mean[0])
        examples.append(Example(picture.path.name, caption, mean[0].cpu(), deviation[0].cpu(), ready.frame, weight))
    said = [example.caption.base.replace(whole.phrase, " ") if whole.phrase else example.caption.base for example in examples]
    if unseen := unseen_words(said, known_words(whole.card)):
        messages.warn(f"captions: {unseen_warning(whole.card, unseen)}")
    if whole.placeholder:
        examples = [with_look(whole, picture, example) for picture, example in zip(folder.pictures, examples, strict=True)]
    described = [
        [picture.sha256, example.caption.text, example.caption.base, digest_of(example.weight)]
        for picture, example in zip(folder.pictures, examples, strict=True)
    ]
    return References(examples, hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16])


def digest_of(weight: "Tensor | None") -> str:
    """Of a mask; "" where there is none."""
    return "" if weight is None else hashlib.sha256(weight.numpy().tobytes()).hexdigest()[:16]


def captioned(whole: Plan, picture: Picture, style: str, messages: Messages) -> tuple[str, str]:
    """(caption, the same without the new word) of one picture."""
    said = sidecar(picture.path)
    if whole.placeholder:
        if said and whole.placeholder not in said and not mentions(said, whole.words):
            messages.warn(f"the caption of {picture.path.name} names neither {whole.placeholder} nor {whole.words!r}: it is set before it")
        caption = subject_caption(said, whole.placeholder, whole.words, photo=picture.opaque, style=style)
    else:
        known = known_words(whole.card)
        caption = style_caption(said, picture.path, whole.phrase, lambda text: not known or all(is_known(w, known) for w in text.split()))
    return caption.text, caption.base


def check_length(family: "Family", whole: Plan, caption: Caption, picture: Picture, messages: Messages) -> None:
    """Say what of a caption is not read.

    Raises:
        InputError: the new word is.
    """
    if not (rest := family.unread(caption.base)):
        return
    where = len(caption.text.split(whole.placeholder)[0]) if whole.placeholder else 0
    if whole.placeholder and family.unread(caption.text[:where] + whole.words):
        raise InputError(f"the caption of {picture.path.name} mentions {whole.placeholder} too late to be read", "shorten it")
    messages.warn(f"the caption of {picture.path.name} is too long; not read: {rest[:60]!r}")


def with_look(whole: Plan, picture: Picture, example: "Example") -> "Example":
    """The example with the look of a drawing in its caption, where the model knows looks by words of its own.

    Otherwise the new word would learn the look as well, and bring it into every other style.
    """
    if picture.opaque or sidecar(picture.path) or not whole.card.words_file:
        return example
    look = recognised(picture)
    words = next((style.words for style in styles().values() if look and look in style.words.split()), "")
    return replace(example, caption=Caption(*captioned(whole, picture, words, Messages(quiet=True)))) if words else example


def recognised(picture: Picture, surely: float = 0.5) -> str:
    """The style of a drawing as the second judge sees it; "" where it is not sure, or would not know such a style."""
    from PIL import Image

    from stickerforge.models.judges import judging

    judge = judging("second")
    chances = judge.read(judge.pictures([Image.fromarray(picture.rgba())])).style.softmax(1)[0]
    return judge.styles[int(chances.argmax())] if float(chances.max()) >= surely else ""


def captions_file(examples: "Sequence[Example]", folder: Folder) -> bytes:
    """captions.jsonl of a run: which picture was called what."""
    rows = [
        {"picture": str(picture.path), "sha256": picture.sha256, "caption": example.caption.text, "base_caption": example.caption.base}
        for picture, example in zip(folder.pictures, examples, strict=True)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
