"""Pictures of an arm: a way to read long prompts, or adapters that remember theirs.

They are drawn by the code of `stickerforge generate`, with prompts as they are written, and kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from PIL import Image

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.active_adapters import (
    ActiveAdapter,
    AdapterLookup,
    activate,
    attach_adapters,
    long_prompts_of,
)
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import finish_image
from stickerforge.generation.reduced_prompt import reduce_prompt
from stickerforge.generation.sampler import guidance_params, sample, sampling_params
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.registry import find_model, load_model
from stickerforge.models.things import read_things

MODEL = "sticker-mini"
Mode = Literal["cut", "compat", "longalign"]
MODES: tuple[Mode, ...] = get_args(Mode)
REDUCED = "reduced"  # to what the model can draw, as `generate` does unless it is told otherwise


@dataclass(frozen=True)
class Arm:
    """What draws pictures.

    Args:
        name: of its folder.
        mode: how long prompts are read; None as its adapter, else the model does it.
        adapter: a name, or the path of a LoRA file or folder; "" for none.
        reduces: whether prompts are first reduced to what the model can draw.
    """

    name: str
    mode: Mode | None = None
    adapter: str = ""
    reduces: bool = False


@dataclass(frozen=True)
class Wish:
    """One picture to be drawn.

    Args:
        id: the name of its file.
    """

    id: str
    prompt: str
    seed: int


def model_arm(text: str) -> Arm:
    """The model alone, reading prompts in one mode, or as `generate` reduces them."""
    if text == REDUCED:
        return Arm(REDUCED, reduces=True)
    return Arm(text, next(mode for mode in MODES if mode == text))


def reduced_prompt(prompt: str) -> str:
    """A prompt in the words that the model knows; as it stands where nothing of it is left."""
    things = read_things(find_model(MODEL))
    assert things is not None
    return reduce_prompt(prompt, things).text or prompt


def adapter_arm(text: str) -> Arm:
    """An arm from "NAME" or "NAME:MODE": an adapter, reading as it was trained to, or otherwise."""
    source, _, ending = text.rpartition(":")
    if source and ending in MODES:
        mode = next(mode for mode in MODES if mode == ending)
        return Arm(f"{Path(source).name}-{mode}", mode, source)
    return Arm(Path(text).name, None, text)


def arm_model(arm: Arm) -> DiffusionModel:
    """The model of an arm, with its adapter switched on and its way to read prompts."""
    model = load_model(find_model(MODEL), torch.device("cpu"), torch.float32)
    adapters: Sequence[ActiveAdapter] = [AdapterLookup().find(arm.adapter)] if arm.adapter else []
    activate(attach_adapters(model, adapters), adapters)
    own = long_prompts_of(adapters, model.card)
    model.long_prompts = own if arm.mode is None else replace(own, mode=arm.mode)
    return model


def draw(model: DiffusionModel, wishes: Sequence[Wish]) -> Iterator[tuple[Wish, Image.Image]]:
    """Each wish with its picture, with the settings of the model's card; short contexts first."""
    settings = sampling_settings(SamplingConfig(), model.card)
    order = sorted(wishes, key=lambda wish: model.context_windows(wish.prompt))
    pictures = sample(
        model,
        [wish.prompt for wish in order],
        [wish.seed for wish in order],
        sampling_params(settings, model.pixels),
        guidance_params(settings),
    )
    for wish, pixels in zip(order, pictures, strict=True):
        yield wish, Image.fromarray(finish_image(pixels, None, 0, None))


def draw_arm(
    arm: Arm, wishes: Sequence[Wish], out: Path, note: Callable[[str], None] = print
) -> list[Path]:
    """The file of every wish, OUT/pictures/ARM/ID.png; what is there is not drawn again."""
    folder = out / "pictures" / arm.name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{wish.id}.png" for wish in wishes]
    missing = [wish for wish, path in zip(wishes, paths, strict=True) if not path.exists()]
    if missing:
        note(f"{arm.name}: {len(missing)} pictures")
        if arm.reduces:
            missing = [replace(wish, prompt=reduced_prompt(wish.prompt)) for wish in missing]
        for wish, picture in draw(arm_model(arm), missing):
            picture.save(folder / "partial.png")
            (folder / "partial.png").replace(folder / f"{wish.id}.png")
    return paths
