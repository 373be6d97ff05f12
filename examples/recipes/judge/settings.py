"""Where the judges' data lies, and the sizes of their pictures."""

from examples.recipes.mini.settings import DATA as ART
from examples.recipes.mini.settings import RUNS as ALL_RUNS
from examples.recipes.mini.settings import STYLES

DATA, RUNS = ART / "judge", ALL_RUNS / "judge"
ALL_STYLES = (*STYLES, "high-contrast")  # the last one sticker-mini never sees
STORED, PIXELS = 72, 64
