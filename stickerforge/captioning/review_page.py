"""The page on which captions are read and changed: one file, and the same page served to this machine's browser alone."""

import base64
import io
from collections.abc import Mapping
from html import escape

from PIL import Image

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.data.captions import read_caption
from stickerforge.data.pictures import load_picture
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.signals import interruptible, stoppable
from stickerforge.web.local_server import Server
from stickerforge.web.template import fill_template, script_safe

PAGE = "captions.html"
THUMBNAIL = 320  # longer side in pixels


def render_page(made: CaptionSet, key: str = "", images: Mapping[str, str] | None = None) -> str:
    """The page.

    Args:
        key: what a served page sends its changes to; "" for a page that is opened as a file, which saves by a download.
        images: data URLs by the pictures' names, where they are there already.
    """
    shown = thumbnails(made) if images is None else images
    rows = [
        {
            "picture": one.picture,
            "caption": one.caption,
            "was": read_caption(made.folder / one.picture),
            "source": one.source,
            "image": shown[one.picture],
        }
        for one in made.told
    ]
    name = made.folder.resolve().name.encode("utf-8", "replace").decode()
    data = script_safe({"rows": rows, "placeholder": made.placeholder, "key": key})
    return fill_template(
        "stickerforge.captioning",
        "review_page.html",
        {"title": escape(f"{name}: {len(rows)} captions"), "data": data},
    )


def thumbnails(made: CaptionSet) -> dict[str, str]:
    """Every picture as a small data URL."""
    found = {}
    for one in made.told:
        image = Image.fromarray(load_picture(made.folder / one.picture)[1])
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=80)
        found[one.picture] = (
            "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
        )
    return found


def review(made: CaptionSet, console: Console) -> None:
    """Write the page, serve it, and wait until it is done with or interrupted; what was saved stays.

    Raises:
        Interrupted: Ctrl-C.
        EnvironmentFault: the disk is full or read-only.
    """
    path = made.folder / PAGE
    with interruptible():
        images = thumbnails(made)
        write_whole(path, render_page(made, images=images).encode())
        with Server(made, images) as server, stoppable() as check:
            console.say(
                f'read and change the captions at {server.url} until you press "Save and close"'
            )
            console.say(f"or open {path} later, and give what it saves to --take")
            while not server.done:
                server.handle_request()
                check()
