"""docs/settings.md, written from the settings: `python -m stickerforge.config.reference`."""

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from stickerforge.config.schema import (
    CaptionConfig,
    CustomizeConfig,
    EvaluateConfig,
    GenerateConfig,
    MergeConfig,
    RateConfig,
    TailorAlphaConfig,
    TailorImageConfig,
    TailorPromptConfig,
    TailorRewardConfig,
    TailorStyleConfig,
)
from stickerforge.config.setting import Setting, settings_of

CONFIGS = {
    "generate": GenerateConfig,
    "caption": CaptionConfig,
    "customize": CustomizeConfig,
    "merge": MergeConfig,
    "tailor style": TailorStyleConfig,
    "tailor prompt": TailorPromptConfig,
    "tailor reward": TailorRewardConfig,
    "tailor alpha": TailorAlphaConfig,
    "tailor image": TailorImageConfig,
    "rate": RateConfig,
    "evaluate": EvaluateConfig,
}
HEAD = """# Settings

<!-- Written by `python -m stickerforge.config.reference > docs/settings.md`; do not edit. -->

Any setting can be given in a TOML file (`--config FILE`), as `--set NAME=VALUE`, and from Python
as `settings={"NAME": VALUE}`; those that have an option can be given as that, too. Later ones win:
defaults < file < `--set` < options.
"""


def reference() -> str:
    """The settings of all commands as Markdown, a table for each command."""
    return HEAD + "".join(
        f"\n## stickerforge {command}\n\n" + "\n".join(table_rows(kind)) + "\n"
        for command, kind in CONFIGS.items()
    )


def table_rows(kind: type) -> Iterator[str]:
    """The lines of a command's table."""
    yield "| setting | option | default | values | meaning |"
    yield "|---|---|---|---|---|"
    for setting in settings_of(kind).values():
        option = " ".join(f"`{flag}`" for flag in (setting.flag, setting.short) if flag)
        cells = (
            f"`{setting.name}`",
            option or ("argument" if setting.argument else ""),
            setting.default_in_words,
            allowed_values(setting),
            meaning(setting),
        )
        yield "| " + " | ".join(map(escape, cells)) + " |"


def escape(cell: str) -> str:
    """The text of a cell without what Markdown would read as a column or a tag."""
    return cell.replace("|", r"\|").replace("<", "&lt;")


def meaning(setting: Setting) -> str:
    """Help text, details and earlier name."""
    alias = f"Formerly `{setting.alias}`." if setting.alias else ""
    return " ".join(text for text in (setting.help, setting.details, alias) if text)


def allowed_values(setting: Setting) -> str:
    """What a setting may be: its bounds, its choices, or the kind of its value."""
    choices = list(choices_of(setting.annotation))
    if setting.low is not None:
        return ", ".join([f"{setting.low} to {setting.high}", *choices])
    if setting.annotation is bool:
        return "true, false"
    return ", ".join(choices) or ("texts" if get_origin(setting.annotation) is tuple else "text")


def choices_of(annotation: Any) -> Iterator[str]:
    """The words of an annotation's literals."""
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
        return
    for part in get_args(annotation):
        yield from choices_of(part)


if __name__ == "__main__":
    sys.stdout.write(reference())
