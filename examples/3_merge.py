"""A subject and a style in one adapter: python examples/3_merge.py [FOLDER] [STEPS], after 2

The style is learned from stickers that are printed in two colours here; use your own drawings.
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps

import stickerforge

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "stickers")
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
PRINTS = FOLDER / "prints"
PRINTS.mkdir(parents=True, exist_ok=True)

plain = {"seed": 1, "count": 1, "output.folder": str(FOLDER / "plain")}
for output in stickerforge.generate("cat", "red apple", "rocket", settings=plain).outputs:
    sticker = Image.open(output["path"]).convert("RGBA")
    colours = ImageOps.colorize(sticker.convert("L"), black="#1e3a8a", white="#fef3c7")
    colours.putalpha(sticker.getchannel("A"))
    colours.save(PRINTS / f"{output['prompt']}.png")  # the name of the file is its caption

settings = {"style": "riso", "training.steps": STEPS, "preview.count": 0}
stickerforge.customize(PRINTS, settings=settings, force=True)
adapter = stickerforge.merge("bolt", "riso:0.8", name="bolt-riso")
both = {"adapter": [adapter.name], "seed": 3, "count": 2, "output.folder": str(FOLDER / "merged")}
outputs = stickerforge.generate("a <bolt> in riso style", settings=both).outputs
print(f"{adapter.name}: {', '.join(output['path'] for output in outputs)}")
