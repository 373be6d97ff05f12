"""What `generate` would do: what it would read, skip and write, how long, how much memory."""

from collections.abc import Mapping
from typing import Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.generation.image_writer import SHEET
from stickerforge.generation.pipeline import GenerationResult, run_generation
from stickerforge.generation.plan import CONFIG_FILE, GenerationPlan
from stickerforge.models.cost import sampling_cost
from stickerforge.models.matting import MODELS, weights_file
from stickerforge.runtime.console import Console


def dry_run(whole: GenerationPlan) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people)."""
    import torch

    sampling = whole.config.sampling
    assert sampling.steps is not None and sampling.guidance is not None
    cuda = whole.config.device.startswith("cuda") or (
        whole.config.device == "auto" and torch.cuda.is_available()
    )
    pixels = whole.config.sampling.pixels or whole.card.sampling.get("pixels", 512)
    price = sampling_cost(
        whole.card,
        pictures=len(whole.open),
        steps=sampling.steps,
        guidance=sampling.guidance,
        pixels=pixels,
        cuda=cuda,
        consistency=sampling.consistency is not None,
    )
    writes = [str(item.path) for item in whole.open]
    writes += [
        f"{whole.config.output.folder}/{name}"
        for name in (
            [CONFIG_FILE, SHEET]
            if len(whole.items) > 1 and whole.config.output.sheet
            else [CONFIG_FILE]
        )
    ]
    skips = [str(path) for path in sorted(whole.done)]
    adapters = list(dict.fromkeys(used.source for item in whole.items for used in item.uses))
    result: dict[str, Any] = {
        "dry_run": True,
        "model": whole.card.title,
        "reads": [str(whole.card.folder)]
        + ([whole.config.prompts] if whole.config.prompts else [])
        + adapters,
        "matting": whole.matting,
        "fetches": missing_matting(whole),
        "seed": whole.config.seed,
        "writes": writes,
        "skips": skips,
        "about_seconds": round(price.seconds, 1) if whole.open else 0.5,
        "about_memory_mb": price.memory_bytes // 1_000_000,
    }
    lines = [f"model   {whole.card.title} ({whole.card.folder})"]
    lines += [f"adapter {source}" for source in adapters]
    lines += [f"write   {path}" for path in writes] + [
        f"skip    {path} (already there)" for path in skips
    ]
    lines += [f"fetch   {name}" for name in missing_matting(whole)]
    lines += [
        f"matting {whole.matting}",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines


def missing_matting(whole: GenerationPlan) -> list[str]:
    """The matting weights that the call would fetch first; a hub model must be here for a dry run."""
    if whole.matting == "none" or weights_file(MODELS[whole.matting]).exists():
        return []
    return [f"{whole.matting}.onnx, {MODELS[whole.matting].megabytes} MB"]


def generate(
    *prompts: str,
    settings: Mapping[str, Any] | None = None,
    offline: bool = False,
    force: bool = False,
) -> GenerationResult:
    """Make stickers from Python: `generate("cat astronaut", settings={"style": "sticker", "count": 4})`.

    Args:
        settings: as in a configuration file, by dotted name: {"output.folder": "out", "sampling.steps": 30}.
        force: replace pictures of the same id that were made by other settings.

    Raises:
        StickerforgeError: see `stickerforge.errors`; single pictures that fail are listed in the result instead.
    """
    given = {"prompt": list(prompts)} if prompts else {}
    return run_generation(
        resolve(GenerateConfig, settings or {}, given),
        Console(quiet=True),
        offline=offline,
        force=force,
    )
