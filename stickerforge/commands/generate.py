"""Prompts to transparent stickers: words, recipes, denoising, and files written while the next is denoised."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.commands.adapted import InUse, Request, attach, check_bases, model_for, requests, tokens_of
from stickerforge.commands.finishing import save, write_sheet, written_behind
from stickerforge.commands.recipes import Item, finished, items, requested_rows
from stickerforge.config.idle import idle_in_generate
from stickerforge.config.load import as_toml, as_tree, resolve
from stickerforge.config.schema import GenerateConfig, Sampling
from stickerforge.errors import InputError
from stickerforge.models.catalog import Card, check_pixels, has_alpha, located
from stickerforge.models.weights import fingerprint, verify
from stickerforge.models.words import known_words, unseen_warning, unseen_words
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.seeds import drawn_seed, generator
from stickerforge.runtime.signals import interruptible
from stickerforge.stickers.encoding import cut_short, recipe_of

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.family import Family
    from stickerforge.models.matting import CutOut
    from stickerforge.sampling.conditioning import Conditioning
    from stickerforge.sampling.denoising import Consistency

CONFIG = "generate.toml"


@dataclass
class Generated:
    """What a call made.

    Args:
        outputs: one entry per picture: path, prompt, seed, style, id, recipe, skipped.
        failed: a line for each picture that could not be made.
        sheet: the contact sheet, where one was asked for.
        config: the settings in force; a valid `--config`.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    sheet: Path | None = None
    config: Path | None = None
    seed: int | None = None
    warnings: list[str] = field(default_factory=list)


def generate(*prompts: str, settings: Mapping[str, Any] | None = None, offline: bool = False, force: bool = False) -> Generated:
    """Make stickers from Python: `generate("cat astronaut", settings={"style": "sticker", "count": 4})`.

    Args:
        settings: as in a configuration file, by dotted name: {"output.folder": "out", "sampling.steps": 30}.
        force: replace pictures of the same id that were made by other settings.

    Raises:
        StickerforgeError: see `stickerforge.errors`; single pictures that fail are listed in the result instead.
    """
    given = {"prompt": list(prompts)} if prompts else {}
    return run(resolve(GenerateConfig, settings or {}, given), Messages(quiet=True), offline=offline, force=force)


@dataclass(frozen=True)
class Plan:
    """Everything that is known before a weight is read; `config` has the model's recommendations filled in."""

    config: GenerateConfig
    card: Card
    fingerprint: str
    items: list[Item]
    done: frozenset[Path]  # files that are there already, by the same recipe
    matting: str  # matting model, or "none"

    @property
    def open(self) -> list[Item]:
        """Items still to be made."""
        return [item for item in self.items if item.path not in self.done]


def plan(config: GenerateConfig, messages: Messages, *, offline: bool = False, force: bool = False) -> Plan:
    """Check everything that can be checked, and name every file.

    Args:
        force: whether files of rows with an id may be replaced that were made by other recipes.

    Raises:
        InputError: a prompt, name or setting cannot work, or a file would be replaced.
        EnvironmentFault: the model or the device cannot be had here.
    """
    asked = requests(config, requested_rows(config))
    config = replace(config, model=model_for(config, asked))
    card = located(config.model, offline=offline, say=messages.say)
    if config.sampling.pixels:
        check_pixels(card, config.sampling.pixels)
    seed = drawn_seed() if config.seed is None else config.seed
    sampling = in_force(config.sampling, card)
    full, mark, matting = replace(config, seed=seed, sampling=sampling), fingerprint(card.folder), chosen_matting(config, card)
    check_bases(asked, card, mark)
    check_consistency(full, asked, messages)
    for line in idle_in_generate(full):
        messages.warn(line)
    made = items(full, asked, card, mark, as_tree(sampling), matting)
    done = frozenset(item.path for item in made if finished(item, prompt=config.output.prompt))
    if not force:
        check_replaced([item for item in made if item.id and item.path not in done], None if config.seed is not None else seed)
    check_settings_file(Path(full.output.folder) / CONFIG)
    from stickerforge.runtime.device import chosen_device

    chosen_device(config.device)
    return Plan(full, card, mark, made, done, matting)


def check_settings_file(path: Path) -> None:
    """The settings of the last call into a folder are written there, and over nobody's file.

    Raises:
        InputError: it is somebody's.
    """
    if path.is_file() and not path.read_text(encoding="utf-8", errors="replace").startswith('command = "generate"\n'):
        raise InputError(f"{path} would be replaced, and stickerforge did not write it", "rename it, or give another --out")


def check_replaced(open_items: Sequence[Item], drawn: int | None) -> None:
    """A picture that is whole and of another recipe, but named by the same id, is replaced only when the user says so.

    Args:
        drawn: the seed of the call, where it was drawn; that of an interrupted call would go on with it.

    Raises:
        InputError: there is one.
    """
    there = [item for item in open_items if item.path.exists() and not cut_short(item.path)]
    if not there:
        return
    recipe = recipe_of(there[0].path) or {}
    names = f"{', '.join(item.path.name for item in there[:3])}{' …' if len(there) > 3 else ''}"
    again = "" if drawn is None or recipe.get("prompt") != there[0].prompt else f"--seed {recipe['seed'] - there[0].seed + drawn} goes on, "
    raise InputError(
        f"{there[0].path.parent} holds {names}, made with another seed or other settings", f"{again}--force replaces, or give another --out"
    )


def check_consistency(config: GenerateConfig, asked: Sequence[Request], messages: Messages) -> None:
    """Make sure that there is something to be consistent with, and say what the base is told where nobody knows what a word means.

    Raises:
        InputError: no adapter is in use, or the window is empty.
    """
    sampling = config.sampling
    start, end = sampling.consistency_start, sampling.consistency_end
    if sampling.consistency is None:
        if start is not None or end is not None:
            raise InputError("sampling.consistency_start and _end belong to consistency guidance", "give --consistency too")
        return
    if not any(request.uses for request in asked):
        raise InputError("--consistency leads towards what an adapter taught, and none is in use", "name one, or leave it out")
    first, last = 0.0 if start is None else start, 1.0 if end is None else end
    if not any(first <= step / (sampling.steps or 1) < last for step in range(sampling.steps or 1)):
        what = f"no step lies between sampling.consistency_start = {first} and _end = {last}"
        raise InputError(what, "give shares of the steps, for example 0 and 0.8")
    for used in {used.source: used for request in asked for used in request.uses}.values():
        if used.base is None and used.tokens and not tokens_of(used.sha256):
            told = ", ".join(f"{words!r} for {token}" for token, words in zip(used.tokens, used.words, strict=True))
            messages.warn(f"{used.source} does not say what its words mean: the base is told {told}")


def in_force(given: Sampling, card: Card) -> Sampling:
    """What the call says, else what the model recommends, else what suits Stable Diffusion."""
    suits = {"steps": 25, "guidance": 7.5, "guidance_rescale": 0.0} | dict(card.sampling)
    chosen = {
        name: suits[name] if getattr(given, name) is None else getattr(given, name) for name in ("steps", "guidance", "guidance_rescale")
    }
    return replace(
        given, steps=int(chosen["steps"]), guidance=float(chosen["guidance"]), guidance_rescale=float(chosen["guidance_rescale"])
    )


def chosen_matting(config: GenerateConfig, card: Card) -> str:
    """The matting model to use: none where the model draws alpha itself, or where it is not wanted."""
    if config.matting == "none" or (config.matting == "auto" and has_alpha(card)):
        return "none"
    from stickerforge.models.matting import matting_model

    return matting_model(config.matting).name


def run(
    config: GenerateConfig, messages: Messages, *, offline: bool = False, force: bool = False, repeated: Mapping[str, Any] | None = None
) -> Generated:
    """Make every picture that is not there yet.

    Args:
        force: as in `plan`.
        repeated: the recipe of the picture which is repeated, where one is.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    with interruptible():
        whole = plan(config, messages, offline=offline, force=force)
        folder = Path(whole.config.output.folder)
        make_folder(folder)
        if config.seed is None:
            messages.say(f"seed {whole.config.seed}")
        warn_of_changes(whole, repeated or {}, messages)
        warn_of_words(whole, messages)
        write_whole(folder / CONFIG, as_toml(saved(whole.config), "generate").encode())
        made, failed = make(whole, messages, offline=offline) if whole.open else (set(), [])
        outputs = [described(item, whole) for item in whole.items if item.path in whole.done | made]
        result = Generated(outputs, failed, None, folder / CONFIG, whole.config.seed, messages.warnings)
        if whole.config.output.sheet and len(outputs) > 1:
            result.sheet = write_sheet(whole.config, messages, [item for item in whole.items if item.path in whole.done | made])
        return result


def warn_of_changes(whole: Plan, repeated: Mapping[str, Any], messages: Messages) -> None:
    """Say what is no longer as it was when the picture was made."""
    if repeated.get("fingerprint", whole.fingerprint) != whole.fingerprint:
        messages.warn(f"the picture was made with other weights than this {whole.card.title}: the new one will differ")
    then_flat = repeated.get("output", {}).get("flat") if isinstance(repeated.get("output"), dict) else None
    if then_flat and any(item.recipe["output"].get("flat", then_flat) != then_flat for item in whole.items):
        messages.warn("flat colours were made otherwise when the picture was made: the new one will differ")
    now = {used.described()["adapter"]: used.sha256[:16] for item in whole.items for used in item.uses}
    then = repeated.get("adapters")
    for used in then if isinstance(then, list) else []:
        if isinstance(used, dict) and now.get(used.get("adapter"), used.get("sha256")) != used.get("sha256"):
            messages.warn(f"the picture was made before the adapter {used['adapter']!r} was made again: the new one will differ")


def saved(config: GenerateConfig) -> GenerateConfig:
    """The configuration as it is kept: without prompts where pictures are to forget them."""
    return config if config.output.prompt else replace(config, prompt=(), negative="", subject=(), adapter=())


def warn_of_words(whole: Plan, messages: Messages) -> None:
    """Say once which words the model never saw; adapters have taught it their own."""
    texts = []
    for item in whole.items:
        text = item.text
        for used in item.uses:
            text = text.replace(used.phrase, "") if used.phrase else text
        texts.append(text)
    unseen = unseen_words(texts, known_words(whole.card))
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


def make(whole: Plan, messages: Messages, *, offline: bool) -> tuple[set[Path], list[str]]:
    """Load the model, denoise in micro-batches, write behind; returns files made and items that failed."""
    from stickerforge.models.matting import load_cut_out, matting_model
    from stickerforge.runtime.device import out_of_memory

    verify(whole.card.folder)
    cut_out = load_cut_out(matting_model(whole.matting), offline=offline) if whole.matting != "none" else None
    try:
        family = loaded(whole)
        for text in dict.fromkeys(item.text for item in whole.open):
            if rest := family.unread(text):
                messages.warn(f"{whole.card.name} reads 75 tokens; not read: {rest[:80]!r}")
        return draw(family, whole, messages, cut_out)
    except RuntimeError as error:
        raise out_of_memory(error) or error from error


def loaded(whole: Plan) -> "Family":
    """The model on its device."""
    from stickerforge.models.loading import load
    from stickerforge.runtime.device import chosen_device, working_dtype

    device = chosen_device(whole.config.device)
    return load(whole.card, device, working_dtype(device))


def draw(family: "Family", whole: Plan, messages: Messages, cut_out: "CutOut | None") -> tuple[set[Path], list[str]]:
    """Every open item, micro-batch by micro-batch; returns files made and items that failed."""
    made, failed = set(), []
    sampling = whole.config.sampling
    steps = len(family.scheduler(sampling.scheduler, sampling.steps or 1).timesteps)
    names = attach(family, dict.fromkeys(used for item in whole.open for used in item.uses))
    with messages.progress("denoising", steps * len(whole.open)) as advance, written_behind() as write:
        for uses, batch in micro_batches(whole.open, sampling.batch):
            family.adapters.use({names[used.source]: used.scale for used in uses})
            for item, picture in sampled(family, whole.config, batch, partial(advance, len(batch))):
                if not bool(picture.isfinite().all()):
                    failed.append(f"{item.prompt!r} seed {item.seed}: the model made no finite picture")
                    continue
                write(save, item, picture, cut_out, whole.config.output.prompt)
                made.add(item.path)
    return made, failed


def micro_batches(open_items: Sequence[Item], size: int) -> Iterator[tuple[tuple[InUse, ...], dict[int, Item]]]:
    """The items in runs of at most `size` under the same adapters, each in its slot, which its seed alone decides.

    Matrix products round differently from row to row, so a picture must always have the same slot.
    """
    for uses in dict.fromkeys(item.uses for item in open_items):
        batch: dict[int, Item] = {}
        for item in open_items:
            if item.uses != uses:
                continue
            if item.seed % size in batch:
                yield uses, batch
                batch = {}
            batch[item.seed % size] = item
        yield uses, batch


def sampled(family: "Family", config: GenerateConfig, batch: dict[int, Item], on_step: Any) -> list[tuple[Item, "Tensor"]]:
    """Each item with its pixels (3 or 4, H, W).

    The batch is padded to its full size, so that shapes and slots, and with them the bytes, are the same in any company.
    """
    import torch

    from stickerforge.sampling.denoising import denoise

    sampling = config.sampling
    assert sampling.steps is not None and sampling.guidance is not None and sampling.guidance_rescale is not None
    filler = next(iter(batch.values()))
    padded = [batch.get(slot, filler) for slot in range(sampling.batch)]
    shape = family.latent_shape(sampling.pixels or family.pixels)
    noise = torch.stack([torch.randn(shape, generator=generator(item.seed, "latents")) for item in padded])
    with torch.inference_mode():
        led, empty = leading(family, sampling, padded)
        latents = denoise(
            family.predict,
            family.scheduler(sampling.scheduler, sampling.steps),
            noise.to(family.device),
            family.encode_prompt([item.text for item in padded]),
            empty,
            guidance=sampling.guidance,
            guidance_rescale=sampling.guidance_rescale,
            consistency=led,
            generators=[generator(item.seed, "steps") for item in padded],
            on_step=on_step,
        )
        pixels = family.decode(latents)
    return [(item, pixels[slot]) for slot, item in batch.items()]


def leading(family: "Family", sampling: Sampling, padded: Sequence[Item]) -> "tuple[Consistency | None, Conditioning]":
    """(the base's part in consistency guidance, where that is asked for; the encoded negative prompts)."""
    from stickerforge.sampling.denoising import Consistency

    if sampling.consistency is None or not padded[0].uses:  # all of a batch use the same adapters
        return None, family.encode_prompt([item.negative for item in padded])
    start, end = sampling.consistency_start or 0.0, 1.0 if sampling.consistency_end is None else sampling.consistency_end
    with family.adapters.off():
        base = family.encode_prompt([item.for_base(item.text) for item in padded])
        empty = family.encode_prompt([item.for_base(item.negative) for item in padded])
    return Consistency(base, family.adapters.off, sampling.consistency, start, end), empty
