"""What of a text a model does not read, in one line: nothing is left out without being named."""

from collections.abc import Iterable

from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console

MAX_SHOWN = 80  # characters of what is not read
MAX_LINES = 8  # of one kind of text; a data set may hold thousands
NOT_READ = "; not read of "


def warn_of_unread_text(
    model: DiffusionModel, texts: Iterable[str], what: str, console: Console
) -> None:
    """Warn of the texts that the model does not read to their ends: of the first ones one by one.

    Args:
        what: of what kind they are, such as "the negative prompt".
    """
    rule = model.long_prompts
    tokens = rule.length if rule.mode == "longalign" else model.spec.text_tokens
    rests = list(filter(None, map(model.unread_text, dict.fromkeys(texts))))
    for rest in rests[:MAX_LINES]:
        console.warn(
            f"{model.card.name} reads {tokens} tokens{NOT_READ}{what}: {rest[:MAX_SHOWN]!r}"
        )
    if (more := len(rests) - MAX_LINES) > 0:
        console.warn(f"{model.card.name} reads {tokens} tokens{NOT_READ}{more} more: their ends")


def pass_on(inner: Console, console: Console) -> None:
    """Warn of what was not read in a part of a call that warns of nothing else."""
    for line in inner.warnings:
        if NOT_READ in line:
            console.warn(line)
