"""Turn the checkpoints into the folder that ships: fp16 safetensors, sha256 sums, the card.

python -m examples.recipes.mini.package            writes stickerforge/models/mini
python -m examples.recipes.mini.package --unpack   checkpoints from which denoiser.py goes on
python -m examples.recipes.mini.package --candidate [FOLDER]   candidate/ instead of what ships

The folder is a plain diffusers pipeline; stickerforge.json adds what diffusers does not know.
"""

import argparse
import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from examples.recipes.mini.art import learned_kinds
from examples.recipes.mini.autoencoder import build_autoencoder
from examples.recipes.mini.caption_sampler import everyday_words
from examples.recipes.mini.checkpoint import checkpoint_step, load_checkpoint, save_checkpoint
from examples.recipes.mini.color_transfer import opaque_mask, unpremultiply
from examples.recipes.mini.dataset import training_world
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.decoder import check_source, load_finetuned_autoencoder
from examples.recipes.mini.denoiser import CHECKPOINT
from examples.recipes.mini.image_pairs import ANYTHING
from examples.recipes.mini.latents import CAPTIONS, STANDARD, TOKENIZER
from examples.recipes.mini.networks import build_scheduler
from examples.recipes.mini.phrase_lists import listed_words
from examples.recipes.mini.prompt_distillation import CHECKPOINT as WORDING
from examples.recipes.mini.prompt_distillation import assemble_teacher, earlier_checkpoints
from examples.recipes.mini.scene import is_withheld
from examples.recipes.mini.settings import MODEL, PIXELS, STYLES
from examples.recipes.mini.weights import load_newest, load_shipped
from stickerforge.stickers.color import lab

CARD_FILE, README = "stickerforge.json", "README.md"
SHARD = "12MB"  # no file over 16 MB
# Styles without shading, and how many of their colours inks.json lists.
FLAT, INKS = ("twemoji", "flat"), 48
VERSION_3 = "3.1"
MIN_DISTANCE = 5.0  # colours closer than this (CIELAB) are one
SAMPLED_PIXELS = 800  # of a drawing, that are looked at for them
CARD = {
    "name": "sticker-mini",
    "version": "2.1",
    "licence": "Apache-2.0 (trained on art under Apache-2.0, MIT and CC BY 4.0: see README.md)",
    "about": "the embedded model: 128 px stickers with alpha, made for CPUs",
    "alpha": "premultiplied",
    "words": "words.txt",
    "wordings": {"background": "ground"},  # what people say, and what its captions said
    "inks": "inks.json",
    "image_encoder": "second",
    "image_prompt_words": ANYTHING,
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
        "prompt": {"steps": 1500, "batch": 8, "rank": 32, "lr": 1e-3},
        "reward": {"steps": 60, "batch": 4, "rank": 32, "lr": 1e-3},
        "image": {"steps": 1500, "batch": 8, "lr": 1e-3},
        "tailoring": {"steps": 300, "batch": 8, "rank": 32, "lr": 1e-3, "threshold": -8.0},
    },
}


def assemble_pipeline() -> tuple[StableDiffusionPipeline, int]:
    """The averaged weights as a pipeline, and the step of denoiser.py that they began with."""
    model, step = assemble_teacher(), checkpoint_step(CHECKPOINT)
    if WORDING.exists():
        check_source(WORDING, *earlier_checkpoints())
        load_checkpoint(WORDING, {"mean": model})
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    autoencoder = build_autoencoder()
    load_checkpoint(STANDARD, {"mean": autoencoder})
    autoencoder = load_finetuned_autoencoder(autoencoder)
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


def prefix_text_encoder(folder: Path) -> None:
    """Name the text encoder's tensors `text_model.…`, as every other tool expects them."""
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = {
        key if key.startswith("text_model.") else f"text_model.{key}": value
        for key, value in load_file(path).items()
    }
    save_file(tensors, path, metadata)
    # transformers computes in the type that the configuration names, diffusers in float32: they
    # must agree.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2) + "\n")


def write_plain_vocabulary(folder: Path) -> None:
    """vocab.json and merges.txt beside tokenizer.json, for tools that read CLIP's old files."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]) + "\n")


def checksums(folder: Path) -> dict[str, str]:
    """{file: sha256} of every file that decides a picture."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (README, CARD_FILE)
    ]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def style_inks() -> dict[str, list[str]]:
    """The commonest colours of each flat style's learned drawings, as "rrggbb".

    None is like a commoner one.
    """
    scenes, results = training_world(), {}
    for style in FLAT:
        pixels = []
        for subject in scenes.subjects:
            if not is_withheld("generator", subject.codepoints, style):
                colours, alpha = unpremultiply(
                    np.asarray(scenes.sprites[subject.index, STYLES.index(style)])
                )
                solid = colours[opaque_mask(alpha)]
                pixels.append(
                    (solid[np.random.default_rng(0).permutation(len(solid))[:SAMPLED_PIXELS]] * 255)
                    .round()
                    .astype(np.uint8)
                )
        kinds, often = np.unique(np.concatenate(pixels), axis=0, return_counts=True)
        palette: list[np.ndarray] = []
        for colour in kinds[np.argsort(-often, kind="stable")]:
            if len(palette) < INKS and all(
                np.linalg.norm(lab(colour) - lab(other)) > MIN_DISTANCE for other in palette
            ):
                palette.append(colour)
        results[style] = [bytes(colour).hex() for colour in palette]
    return results


def list_words(text: str) -> set[str]:
    """The words of a text in lower case, "o'clock" and "t-shirt" as one."""
    return set(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text.lower()))


def caption_words() -> list[str]:
    """Every word of its captions, in order.

    Of an unpacked model those that it has, and since version 2.1 those that change nothing.
    """
    if CAPTIONS.exists():
        known = list_words(" ".join(chain.from_iterable(json.loads(CAPTIONS.read_text()))))
    else:
        known = set((MODEL / "words.txt").read_text().split())
    return sorted(known | listed_words(receivers=False) if WORDING.exists() else known)


def package() -> None:
    """Write the folder whole, keeping its card."""
    pipeline, step = assemble_pipeline()
    fresh = MODEL.with_name("mini.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh, safe_serialization=True, max_shard_size=SHARD)
    prefix_text_encoder(fresh / "text_encoder")
    write_plain_vocabulary(fresh / "tokenizer")
    (fresh / "words.txt").write_text("\n".join(caption_words()) + "\n")
    (fresh / "inks.json").write_text(json.dumps(style_inks(), indent=1) + "\n")
    (fresh / CARD_FILE).write_text(
        json.dumps(CARD | {"step": step, "files": checksums(fresh)}, indent=1) + "\n"
    )
    if (MODEL / README).exists():
        shutil.copy(MODEL / README, fresh / README)
    shutil.rmtree(MODEL, ignore_errors=True)
    for path in fresh.rglob("*.safetensors"):
        path.chmod(0o644)
    fresh.rename(MODEL)
    total = sum(path.stat().st_size for path in MODEL.rglob("*.safetensors"))
    print(f"step {step}: {total / 1e6:.1f} MB of weights in {MODEL}")


def write_checkpoint_model(checkpoint: Path, folder: Path) -> int:
    """`write_model` with the averaged weights of a checkpoint of version 3.

    Returns:
        The step of the checkpoint.
    """
    step, weights = checkpoint_step(checkpoint), load_shipped()
    load_checkpoint(checkpoint, {"mean": weights})
    write_model(weights, folder, f"3-step-{step}", step, learned_kinds(3))
    return step


def write_candidate_model(folder: Path) -> int:
    """`write_model` with the candidate, which a GPU lap has shown all subjects.

    Args:
        folder: where; the model that ships is replaced whole, its README.md stays.

    Returns:
        The step of the candidate.
    """
    candidate = load_newest()
    names = [subject.name for subject in training_world_3(everything=True).subjects]
    fresh = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    write_model(candidate.model, fresh, VERSION_3, candidate.step, names)
    if folder == MODEL:
        shutil.copy(MODEL / README, fresh / README)
        shutil.rmtree(MODEL)
    fresh.rename(folder)
    return candidate.step


def write_model(
    weights: nn.ModuleDict, folder: Path, version: str, step: int, names: Iterable[str]
) -> None:
    """Write a diffusers folder with other weights in place of those that ship.

    Args:
        weights: "unet" and "text".
        names: of the subjects that they know.
    """
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns(README))
    for part in ("unet", "text_encoder"):
        shutil.rmtree(folder / part)
    weights["unet"].half().save_pretrained(folder / "unet", max_shard_size=SHARD)
    text: CLIPTextModel = weights["text"]
    text.half().save_pretrained(folder / "text_encoder")
    prefix_text_encoder(folder / "text_encoder")
    everyday = chain.from_iterable(chain(*both) for both in everyday_words().values())
    words = {
        *list_words(" ".join([*names, *everyday])),
        *(folder / "words.txt").read_text().split(),
    }
    (folder / "words.txt").write_text("\n".join(sorted(words)) + "\n")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    card = json.loads((folder / CARD_FILE).read_text())
    if adapter := card.pop("image_adapter", ""):  # was taught with the weights before
        (folder / adapter).unlink()
    card |= {"version": version, "step": step, "files": checksums(folder)}
    (folder / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n")


def unpack() -> None:
    """Checkpoints of the shipped weights, without the optimizer's state.

    Nothing that is there is overwritten.
    """
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    step = json.loads((MODEL / CARD_FILE).read_text())["step"]
    model = nn.ModuleDict({"unet": pipeline.unet, "text": pipeline.text_encoder}).float()
    for path, modules in (
        (STANDARD, {"mean": pipeline.vae.float()}),
        (CHECKPOINT, {"model": model, "mean": model}),
    ):
        if path.exists():
            raise SystemExit(f"{path} is there already")
        save_checkpoint(path, modules, torch.optim.SGD(model.parameters()), step)
    shutil.copytree(MODEL / "tokenizer", TOKENIZER, dirs_exist_ok=True)
    print(f"step {step}: denoiser.py --steps N goes on from {CHECKPOINT}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--unpack", action="store_true")
    parser.add_argument("--candidate", type=Path, nargs="?", const=MODEL, metavar="FOLDER")
    args = parser.parse_args()
    if args.unpack:
        unpack()
    elif args.candidate:
        print(f"step {write_candidate_model(args.candidate)} in {args.candidate}")
    else:
        package()
