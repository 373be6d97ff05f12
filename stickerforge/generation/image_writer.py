"""Files written in a second thread while the next image is sampled; the contact sheet."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stickerforge.config.schema import GenerateConfig
from stickerforge.generation.image_params import ImageJob
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole

SHEET = "contact-sheet.png"
MAX_ON_SHEET = 100


@contextmanager
def background_writer(waiting: int = 8) -> Iterator[Any]:
    """Yields `write(function, *arguments)`, which runs in a second thread while denoising goes on.

    A fault of the disk surfaces at the next call or at the end; on an interruption what was handed over
    is still written.
    """
    pool, queue = ThreadPoolExecutor(1, "writer"), deque[Future[None]]()

    def write(function: Any, *arguments: Any) -> None:
        while queue and (queue[0].done() or len(queue) >= waiting):
            queue.popleft().result()
        queue.append(pool.submit(function, *arguments))

    try:
        yield write
        while queue:
            queue.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=False)


def write_contact_sheet(
    config: GenerateConfig, console: Console, made: list[ImageJob]
) -> Path | None:
    """The first hundred pictures of the call on one page, under their prompts; None where none can be read any more.

    One that cannot be is named and left out.
    """
    import numpy as np
    from PIL import Image

    from stickerforge.stickers.image_files import encode_image
    from stickerforge.stickers.sheet import CELL_PX, contact_sheet
    from stickerforge.version import __version__

    shown, pictures = [], []
    for item in made[:MAX_ON_SHEET]:
        try:
            with Image.open(item.path) as picture:
                small = picture.convert("RGBA")
        except (OSError, ValueError, SyntaxError) as error:
            console.warn(
                f"{item.path} is damaged ({str(error)[:60]}): remove it, and the same call makes it again"
            )
            continue
        small.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
        shown.append(item)
        pictures.append(small)
    if not pictures:
        return None
    keep = config.output.prompt
    captions = [
        f"{' '.join(item.prompt.split())[:80]} · {item.seed}" if keep else f"seed {item.seed}"
        for item in shown
    ]
    page = contact_sheet(pictures, captions, columns=config.output.columns)
    path = Path(config.output.folder) / SHEET
    write_whole(
        path,
        encode_image(
            np.asarray(page), {"sheet_of": len(shown)}, f"stickerforge {__version__}", "png"
        ),
    )
    return path
