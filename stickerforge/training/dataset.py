"""From the user's pictures to training examples: captions, crops, latents, loss masks."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from stickerforge.config.style_presets import style_presets
from stickerforge.data.buckets import CroppedPicture, crop_to_bucket, on_white
from stickerforge.data.captions import (
    Caption,
    mentions,
    read_caption,
    style_caption,
    subject_caption,
)
from stickerforge.data.picture_folder import PictureFolder
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.generation.known_words import words_warning
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.card import ModelCard
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.judge.model import load_judge
from stickerforge.models.vocabulary import is_known, known_words
from stickerforge.runtime.console import Console
from stickerforge.training.batches import TrainingExample
from stickerforge.training.concept import Concept
from stickerforge.training.loss_masks import LossMasks


@dataclass(frozen=True)
class TrainingSet:
    """The user's pictures as training examples, in their order.

    Args:
        digest: of pictures, captions and masks.
    """

    examples: list[TrainingExample]
    digest: str


def build_training_set(
    model: DiffusionModel,
    folder: PictureFolder,
    concept: Concept,
    resolution: int,
    masks: LossMasks,
    console: Console,
) -> TrainingSet:
    """Encode every picture once, one at a time, so that the bytes do not depend on their company.

    Args:
        folder: a picture that has gone or changed since it was listed is left out of it, and one
            whose caption has.
        resolution: pictures are brought to about this side squared, in pixels.

    Raises:
        InputError: a caption cannot be used, or no picture is left.
    """
    examples, styled = list[TrainingExample](), list[Caption]()
    for picture in list(folder.pictures):
        try:
            rgba = picture.rgba()
            cropped = crop_picture(model, picture, rgba, resolution, masks)
            caption = caption_picture(model.card, concept, picture, console)
        except InputError as error:
            folder.leave_out(picture, error)
            console.warn(f"left out: {folder.unreadable[-1]}")
            continue
        check_length(model, concept, caption, picture.path.name, console)
        examples.append(encode_example(model, picture.path.name, caption, cropped))
        styled.append(name_style(model.card, concept, picture, rgba, caption))
    warn_of_unknown_words(model.card, concept, examples, console)
    examples = [
        replace(example, caption=caption) for example, caption in zip(examples, styled, strict=True)
    ]
    described = [
        [picture.sha256, example.caption.text, example.caption.base, mask_digest(example.mask)]
        for picture, example in zip(folder.pictures, examples, strict=True)
    ]
    return TrainingSet(examples, hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16])


def crop_picture(
    model: DiffusionModel,
    picture: Picture,
    rgba: NDArray[np.uint8],
    resolution: int,
    masks: LossMasks,
) -> CroppedPicture:
    """A picture as the model takes it, with its mask.

    Raises:
        InputError: nothing is left of what counts, or its mask cannot be used.
    """
    cropped = crop_to_bucket(rgba, resolution, model.multiple, masks.of(picture, rgba))
    if cropped.mask is not None and not cropped.mask.any():
        raise InputError(
            f"{picture.path.name}: what counts of it lies outside of the middle, "
            "which is trained on",
            f"crop the picture around it{', or give --mask none' if masks.automatic else ''}",
        )
    return cropped


def encode_example(
    model: DiffusionModel, name: str, caption: Caption, cropped: CroppedPicture
) -> TrainingExample:
    """A picture as the model's latents; pictures are put on white where it has no alpha."""
    planes = cropped.premultiplied if model.takes_alpha else on_white(cropped.premultiplied)
    with torch.no_grad():
        mean, deviation = model.encode(torch.from_numpy(planes)[None])
    mask = None
    if cropped.mask is not None:
        height, width = mean.shape[2:]
        mask = latent_mask(cropped.mask, height, width)
    return TrainingExample(name, caption, mean[0].cpu(), deviation[0].cpu(), cropped.frame, mask)


def latent_mask(mask: NDArray[np.float32], height: int, width: int) -> Tensor:
    """A mask (H, W) in [0, 1] averaged down to (height, width)."""
    pooled: Tensor = F.adaptive_avg_pool2d(torch.from_numpy(mask)[None, None], (height, width))
    return pooled[0, 0]


def mask_digest(mask: Tensor | None) -> str:
    """A digest of a mask; "" where there is none."""
    return "" if mask is None else hashlib.sha256(mask.numpy().tobytes()).hexdigest()[:16]


def caption_picture(
    card: ModelCard, concept: Concept, picture: Picture, console: Console, style: str = ""
) -> Caption:
    """The caption of a picture: what the user wrote beside it, with the concept in it.

    Args:
        style: words for the style of a drawing; "" for none.
    """
    written = read_caption(picture.path)
    if not concept.placeholder:
        known = known_words(card)
        return style_caption(
            written,
            picture.path,
            concept.phrase,
            lambda text: not known or all(is_known(word, known) for word in text.split()),
        )
    placeholder, class_words = concept.placeholder, concept.class_words
    if written and placeholder not in written and not mentions(written, class_words):
        console.warn(
            f"the caption of {picture.path.name} names neither {placeholder} nor "
            f"{class_words!r}: it is set before it"
        )
    photo = picture.opaque and picture.photograph
    return subject_caption(written, placeholder, class_words, photo=photo, style=style)


def check_length(
    model: DiffusionModel, concept: Concept, caption: Caption, name: str, console: Console
) -> None:
    """Warn of what of a caption is not read, where the model does not read on.

    Args:
        name: of the picture.

    Raises:
        InputError: the new word is not read.
    """
    if concept.placeholder:
        before, _, _ = caption.text.partition(concept.placeholder)
        if model.unread_text(before + concept.class_words):
            raise InputError(
                f"the caption of {name} mentions {concept.placeholder} too late to be read",
                "shorten it",
            )
    warn_of_unread_text(model, [caption.base], f"the caption of {name}", console)


def warn_of_unknown_words(
    card: ModelCard, concept: Concept, examples: Sequence[TrainingExample], console: Console
) -> None:
    """Warn of words in captions that the model was never trained on."""
    captions = [example.caption.base for example in examples]
    if concept.phrase:
        captions = [caption.replace(concept.phrase, " ") for caption in captions]
    if warning := words_warning(captions, card):
        console.warn(f"captions: {warning}")


def name_style(
    card: ModelCard,
    concept: Concept,
    picture: Picture,
    rgba: NDArray[np.uint8],
    caption: Caption,
) -> Caption:
    """The caption of a subject with the style of a drawing, where the model draws styles by name.

    Otherwise the new word would learn the style as well, and bring it into every other one.

    Args:
        rgba: the pixels of the picture.
    """
    if not concept.placeholder or picture.photograph or not card.knows_styles:
        return caption
    if read_caption(picture.path):
        return caption
    style = recognize_style(rgba)
    for preset in style_presets().values():
        if style and style in preset.words.split():
            return caption_picture(card, concept, picture, Console(quiet=True), preset.words)
    return caption


def recognize_style(rgba: NDArray[np.uint8]) -> str:
    """The style of a drawing by the second judge; "" where it is not sure.

    Args:
        rgba: (H, W, 4), straight alpha.
    """
    judge = load_judge("second")
    return judge.sure_style(judge.read(judge.pictures([Image.fromarray(rgba)])).style[0])


def captions_file(examples: Sequence[TrainingExample], folder: PictureFolder) -> bytes:
    """captions.jsonl of a run: the caption of every picture."""
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
