"""What tests share: the command line in this process, and tiny models."""

import os

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
pytest.register_assert_rewrite("tests.command_line")

from tests.command_line import Ended as Ended  # noqa: E402
from tests.command_line import cli as cli  # noqa: E402
from tests.command_line import one_line as one_line  # noqa: E402
from tests.tiny import (  # noqa: E402
    write_tiny_blip,
    write_tiny_clip,
    write_tiny_dinov2,
    write_tiny_florence,
    write_tiny_image_encoder,
    write_tiny_llava,
    write_tiny_sd,
    write_tiny_sdxl,
)


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory):
    """A Stable Diffusion folder without alpha."""
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny-sd")


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory):
    """A Stable Diffusion XL folder."""
    return write_tiny_sdxl(tmp_path_factory.mktemp("models") / "tiny-sdxl")


@pytest.fixture(scope="session")
def image_encoder(tmp_path_factory):
    """The image encoder of a tiny IP-Adapter."""
    return write_tiny_image_encoder(tmp_path_factory.mktemp("encoders") / "tiny-vision")


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
