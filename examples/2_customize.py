"""Three drawings of a character to an adapter: python examples/2_customize.py [FOLDER] [STEPS]

With pictures in FOLDER/bolt already, those are used: put three to ten of your own there.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

import stickerforge

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "stickers") / "bolt"
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
FOLDER.mkdir(parents=True, exist_ok=True)

for number, angle in enumerate((-12, 0, 12) if not any(FOLDER.iterdir()) else ()):
    page = Image.new("RGBA", (256, 256))
    pen = ImageDraw.Draw(page)
    pen.rounded_rectangle((58, 80, 198, 216), 36, fill="#f59e0b", outline="#7c2d12", width=6)
    pen.polygon([(128, 14), (100, 66), (126, 62), (112, 100), (156, 50), (130, 54)], "#facc15")
    for x in (98, 158):
        pen.ellipse((x - 17, 120, x + 17, 154), fill="white", outline="#7c2d12", width=5)
        pen.ellipse((x - 7, 132, x + 7, 146), fill="#1c1917")
    page.rotate(angle, Image.Resampling.BICUBIC).save(FOLDER / f"drawing-{number}.png")

settings = {"subject": "bolt", "class_words": "robot", "training.steps": STEPS, "preview.count": 1}
result = stickerforge.customize(FOLDER, settings=settings, force=True)
print(f"<bolt> from {result.pictures} drawings; preview: {result.preview}")
