"""Images to files, in a second thread while the next ones are sampled."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stickerforge.generation.image_params import ImageJob, public_params
from stickerforge.generation.postprocess import finish_image
from stickerforge.models.matting import CutOut
from stickerforge.runtime.files import write_whole
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.repaint import paint_over
from stickerforge.version import __version__

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def background_writer(waiting: int = 8) -> Iterator[Callable[..., None]]:
    """Yield `write(function, *arguments)`, which runs in a second thread while sampling goes on.

    A fault of the disk surfaces at the next call or at the end; on an interruption what was handed
    over is still written.

    Args:
        waiting: calls that may wait before `write` waits itself.
    """
    pool, queue = ThreadPoolExecutor(1, "writer"), deque[Future[None]]()

    def write(function: Callable[..., None], *arguments: Any) -> None:
        while queue and (queue[0].done() or len(queue) >= waiting):
            queue.popleft().result()
        queue.append(pool.submit(function, *arguments))

    try:
        yield write
        while queue:
            queue.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=False)


def save_image(job: ImageJob, pixels: "Tensor", cut_out: CutOut | None, keep_prompt: bool) -> None:
    """Finish what the model drew for a job, (3 or 4, H, W), and write it with its parameters.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    rgba = finish_image(pixels, cut_out, job.size, job.palette)
    side = len(rgba)
    if job.init is not None and (mask := job.init.square_mask(side)) is not None:
        rgba = paint_over(job.init.square(side), rgba, mask)
    params = public_params(job.params, prompt=keep_prompt)
    write_whole(job.path, encode_image(rgba, params, f"stickerforge {__version__}", job.format))
