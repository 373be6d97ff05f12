"""The pictures that are measured: every prompt, two of each training seed; and filtered ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from examples.experiments.longalign.pictures import Arm, Wish, arm_model
from examples.experiments.style_tailoring.arms import PHRASES, adapter_of
from examples.experiments.style_tailoring.filters import FILTERS
from examples.experiments.style_tailoring.house import evaluation_prompts
from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import finish_image
from stickerforge.generation.sampler import guidance_params, sample, sampling_params

SEEDS = (0, 1)  # of training
PER_PROMPT = 2  # pictures of each training seed
STEPS = 8  # of denoising; the card recommends 12, for which the time did not suffice
TOGETHER = 4  # pictures that are denoised together


@dataclass(frozen=True)
class Shot:
    """One picture that is measured.

    Args:
        prompt: number of the prompt.
        training: seed of the training.
        seed: of the picture; that of all arms.
    """

    prompt: int
    training: int
    seed: int

    @property
    def file_name(self) -> str:
        """Of its picture."""
        return f"{self.prompt:03d}-{self.training}-{self.seed}.png"


def shots(training: int) -> list[Shot]:
    """Those of one training seed; neighbours have neighbouring seeds, so batches are full."""
    first = 10_000 * (training + 1)
    return [
        Shot(prompt, training, first + PER_PROMPT * prompt + number)
        for prompt in range(len(evaluation_prompts()))
        for number in range(PER_PROMPT)
    ]


def arm_folder(out: Path, arm: str) -> Path:
    """Where the pictures of an arm lie."""
    return out / "pictures" / arm


def prompt_of(shot: Shot, arm: str) -> str:
    """What an arm is asked: for "prompt" the style is described as well."""
    text = evaluation_prompts()[shot.prompt]
    return f"{text}, {PHRASES[arm]}" if arm in PHRASES else text


def draw_shots(arm: str, adapter: str, wanted: Sequence[Shot], out: Path) -> None:
    """Draw what is not there yet."""
    folder = arm_folder(out, arm)
    missing = [shot for shot in wanted if not (folder / shot.file_name).exists()]
    wishes = [Wish(shot.file_name, prompt_of(shot, arm), shot.seed) for shot in missing]
    draw_wishes(adapter, wishes, folder)


def draw_wishes(adapter: str, wishes: Sequence[Wish], folder: Path) -> None:
    """Draw pictures into a folder under their ids, four at a time where seeds are neighbours."""
    folder.mkdir(parents=True, exist_ok=True)
    if not wishes:
        return
    model = arm_model(Arm("", None, adapter))
    settings = sampling_settings(SamplingConfig(), model.card)
    params = replace(sampling_params(settings, model.pixels), steps=STEPS, batch=TOGETHER)
    prompts, seeds = [wish.prompt for wish in wishes], [wish.seed for wish in wishes]
    pictures = sample(model, prompts, seeds, params, guidance_params(settings))
    for wish, pixels in zip(wishes, pictures, strict=True):
        partial = folder / f"partial-{wish.id}"
        Image.fromarray(finish_image(pixels, None, 0, None)).save(partial)
        partial.replace(folder / wish.id)


def read_shots(arm: str, out: Path, wanted: Sequence[Shot]) -> list[Image.Image]:
    """The pictures of an arm; "base through FILTER" are those of the base through a filter."""
    name, _, filtered = arm.partition(" through ")
    folder = arm_folder(out, name)
    pictures = [Image.open(folder / shot.file_name).convert("RGBA") for shot in wanted]
    return [FILTERS[filtered](picture) for picture in pictures] if filtered else pictures


def is_drawn(arm: str, out: Path, training: int) -> bool:
    """Whether all pictures of a training seed are there."""
    folder = arm_folder(out, arm.partition(" through ")[0])
    return all((folder / shot.file_name).exists() for shot in shots(training))


def draw_arm_pictures(arm: str, training: int, out: Path) -> None:
    """The pictures of an arm of one training seed."""
    draw_shots(arm, adapter_of(arm, training), shots(training), out)
