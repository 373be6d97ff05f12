"""An RGB-only model learns alpha (`stickerforge tailor alpha`), beside keying its pictures.

python -m examples.experiments.alpha.run all OUT          everything below, in this order
python -m examples.experiments.alpha.run denoiser OUT     sticker-mini's denoiser on opaque pictures
python -m examples.experiments.alpha.run decoder OUT      a decoder of three channels from nothing
python -m examples.experiments.alpha.run model OUT        both as a diffusers folder, OUT/opaque
python -m examples.experiments.alpha.run learn OUT        tailor alpha on 2,000 pictures, both arms
python -m examples.experiments.alpha.run reconstruction OUT   (c) on held-out art over white
python -m examples.experiments.alpha.run drawn OUT        (d) on what the model draws
python -m examples.experiments.alpha.run sheets OUT       pictures of both, to be judged by eye

What is finished is not made again. Adapters lie in OUT/home. `alpha.results OUT` prints the tables.
Needs the art of the recipe (fetch.py, art.py).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from examples.experiments.alpha import drawn, reconstruction
from examples.experiments.alpha.art_pictures import (
    held_out_drawings,
    learned_drawings,
    write_art,
)
from examples.experiments.alpha.cutouts import FINISHED, KEYED, OWN
from examples.experiments.alpha.keying import Keying
from examples.experiments.alpha.opaque_model import (
    fuse,
    opaque_autoencoder,
    read_autoencoder,
    read_decoder,
    read_denoiser,
    write_captioned,
    write_model,
)
from examples.experiments.alpha.rgb_decoder import train_decoder
from examples.experiments.alpha.sheet import comparison_sheet
from stickerforge.adapters import lora_format
from stickerforge.adapters.sources import read_source

CAPTIONED = 1500  # pictures
# Runs of `tailor prompt`, each from the adapter of the one before: name, steps, rate.
TUNINGS = (("white", 300, 1e-3), ("white-fine", 200, 2e-4))
DECODER_STEPS, DECODER_BATCH, DECODER_RATE, MINUTES = 3000, 12, 1e-3, 3.0
ARMS = {"mean": "alpha-mean", "opaque": "alpha-opaque"}  # start: name of the adapter
ALPHA_STEPS = {"mean": 12000, "opaque": 250}
ALPHA_BATCH, ALPHA_RATE = 2, 5e-4
ALPHA_SETTINGS = ("validation.every=250", "validation.pictures=24", "training.save_every=50")
SHOWN = 48  # pictures of a sheet
GALLERY_ROWS, GALLERY_SIDE = 5, 80  # rows of held-out art, and of drawn pictures


def stickerforge(out: Path, *arguments: str) -> None:
    """Run a command as a user would, with the adapters of this experiment."""
    home = os.environ | {"STICKERFORGE_HOME": str(out / "home")}
    subprocess.run([sys.executable, "-m", "stickerforge", *arguments], check=True, env=home)


def adapter_folder(out: Path, name: str) -> Path:
    """Where an adapter of this experiment lies."""
    return out / "home" / "adapters" / name


def tune_denoiser(out: Path) -> None:
    """The adapters of TUNINGS: of plain prompts a picture on white is drawn."""
    model = write_model(out / "opaque-0", opaque_autoencoder(read_autoencoder()))
    if not (out / "captioned" / "metadata.jsonl").exists():
        write_captioned(out / "captioned", CAPTIONED)
    begin: list[str] = []
    for name, steps, rate in TUNINGS:
        if not adapter_folder(out, name).exists():
            place = [str(out / "captioned"), "--model", str(model), "--name", name, *begin]
            size = ["--steps", str(steps), "--batch", "8", "--rank", "32", "--lr", str(rate)]
            rest = ["--set", "long_prompts.mode=compat", "--set", "validation.every=0"]
            stickerforge(out, "tailor", "prompt", *place, *size, *rest)
        begin = ["--adapter", name]


def make_decoder(out: Path) -> None:
    """OUT/decoder.safetensors."""
    train_decoder(out, DECODER_STEPS, DECODER_BATCH, MINUTES, DECODER_RATE)


def make_model(out: Path) -> None:
    """OUT/opaque: a plain diffusers folder that `--model` takes."""
    if (out / "opaque").exists():
        return
    vae = read_decoder(opaque_autoencoder(read_autoencoder()), out / "decoder.safetensors")
    weights = lora_format.parse(*read_source(adapter_folder(out, TUNINGS[-1][0])))
    write_model(out / "opaque", vae, fuse(read_denoiser(), weights))


def learn_alpha(out: Path) -> None:
    """OUT/home/adapters/alpha-mean and alpha-opaque."""
    art = write_art(out / "art", learned_drawings())
    for start, name in ARMS.items():
        if adapter_folder(out, name).exists():
            continue
        place = ["--model", str(out / "opaque"), "--name", name]
        size = ["--steps", str(ALPHA_STEPS[start]), "--batch", str(ALPHA_BATCH)]
        rest = [
            "--lr",
            str(ALPHA_RATE),
            *chain.from_iterable(("--set", each) for each in ALPHA_SETTINGS),
        ]
        arm = ["--set", f"decoder.start={start}"]
        stickerforge(out, "tailor", "alpha", str(art), *place, *size, *rest, *arm)


def native_decoders(out: Path) -> dict[str, AutoencoderKL]:
    """The decoder with alpha that was learned, by the name of its arm."""
    (folder,) = adapter_folder(out, ARMS["mean"]).glob("vae-*")
    return {"native": read_autoencoder(folder)}


def known_keying(out: Path, vae: AutoencoderKL) -> Keying:
    """The tuned key, tuned once: OUT/keying.json."""
    path = out / "keying.json"
    if not path.exists():
        keying, error = reconstruction.tuned_keying(vae)
        path.write_text(json.dumps({**vars(keying), "error": error}) + "\n")
    known = json.loads(path.read_text())
    known.pop("error")
    return Keying(**known)


def write_record(out: Path, name: str, record: dict[str, Any], lines: list[str]) -> None:
    """OUT/NAME.json, and its table on the screen."""
    (out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print("\n".join(lines))


def run_reconstruction(out: Path) -> None:
    """Part (c)."""
    vae = read_autoencoder(out / "opaque" / "vae")
    record = reconstruction.measure_reconstruction(
        vae, native_decoders(out), known_keying(out, vae)
    )
    write_record(out, "reconstruction", record, reconstruction.table(record))


def latents_of(out: Path, prompts: list[str]) -> torch.Tensor:
    """What the model draws, drawn once: OUT/latents.pt."""
    path = out / "latents.pt"
    if not path.exists():
        torch.save(drawn.draw_latents(out / "opaque", prompts), path)
    latents: torch.Tensor = torch.load(path)
    return latents


def run_drawn(out: Path) -> None:
    """Part (d)."""
    vae, prompts = read_autoencoder(out / "opaque" / "vae"), drawn.typed_prompts()
    latents = latents_of(out, prompts)
    cutouts = drawn.drawn_cutouts(latents, vae, native_decoders(out), known_keying(out, vae))
    record = drawn.measure_drawn(cutouts, prompts)
    write_record(out, "drawn", record, drawn.table(record))


def write_sheets(out: Path) -> None:
    """OUT/held-out.png, OUT/drawn.png, and of both the first few, OUT/gallery.png."""
    vae, native = read_autoencoder(out / "opaque" / "vae"), native_decoders(out)
    keying, prompts = known_keying(out, vae), drawn.typed_prompts()
    drawings = held_out_drawings()[: reconstruction.HELD_OUT : reconstruction.HELD_OUT // SHOWN]
    measured = reconstruction.held_out_cutouts(drawings, vae, native, keying)
    held_out = [(opaque, stickers) for _, opaque, stickers in measured]
    made = drawn.drawn_cutouts(latents_of(out, prompts), vae, native, keying)
    names = [drawing.key for drawing in drawings]
    last = list(native)[-1]
    arms = [name + FINISHED for name in (KEYED, last, last + OWN)]
    comparison_sheet(held_out, names, arms, columns=2).save(out / "held-out.png")
    comparison_sheet(made, prompts, arms, columns=2).save(out / "drawn.png")
    pairs = zip(zip(held_out, names, strict=False), zip(made, prompts, strict=False), strict=False)
    few = list(chain.from_iterable(islice(pairs, GALLERY_ROWS)))
    gallery = comparison_sheet(
        [cutout for cutout, _ in few],
        [name for _, name in few],
        arms,
        side=GALLERY_SIDE,
    )
    gallery.quantize(128).save(out / "gallery.png", optimize=True)


PARTS: dict[str, Callable[[Path], None]] = {
    "denoiser": tune_denoiser,
    "decoder": make_decoder,
    "model": make_model,
    "learn": learn_alpha,
    "reconstruction": run_reconstruction,
    "drawn": run_drawn,
    "sheets": write_sheets,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("all", *PARTS))
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, part in PARTS.items():
        if args.part in ("all", name):
            started = time.monotonic()
            part(args.out.resolve())
            print(f"{name}: {(time.monotonic() - started) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
