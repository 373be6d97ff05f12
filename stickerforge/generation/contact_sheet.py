"""The images of a call on one page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError
from stickerforge.generation.image_params import ImageJob
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.sheet import CELL_PX, contact_sheet
from stickerforge.version import __version__

MAX_IMAGES = 100


def write_contact_sheet(
    path: Path,
    jobs: Sequence[ImageJob],
    *,
    columns: int | None,
    with_prompts: bool,
    console: Console,
) -> bool:
    """Write the first hundred images on one page, each over its prompt and seed.

    An image that cannot be read is named and left out.

    Args:
        columns: None makes the page about square.
        with_prompts: whether to show them; else the seed alone.

    Returns:
        Whether there is a page: not where no image can be read.
    """
    images, captions = [], []
    for job in jobs[:MAX_IMAGES]:
        try:
            image = Image.fromarray(load_picture(job.path)[1].rgba)
        except InputError as error:
            console.warn(
                f"{job.path.parent / error.message}: remove it, and the same call makes it again"
            )
            continue
        image.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
        images.append(image)
        prompt = " ".join(job.prompt.split())[:80]
        captions.append(f"{prompt} · {job.seed}" if with_prompts else f"seed {job.seed}")
    if not images:
        return False
    page = np.asarray(contact_sheet(images, captions, columns=columns))
    params = {"sheet_of": len(images)}
    write_whole(path, encode_image(page, params, f"stickerforge {__version__}", "png"))
    return True
