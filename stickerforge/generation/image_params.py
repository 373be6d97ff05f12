"""An image's parameters, which decide its pixels and are kept in its file, and the file's name.

The name holds a digest of the parameters, unless its row has an id: then it is the id.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.config.schema import Format, OutputConfig
from stickerforge.config.style_presets import StylePreset
from stickerforge.data.english import replace_noun
from stickerforge.data.init_pictures import InitPicture
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter, drawing_adapters
from stickerforge.generation.base_words import base_words, class_words_of, grammatical_texts
from stickerforge.generation.control import ControlPlan
from stickerforge.generation.flat_style import flat_digest, flat_palette
from stickerforge.generation.image_prompts import ImagePrompt
from stickerforge.generation.reduced_prompt import ReducedPrompt
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard
from stickerforge.stickers.sheet import SHEET_FILE

MAX_IMAGES = 200_000  # of a call; each takes some kilobytes of memory
EDGES = 1  # how soft edges are cleaned; changes when the same image would come out otherwise
# What a file forgets with its prompt.
PRIVATE = (
    "prompt",
    "negative",
    "text",
    "avoid",
    "base",
    "subject",
    "adapter",
    "adapters",
    "words",
    "init",
    "files",
    "control",
    "image_prompt",
    "references",
    "reference_masks",
)


@dataclass(frozen=True)
class ImageJob:
    """One image to make.

    Args:
        prompt: as the user wrote it.
        text, negative: as the model is to read them.
        seed: decides the noise.
        style: as the user named it.
        id: of the prompt row; "" where it has none.
        params: everything that decides the pixels, plain JSON values, with its "digest".
        path: the file it will be.
        adapters: those that are active while it is made.
        size: side of the file in pixels; 0 keeps the sampled size.
        format: of the file.
        palette: where colours are made flat, the inks of its style as "rrggbb", empty where they
            are not known; None where colours stay as they were drawn.
        reduced: the prompt in what the model can draw; None where it is kept as it stands.
        init: the picture that it starts from; None where that is noise alone.
    """

    prompt: str
    text: str
    negative: str
    seed: int
    style: str
    id: str
    params: dict[str, Any]
    path: Path
    adapters: tuple[ActiveAdapter, ...]
    size: int
    format: Format
    palette: tuple[str, ...] | None
    reduced: ReducedPrompt | None
    init: InitPicture | None = field(default=None, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of the parameters."""
        return str(self.params["digest"])

    def in_base_words(self, text: str) -> str:
        """A text for the base model: with the class words for which each placeholder stands."""
        for token, words in class_words_of(self.adapters).items():
            text = replace_noun(text, token, words)
        return text


@dataclass(frozen=True)
class CallParams:
    """What all images of a call have in common.

    Args:
        fingerprint: of the model's weights.
        sampling: the settings in force as plain values, the model's recommendations filled in.
        matting: as the user asked for it.
        matting_model: the one in use, or "none".
        draws_alpha: whether the edges are those that the model draws.
        subjects, adapters: as the user named them.
        init: the picture that all start from; None for noise alone.
        image_prompt: pictures that are read beside every prompt; None for none.
        control: a picture whose structure all follow; None for none.
    """

    card: ModelCard
    fingerprint: str
    sampling: Mapping[str, Any]
    output: OutputConfig
    matting: str = "auto"
    matting_model: str = "none"
    draws_alpha: bool = False
    subjects: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    init: InitPicture | None = None
    image_prompt: ImagePrompt | None = None
    control: ControlPlan | None = None


def image_jobs(
    requests: Sequence[Request], call: CallParams, *, seed: int, count: int
) -> list[ImageJob]:
    """Every image of a call, in order; a row that is there twice makes one image.

    Args:
        seed: of the first image; image i uses seed + i where its row has no seed of its own.
        count: images per row, where the row does not say.

    Raises:
        InputError: two rows would make the same file, or there are more than can be kept track of.
    """
    total = sum(request.row.count or count for request in requests)
    if total > MAX_IMAGES:
        raise InputError(
            f"the call would make {total} pictures", f"make at most {MAX_IMAGES} in one call"
        )
    jobs: dict[str, ImageJob] = {}  # by names in lower case, as some file systems compare them
    seed_of_call = seed
    for request in requests:
        row, images = request.row, request.row.count or count
        if request.reduced is not None and not request.reduced.text:
            seed_of_call += images if row.seed is None else 0  # the seeds of the others stay
            continue
        for index in range(images):
            if row.seed is None:
                job = image_job(request, call, seed_of_call, images)
                seed_of_call += 1
            else:
                job = image_job(request, call, row.seed + index, images)
            if job.path.stem == Path(SHEET_FILE).stem or (row.id and str(job.path).lower() in jobs):
                raise InputError(
                    f"id {row.id!r} would make {job.path.name}, which is taken",
                    "give it another id",
                )
            jobs.setdefault(str(job.path).lower(), job)
    return list(jobs.values())


def image_job(request: Request, call: CallParams, seed: int, count: int) -> ImageJob:
    """One image, with its parameters and the file that it will be.

    Args:
        count: images of its row, which decides whether an id alone can name the file.
    """
    row, card, output = request.row, call.card, call.output
    text, negative = apply_preset(
        request.text, request.negative, request.preset, knows_styles=card.knows_styles
    )
    text = card.reword(text)
    palette = flat_palette(request, text, card, output)
    params = image_params(request, call, text=text, negative=negative, seed=seed, palette=palette)
    if row.id:
        stem = row.id if count == 1 else f"{row.id}-{seed}"
    else:
        picture = call.image_prompt.stem if call.image_prompt and not row.prompt else ""
        slug = file_slug(row.prompt, picture, request.text) if output.prompt else "sticker"
        stem = f"{slug}-{seed}-{params['digest']}"
    return ImageJob(
        row.prompt,
        text,
        negative,
        seed,
        request.style,
        row.id,
        params,
        Path(output.folder) / f"{stem}.{output.format}",
        request.adapters,
        output.size,
        output.format,
        palette,
        request.reduced,
        call.init,
    )


def image_params(
    request: Request,
    call: CallParams,
    *,
    text: str,
    negative: str,
    seed: int,
    palette: tuple[str, ...] | None,
) -> dict[str, Any]:
    """What decides the pixels of an image, its digest, and how it was asked for."""
    sampling = dict(call.sampling)
    if not drawing_adapters(request.adapters):  # there is nothing to be consistent with
        sampling = {
            name: value for name, value in sampling.items() if not name.startswith("consistency")
        }
    output = {name: getattr(call.output, name) for name in ("size", "format", "colours")}
    if call.draws_alpha:
        output["edges"] = EDGES
    if palette is not None:
        output["flat"] = flat_digest(palette)
    params: dict[str, Any] = {
        "prompt": request.row.prompt,
        "negative": request.negative,
        "style": request.style,
        "adapters": [
            adapter.params() | base_words(adapter, sampling) for adapter in request.adapters
        ],
        "text": text,
        "avoid": negative,
        "seed": seed,
        "model": call.card.title,
        "fingerprint": call.fingerprint,
        "matting": call.matting,
        "cut_out_by": call.matting_model,
        "sampling": sampling,
        "output": output,
    }
    if sampling.get("consistency") is not None:
        params |= grammatical_texts(request.adapters, text, negative)
    if call.init is not None:
        params["init"] = call.init.params()
    if call.image_prompt is not None:
        params["image_prompt"] = call.image_prompt.params()
    if call.control is not None:
        params["control"] = call.control.params()
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]
    names = [Path(adapter).name for adapter in call.adapters]  # folders tell of their owner
    reduced = request.reduced
    words = {} if reduced is None else {"words": reduced.record()}  # the text says it, too
    files = {} if call.init is None else call.init.names()
    files |= {} if call.control is None else call.control.names()
    asked = {"digest": digest, "subject": list(call.subjects), "adapter": names}
    if call.image_prompt is not None:
        asked |= call.image_prompt.names
    return params | asked | words | ({"files": files} if files else {})


def apply_preset(
    prompt: str, negative: str, preset: StylePreset | None, *, knows_styles: bool
) -> tuple[str, str]:
    """(prompt, negative prompt) as the model is to read them.

    Args:
        knows_styles: whether the model knows a preset by its words; others get its template.
    """
    prompt = " ".join(prompt.split())
    if preset is None:
        return prompt, negative
    if knows_styles:
        return f"{prompt}, {preset.words}" if prompt else preset.words, negative
    avoid = ", ".join(filter(None, [negative, preset.negative]))
    return preset.template.replace("{prompt}", prompt).removeprefix(", "), avoid


def file_slug(*texts: str) -> str:
    """The beginning of a prompt as part of a file name: a-z, 0-9, dashes; at most 48 characters.

    Args:
        texts: the prompt, then what stands for it where it has no such character (emoji).
    """
    for text in texts:
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        if slug := re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-"):
            return slug
    return "sticker"


def public_params(params: Mapping[str, Any], *, prompt: bool) -> dict[str, Any]:
    """What the file keeps of an image's parameters; nothing of its prompt where it is to forget."""
    return {key: value for key, value in params.items() if prompt or key not in PRIVATE}
