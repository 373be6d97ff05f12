"""Prompts to stickers: what a call would do, doing it, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.errors import InputError, PartlyDone
from stickerforge.generation.pipeline import hold_ids, run_plan
from stickerforge.generation.plan import CONFIG_FILE, plan_generation
from stickerforge.models.cost import sampling_cost
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural
from stickerforge.stickers.sheet import SHEET_FILE

plan = plan_generation


@dataclass
class Result:
    """What a call made.

    Args:
        outputs: one entry per image: path, prompt, seed, style, id, recipe (the digest of its
            parameters), words (what was replaced and left out of the prompt), skipped.
        failed: a line for each image that could not be made.
        sheet: the contact sheet, where one was asked for.
        config: the settings in force; a valid `--config`.
        init: the picture that all were started from: file, strength, mask.
        image_prompt, control: the pictures that were read beside every prompt, or followed; how.
        seed: of the call.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    sheet: Path | None = None
    config: Path | None = None
    init: dict[str, Any] | None = None
    image_prompt: dict[str, Any] | None = None
    control: dict[str, Any] | None = None
    seed: int | None = None
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """The result for the JSON."""
        return {
            "outputs": self.outputs,
            "failed": self.failed,
            "seed": self.seed,
            "config": str(self.config),
            "sheet": str(self.sheet) if self.sheet else None,
            "init": self.init,
            "image_prompt": self.image_prompt,
            "control": self.control,
        }

    def lines(self) -> list[str]:
        """The path of each image."""
        return [output["path"] for output in self.outputs]

    def note(self) -> str:
        """One line for people."""
        skipped = sum(output["skipped"] for output in self.outputs)
        see = f"; see {self.sheet}" if self.sheet else ""
        return f"{len(self.outputs) - skipped} made, {skipped} already there{see}"

    def error(self) -> PartlyDone | InputError | None:
        """Exit code 4 where an image failed, 2 where every one did."""
        if not self.failed:
            return None
        more = " …" if len(self.failed) > 5 else ""
        what = f"{plural(len(self.failed), 'picture')} failed: {'; '.join(self.failed[:5])}{more}"
        if self.outputs:
            return PartlyDone(what, "the others are there")
        return InputError(f"{what}; no other one is there", "give another model or adapter")


def generate(
    *prompts: str,
    settings: Mapping[str, Any] | None = None,
    offline: bool = False,
    force: bool = False,
) -> Result:
    """Make stickers from Python: `generate("cat astronaut", settings={"style": "sticker"})`.

    Args:
        settings: as in a configuration file, by dotted name: {"output.folder": "out", "count": 4}.
        force: replace images of the same id that were made with other settings.

    Raises:
        StickerforgeError: see `stickerforge.errors`; single images that fail are listed in the
            result instead.
    """
    given = {"prompt": list(prompts)} if prompts else {}
    config = resolve(GenerateConfig, settings or {}, given)
    return run(config, Console(quiet=True), offline=offline, force=force)


def run(
    config: GenerateConfig,
    console: Console,
    *,
    offline: bool = False,
    force: bool = False,
    repeated: Mapping[str, Any] | None = None,
) -> Result:
    """Make every image that is not there yet.

    Args:
        force: as in `plan`.
        repeated: the parameters of the image that is repeated, where one is.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    with interruptible():
        generation = plan(config, console, offline=offline, force=force)
        with hold_ids(generation, force=force):
            images = run_plan(generation, console, offline=offline, repeated=repeated)
    outputs = [
        {
            "path": str(job.path),
            "prompt": job.prompt,
            "seed": job.seed,
            "style": job.style,
            "id": job.id,
            "recipe": job.digest,
            "words": job.reduced.record() if job.reduced else None,
            "skipped": job.path in generation.done,
        }
        for job in images.jobs
    ]
    return Result(
        outputs,
        images.failed,
        images.sheet,
        generation.folder / CONFIG_FILE,
        generation.init.record() if generation.init else None,
        generation.image_prompt.record() if generation.image_prompt else None,
        generation.control.record() if generation.control else None,
        generation.seed,
        console.warnings,
    )


def dry_run(
    config: GenerateConfig, console: Console, *, force: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    generation = plan(config, console, offline=True, force=force)
    jobs, sampling = generation.open_jobs, generation.sampling
    cost = sampling_cost(
        generation.card,
        pictures=len(jobs),
        steps=generation.steps_taken,
        guidance=sampling.guidance,
        pixels=sampling.pixels or generation.card.sampling.get("pixels", 512),
        cuda=generation.device.startswith("cuda"),
        consistency=sampling.consistency is not None,
        beside=generation.control.weights if generation.control else 0,
    )
    with_sheet = generation.output.sheet and len(generation.jobs) > 1
    names = [CONFIG_FILE, SHEET_FILE] if with_sheet else [CONFIG_FILE]
    result: dict[str, Any] = {
        "dry_run": True,
        "model": generation.card.title,
        "reads": generation.reads,
        "matting": generation.matting,
        "fetches": generation.fetches,
        "seed": generation.seed,
        "writes": [str(job.path) for job in jobs]
        + [f"{generation.output.folder}/{name}" for name in names],
        "words": {job.prompt: job.reduced.record() for job in generation.jobs if job.reduced},
        "refused": list(generation.refused),
        "skips": [str(path) for path in sorted(generation.done)],
        "about_seconds": round(cost.seconds, 1) if jobs else 0.5,
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"model   {generation.card.title} ({generation.card.folder})",
        *(f"adapter {source}" for source in generation.adapters),
        *(f"{kind}    {path}" for kind, path in generation.init_files.items()),
        *generation.picture_lines,
        *(f"write   {path}" for path in result["writes"]),
        *(f"skip    {path} (already there)" for path in result["skips"]),
        *dict.fromkeys(
            f"words   {job.prompt[:60]!r}: {line}"
            for job in generation.jobs
            if job.reduced and (line := job.reduced.line())
        ),
        *(f"refuse  {line}" for line in generation.refused),
        *(f"fetch   {name}" for name in result["fetches"]),
        f"matting {generation.matting}",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines
