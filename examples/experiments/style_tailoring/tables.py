"""Pictures with captions on disk, as every stage reads them."""

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

PICTURES = "pictures"


def write_table(folder: Path, name: str, pictures: Sequence[tuple[Image.Image, str]]) -> Path:
    """Write pictures, and the table that lists them as accepted by one rater; its path."""
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (image, text) in enumerate(pictures, 1):
        file_name = f"{PICTURES}/{number:06d}.png"
        image.save(folder / file_name)
        rows.append({"file_name": file_name, "text": text, "passes": 1, "fails": 0})
    table = folder / name
    table.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return table
