"""The settings of `stickerforge caption`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.schema.common import class_words_setting, device_setting
from stickerforge.config.setting import setting


@dataclass(frozen=True)
class CaptionConfig:
    """`stickerforge caption`."""

    pictures: str = setting("", "A folder of pictures.", argument=True, path=True)
    subject: str = setting(
        "",
        "What all of them show; captions say <NAME> once.",
        details="Without it captions name what is seen.",
        flag="--subject",
        metavar="NAME",
    )
    class_words: str = class_words_setting()
    captioner: str = setting(
        "embedded",
        "An image-text model.",
        details="embedded, a folder of transformers, or owner/name of the hub.",
        flag="--captioner",
        metavar="NAME|FOLDER",
        path=True,
    )
    form: Literal["long", "short", "tags"] = setting(
        "long", "Form of the captions.", flag="--style", short="-s", metavar="long|short|tags"
    )
    device: str = device_setting()
