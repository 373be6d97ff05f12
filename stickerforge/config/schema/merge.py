"""The settings of `stickerforge merge`."""

from dataclasses import dataclass

from stickerforge.config.setting import setting


@dataclass(frozen=True)
class MergeConfig:
    """`stickerforge merge`."""

    parents: tuple[str, ...] = setting(
        (), "The adapters, for example dog crayon:0.8.", argument=True, metavar="NAME[:WEIGHT]..."
    )
    name: str = setting("", "Name of the merged adapter.", flag="--name")
    rename: tuple[str, ...] = setting(
        (),
        "Another placeholder, where two parents share one.",
        flag="--rename",
        metavar="PARENT:OLD=NEW",
    )
