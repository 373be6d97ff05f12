"""What tests share: the command line in this process, and tiny models."""

import json
import os
from dataclasses import dataclass
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from stickerforge.cli.app import main  # noqa: E402
from tests.tiny import (  # noqa: E402
    write_tiny_blip,
    write_tiny_clip,
    write_tiny_dinov2,
    write_tiny_florence,
    write_tiny_llava,
    write_tiny_sd,
    write_tiny_sdxl,
)

INTERRUPTED = 130


@dataclass
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return self.json["result"]["outputs"]


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run `stickerforge …` here, in an empty folder, with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        caught = capsys.readouterr()
        if end.value.code == INTERRUPTED:  # the command took the Ctrl-C that was for the tests
            raise KeyboardInterrupt
        return Ended(int(end.value.code or 0), caught.out, caught.err)

    return run


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory):
    """A Stable Diffusion folder without alpha."""
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny-sd")


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory):
    """A Stable Diffusion XL folder."""
    return write_tiny_sdxl(tmp_path_factory.mktemp("models") / "tiny-sdxl")


def one_line(ended: Ended) -> str:
    """The error of a failed call: nothing on stdout, exactly one line on stderr, no traceback."""
    assert ended.out == ""
    lines = [line for line in ended.err.splitlines() if not line.startswith(("seed ", "warning: "))]
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("stickerforge: ")
    assert len(lines[0]) < 400
    return lines[0]


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A CLIP folder."""
    return write_tiny_clip(tmp_path_factory.mktemp("encoders") / "tiny-clip")


@pytest.fixture(scope="session")
def dinov2(tmp_path_factory):
    """A DINOv2 folder."""
    return write_tiny_dinov2(tmp_path_factory.mktemp("encoders") / "tiny-dinov2")


@pytest.fixture(scope="session")
def vlm(tmp_path_factory):
    """An image-text model with a chat template."""
    return write_tiny_llava(tmp_path_factory.mktemp("talkers") / "tiny-llava")


@pytest.fixture(scope="session")
def blip(tmp_path_factory):
    """A BLIP that captions."""
    return write_tiny_blip(tmp_path_factory.mktemp("talkers") / "tiny-blip")


@pytest.fixture(scope="session")
def florence(tmp_path_factory):
    """A Florence-2."""
    return write_tiny_florence(tmp_path_factory.mktemp("talkers") / "tiny-florence")
