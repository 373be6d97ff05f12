"""The file of a decoder with alpha, as it is read and written.

torch is imported when a tensor is touched, so that headers can be checked at once.
"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stickerforge.adapters.decoder_weights import DecoderWeights
from stickerforge.adapters.header import AGAIN, AdapterFile, hashed_name
from stickerforge.adapters.lora_export import public_title, with_metadata
from stickerforge.adapters.lora_format import FILES, finite_tensors
from stickerforge.errors import InputError
from stickerforge.runtime.json_text import parse_json

if TYPE_CHECKING:
    from stickerforge.adapters.store import Adapter

DECODER = "decoder"  # what the file is called, and begins its name with
AUTOENCODER = "vae"  # how the name of the folder beside it begins, which diffusers loads
PREFIXES = ("decoder.", "post_quant_conv.")
CONFIG = "stickerforge.autoencoder"  # in the metadata: the AutoencoderKL's configuration, as JSON
ENCODER = "stickerforge.encoder"  # likewise: the digest of its encoder
DIGEST = re.compile(r"[0-9a-f]{16}")


def is_decoder(file: AdapterFile) -> bool:
    """Whether a file says that it is a decoder, and holds nothing else."""
    own = bool(file.header) and all(key.startswith(PREFIXES) for key in file.header)
    return own and ENCODER in file.metadata


def encode(weights: DecoderWeights) -> bytes:
    """A decoder as one file in float32; equal ones give equal bytes."""
    return encode_with(weights, {})


def encode_files(weights: DecoderWeights, metadata: Mapping[str, str]) -> dict[str, bytes]:
    """{"decoder": file}.

    Args:
        metadata: what the file is to say of the adapter, too.
    """
    return {DECODER: encode_with(weights, {FILES: "1", **metadata})}


def encode_with(weights: DecoderWeights, metadata: Mapping[str, str]) -> bytes:
    """A file with further metadata."""
    from safetensors.torch import save

    tensors = {key: value.float().contiguous() for key, value in sorted(weights.tensors.items())}
    own = {
        "format": "pt",
        CONFIG: json.dumps(weights.config, sort_keys=True),
        ENCODER: weights.encoder,
    }
    return with_metadata(save(tensors), own | dict(metadata))


def parse(*files: AdapterFile) -> DecoderWeights:
    """The decoder in a file.

    Raises:
        InputError: it holds none, or a broken one.
    """
    file, *others = files
    if others or not is_decoder(file):
        raise InputError(f"{file.path} holds no decoder", AGAIN)
    config, encoder = parse_config(file), file.metadata[ENCODER]
    if config is None or not DIGEST.fullmatch(encoder):
        raise InputError(f"{file.path}: its metadata about the autoencoder is broken", AGAIN)
    tensors = {key: value.float() for key, value in finite_tensors(file).items()}
    return DecoderWeights(tensors, config, encoder)


def parse_config(file: AdapterFile) -> dict[str, Any] | None:
    """The configuration in a file's metadata; None where it is broken."""
    try:
        config = parse_json(file.metadata.get(CONFIG, ""))
    except ValueError:
        return None
    return config if isinstance(config, dict) and config.get("out_channels") == 4 else None


def autoencoder_name(adapter: "Adapter") -> str:
    """What the folder beside a decoder is called."""
    return hashed_name(AUTOENCODER, adapter.sha256)


def readme(adapter: "Adapter") -> str:
    """The README.md of a decoder: how it is used here, and elsewhere."""
    title = public_title(adapter.base.title)
    return f"""\
# {adapter.name}

A decoder with alpha for the autoencoder of `{title}`, made with StickerForge. Any model with the
same encoder (its digest is {adapter.encoder}) can be decoded with it.

- `stickerforge generate "a cat" --model MODEL --adapter {adapter.name}` draws transparent stickers.
- In diffusers, from this folder:

```python
from diffusers import AutoencoderKL, DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("MODEL")
vae = AutoencoderKL.from_pretrained("{autoencoder_name(adapter)}", torch_dtype=pipe.unet.dtype)
latents = pipe("a cat", output_type="latent").images
rgba = vae.decode(latents / vae.config.scaling_factor).sample / 2 + 0.5  # (B, 4, H, W)
```

Its first three channels are colours and the fourth is alpha, which is straight: colours are not
multiplied with it. It encodes three channels, as before.
"""
