"""The second design: the method of `tailor alpha` goes on with a rate that falls to nothing.

`tailor alpha` keeps its rate, and with one that is high enough for a short run colours waver to the
end. This goes on from the state of such a run, with the same pictures, and writes a folder that
holds a plain AutoencoderKL, as the command does.
"""

import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from examples.experiments.alpha.opaque_model import read_autoencoder
from stickerforge.config.schema import TailorAlphaConfig, TrainingConfig
from stickerforge.models.alpha_decoder import AlphaDecoder, autoencoder_files
from stickerforge.runtime.console import Console
from stickerforge.training.methods.alpha_decoder import MEAN, AlphaDecoderTuning, Canvas
from stickerforge.training.sticker_pictures import Stickers, read_stickers
from stickerforge.training.trainer import train_step

SIDE, SEED = 128, 1  # another order of pictures than that of the command
EVERY = 50  # steps between lines


def go_on(
    model: Path, art: Path, checkpoint: Path, out: Path, *, steps: int, batch: int, peak: float
) -> None:
    """Write OUT/vae, the autoencoder after so many more steps.

    Args:
        model: the folder of the opaque model.
        checkpoint: of `tailor alpha`; the mean of its weights is gone on from.
        peak: the rate from which it falls in a line.
    """
    config, vae = TailorAlphaConfig(), read_autoencoder(model).requires_grad_(False)
    tensors = load_file(checkpoint)
    decoder = AlphaDecoder(vae)
    decoder.load_state_dict({name: tensors[MEAN + name] for name in decoder.state_dict()})
    validation = config.validation
    pictures = read_stickers(
        str(art), Console(quiet=True), seed=0, share=validation.share, most=24, photos=""
    )
    training = TrainingConfig(steps=steps, batch=batch, lr=peak, weight_decay=0.0, clip=1.0)
    method = AlphaDecoderTuning(
        vae,
        decoder,
        Stickers(pictures.training, SIDE),
        training,
        canvas=Canvas(config.canvas, SIDE),
        weights=config.loss,
        photos=[],
        seed=SEED,
        part=batch,
    )
    optimizer = torch.optim.AdamW(method.parameter_groups(), lr=peak, eps=1e-8)
    errors = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = peak * (1 - step / steps)
        errors.append(train_step(method, optimizer, step, training.clip)["alpha"])
        if (step + 1) % EVERY == 0:
            mean = sum(errors[-EVERY:]) / EVERY
            print(f"{time.strftime('%H:%M:%S')} step {step + 1} alpha {mean:.4f}", flush=True)
    (out / "vae").mkdir(parents=True)
    for name, content in autoencoder_files(vae, method.weights().tensors).items():
        (out / "vae" / name).write_bytes(content)
