"""Two settings, captioned and compared: python examples/4_caption_and_evaluate.py [FOLDER] [COUNT]

They are compared prompt by prompt: the paired differences say which is better, and how surely.
"""

import sys
from pathlib import Path

import stickerforge

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "stickers")
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 4
PROMPTS = ("cat wearing a crown", "two red apples", "owl")

for name, guidance in (("low", 1.0), ("high", 3.0)):
    settings = {"seed": 1, "count": COUNT, "sampling.guidance": guidance}
    stickerforge.generate(*PROMPTS, settings=settings | {"output.folder": str(FOLDER / name)})

captions = stickerforge.caption(FOLDER / "high", settings={"form": "short"}).result()
for row in captions["captions"][:3]:
    print(f"{row['picture']}: {row['caption']}")

settings = {"baseline": str(FOLDER / "low"), "out": str(FOLDER / "evaluation")}
result = stickerforge.evaluate(FOLDER / "high", settings=settings).result()
for name in ("alignment@judge", "facts@judge", "halo"):
    change = result["against_baseline"][name]
    print(f"{name}: {result['figures'][name]['value']:.3f}, {change['change']:+.3f} to guidance 1")
print(f"report: {result['page']}")
