"""Pictures of StickerWorld with long captions, for `stickerforge tailor prompt`.

python -m examples.experiments.longalign.data FOLDER [--count 2000] [--first 0] [--remarks wordnet]
python -m examples.experiments.longalign.data FILE.jsonl [--count 2000]

Writes FOLDER/00001.png … and FOLDER/metadata.jsonl with a line {"file_name", "text"} for each; or,
for `--reward`, a file of prompts alone. The scenes are such as sticker-mini 3 learns from, and
never those that the bench asks for. With `--remarks wordnet` most remarks are sentences of WordNet
instead of those of remarks.txt. Needs the art of the recipe (fetch.py, art.py).
"""

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np

from examples.experiments.longalign.long_captions import LongCaption, Source, long_caption
from examples.experiments.longalign.scenes import SEED, training_scenes, training_truths
from examples.recipes.mini.sprites import to_image

# Scenes behind those of the recipe's shards, which sticker-mini 3 has seen.
FIRST = 1_000_000


def write_dataset(
    folder: Path, number: int, first: int = 0, source: Source = "own"
) -> list[LongCaption]:
    """The captions of the pictures that were written.

    Args:
        first: number of scenes to leave out, for other pictures than an earlier call's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scenes = training_scenes(FIRST + first)
    results, rows = [], []
    for index, (picture, truth) in enumerate(islice(scenes, number), 1):
        rng = np.random.default_rng((SEED, first, index))
        caption = long_caption(truth, rng, source=source)
        name = f"{index:05d}.png"
        to_image(picture).save(folder / name)
        rows.append(json.dumps({"file_name": name, "text": caption.text}, ensure_ascii=False))
        results.append(caption)
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    return results


def write_prompts(path: Path, number: int, source: Source = "own") -> list[LongCaption]:
    """The captions that were written as prompts, of other scenes than those of `write_dataset`."""
    results = [
        long_caption(truth, np.random.default_rng((SEED, 2, index)), source=source)
        for index, truth in enumerate(islice(training_truths(2), number))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"prompt": each.text}) + "\n" for each in results))
    return results


def summary(captions: list[LongCaption]) -> str:
    """Lengths, numbers of facts, and how many name the thing late."""
    tokens = np.percentile([each.tokens for each in captions], (0, 25, 50, 75, 100))
    facts = [len(each.facts) for each in captions]
    late = np.mean([each.named_at >= 75 for each in captions])
    correlation = np.corrcoef([each.tokens for each in captions], facts)[0, 1]
    return (
        f"{len(captions)} captions; tokens {' '.join(f'{value:.0f}' for value in tokens)} "
        f"(least, quartiles, most); facts {min(facts)} to {max(facts)}, correlation with tokens "
        f"{correlation:.2f}; named late in {late:.0%}"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="FOLDER|FILE.jsonl")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="scenes to leave out")
    parser.add_argument("--remarks", choices=get_args(Source), default="own", help="whose remarks")
    args = parser.parse_args()
    if args.out.suffix == ".jsonl":
        print(summary(write_prompts(args.out, args.count, args.remarks)))
    else:
        print(summary(write_dataset(args.out, args.count, args.first, args.remarks)))


if __name__ == "__main__":
    main()
