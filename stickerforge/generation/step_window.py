"""The share of the steps in which a picture counts that is read beside the prompts."""

from stickerforge.errors import InputError


def check_window(name: str, start: float, end: float, steps: range) -> None:
    """Make sure that something counts in some step.

    Args:
        name: of its group of settings, for the error.
        start, end: shares of the whole schedule between which it counts.
        steps: those of the schedule that are taken; from its end, where images are started from a
            picture.

    Raises:
        InputError: it counts in none.
    """
    if not any(start <= step / steps.stop < end for step in steps):
        raise InputError(
            f"no step lies between {name}.start = {start:g} and {name}.end = {end:g}",
            f"steps are taken from {steps.start / steps.stop:.3g} on: give a smaller"
            f" {name}.start or a larger {name}.end",
        )
