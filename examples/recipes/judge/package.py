"""Turn the checkpoints into what ships: fp16 weights of both judges, their words, the card.

python -m examples.recipes.judge.package      writes stickerforge/models/judge
"""

import hashlib
import json
from dataclasses import asdict

from safetensors.torch import save_file

from examples.recipes.judge.labels import all_labels
from examples.recipes.judge.settings import ALL_STYLES
from examples.recipes.judge.train import SEEDS, SIZES, TOKENIZER, final_path, judge_shape
from examples.recipes.mini.art import load_subjects
from examples.recipes.mini.captions import COLOURS
from examples.recipes.mini.checkpoint import load_checkpoint
from examples.recipes.mini.settings import MODEL
from stickerforge.models.judge.network import JudgeNet, fold

FOLDER = MODEL.with_name("judge")


def write_weights(name: str) -> int:
    """The averaged weights of a judge in half precision; returns the step they were taken at."""
    judge = JudgeNet(judge_shape(name))
    step = load_checkpoint(final_path(name), {"mean": judge})
    tensors = {key: value.half().contiguous() for key, value in fold(judge).state_dict().items()}
    save_file(tensors, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.safetensors").chmod(0o644)
    return step


def main() -> None:
    """Write the folder; the README stays."""
    FOLDER.mkdir(exist_ok=True)
    subjects, _ = load_subjects()
    labels, given = all_labels(subjects)
    (FOLDER / "tokenizer.json").write_bytes(TOKENIZER.read_bytes())
    judges = {
        name: {
            "file": f"{name}.safetensors",
            "seed": SEEDS[name],
            "step": write_weights(name),
            "shape": asdict(judge_shape(name)),
        }
        for name in SIZES
        if final_path(name).exists()
    }
    files = sorted([*(f"{name}.safetensors" for name in judges), "tokenizer.json"])
    card = {
        "name": "sticker-judge",
        "version": 1,
        "licence": "Apache-2.0 (trained on art under Apache-2.0, MIT and CC BY 4.0: see README.md)",
        "judges": judges,
        "words": "tokenizer.json",
        "styles": ALL_STYLES,
        "colours": COLOURS,
        "labels": labels,
        "label_of": {
            subject.name: labels[number] for subject, number in zip(subjects, given, strict=True)
        },
        "files": {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in files},
    }
    (FOLDER / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    total = sum((FOLDER / name).stat().st_size for name in files if name.endswith(".safetensors"))
    print(
        f"{total / 1e6:.2f} MB of weights in {FOLDER}: "
        + ", ".join(f"{name} step {entry['step']}" for name, entry in judges.items())
    )


if __name__ == "__main__":
    main()
