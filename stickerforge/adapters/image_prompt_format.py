"""The file of an image adapter in the official layout of IP-Adapter, as it is read and written.

Keys are "image_proj.…" for the projection and "ip_adapter.N.to_k_ip.weight", "….to_v_ip.weight" for
the cross-attentions, N = 1, 3, 5, … in the order of diffusers' `attn_processors`: down, up, middle.

torch is imported when a tensor is touched, so that headers can be checked at once.
"""

import re
from collections.abc import Mapping

from stickerforge.adapters.header import AGAIN, AdapterFile, Header
from stickerforge.adapters.image_prompt_weights import (
    BASE_TOKENS,
    DEPTH,
    HEAD_WIDTH,
    ImagePromptShape,
    ImagePromptWeights,
)
from stickerforge.adapters.lora_export import with_metadata
from stickerforge.adapters.lora_format import FILES, finite_tensors
from stickerforge.errors import InputError
from stickerforge.models.hub_place import is_hub_place
from stickerforge.models.image_encoder_place import JUDGE

NAME = "ip-adapter"  # what the file is called, and begins its name with
PROJECTION, ATTENTION = "image_proj.", "ip_adapter."
LAYER = re.compile(r"ip_adapter\.(\d{1,4})\.to_([kv])_ip\.weight")
ENCODER = "stickerforge.image_encoder"  # in the metadata of a file
MAX_TOKENS = 1024  # of a resampler
PARTS = ("weight", "bias")  # of a normalization
GIVE_SUPPORTED = "give a base or plus file, such as ip-adapter_sd15.safetensors"


def is_image_prompt(file: AdapterFile) -> bool:
    """Whether a file is of IP-Adapter, of whatever variant."""
    return any(key.startswith((PROJECTION, ATTENTION)) for key in file.header)


def encode(weights: ImagePromptWeights) -> bytes:
    """An image adapter as one file; equal ones give equal bytes."""
    return encode_with(weights, encoder_entry(weights))


def encode_files(weights: ImagePromptWeights, metadata: Mapping[str, str]) -> dict[str, bytes]:
    """{"ip-adapter": file}, which `load_ip_adapter` of diffusers takes.

    Args:
        metadata: what the file is to say of the adapter, too.
    """
    return {NAME: encode_with(weights, {FILES: "1", **encoder_entry(weights), **metadata})}


def encoder_entry(weights: ImagePromptWeights) -> dict[str, str]:
    """What a file says of the image encoder; official ones say nothing."""
    return {ENCODER: weights.encoder} if weights.encoder else {}


def encode_with(weights: ImagePromptWeights, metadata: Mapping[str, str]) -> bytes:
    """A file with metadata; tensors keep their precision and share no memory."""
    from safetensors.torch import save

    tensors = {key: value.contiguous().clone() for key, value in sorted(weights.tensors.items())}
    return with_metadata(save(tensors), {"format": "pt", **metadata})


def parse(*files: AdapterFile) -> ImagePromptWeights:
    """The image adapter in a file.

    Raises:
        InputError: it holds none, a broken one, or one of a variant that cannot be used.
    """
    file, *others = files
    if others or not is_image_prompt(file):
        raise InputError(f"{file.path} holds no image adapter", AGAIN)
    shape = shape_of(file)
    return ImagePromptWeights(shape, finite_tensors(file), encoder_of(file))


def encoder_of(file: AdapterFile) -> str:
    """The image encoder that a file was trained with; "" where it does not say.

    Raises:
        InputError: it says what cannot be.
    """
    encoder = file.metadata.get(ENCODER, "")
    if encoder and encoder != JUDGE and not is_hub_place(encoder):
        raise InputError(f"{file.path} names an image encoder that cannot be", AGAIN)
    return encoder


def shape_of(file: AdapterFile) -> ImagePromptShape:
    """The widths of the image adapter in a file, by its header alone.

    Raises:
        InputError: its variant cannot be used, or tensors are missing or do not fit each other.
    """
    check_variant(file)
    header = file.header
    find = base_shape if f"{PROJECTION}proj.weight" in header else plus_shape
    try:
        shape = find(header, layers_of(header))
    except KeyError as error:
        raise InputError(f"{file.path} is no whole IP-Adapter: no {error} in it", AGAIN) from None
    except (IndexError, ValueError):
        raise InputError(
            f"{file.path} is no IP-Adapter: its tensors have absurd shapes", AGAIN
        ) from None
    expected = expected_shapes(shape)
    for key in sorted(expected.keys() | header.keys()):
        if key not in header:
            raise InputError(f"{file.path} is no whole IP-Adapter: no {key!r} in it", AGAIN)
        if key not in expected:
            raise InputError(
                f"{file.path} holds {key[:80]}, which no IP-Adapter base or plus has",
                GIVE_SUPPORTED,
            )
        if header[key][1] != expected[key]:
            raise InputError(
                f"{file.path} has {key} in shape {header[key][1]}, not {expected[key]}", AGAIN
            )
    return shape


def check_variant(file: AdapterFile) -> None:
    """Make sure that a file is of a variant that can be used.

    Raises:
        InputError: it is not; the variant is named.
    """
    names = {key.removeprefix(PROJECTION) for key in file.header if key.startswith(PROJECTION)}
    has_lora = any("_lora." in key for key in file.header)
    is_face = "perceiver_resampler.proj_in.weight" in names
    if is_face or has_lora or ("norm.weight" in names and "proj.weight" not in names):
        raise InputError(
            f"{file.path} is an IP-Adapter FaceID, which reads faces and not pictures",
            GIVE_SUPPORTED,
        )
    if "proj.3.weight" in names:
        raise InputError(
            f"{file.path} is an IP-Adapter Full, with a token for each patch of the picture:"
            " it is not supported",
            GIVE_SUPPORTED,
        )
    depths = {int(match[1]) for name in names if (match := re.match(r"layers\.(\d{1,4})\.", name))}
    if "latents" in names and depths != set(range(DEPTH)):
        raise InputError(
            f"{file.path} has a resampler of {len(depths)} blocks, and only {DEPTH} can be used",
            GIVE_SUPPORTED,
        )
    if "proj.weight" not in names and "latents" not in names:
        raise InputError(
            f"{file.path} is an IP-Adapter of a variant that is not known", GIVE_SUPPORTED
        )
    tokens = base_tokens(file.header)
    if "proj.weight" in names and tokens not in (0, BASE_TOKENS):
        raise InputError(
            f"{file.path} has {tokens} tokens for a picture, and only {BASE_TOKENS} can be used"
            " without a resampler",
            GIVE_SUPPORTED,
        )


def base_tokens(header: Header) -> int:
    """How many tokens a base projection makes; 0 where nothing says it."""
    rows = header.get(f"{PROJECTION}proj.weight", ("", []))[1]
    norm = header.get(f"{PROJECTION}norm.weight", ("", []))[1]
    return rows[0] // norm[0] if len(rows) == 2 and len(norm) == 1 else 0


def layers_of(header: Header) -> dict[int, int]:
    """{number of a cross-attention: width of its keys}."""
    matches = [match for key in header if (match := LAYER.fullmatch(key))]
    numbers = {int(match[1]): header[match[0]][1][0] for match in matches if match[2] == "k"}
    return dict(sorted(numbers.items()))


def base_shape(header: Header, layers: Mapping[int, int]) -> ImagePromptShape:
    """The widths of a base adapter."""
    rows, features = header[f"{PROJECTION}proj.weight"][1][:2]
    return ImagePromptShape("base", BASE_TOKENS, rows // BASE_TOKENS, features, 0, 0, layers)


def plus_shape(header: Header, layers: Mapping[int, int]) -> ImagePromptShape:
    """The widths of a plus adapter."""
    tokens, hidden = (header[f"{PROJECTION}latents"][1] + [0, 0, 0])[1:3]
    features = header[f"{PROJECTION}proj_in.weight"][1][1]
    width = header[f"{PROJECTION}proj_out.weight"][1][0]
    heads = header[f"{PROJECTION}layers.0.0.to_q.weight"][1][0] // HEAD_WIDTH
    return ImagePromptShape("plus", min(tokens, MAX_TOKENS), width, features, hidden, heads, layers)


def expected_shapes(shape: ImagePromptShape) -> dict[str, list[int]]:
    """{key: shape} of every tensor of an adapter."""
    own = base_projection(shape) if shape.variant == "base" else plus_projection(shape)
    shapes = {PROJECTION + name: sides for name, sides in own.items()}
    for number, width in shape.layers.items():
        for part in ("k", "v"):
            shapes[f"{ATTENTION}{number}.to_{part}_ip.weight"] = [width, shape.width]
    return shapes


def base_projection(shape: ImagePromptShape) -> dict[str, list[int]]:
    """{name: shape} of a linear layer to four tokens, and their normalization."""
    rows = shape.tokens * shape.width
    return {
        "proj.weight": [rows, shape.features],
        "proj.bias": [rows],
        "norm.weight": [shape.width],
        "norm.bias": [shape.width],
    }


def plus_projection(shape: ImagePromptShape) -> dict[str, list[int]]:
    """{name: shape} of a resampler."""
    hidden, width, inner = shape.hidden, shape.width, shape.heads * HEAD_WIDTH
    shapes = {
        "latents": [1, shape.tokens, hidden],
        "proj_in.weight": [hidden, shape.features],
        "proj_in.bias": [hidden],
        "proj_out.weight": [width, hidden],
        "proj_out.bias": [width],
        "norm_out.weight": [width],
        "norm_out.bias": [width],
    }
    block = {
        **{f"0.{norm}.{part}": [hidden] for norm in ("norm1", "norm2") for part in PARTS},
        "0.to_q.weight": [inner, hidden],
        "0.to_kv.weight": [2 * inner, hidden],
        "0.to_out.weight": [hidden, inner],
        **{f"1.0.{part}": [hidden] for part in PARTS},
        "1.1.weight": [4 * hidden, hidden],
        "1.3.weight": [hidden, 4 * hidden],
    }
    for depth in range(DEPTH):
        shapes |= {f"layers.{depth}.{name}": sides for name, sides in block.items()}
    return shapes
