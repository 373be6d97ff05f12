"""The prompts of the content stage: of the bank or a file, different, and in the model's words."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation.model_words import reworder
from stickerforge.curation.scene_writer import write_scene
from stickerforge.data.prompt_bank import FAMILIES, BankPrompt, bank_prompts, normalize
from stickerforge.data.prompts import read_prompts
from stickerforge.errors import InputError, nearest
from stickerforge.models.card import ModelCard
from stickerforge.models.encoders import Encoder, encode_texts, load_encoder
from stickerforge.models.language_model import load_language_model
from stickerforge.runtime.console import Console


def content_prompts(
    settings: ContentConfig,
    card: ModelCard,
    seed: int,
    console: Console,
    *,
    device: str = "cpu",
    offline: bool = False,
) -> list[BankPrompt]:
    """As many prompts as the settings ask for; with a warning, fewer.

    Raises:
        InputError: a family, a file or a model that they name cannot be used, or none is left.
        EnvironmentFault: a model cannot be had here.
    """
    prompts = distinct(sources(settings, card, seed, console, device=device, offline=offline))
    if settings.duplicate_encoder:
        encoder = load_encoder(
            settings.duplicate_encoder, device=device, offline=offline, say=console.say
        )
        if not encoder.reads_text:
            raise InputError(
                f"the encoder {encoder.name} reads no text, so it cannot compare prompts",
                "give judge, second, clip or siglip as content.duplicate_encoder",
            )
        prompts = unlike(prompts, encoder, settings.duplicate_cosine)
    with console.progress("collecting prompts", settings.prompts) as advance:
        result = []
        for prompt in islice(prompts, None if settings.file else settings.prompts):
            result.append(prompt)
            advance(1)
    what = settings.file or f"the prompt bank ({', '.join(settings.families)})"
    if not result:
        raise InputError(
            f"{what} holds no prompt that {card.name} can draw", "give prompts in content.file"
        )
    if len(result) < settings.prompts and not settings.file:
        console.warn(
            f"{what} holds {len(result)} different prompts that {card.name} can draw,"
            f" of {settings.prompts} that were asked for"
        )
    return result


def sources(
    settings: ContentConfig,
    card: ModelCard,
    seed: int,
    console: Console,
    *,
    device: str,
    offline: bool,
) -> Iterator[BankPrompt]:
    """Prompts before those that say the same are left out.

    Raises:
        InputError, EnvironmentFault: as `content_prompts`.
    """
    reword = reworder(card)
    if settings.file:
        rows = read_prompts(Path(settings.file), styles=None)
        if any(row.negative or row.seed is not None or row.count or row.style for row in rows):
            console.warn(f"negative, seed, count and style of {settings.file} do nothing here")
        yield from (BankPrompt(" ".join(row.prompt.split()), "file") for row in rows)
        return
    for family in settings.families:
        if family not in FAMILIES:
            raise InputError(
                f"content.families: unknown family {family!r}", nearest(family, FAMILIES)
            )
    if not settings.families:
        raise InputError("content.families is empty", f"name some of {', '.join(FAMILIES)}")
    bank = bank_prompts(seed, settings.families, reword or (lambda text, things: text))
    if not settings.language_model:
        yield from bank
        return
    model = load_language_model(
        settings.language_model, device=device, offline=offline, say=console.say
    )
    for prompt in bank:
        yield write_scene(prompt, model, reword, temperature=settings.temperature, seed=seed)


def distinct(prompts: Iterable[BankPrompt]) -> Iterator[BankPrompt]:
    """Prompts without those whose words say the same as an earlier one's."""
    seen: set[str] = set()
    for prompt in prompts:
        if (key := normalize(prompt.text) or prompt.text) not in seen:
            seen.add(key)
            yield prompt


def unlike(prompts: Iterable[BankPrompt], encoder: Encoder, cosine: float) -> Iterator[BankPrompt]:
    """Prompts without those whose cosine with an earlier one is above a limit."""
    kept = np.zeros((256, 0), np.float32)
    count = 0
    for prompt in prompts:
        vector = encode_texts(encoder, [prompt.text])[0]
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        if not kept.shape[1]:
            kept = np.zeros((256, len(vector)), np.float32)
        if count and float((kept[:count] @ vector).max()) > cosine:
            continue
        if count == len(kept):
            kept = np.concatenate([kept, np.zeros_like(kept)])
        kept[count] = vector
        count += 1
        yield prompt
