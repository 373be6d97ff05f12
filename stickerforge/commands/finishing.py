"""From what a model drew to files: cut out, enlarged, encoded, written behind the denoising; and a sheet of them all."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.commands.recipes import Item, remembered
from stickerforge.config.schema import GenerateConfig
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.messages import Messages

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.matting import CutOut
    from stickerforge.stickers.alpha import Premultiplied

SHEET = "contact-sheet.png"
MAX_ON_SHEET = 100


def pixels_of(pixels: "Tensor", cut_out: "CutOut | None") -> "Premultiplied":
    """What the model drew, (3 or 4, H, W), as premultiplied (H, W, 4): cut out, or its alpha settled."""
    import numpy as np

    from stickerforge.stickers.alpha import settled
    from stickerforge.stickers.specks import without_specks

    planes = pixels.permute(1, 2, 0).numpy()
    if cut_out is not None:
        return cut_out((planes[..., :3] * 255).round().astype(np.uint8))
    if planes.shape[-1] == 4:
        return without_specks(settled(planes))
    return np.concatenate([planes, np.ones_like(planes[..., :1])], -1)


def save(item: Item, pixels: "Tensor", cut_out: "CutOut | None", keep_prompt: bool) -> None:
    """Finish one picture and write it: cut out, its colours made flat where its style is, enlarge, encode."""
    from stickerforge import __version__
    from stickerforge.stickers.alpha import straight_from
    from stickerforge.stickers.encoding import encoded
    from stickerforge.stickers.enlarge import enlarged
    from stickerforge.stickers.flat import flat_and_enlarged, palette

    picture = pixels_of(pixels, cut_out)
    output = item.recipe["output"]
    size = output["size"] or max(picture.shape[:2])
    rgba = straight_from(flat_and_enlarged(picture, size, palette(item.inks)) if "flat" in output else enlarged(picture, size))
    recipe = remembered(item.recipe, prompt=keep_prompt)
    write_whole(item.path, encoded(rgba, recipe, f"stickerforge {__version__}", item.recipe["output"]["format"]))


@contextmanager
def written_behind(waiting: int = 8) -> Iterator[Any]:
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


def write_sheet(config: GenerateConfig, messages: Messages, made: list[Item]) -> Path | None:
    """The first hundred pictures of the call on one page, under their prompts; None where none can be read any more.

    One that cannot be is named and left out.
    """
    import numpy as np
    from PIL import Image

    from stickerforge import __version__
    from stickerforge.stickers.encoding import encoded
    from stickerforge.stickers.sheet import CELL_PX, contact_sheet

    shown, pictures = [], []
    for item in made[:MAX_ON_SHEET]:
        try:
            with Image.open(item.path) as picture:
                small = picture.convert("RGBA")
        except (OSError, ValueError, SyntaxError) as error:
            messages.warn(f"{item.path} is damaged ({str(error)[:60]}): remove it, and the same call makes it again")
            continue
        small.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
        shown.append(item)
        pictures.append(small)
    if not pictures:
        return None
    keep = config.output.prompt
    captions = [f"{' '.join(item.prompt.split())[:80]} · {item.seed}" if keep else f"seed {item.seed}" for item in shown]
    page = contact_sheet(pictures, captions, columns=config.output.columns)
    path = Path(config.output.folder) / SHEET
    write_whole(path, encoded(np.asarray(page), {"sheet_of": len(shown)}, f"stickerforge {__version__}", "png"))
    return path
