"""From pictures to training examples: captions, rectangles, latents."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stickerforge.config.style_presets import style_presets
from stickerforge.data.captions import (
    Caption,
    check_caption,
    mentions,
    read_caption,
    style_caption,
    subject_caption,
)
from stickerforge.data.pictures import Picture, PictureFolder, describe_skipped
from stickerforge.errors import InputError
from stickerforge.models.vocabulary import is_known, known_words, unknown_warning, unknown_words
from stickerforge.runtime.console import Console
from stickerforge.training.loss_masks import LossMasks, latent_mask
from stickerforge.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.families.base import DiffusionModel
    from stickerforge.training.batches import TrainingExample


def report_folder(folder: PictureFolder, placeholder: str, console: Console) -> None:
    """Say what is left out, and what is unusual.

    Raises:
        InputError: a caption cannot be used.
    """
    for line in describe_skipped(folder):
        console.warn(line)
    for picture in folder.pictures:
        if picture.note:
            console.warn(picture.note)
        check_caption(
            picture.path, placeholder
        )  # a broken caption is better found now than after the model was loaded
    for line in folder.unreadable:
        console.warn(f"left out: {line}")
    if len(folder.pictures) == 1:
        console.warn(
            "one picture only: what is beside the subject will be learned as part of it; three to ten work better"
        )


@dataclass(frozen=True)
class TrainingSet:
    """Everything that the loop is given."""

    examples: "list[TrainingExample]"
    digest: str  # of pictures, captions and masks


def build_training_set(
    family: "DiffusionModel",
    whole: TrainingPlan,
    folder: PictureFolder,
    counting: LossMasks,
    console: Console,
) -> TrainingSet:
    """Encode every picture once, one at a time, so that the bytes do not depend on their company.

    Raises:
        InputError: a picture, its caption or its mask cannot be used.
    """
    import torch

    from stickerforge.data.buckets import crop_to_bucket, on_white
    from stickerforge.training.batches import TrainingExample

    examples = []
    for picture in folder.pictures:
        rgba = picture.rgba()
        ready = crop_to_bucket(rgba, whole.resolution, family.multiple, counting.of(picture, rgba))
        if ready.mask is not None and not ready.mask.any():
            raise InputError(
                f"{picture.path.name}: what counts of it lies outside of the middle, which is trained on",
                "crop the picture around it"
                + (", or give --mask none" if whole.config.mask == "auto" else ""),
            )
        planes = ready.premultiplied if family.has_alpha else on_white(ready.premultiplied)
        with torch.no_grad():
            mean, deviation = family.encode(torch.from_numpy(planes)[None])
        caption = Caption(*caption_of(whole, picture, "", console))
        check_length(family, whole, caption, picture, console)
        weight = latent_mask(ready.mask, mean[0])
        examples.append(
            TrainingExample(
                picture.path.name, caption, mean[0].cpu(), deviation[0].cpu(), ready.frame, weight
            )
        )
    said = [
        example.caption.base.replace(whole.phrase, " ") if whole.phrase else example.caption.base
        for example in examples
    ]
    if unseen := unknown_words(said, known_words(whole.card)):
        console.warn(f"captions: {unknown_warning(whole.card, unseen)}")
    if whole.placeholder:
        examples = [
            add_style(whole, picture, example)
            for picture, example in zip(folder.pictures, examples, strict=True)
        ]
    described = [
        [picture.sha256, example.caption.text, example.caption.base, mask_digest(example.weight)]
        for picture, example in zip(folder.pictures, examples, strict=True)
    ]
    return TrainingSet(examples, hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16])


def mask_digest(weight: "Tensor | None") -> str:
    """Of a mask; "" where there is none."""
    return "" if weight is None else hashlib.sha256(weight.numpy().tobytes()).hexdigest()[:16]


def caption_of(
    whole: TrainingPlan, picture: Picture, style: str, console: Console
) -> tuple[str, str]:
    """(caption, the same without the new word) of one picture."""
    said = read_caption(picture.path)
    if whole.placeholder:
        if said and whole.placeholder not in said and not mentions(said, whole.words):
            console.warn(
                f"the caption of {picture.path.name} names neither {whole.placeholder} nor {whole.words!r}: it is set before it"
            )
        caption = subject_caption(
            said, whole.placeholder, whole.words, photo=picture.opaque, style=style
        )
    else:
        known = known_words(whole.card)
        caption = style_caption(
            said,
            picture.path,
            whole.phrase,
            lambda text: not known or all(is_known(w, known) for w in text.split()),
        )
    return caption.text, caption.base


def check_length(
    family: "DiffusionModel",
    whole: TrainingPlan,
    caption: Caption,
    picture: Picture,
    console: Console,
) -> None:
    """Say what of a caption is not read.

    Raises:
        InputError: the new word is.
    """
    if not (rest := family.truncated_text(caption.base)):
        return
    where = len(caption.text.split(whole.placeholder)[0]) if whole.placeholder else 0
    if whole.placeholder and family.truncated_text(caption.text[:where] + whole.words):
        raise InputError(
            f"the caption of {picture.path.name} mentions {whole.placeholder} too late to be read",
            "shorten it",
        )
    console.warn(f"the caption of {picture.path.name} is too long; not read: {rest[:60]!r}")


def add_style(
    whole: TrainingPlan, picture: Picture, example: "TrainingExample"
) -> "TrainingExample":
    """The example with the look of a drawing in its caption, where the model knows looks by words of its own.

    Otherwise the new word would learn the look as well, and bring it into every other style.
    """
    if picture.opaque or read_caption(picture.path) or not whole.card.knows_styles:
        return example
    look = recognize_style(picture)
    words = next(
        (style.words for style in style_presets().values() if look and look in style.words.split()),
        "",
    )
    return (
        replace(example, caption=Caption(*caption_of(whole, picture, words, Console(quiet=True))))
        if words
        else example
    )


def recognize_style(picture: Picture, surely: float = 0.5) -> str:
    """The style of a drawing as the second judge sees it; "" where it is not sure, or would not know such a style."""
    from PIL import Image

    from stickerforge.models.judge.model import load_judge

    judge = load_judge("second")
    chances = judge.read(judge.pictures([Image.fromarray(picture.rgba())])).style.softmax(1)[0]
    return judge.styles[int(chances.argmax())] if float(chances.max()) >= surely else ""


def captions_file(examples: "Sequence[TrainingExample]", folder: PictureFolder) -> bytes:
    """captions.jsonl of a run: which picture was called what."""
    rows = [
        {
            "picture": str(picture.path),
            "sha256": picture.sha256,
            "caption": example.caption.text,
            "base_caption": example.caption.base,
        }
        for picture, example in zip(folder.pictures, examples, strict=True)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
