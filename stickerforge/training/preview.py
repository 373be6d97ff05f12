"""The contact sheet that shows what an adapter learned."""

from pathlib import Path

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.generation.pipeline import run_plan
from stickerforge.generation.plan import plan_generation
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.training.plan import TrainingPlan

PREVIEW = "preview.png"
SUBJECT_PROMPTS = (
    "{}",
    "{} in flat style",
    "{} wearing a crown",
    "{} astronaut",
    "small {} on a blue background",
    "red {}",
)
PLAIN_SUBJECT_PROMPTS = ("a {}", "a {} on a beach", "a {} wearing a crown", "a painting of a {}")
STYLE_PROMPTS = ("cat", "rocket", "pizza", "house", "tree", "car")


def preview_prompts(whole: TrainingPlan) -> tuple[str, ...]:
    """The user's own, or some that the model understands."""
    if whole.config.preview.prompts:
        return tuple(
            prompt.replace("{}", whole.placeholder) for prompt in whole.config.preview.prompts
        )
    if not whole.placeholder:
        return STYLE_PROMPTS
    own = SUBJECT_PROMPTS if whole.card.knows_styles else PLAIN_SUBJECT_PROMPTS
    return tuple(prompt.format(whole.placeholder) for prompt in own)


def preview(whole: TrainingPlan, *, offline: bool) -> Path | None:
    """A contact sheet made by `generate` from the adapter's files."""
    from stickerforge.config.schema import GenerateConfig

    if not whole.config.preview.count:
        return None
    settings = {
        "prompt": list(preview_prompts(whole)),
        "count": whole.config.preview.count,
        "seed": whole.config.seed,
        "model": whole.base.name,
        "style": whole.config.preview.style if whole.placeholder else whole.name,
        "adapter": [whole.name],
        "device": whole.config.device,
        "matting": "none",
        "output.folder": str(whole.folder / "preview"),
        "output.columns": min(100, whole.config.preview.count * 3),
    }
    quiet = Console(quiet=True)
    plan = plan_generation(resolve(GenerateConfig, settings), quiet, offline=offline)
    made = run_plan(plan, quiet, offline=offline)
    if made.sheet is None:
        return None
    path = store.folder(whole.name) / PREVIEW
    write_whole(path, made.sheet.read_bytes())
    return path
