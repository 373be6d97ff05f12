"""Captioners by name."""

import pytest

from stickerforge.captioning.loading import load_captioner
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.console import Console


def test_what_is_no_image_text_model(clip, tmp_path):
    quiet = Console(quiet=True)
    with pytest.raises(InputError, match="cannot be read"):
        load_captioner(str(clip), device="cpu", offline=True, console=quiet)
    with pytest.raises(InputError, match="unknown captioner"):
        load_captioner("nonsense", device="cpu", offline=True, console=quiet)
    with pytest.raises(EnvironmentFault, match="not in the cache"):
        load_captioner("somebody/some-model", device="cpu", offline=True, console=quiet)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        load_captioner(str(tmp_path / "file"), device="cpu", offline=True, console=quiet)
