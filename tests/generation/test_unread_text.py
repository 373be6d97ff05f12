"""What is not read is named: the first texts one by one, the others by their number."""

import pytest
import torch

from stickerforge.generation.unread_text import MAX_LINES, warn_of_unread_text
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.registry import find_model, load_model
from stickerforge.runtime.console import Console


@pytest.mark.parametrize("count", [1, MAX_LINES, MAX_LINES + 1, MAX_LINES + 30])
def test_many_texts_are_named_in_few_lines(tiny_sd, count):
    model = load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)
    model.long_prompts = LongPrompts("cut")
    texts = [f"{'x' * 75}end{number}" for number in range(count)]
    console = Console(quiet=True)
    warn_of_unread_text(model, ["it fits", *texts, *texts], "a caption", console)
    named = [line for line in console.warnings if "not read of a caption: 'end" in line]
    assert len(named) == min(count, MAX_LINES)
    rest = [line for line in console.warnings if line not in named]
    more = count - MAX_LINES
    assert rest == ([f"tiny-sd reads 75 tokens; not read of {more} more: their ends"] * (more > 0))
