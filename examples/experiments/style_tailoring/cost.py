"""What joint training costs: its step against a plain one, and the memory of 10,000 pictures.

python -m examples.experiments.style_tailoring.cost

Steps are measured in turns on sticker-mini, so that what else the machine does meets both. Memory
is that of processes of their own, which train for two steps on so many content pictures; pages of
the file of latents count in it, though the system takes them back when it needs them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import torch
from PIL import Image

from examples.experiments.longalign.cost import ratio
from examples.experiments.longalign.pictures import MODEL
from stickerforge.config.schema import TrainingConfig
from stickerforge.data.captions import Caption
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.registry import find_model, load_model
from stickerforge.objectives.style_tailoring import THRESHOLD
from stickerforge.rating.rating_set import Accepted, set_folder, write_accepted
from stickerforge.training.batches import TrainingExample
from stickerforge.training.methods.caption_tuning import CaptionTuning
from stickerforge.training.methods.style_tailoring import StyleTailoring
from stickerforge.training.set_router import Routing
from stickerforge.training.state import init_state
from stickerforge.training.trainer import accumulate

ROUNDS = 40
COUNTS = (1_000, 10_000)
TRAINING = TrainingConfig(
    steps=1, batch=8, rank=32, layers="blocks", lr=1e-3, objective="plain", offset_noise=0.0
)
# A process that trains on the sets of STICKERFORGE_HOME, and prints its peak in megabytes.
CHILD = """
import resource, stickerforge
settings = {"init_from": "model", "training.steps": 2, "training.batch": 2, "training.rank": 4,
            "training.resolution": 64, "validation.every": 0}
stickerforge.tailor_style("cost", settings=settings)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def random_examples(model: DiffusionModel, count: int) -> list[TrainingExample]:
    """Pictures of noise."""
    random, shape = torch.Generator().manual_seed(0), model.latent_shape(model.pixels)
    side = model.pixels
    return [
        TrainingExample(
            f"{number}",
            Caption(f"a cat number {number}", f"a cat number {number}"),
            torch.randn(shape, generator=random),
            torch.zeros(shape),
            (side, side, 0, 0, side, side),
        )
        for number in range(count)
    ]


def step_cost() -> dict[str, object]:
    """Seconds of a plain step and of a joint one, with their ratio; and the ratio with DCO."""
    model = load_model(find_model(MODEL), torch.device("cpu"), torch.float32)
    state = init_state(model, {}, rank=32, layers="blocks", text_rank=0, seed=0)
    examples = random_examples(model, 64)
    options = {"seed": 0, "caption_dropout": 0.1}
    plain = CaptionTuning(state, examples, TRAINING, part=8, **options)
    routing = Routing("noise", THRESHOLD)
    joint = StyleTailoring(state, examples[:32], examples[32:], TRAINING, routing, **options)
    dco = StyleTailoring(
        state,
        examples[:32],
        examples[32:],
        replace(TRAINING, objective="dco", beta=100.0),
        routing,
        reference=state.weights(),
        **options,
    )

    def steps_of(method: CaptionTuning | StyleTailoring) -> Callable[[], object]:
        numbers = count()
        return lambda: accumulate(method, next(numbers))

    return {
        "joint by plain": ratio(steps_of(plain), steps_of(joint), ROUNDS),
        "joint with DCO by plain": ratio(steps_of(plain), steps_of(dco), ROUNDS // 4),
    }


def save_set(question: str, count: int) -> None:
    """A set of small random pictures in the home of this process."""
    folder = set_folder("cost", question)
    (folder / "pictures").mkdir(parents=True)
    rng, rows = np.random.default_rng(len(question)), []
    for number in range(count):
        planes = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
        Image.fromarray(planes).save(folder / "pictures" / f"{number}.png", compress_level=0)
        rows.append(Accepted(f"pictures/{number}.png", f"a cat number {number}", 1, 0))
    write_accepted(folder, question, rows)


def peak_megabytes(pictures: int) -> int:
    """Peak memory of a training on so many content pictures and ten of style."""
    with tempfile.TemporaryDirectory() as home:
        sets = f"save_set('match', {pictures}); save_set('style', 10)"
        environment = {**os.environ, "STICKERFORGE_HOME": home}
        script = f"from {__spec__.name} import save_set; {sets}"
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
        call = [sys.executable, "-c", CHILD]
        ended = subprocess.run(call, env=environment, check=True, capture_output=True, text=True)
        return int(ended.stdout.split()[-1])


def main() -> None:
    """Print the figures."""
    torch.set_num_threads(1)
    figures = step_cost()
    peaks = {pictures: peak_megabytes(pictures) for pictures in COUNTS}
    json.dump(figures | {"peak_megabytes": peaks}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
