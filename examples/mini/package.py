"""Turn the checkpoints into the folder that ships: fp16 safetensors, sha256 sums, the card.

python examples/mini/package.py            writes stickerforge/models/mini
python examples/mini/package.py --unpack   the other way: checkpoints from which denoiser.py goes on training

The folder is a plain diffusers pipeline; stickerforge.json adds what diffusers does not know.
"""

import argparse
import hashlib
import json
import re
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTokenizer

from autoencoder import build as build_autoencoder
from decoder import check_source, finished_autoencoder
from denoiser import CAPTIONS, CHECKPOINT, STANDARD, TOKENIZER, build_scheduler
from lessons import lessons
from restyled import filled, straight
from settings import MODEL, PIXELS, STYLES
from stickerforge.stickers.color import lab
from training import load, save
from voices import words
from weights import step_of
from wording import CHECKPOINT as WORDING
from wording import before, begun
from world import withheld

SHARD = "12MB"  # no file over 16 MB
FLAT, INKS = (
    ("twemoji", "flat"),
    48,
)  # styles without shading, and how many of their colours are told
LIKE = 5.0  # colours closer than this (CIELAB) are one
PIXELS_EACH = 800  # of a drawing, that are looked at for them
CARD = {
    "name": "sticker-mini",
    "version": "2.1",
    "licence": "Apache-2.0 (trained on art under Apache-2.0, MIT and CC BY 4.0: see README.md)",
    "about": "the embedded model: 128 px stickers with alpha, made for CPUs",
    "alpha": "premultiplied",
    "words": "words.txt",
    "wordings": {"background": "ground"},  # what people say, and what its captions said
    "inks": "inks.json",
    "sampling": {"steps": 12, "guidance": 2.0, "guidance_rescale": 0.0, "pixels": PIXELS},
    # beta times the mean gap between the errors of adapter and base is of order 1 after 100 steps.
    "customizing": {
        "subject": {
            "steps": 300,
            "batch": 4,
            "rank": 16,
            "layers": "all",
            "lr": 2e-3,
            "token_lr": 1e-2,
            "beta": 8.0,
        },
        "style": {"steps": 300, "batch": 4, "rank": 64, "layers": "all", "lr": 1e-3, "beta": 20.0},
    },
}


def assembled() -> tuple[StableDiffusionPipeline, int]:
    """The averaged weights as a pipeline, and the step of denoiser.py that they began with."""
    model, step = begun(), step_of(CHECKPOINT)
    if WORDING.exists():
        check_source(WORDING, *before())
        load(WORDING, {"mean": model})
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    autoencoder = build_autoencoder()
    load(STANDARD, {"mean": autoencoder})
    autoencoder = finished_autoencoder(autoencoder)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.half(),
        text_encoder=model["text"].half(),
        tokenizer=tokenizer,
        unet=model["unet"].half(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return pipeline, step


def finish_text_encoder(folder: Path) -> None:
    """Name the text encoder's tensors `text_model.…`, as every other tool expects them."""
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = {
        key if key.startswith("text_model.") else f"text_model.{key}": value
        for key, value in load_file(path).items()
    }
    save_file(tensors, path, metadata)
    # transformers computes in the type that the configuration names, diffusers in float32: they must agree.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2) + "\n")


def write_plain_vocabulary(folder: Path) -> None:
    """vocab.json and merges.txt beside tokenizer.json, for tools that read CLIP's old files."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]) + "\n")


def sums(folder: Path) -> dict[str, str]:
    """{file: sha256} of every file that decides a picture."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("README.md", "stickerforge.json")
    ]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def inks() -> dict[str, list[str]]:
    """The commonest colours of the drawings that were learned in each flat style, as "rrggbb", none like a commoner one."""
    scenes, found = lessons(), {}
    for style in FLAT:
        seen = []
        for subject in scenes.subjects:
            if not withheld("generator", subject.codepoints, style):
                colours, alpha = straight(
                    np.asarray(scenes.sprites[subject.index, STYLES.index(style)])
                )
                solid = colours[filled(alpha)]
                seen.append(
                    (solid[np.random.default_rng(0).permutation(len(solid))[:PIXELS_EACH]] * 255)
                    .round()
                    .astype(np.uint8)
                )
        kinds, often = np.unique(np.concatenate(seen), axis=0, return_counts=True)
        kept: list[np.ndarray] = []
        for colour in kinds[np.argsort(-often, kind="stable")]:
            if len(kept) < INKS and all(
                np.linalg.norm(lab(colour) - lab(other)) > LIKE for other in kept
            ):
                kept.append(colour)
        found[style] = [bytes(colour).hex() for colour in kept]
    return found


def words_seen() -> list[str]:
    """Every word of its captions, in order; of an unpacked model those that it has, and since version 2.1 those that change nothing."""
    if CAPTIONS.exists():
        said = " ".join(chain.from_iterable(json.loads(CAPTIONS.read_text()))).lower()
        seen = set(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", said))
    else:
        seen = set((MODEL / "words.txt").read_text().split())
    return sorted(seen | words(receivers=False) if WORDING.exists() else seen)


def package() -> None:
    """Write the folder whole, keeping its card."""
    pipeline, step = assembled()
    fresh = MODEL.with_name("mini.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh, safe_serialization=True, max_shard_size=SHARD)
    finish_text_encoder(fresh / "text_encoder")
    write_plain_vocabulary(fresh / "tokenizer")
    (fresh / "words.txt").write_text("\n".join(words_seen()) + "\n")
    (fresh / "inks.json").write_text(json.dumps(inks(), indent=1) + "\n")
    (fresh / "stickerforge.json").write_text(
        json.dumps(CARD | {"step": step, "files": sums(fresh)}, indent=1) + "\n"
    )
    if (MODEL / "README.md").exists():
        shutil.copy(MODEL / "README.md", fresh / "README.md")
    shutil.rmtree(MODEL, ignore_errors=True)
    for path in fresh.rglob("*.safetensors"):
        path.chmod(0o644)
    fresh.rename(MODEL)
    total = sum(path.stat().st_size for path in MODEL.rglob("*.safetensors"))
    print(f"step {step}: {total / 1e6:.1f} MB of weights in {MODEL}")


def unpack() -> None:
    """Checkpoints of the shipped weights, without the optimizer's state; nothing that is there is overwritten."""
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    step = json.loads((MODEL / "stickerforge.json").read_text())["step"]
    model = nn.ModuleDict({"unet": pipeline.unet, "text": pipeline.text_encoder}).float()
    for path, modules in (
        (STANDARD, {"mean": pipeline.vae.float()}),
        (CHECKPOINT, {"model": model, "mean": model}),
    ):
        if path.exists():
            raise SystemExit(f"{path} is there already")
        save(path, modules, torch.optim.SGD(model.parameters()), step)
    shutil.copytree(MODEL / "tokenizer", TOKENIZER, dirs_exist_ok=True)
    print(f"step {step}: denoiser.py --steps N goes on from {CHECKPOINT}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--unpack", action="store_true")
    if parser.parse_args().unpack:
        unpack()
    else:
        package()
