"""Prompts to transparent stickers: words, recipes, denoising, and files written while the next is denoised."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.commands.recipes import Item, finished, items, remembered, requested_rows
from stickerforge.config.load import as_toml, as_tree, resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.errors import PartlyDone
from stickerforge.models.catalog import Card, located
from stickerforge.models.weights import fingerprint, verify
from stickerforge.models.words import known_words, unseen_warning, unseen_words
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import interruptible

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.family import Family
    from stickerforge.models.matting import CutOut

SHEET, CONFIG = "contact-sheet.png", "generate.toml"
MAX_ON_SHEET = 100


@dataclass
class Generated:
    """What a call made.

    Args:
        outputs: one entry per picture: path, prompt, seed, style, id, skipped.
        sheet: the contact sheet, where one was asked for.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    sheet: Path | None = None
    config: Path | None = None
    seed: int | None = None


def generate(*prompts: str, settings: Mapping[str, Any] | None = None, offline: bool = False) -> Generated:
    """Make stickers from Python: `generate("cat astronaut", settings={"style": "sticker", "count": 4})`.

    Args:
        settings: as in a configuration file, by dotted name: {"output.folder": "out", "sampling.steps": 30}.

    Raises:
        StickerforgeError: see `stickerforge.errors`.
    """
    given = {"prompt": list(prompts)} if prompts else {}
    config = resolve(GenerateConfig, settings or {}, given)
    return run(config, Messages(quiet=True), offline=offline)


@dataclass(frozen=True)
class Plan:
    """Everything that is known before a weight is read."""

    config: GenerateConfig
    card: Card
    items: list[Item]
    done: frozenset[Path]  # files that are there already, by the same recipe
    matting: str  # matting model, or "none"

    @property
    def open(self) -> list[Item]:
        """Items still to be made."""
        return [item for item in self.items if item.path not in self.done]


def plan(config: GenerateConfig, *, offline: bool = False) -> Plan:
    """Check everything that can be checked, and name every file.

    Raises:
        InputError: a prompt, name or setting cannot work.
        EnvironmentFault: the model cannot be had here.
    """
    from stickerforge.runtime.seeds import drawn_seed

    rows = requested_rows(config)
    card = located(config.model, offline=offline)
    if config.seed is None:
        config = replace(config, seed=drawn_seed())
    matting = chosen_matting(config, card)
    sampling = as_tree(config.sampling) | {"steps": int(recommended(config, card, "steps", 25))}
    sampling["guidance"] = recommended(config, card, "guidance", 7.5)
    sampling["guidance_rescale"] = recommended(config, card, "guidance_rescale", 0.0)
    made = items(config, rows, card, fingerprint(card.folder), sampling, matting)
    return Plan(config, card, made, frozenset(item.path for item in made if finished(item)), matting)


def recommended(config: GenerateConfig, card: Card, name: str, default: float) -> float:
    """A setting of the call, else what the model recommends, else what suits Stable Diffusion."""
    given = getattr(config.sampling, name)
    return float(card.sampling.get(name, default)) if given is None else float(given)


def chosen_matting(config: GenerateConfig, card: Card) -> str:
    """The matting model to use: none where the model draws alpha itself, or where it is not wanted."""
    if config.matting == "none" or (config.matting == "auto" and has_alpha(card)):
        return "none"
    from stickerforge.models.matting import matting_model

    return matting_model(config.matting).name


def has_alpha(card: Card) -> bool:
    """Whether the autoencoder makes four channels, as its configuration says."""
    from stickerforge.models.catalog import read_json

    return bool(read_json(card.folder / "vae" / "config.json").get("out_channels") == 4)


def run(config: GenerateConfig, messages: Messages, *, offline: bool = False) -> Generated:
    """Make every picture that is not there yet.

    Raises:
        StickerforgeError: input, environment, or an interruption; what is finished stays.
        PartlyDone: some pictures failed.
    """
    whole = plan(config, offline=offline)
    make_folder(Path(whole.config.output.folder))
    if config.seed is None:
        messages.say(f"seed {whole.config.seed}")
    warn_of_words(whole, messages)
    failed: list[str] = []
    if whole.open:
        with interruptible():
            failed = make(whole, messages, offline=offline)
    result = Generated(seed=whole.config.seed)
    result.outputs = [described(item, whole) for item in whole.items if item.path.exists()]
    result.config = Path(whole.config.output.folder) / CONFIG
    write_whole(result.config, as_toml(whole.config, "generate").encode())
    if whole.config.output.sheet and len(result.outputs) > 1:
        result.sheet = write_sheet(whole)
    if failed:
        raise PartlyDone(f"{len(failed)} of {len(whole.items)} pictures failed", "see the list", failed, result)
    return result


def warn_of_words(whole: Plan, messages: Messages) -> None:
    """Say once which words the model never saw."""
    unseen = unseen_words([item.text for item in whole.items], known_words(whole.card))
    if unseen:
        messages.warn(unseen_warning(whole.card, unseen))


def described(item: Item, whole: Plan) -> dict[str, Any]:
    """The item's entry in the result."""
    return {
        "path": str(item.path),
        "prompt": item.prompt,
        "seed": item.seed,
        "style": item.style,
        "id": item.id,
        "recipe": item.digest,
        "skipped": item.path in whole.done,
    }


def make(whole: Plan, messages: Messages, *, offline: bool) -> list[str]:
    """Load the model, denoise in micro-batches, write behind; returns the items that failed."""
    from stickerforge.models.matting import load_cut_out, matting_model

    verify(whole.card.folder)
    cut_out = load_cut_out(matting_model(whole.matting), offline=offline) if whole.matting != "none" else None
    family = loaded(whole)
    for text in dict.fromkeys(item.text for item in whole.open):
        if rest := family.unread(text):
            messages.warn(f"{whole.card.name} reads 75 tokens; not read: {rest[:80]!r}")
    failed: list[str] = []
    steps = len(family.scheduler(whole.config.sampling.scheduler, whole.open[0].recipe["sampling"]["steps"]).timesteps)
    with messages.progress("denoising", steps * len(whole.open)) as advance, written_behind() as write:
        for batch in micro_batches(whole.open, whole.config.sampling.batch):
            pixels = sampled(family, whole.config, batch, partial(advance, len(batch)))
            for item, picture in zip(batch, pixels, strict=False):
                if not bool(picture.isfinite().all()):
                    failed.append(f"{item.prompt!r} seed {item.seed}: the model made no finite picture")
                    continue
                write(save, item, picture, cut_out, whole.config.output.prompt)
    return failed


def loaded(whole: Plan) -> "Family":
    """The model on its device."""
    from stickerforge.models import sd
    from stickerforge.runtime.device import chosen_device, working_dtype

    device = chosen_device(whole.config.device)
    return sd.load(whole.card, device, working_dtype(device))


def micro_batches(open_items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """The items in runs of `size`; the last run may be shorter, `sampled` pads it."""
    for start in range(0, len(open_items), size):
        yield list(open_items[start : start + size])


def sampled(family: "Family", config: GenerateConfig, batch: list[Item], on_step: Any) -> "Tensor":
    """Pixels (B, 3 or 4, H, W) of one micro-batch; always of the same shape, so that company changes nothing."""
    import torch

    from stickerforge.runtime.seeds import generator
    from stickerforge.sampling.denoising import denoise

    padded = [batch[min(i, len(batch) - 1)] for i in range(config.sampling.batch)]
    sampling = padded[0].recipe["sampling"]
    shape = family.latent_shape(config.sampling.pixels or family.pixels)
    noise = torch.stack([torch.randn(shape, generator=generator(item.seed, "latents")) for item in padded])
    latents = denoise(
        family.predict,
        family.scheduler(config.sampling.scheduler, sampling["steps"]),
        noise.to(family.device),
        family.encode_prompt([item.text for item in padded]),
        family.encode_prompt([item.negative for item in padded]),
        guidance=sampling["guidance"],
        guidance_rescale=sampling["guidance_rescale"],
        on_step=on_step,
    )
    return family.decode(latents)[: len(batch)]


def save(item: Item, pixels: "Tensor", cut_out: "CutOut | None", keep_prompt: bool) -> None:
    """Finish one picture and write it: cut out or settle alpha, enlarge, encode."""
    import numpy as np

    from stickerforge import __version__
    from stickerforge.stickers.alpha import settled, straight_from
    from stickerforge.stickers.encoding import encoded
    from stickerforge.stickers.enlarge import enlarged

    planes = pixels.permute(1, 2, 0).numpy()
    if cut_out is not None:
        picture = cut_out((planes[..., :3] * 255).round().astype(np.uint8))
    elif planes.shape[-1] == 4:
        picture = settled(planes)
    else:
        picture = np.concatenate([planes, np.ones_like(planes[..., :1])], -1)
    size = item.recipe["output"]["size"]
    rgba = straight_from(enlarged(picture, size) if size else picture)
    content = encoded(rgba, remembered(item.recipe, prompt=keep_prompt), f"stickerforge {__version__}", item.recipe["output"]["format"])
    write_whole(item.path, content)


@contextmanager
def written_behind(waiting: int = 8) -> Iterator[Any]:
    """Yields `write(function, *arguments)`, which runs in a second thread while denoising goes on.

    A fault of the disk surfaces at the next call or at the end; on an interruption what was handed over
    is still written.
    """
    pool, queue = ThreadPoolExecutor(1, "writer"), deque[Future[None]]()

    def write(function: Any, *arguments: Any) -> None:
        while queue and (queue[0].done() or len(queue) >= waiting):
            queue.popleft().result()
        queue.append(pool.submit(function, *arguments))

    try:
        yield write
        while queue:
            queue.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=False)


def write_sheet(whole: Plan) -> Path:
    """All pictures of the call on one page, at most a hundred."""
    import io

    from PIL import Image

    from stickerforge.stickers.sheet import contact_sheet

    shown = [item for item in whole.items if item.path.exists()][:MAX_ON_SHEET]
    pictures = []
    for item in shown:
        with Image.open(item.path) as picture:
            pictures.append(picture.convert("RGBA"))
    captions = [f"{item.prompt} · {item.seed}" for item in shown]
    page = contact_sheet(pictures, captions, columns=whole.config.output.columns)
    stream = io.BytesIO()
    page.save(stream, "PNG")
    path = Path(whole.config.output.folder) / SHEET
    write_whole(path, stream.getvalue())
    return path
