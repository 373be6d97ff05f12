"""Settings that several commands share."""

from typing import Any

from stickerforge.config.setting import setting

MAX_SEED = 2**63 - 1


def device_setting(details: str = "") -> Any:
    """The setting of where a model runs, the same in each command that has one."""
    return setting(
        "auto", "auto, cpu, cuda, cuda:1 or mps.", details=details, flag="--device", panel="Common"
    )


def class_words_setting() -> Any:
    """The setting of a subject's class, the same where references are captioned or learned from."""
    return setting(
        "",
        "What kind of thing the subject is.",
        details='For example "dog", where its name does not say it.',
        default_text="its name",
        flag="--class",
        metavar="WORDS",
        alias="words",
    )
