"""Class images of prior preservation (DreamBooth, Ruiz et al., arXiv:2208.12242, Section 3.3).

The base model draws them; by training on them, too, the model keeps what else it knows.
"""

from collections.abc import Sequence
from pathlib import Path

from stickerforge.config.schema import GenerateConfig, OutputConfig, SamplingConfig
from stickerforge.data.buckets import crop_to_bucket
from stickerforge.data.captions import Caption
from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError
from stickerforge.generation.inference import warn_of_length, write_images
from stickerforge.generation.plan import CONFIG_FILE, plan_generation
from stickerforge.generation.sampler import guidance_params, sampling_params
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.seeds import derive_seed
from stickerforge.training.batches import TrainingExample
from stickerforge.training.dataset import encode_example
from stickerforge.training.plan import TrainingPlan


def class_image_config(plan: TrainingPlan) -> GenerateConfig:
    """The settings by which `generate` would draw the class images of a run."""
    training = plan.config.training
    return GenerateConfig(
        prompt=(plan.concept.in_base_words(plan.card.class_prompt),),
        count=training.prior_count,
        seed=derive_seed(plan.config.seed, "prior pictures") >> 16,  # apart from those of previews
        model=plan.base.name,
        device=plan.config.device,
        matting="none",
        sampling=SamplingConfig(pixels=training.resolution),
        output=OutputConfig(
            folder=str(plan.run.class_images), size=0, colours="drawn", sheet=False
        ),
    )


def draw_class_images(
    model: DiffusionModel, config: GenerateConfig, console: Console
) -> list[Path]:
    """Draw the class images that an earlier run has not drawn; returns the files of all.

    Raises:
        InputError: not one could be drawn.
    """
    (prompt,) = config.prompt
    console.say(f"drawing {config.count} pictures of {prompt!r}")
    quiet = Console(quiet=True)
    plan = plan_generation(config, quiet, offline=True)  # the model is here already
    warn_of_length(model, plan.open_jobs, console)
    make_folder(plan.folder)
    write_whole(plan.folder / CONFIG_FILE, plan.settings.encode())
    written, failed = write_images(
        model,
        plan.open_jobs,
        sampling_params(plan.sampling, plan.sampling.pixels),
        guidance_params(plan.sampling),
        None,
        quiet,
        keep_prompt=True,
    )
    if failed:
        console.warn(f"{len(failed)} of {config.count} pictures of the class failed: {failed[0]}")
    paths = [job.path for job in plan.jobs if job.path in plan.done | written]
    if not paths:
        raise InputError(
            f"{model.card.title} drew no picture of {prompt!r}", "leave training.prior_weight out"
        )
    return paths


def encode_class_images(
    model: DiffusionModel, prompt: str, resolution: int, paths: Sequence[Path]
) -> list[TrainingExample]:
    """Encode class images as the user's pictures are."""
    examples = []
    for path in paths:
        cropped = crop_to_bucket(load_picture(path)[1].rgba, resolution, model.multiple)
        examples.append(encode_example(model, path.name, Caption(prompt, prompt), cropped))
    return examples
