"""Train a judge: both towers and the heads at once, on drawings and scenes in equal parts.

python -m examples.recipes.judge.train judge|second [--steps 6500]

Resumes from runs/judge/NAME.safetensors. Never on a generated picture. The two judges differ in
size, seed and scenes. Losses: cross-entropy for the one subject and the count; binary cross-entropy
for every label and colour; the symmetric contrastive loss of CLIP between pictures and captions of
one register.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from examples.recipes.judge.augmentation import augment, augment_gently
from examples.recipes.judge.dataset import JudgeDataset, load_drawings, load_scenes
from examples.recipes.judge.labels import all_labels
from examples.recipes.judge.settings import ALL_STYLES, DATA, PIXELS, RUNS
from examples.recipes.mini.art import load_subjects
from examples.recipes.mini.captions import COLOURS, REGISTERS
from examples.recipes.mini.checkpoint import load_checkpoint, save_checkpoint
from examples.recipes.mini.optim import cosine_lr, ema_copy, update_ema
from examples.recipes.mini.tokenizer import train_tokenizer
from stickerforge.models.judge.network import (
    SOLID,
    JudgeNet,
    JudgeShape,
    Readings,
    drawing_features,
    pad_tokens,
)

LENGTH = 208  # tokens: a long caption whole
REGISTER_SHARES = (0.2, 0.3, 0.4, 0.1)
PIECES = 2400
SEEDS = {"judge": 101, "second": 202}
SIZES = {
    "judge": ((64, 128, 192), (2, 2, 1), 128, 96, 2),
    "second": ((48, 96, 112), (2, 2, 1), 96, 64, 2),
}
TOKENIZER = RUNS / "tokenizer.json"


def judge_shape(name: str) -> JudgeShape:
    """How large the judge of this name is."""
    widths, depths, joint, text_width, text_layers = SIZES[name]
    pieces, labels = (
        Tokenizer.from_file(str(TOKENIZER)).get_vocab_size(),
        len(all_labels(load_subjects()[0])[0]),
    )
    return JudgeShape(
        widths,
        depths,
        joint,
        text_width,
        text_layers,
        pieces,
        LENGTH,
        labels,
        len(ALL_STYLES),
        len(COLOURS),
        PIXELS,
    )


def final_path(name: str) -> Path:
    """Where the averaged weights of a finished judge lie."""
    return RUNS / f"{name}-final.safetensors"


def write_tokenizer() -> None:
    """One vocabulary for both judges: the captions of the first one's scenes, and every name."""
    if not TOKENIZER.exists():
        texts = chain.from_iterable(
            chain(load_scenes("judge").captions[:20_000], load_drawings(None).captions)
        )
        train_tokenizer(texts, PIECES)._tokenizer.save(str(TOKENIZER))


@dataclass(frozen=True)
class Batch:
    """Augmented pictures with their truth; the texts are those of one register."""

    pictures: Tensor
    subject: Tensor
    present: Tensor
    style: Tensor
    count: Tensor
    colours: Tensor
    texts: list[str]


class Batches:
    """Drawings in the first half of each batch, scenes in the second.

    A function of (seed, step).
    """

    def __init__(self, name: str, labels: int, size: int = 128) -> None:
        self.seed, self.labels, self.half = SEEDS[name], labels, size // 2
        self.stocks: tuple[JudgeDataset, JudgeDataset] = load_drawings(True), load_scenes(name)

    def __getitem__(self, step: int) -> Batch:
        return self.batch(step, augment)

    def batch(self, step: int, augmentation: Callable[..., Tensor]) -> Batch:
        """The batch of a step, under this augmentation."""
        rng = np.random.default_rng((self.seed, step))
        register = int(rng.choice(len(REGISTERS), p=REGISTER_SHARES))
        rows = [np.sort(rng.choice(len(stock), self.half, replace=False)) for stock in self.stocks]
        pictures = [
            augmentation(stock.rgba[chosen], rng, alone=single)
            for stock, chosen, single in zip(self.stocks, rows, (True, False), strict=True)
        ]
        take = lambda field: torch.from_numpy(  # noqa: E731
            np.concatenate(
                [
                    getattr(stock, field)[chosen]
                    for stock, chosen in zip(self.stocks, rows, strict=True)
                ]
            )
        )
        texts = [
            stock.captions[row][register]
            for stock, chosen in zip(self.stocks, rows, strict=True)
            for row in chosen
        ]
        present = torch.zeros((2 * self.half, self.labels + 1)).scatter_(
            1, take("present") % (self.labels + 1), 1
        )[:, :-1]
        return Batch(
            torch.cat(pictures),
            take("subject"),
            present,
            take("style"),
            take("count"),
            take("colours"),
            texts,
        )


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """The symmetric loss of CLIP over a batch of unit vectors, (B, D) each."""
    logits = scale.exp().clamp(max=100) * images @ texts.T
    own = torch.arange(len(logits))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def losses(judge: JudgeNet, batch: Batch, words: Tokenizer) -> dict[str, Tensor]:
    """Every loss, weighted."""
    features = judge.features(batch.pictures)
    read: Readings = judge.read(features)
    tokens, mask = pad_tokens(
        [encoding.ids for encoding in words.encode_batch(batch.texts, add_special_tokens=False)],
        LENGTH,
    )
    images = F.normalize(judge.joint(features.content), dim=-1)
    known = ~batch.colours.isnan()
    colours = F.binary_cross_entropy_with_logits(
        read.colours, batch.colours.nan_to_num(), reduction="none"
    )
    return {
        "subject": F.cross_entropy(
            read.subject, batch.subject, ignore_index=-1, label_smoothing=0.05
        ),
        "presence": 0.3
        * F.binary_cross_entropy_with_logits(read.presence, batch.present, reduction="none")
        .sum(1)
        .mean(),
        "count": 0.5 * F.cross_entropy(read.count, batch.count),
        "colours": (colours * known).sum() / known.sum(),
        "contrastive": contrastive_loss(images, judge.encode_text(tokens, mask), judge.logit_scale),
    }


def train(name: str, steps: int, peak: float) -> None:
    """Train to `steps`, printing each hundred and saving each five hundred."""
    RUNS.mkdir(parents=True, exist_ok=True)
    write_tokenizer()
    words = Tokenizer.from_file(str(TOKENIZER))
    torch.manual_seed(SEEDS[name])
    judge = JudgeNet(judge_shape(name)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = ema_copy(judge)
    decayed = [p for p in judge.parameters() if p.ndim > 1]
    plain = [p for p in judge.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=peak,
        fused=True,
    )
    path, first = RUNS / f"{name}.safetensors", 0
    if path.exists():
        first = load_checkpoint(path, {"judge": judge, "mean": mean}, optimizer)
        print(f"resumed at step {first}")
    batches, started, means = Batches(name, judge.shape.labels), time.monotonic(), {}
    for step in range(first, steps):
        judge.train()
        result = losses(judge, batches[step], words)
        optimizer.zero_grad()
        sum(result.values()).backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 5.0)
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, steps, peak, 300)
        optimizer.step()
        update_ema(mean, judge, step, 0.999)
        for own, other in zip(mean.buffers(), judge.buffers(), strict=True):
            own.copy_(other)
        for key, value in result.items():
            means[key] = means.get(key, 0.0) + float(value.detach()) / 100
        if step % 100 == 99:
            losses_text = " ".join(f"{key} {value:.3f}" for key, value in means.items())
            speed = 100 * 128 / (time.monotonic() - started)
            print(f"{name} step {step + 1} {losses_text} {speed:.0f} pictures/s", flush=True)
            started, means = time.monotonic(), {}
        if step % 500 == 499 or step == steps - 1:
            save_checkpoint(path, {"judge": judge, "mean": mean}, optimizer, step + 1)


def train_style(name: str, steps: int, peak: float = 2e-3) -> None:
    """Train the style head of a finished judge.

    It reads no tower, so it learns last, alone and quickly.

    Two batches of three are augmented gently: a style is known by its palette, and a palette that
    was changed is another one.
    """
    path, judge = RUNS / f"{name}.safetensors", JudgeNet(judge_shape(name))
    mean = ema_copy(judge)
    done = load_checkpoint(path, {"judge": judge, "mean": mean})
    batches, recent = Batches(name, judge.shape.labels), []
    optimizer = torch.optim.AdamW(judge.style.parameters(), lr=peak, weight_decay=0.05)
    for step in range(steps):
        batch = batches.batch(1_000_000 + step, augment if step % 3 == 0 else augment_gently)
        features = drawing_features(batch.pictures[:, :3], batch.pictures[:, 3] > SOLID)
        loss = F.cross_entropy(judge.style(features), batch.style)
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, steps, peak, 100)
        optimizer.step()
        update_ema(mean.style, judge.style, step, 0.995)
        recent.append(float(loss.detach()))
        if step % 200 == 199:
            print(f"{name} style {step + 1} {np.mean(recent[-200:]):.3f}", flush=True)
    save_checkpoint(final_path(name), {"mean": mean}, optimizer, done)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=tuple(SIZES))
    parser.add_argument("--steps", type=int, default=6500)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--style-steps", type=int, default=3000)
    args = parser.parse_args()
    assert Path(DATA / "high_contrast.npy").exists(), (
        "python -m examples.recipes.judge.dataset comes first"
    )
    train(args.name, args.steps, args.rate)
    train_style(args.name, args.style_steps)
