"""The contact sheet that shows what an adapter learned."""

from pathlib import Path

from stickerforge.adapters import store
from stickerforge.config.schema import GenerateConfig, OutputConfig
from stickerforge.errors import StickerforgeError
from stickerforge.generation.pipeline import run_plan
from stickerforge.generation.plan import plan_generation
from stickerforge.generation.unread_text import pass_on
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.training.concept import preview_prompts
from stickerforge.training.plan import TrainingPlan

PREVIEW = "preview.png"


def generate_preview(plan: TrainingPlan, console: Console, *, offline: bool) -> Path | None:
    """Generate a contact sheet from the adapter's files.

    Returns None where none is wanted, or with a warning where it cannot be made.
    """
    if not plan.config.preview.count:
        return None
    quiet = Console(quiet=True)
    try:
        generation_plan = plan_generation(preview_config(plan), quiet, offline=offline)
        result = run_plan(generation_plan, quiet, offline=offline)
    except StickerforgeError as error:
        console.warn(f"{plan.name!r} is learned, but its preview could not be made: {error}")
        return None
    pass_on(quiet, console)
    if result.sheet is None:
        return None
    path = store.folder(plan.name) / PREVIEW
    write_whole(path, result.sheet.read_bytes())
    return path


def preview_config(plan: TrainingPlan) -> GenerateConfig:
    """The settings of `generate` for the preview."""
    preview, concept = plan.config.preview, plan.concept
    return GenerateConfig(
        prompt=tuple(preview_prompts(plan.card, concept, preview.prompts)),
        count=preview.count,
        seed=plan.config.seed,
        model=plan.base.name,
        style=preview.style if concept.placeholder else plan.name,
        adapter=(plan.name,),
        device=plan.config.device,
        matting="none",
        output=OutputConfig(folder=str(plan.run.preview), columns=min(100, preview.count * 3)),
    )
