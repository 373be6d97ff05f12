"""Image prompts of a call: pictures that an image adapter reads beside the text, and their checks.

Imports no torch, so that a call is refused at once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.adapters.image_prompt_weights import ImagePromptShape, check_width
from stickerforge.config.schema.image_prompt import ImageFit, ImagePromptConfig
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.image_adapters import (
    GIVE_ADAPTER,
    adapter_encoder,
    adapter_shape,
    image_adapter,
)
from stickerforge.generation.image_references import (
    MASKS,
    OPTION,
    Reference,
    ReferenceMask,
    read_references,
    with_masks,
)
from stickerforge.generation.step_window import check_window
from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec
from stickerforge.models.image_encoder_place import EncoderPlace
from stickerforge.models.network_config import read_network_config

# Parameters that name the files, which decides no pixel.
REFERENCE_NAMES, MASK_NAMES = "references", "reference_masks"
COLOR = re.compile(r"[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class ImagePrompt:
    """The pictures of a call, and how they are read.

    Args:
        source: of the image adapter.
        shape: its widths.
        encoder: where the image encoder is.
        fit: how pictures become squares.
        ground: what they are laid on, as rrggbb.
        blocks: which layers see them, as the user named them; `layers` is the beginning of the
            names of those layers, "" for all.
        start, end: shares of the steps between which they count.
    """

    source: str
    shape: ImagePromptShape
    references: tuple[Reference, ...]
    encoder: EncoderPlace
    fit: ImageFit
    ground: str
    blocks: str
    layers: str
    start: float
    end: float

    @property
    def scales(self) -> list[float]:
        """The scale of each reference."""
        return [reference.scale for reference in self.references]

    @property
    def paths(self) -> list[str]:
        """The file of each reference."""
        return [str(reference.picture.path) for reference in self.references]

    @property
    def masks(self) -> list[ReferenceMask]:
        """The mask of each reference; none where they act everywhere."""
        return [reference.mask for reference in self.references if reference.mask]

    @property
    def mask_paths(self) -> list[str]:
        """The file of each mask."""
        return [str(mask.picture.path) for mask in self.masks]

    @property
    def reads(self) -> list[str]:
        """Every file of the references, and the folder of the encoder where it is here."""
        encoder = [str(self.encoder.folder)] if self.encoder.folder else []
        return [*self.paths, *self.mask_paths, *encoder]

    @property
    def lines(self) -> list[str]:
        """What a dry run says of it."""
        lines = [
            f"picture {reference.picture.path}, scale {reference.scale:g}"
            for reference in self.references
        ]
        masks = [f"mask    {path}" for path in self.mask_paths]
        return [*lines, *masks, f"encoder {self.encoder.folder or self.encoder.title}"]

    @property
    def names(self) -> dict[str, list[str]]:
        """What the files are called, by the parameter that keeps it; folders tell of an owner."""
        names = {REFERENCE_NAMES: self.paths}
        names |= {MASK_NAMES: self.mask_paths} if self.masks else {}
        return {kind: [Path(path).name for path in paths] for kind, paths in names.items()}

    @property
    def stem(self) -> str:
        """What files are named after where there is no prompt."""
        return self.references[0].picture.path.stem

    def params(self) -> dict[str, Any]:
        """What decides the pixels of an image, for its digest: contents and no names."""
        encoder = {"encoder": self.encoder.title}
        if self.encoder.fingerprint:
            encoder["fingerprint"] = self.encoder.fingerprint
        return {
            "references": [reference.params() for reference in self.references],
            **encoder,
            **{name: getattr(self, name) for name in ("fit", "ground", "blocks", "start", "end")},
        }

    def record(self) -> dict[str, Any]:
        """What the JSON says of it."""
        files = {"pictures": self.paths, "masks": self.mask_paths}
        return self.params() | files | {"adapter": self.source}


def plan_image_prompt(
    config: ImagePromptConfig,
    adapters: Sequence[ActiveAdapter],
    card: ModelCard,
    *,
    alone: bool,
    pixels: int,
    steps: range,
    warn: Callable[[str], None],
) -> ImagePrompt | None:
    """The image prompt of a call; None where there is none.

    Args:
        adapters: of the whole call.
        alone: whether there is no prompt in words.
        pixels: side of the square that is sampled.
        steps: those of the schedule that are taken; from its end, where images are started from a
            picture.
        warn: gets a line about what does nothing, or of which a part is taken.

    Raises:
        InputError: a picture cannot be used, or the adapter, the model and the settings do not fit
            each other.
    """
    adapter = image_adapter(adapters)
    if not config.pictures:
        if config.masks:
            raise InputError(
                f"{MASKS} are about the pictures of {OPTION}, and there are none",
                f"give {OPTION} FILE too",
            )
        if adapter is not None:
            warn(f"the image adapter {adapter.source} does nothing without {OPTION}")
        warn_of_unused(config, warn)
        return None
    if adapter is None:
        raise InputError(f"{OPTION} needs an image adapter", GIVE_ADAPTER)
    shape = adapter_shape(adapter)
    warn_of_fit(adapter, config.fit, warn)
    spec = family_spec(card.folder)
    denoiser = read_network_config(card.folder / spec.denoiser)
    check_width(shape, denoiser.cross_attention_dim, adapter.source, card.title)
    if not COLOR.fullmatch(config.ground):
        raise InputError(
            f"image_prompt.ground: {config.ground[:40]!r} is no colour", "give rrggbb: ffffff"
        )
    check_window("image_prompt", config.start, config.end, steps)
    references = read_references(config.pictures, alone=alone)
    halvings = read_network_config(card.folder / "vae").halvings + denoiser.halvings_before_text
    prompt = ImagePrompt(
        adapter.source,
        shape,
        with_masks(references, config.masks, pixels, max(pixels >> halvings, 1)),
        adapter_encoder(adapter, shape, config.encoder),
        config.fit,
        config.ground.lower(),
        config.blocks,
        layers_of(config.blocks, spec.image_prompt_blocks, card.title),
        config.start,
        config.end,
    )
    for note in dict.fromkeys(reference.picture.note for reference in prompt.references):
        if note:
            warn(note)
    return prompt


def warn_of_fit(adapter: ActiveAdapter, fit: str, warn: Callable[[str], None]) -> None:
    """Warn where pictures become squares in another way than in the training of an adapter."""
    own = adapter.installed.made.get("fit") if adapter.installed else None
    if isinstance(own, str) and own != fit:
        warn(f"{adapter.source} was trained with image_prompt.fit={own}, and this call has {fit}")


def layers_of(blocks: str, known: Mapping[str, str], title: str) -> str:
    """The beginning of the names of the layers that see pictures; "" for all.

    Args:
        known: of the family: {name of the blocks: that beginning}.
        title: of the model.

    Raises:
        InputError: the family has no such blocks.
    """
    if blocks == "all":
        return ""
    if blocks not in known:
        raise InputError(
            f"image_prompt.blocks = {blocks}: only blocks of Stable Diffusion XL are known for"
            f" that, and {title} is another model",
            "give --set image_prompt.blocks=all",
        )
    return known[blocks]


def warn_of_unused(config: ImagePromptConfig, warn: Callable[[str], None]) -> None:
    """Warn of settings that are about pictures where there are none."""
    plain = ImagePromptConfig()
    for name in ("encoder", "fit", "ground", "blocks", "start", "end"):
        if getattr(config, name) != getattr(plain, name):
            warn(f"image_prompt.{name} does nothing without {OPTION}")


def with_scales(config: ImagePromptConfig, prompt: ImagePrompt | None) -> ImagePromptConfig:
    """The settings as they are saved, with the scale of every picture."""
    if prompt is None:
        return config
    pairs = zip(prompt.paths, prompt.scales, strict=True)
    return replace(config, pictures=tuple(f"{path}:{scale!r}" for path, scale in pairs))
