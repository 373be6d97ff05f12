"""A prompt of 150 words truncated, in windows, and after training, side by side.

python -m examples.experiments.longalign.side_by_side ADAPTER

Writes examples/gallery/long-prompts.png. The prompts are those of long-prompts.txt beside it;
nothing is picked: each is drawn once, with the number of its line as seed.
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image

from examples.experiments.longalign.pictures import Wish, adapter_arm, draw_arm, model_arm
from stickerforge.stickers.sheet import contact_sheet

GALLERY = Path(__file__).parents[2] / "gallery"
PROMPTS, SHEET = GALLERY / "long-prompts.txt", GALLERY / "long-prompts.png"
TITLES = ("truncated", "in windows", "after training")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("adapter", help="of `stickerforge tailor prompt`")
    prompts = PROMPTS.read_text(encoding="utf-8").splitlines()
    wishes = [Wish(str(line), prompt, line) for line, prompt in enumerate(prompts, 1)]
    arms = [model_arm("cut"), model_arm("compat"), adapter_arm(parser.parse_args().adapter)]
    with tempfile.TemporaryDirectory() as folder:
        columns = [draw_arm(arm, wishes, Path(folder)) for arm in arms]
        pictures = [
            Image.open(path).convert("RGBA") for row in zip(*columns, strict=True) for path in row
        ]
    captions = [f"{line}: {title}" for line in range(1, len(prompts) + 1) for title in TITLES]
    contact_sheet(pictures, captions, columns=len(arms), cell_px=160).save(SHEET)


if __name__ == "__main__":
    main()
