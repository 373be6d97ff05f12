"""config.json of a network: what is read of it before its weights are, and what it may not say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from stickerforge.config.description import Bounds, DescriptionError
from stickerforge.models.card import ModelCard, read_json, read_schema
from stickerforge.models.origin import broken_model

CONFIG = "config.json"
Channels = Annotated[int, Bounds(1, 65536)]
Side = Annotated[int, Bounds(1, 4096)]
Levels = tuple[Channels, ...]

# The largest whole numbers that keys may have, by the first pattern that a key matches. A library
# makes as many layers or labels as a file says, before it looks for their weights.
LARGEST = (
    (re.compile(r"channels|size|dim|width|heads|positions|tokens"), 20_000_000),
    (re.compile(r"layer|depth|block|stage"), 250),  # the deepest language models have 126
    (re.compile(r"labels"), 100_000),
)


@dataclass(frozen=True)
class NetworkConfig:
    """The schema of what is read of a denoiser's or an autoencoder's configuration.

    Args:
        sample_size: latents or pixels of a side; both sides where they are two.
        block_out_channels: by level; every level but the last halves its input.
        in_channels, out_channels: of what it takes and makes.
        latent_channels: of an autoencoder.
        scaling_factor: what its latents are multiplied with before a denoiser takes them.
        shift_factor: what is taken from them before that.
        cross_attention_dim: width of the texts that a denoiser reads; several by level.
        down_block_types: of a denoiser, by level; which ones read texts is in their names.
    """

    sample_size: Side | tuple[Side, ...] | None = None
    block_out_channels: Levels = (1,)
    in_channels: Channels | None = None
    out_channels: Channels | None = None
    latent_channels: Channels | None = None
    scaling_factor: Annotated[float, Bounds(1e-4, 1e4)] = 1.0
    shift_factor: Annotated[float, Bounds(-1e4, 1e4)] | None = None
    cross_attention_dim: Channels | Levels | None = None
    down_block_types: tuple[str, ...] = ()

    @property
    def side(self) -> int | None:
        """The side that it was configured for; of two the first."""
        size = self.sample_size
        return (size[0] if size else None) if isinstance(size, tuple) else size

    @property
    def halvings(self) -> int:
        """How often the network halves its input."""
        return len(self.block_out_channels) - 1

    @property
    def halvings_before_text(self) -> int:
        """How often the input of a denoiser is halved before a layer reads the text."""
        reads = ["CrossAttn" in kind for kind in self.down_block_types]
        return reads.index(True) if True in reads else 0


def read_network_config(part: Path) -> NetworkConfig:
    """What is known of the network in a folder.

    Raises:
        InputError: its configuration is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    path = part / CONFIG
    config = read_schema(path, NetworkConfig)
    if not 1 <= len(config.block_out_channels) <= 16:
        raise broken_model(path, f"{path} is broken: block_out_channels has no, or over 16 levels")
    return config


def has_alpha(card: ModelCard) -> bool:
    """Whether the autoencoder makes four channels, as its configuration says."""
    return read_network_config(card.folder / "vae").out_channels == 4


@dataclass(frozen=True)
class SchedulerConfig:
    """The schema of what matters of a scheduler's configuration, wherever it is given."""

    _class_name: str
    num_train_timesteps: Annotated[int, Bounds(2, 100_000)] = 1000
    beta_start: Annotated[float, Bounds(0, 1)] = 0.0001
    beta_end: Annotated[float, Bounds(0, 1)] = 0.02
    beta_schedule: str = "linear"
    trained_betas: tuple[Annotated[float, Bounds(0, 1)], ...] | None = None  # instead of these
    prediction_type: Literal["epsilon", "sample", "v_prediction", "flow_prediction"] = "epsilon"
    timestep_spacing: Literal["linspace", "leading", "trailing"] = "linspace"
    steps_offset: Annotated[int, Bounds(0, 1000)] = 0
    shift: Annotated[float, Bounds(1e-3, 1e3)] = 1.0
    base_shift: Annotated[float, Bounds(-1e3, 1e3)] = 0.5
    max_shift: Annotated[float, Bounds(-1e3, 1e3)] = 1.15
    base_image_seq_len: Annotated[int, Bounds(1, 10**9)] = 256
    max_image_seq_len: Annotated[int, Bounds(1, 10**9)] = 4096

    def __post_init__(self) -> None:
        """Make sure that there is a beta for every timestep.

        Raises:
            DescriptionError: there is not.
        """
        if self.trained_betas is not None and len(self.trained_betas) != self.num_train_timesteps:
            raise DescriptionError("trained_betas are not as many as num_train_timesteps")


def check_network_config(part: Path) -> None:
    """Make sure that a configuration asks a library for no absurd number of anything.

    Raises:
        InputError: it is broken, or asks for that.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    path = part / CONFIG
    for key, number in whole_numbers(read_json(path)):
        largest = next((most for pattern, most in LARGEST if pattern.search(key)), None)
        if largest is not None and abs(number) > largest:
            raise broken_model(path, f"{path} is broken: {key[:60]} is over {largest}")


def whole_numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """(key, number) of all whole numbers in a value, those of lists under the key of the list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from whole_numbers(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from whole_numbers(inner, key)
    elif isinstance(value, int):
        yield key, value
