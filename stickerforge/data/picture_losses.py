"""What is said of captioned pictures that are left out."""

from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.data.picture_folder import describe_skipped
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural, shorten_list

SHOWN = 8  # names in a warning


def warn_of_losses(pictures: CaptionedPictures, console: Console) -> None:
    """Warn of pictures that cannot be used, or have no caption."""
    for line in pictures.unreadable:
        console.warn(f"left out: {line}")
    for line in describe_skipped(pictures.other_files):
        console.warn(line)
    if names := pictures.without_caption:
        count = plural(len(names), "picture")
        console.warn(f"left out, without a caption: {count}, {shorten_list(names, SHOWN)}")
    for note in [picture.note for picture, _ in pictures.pictures if picture.note][:SHOWN]:
        console.warn(note)
