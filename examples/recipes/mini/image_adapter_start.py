"""What sticker-mini's image adapter begins with: tokens that say what its text encoder would say.

python -m examples.recipes.mini.image_adapter_start FILE      two minutes

W'_k and W'_v begin as those of the text, so tokens that are like encoded words are understood
without any training. The projection is the ridge regression from what the second judge finds in
drawings to four places of their encoded captions ("a castle, in noto style"): the first one, the
last of the thing's name, the last of the style's, and the end of the text. 800 steps of training
from random tokens come to less (likeness of withheld drawings 0.35 against 0.50).

Shapes: N drawings; E width of the judge's features; D text width.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer

from examples.recipes.mini.backgrounds import random_ground
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.image_pairs import CLEAR, other_drawing
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import MODEL, STYLES
from examples.recipes.mini.sprites import to_image
from stickerforge.adapters.image_prompt_format import encode
from stickerforge.adapters.image_prompt_training import new_image_prompt
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.image_encoder import JudgeImageEncoder
from stickerforge.models.image_encoder_place import JUDGE
from stickerforge.models.registry import find_model, load_model
from stickerforge.stickers.color import WHITE

SEED, RIDGE, AT_ONCE = 5, 300.0, 64


def drawings() -> Iterator[tuple[Image.Image, str, str]]:
    """Every thing in every style that may be shown, with its names, twice: large, and anywhere."""
    scenes, rng = training_world_3(everything=True), np.random.default_rng(SEED)
    for moved in (False, True):
        for subject in scenes.subjects:
            for style in STYLES:
                truth = Truth(style, (Thing(subject),), "", random_ground(rng, CLEAR))
                truth = other_drawing(truth, rng) if moved else truth
                if not scenes.shows_withheld(truth):
                    yield to_image(scenes.draw(truth)[0]), subject.name, style


def features_of(pictures: list[Image.Image], encoder: JudgeImageEncoder) -> Tensor:
    """What the judge finds in them, (N, E)."""
    rows = []
    for start in range(0, len(pictures), AT_ONCE):
        part = [encoder.pixels(one, "crop", WHITE) for one in pictures[start : start + AT_ONCE]]
        rows.append(encoder.features(torch.cat(part), "base").clone())
    return torch.cat(rows)


def places_of(model: DiffusionModel, names: list[tuple[str, str]]) -> Tensor:
    """Four places of the encoded captions of drawings, (N, 4, D)."""
    tokenizer = CLIPTokenizer.from_pretrained(MODEL / "tokenizer")

    def length(text: str) -> int:
        """Of its tokens, without those of beginning and end."""
        return len(tokenizer(text)["input_ids"]) - 2

    @cache
    @torch.no_grad()
    def places(name: str, style: str) -> Tensor:
        text = f"a {name}, in {style} style"
        hidden = model.encode_prompt([text], 1)["hidden"][0]
        ends = [length(f"a {name}"), length(f"a {name}, in {style}"), length(text) + 1]
        return hidden[[0, *ends]]

    return torch.stack([places(*pair) for pair in names])


def regress(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (outputs, E) and bias (outputs,) of the ridge regression to targets (N, outputs)."""
    inputs = torch.cat([features, torch.ones(len(features), 1)], 1).double()
    gram = inputs.T @ inputs + RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64)
    solved = torch.linalg.solve(gram, inputs.T @ targets.double()).float()
    return solved[:-1].T.contiguous(), solved[-1].contiguous()


def write_start(path: Path) -> None:
    """Write the adapter."""
    model = load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)
    encoder = JudgeImageEncoder()
    pictures, *names = zip(*drawings(), strict=True)
    features = features_of(list(pictures), encoder)
    places = places_of(model, list(zip(*names, strict=True)))
    # The text encoder ends in a layer norm, as the projection does: the regression is to what is
    # normal before its weights.
    norm = model.networks["text_encoder"].final_layer_norm
    normal = (places - norm.bias) / norm.weight
    weights, bias = regress(features, normal.detach().flatten(1))
    start = new_image_prompt(model, "base", encoder.width("base"), encoder=JUDGE, seed=SEED)
    tensors = dict(start.tensors) | {
        "image_proj.proj.weight": weights,
        "image_proj.proj.bias": bias,
        "image_proj.norm.weight": norm.weight.detach().float().clone(),
        "image_proj.norm.bias": norm.bias.detach().float().clone(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(replace(start, tensors=tensors)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    write_start(parser.parse_args().file)
