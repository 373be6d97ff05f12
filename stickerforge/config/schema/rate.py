"""The settings of `stickerforge rate`."""

from dataclasses import dataclass
from typing import Literal

from stickerforge.config.setting import setting


@dataclass(frozen=True)
class RateConfig:
    """`stickerforge rate`."""

    run: str = setting(
        "",
        "Name of what tailor style draws, or a folder of pictures with captions.",
        details="A folder that holds candidates.jsonl and set.json is a set.",
        argument=True,
        path=True,
    )
    question: Literal["match", "style", "pair"] | None = setting(
        None,
        "Whether each shows its prompt, matches the style, or which of two is better.",
        default_text="the set's",
        details="Of a name that which is still open, match first.",
        flag="--question",
        metavar="match|style|pair",
    )
    against: tuple[str, ...] = setting(
        (),
        "Another folder: pictures of one prompt and seed are compared.",
        details="May be given again, for more than two folders.",
        flag="--against",
        metavar="FOLDER",
        path=True,
    )
    rater: str = setting(
        "", "Who decides.", default_text="asked on the page", flag="--rater", metavar="NAME"
    )
    guideline: str = setting(
        "",
        "What raters go by, above the pictures.",
        default_text="the set's",
    )
    port: int = setting(
        0,
        "Where the page is served on this machine.",
        low=0,
        high=65535,
        default_text="one that is free",
        flag="--port",
    )
    out: str = setting(
        "",
        "Folder of the answers and of what follows from them.",
        details="Of a folder that is no set they are kept below STICKERFORGE_HOME/ratings.",
        default_text="that of the set",
        flag="--out",
        short="-o",
        metavar="FOLDER",
        path=True,
    )
