"""The image adapter of a call, and the image encoder that it was trained with."""

from collections.abc import Sequence
from dataclasses import replace

from stickerforge.adapters.header import read_file
from stickerforge.adapters.image_prompt_format import encoder_of, shape_of
from stickerforge.adapters.image_prompt_weights import ImagePromptShape
from stickerforge.adapters.kinds import IMAGE
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.requests import Request, adapters_of
from stickerforge.models.card import ModelCard
from stickerforge.models.image_encoder_place import (
    MEGABYTES,
    SETTING,
    EncoderPlace,
    find_image_encoder,
    official_encoder,
)

GIVE_ADAPTER = (
    "give --adapter ip-adapter_sd15.safetensors (Stable Diffusion 1.x) or"
    " ip-adapter_sdxl_vit-h.safetensors (XL), of h94/IP-Adapter, and the --model it is for, or"
    " train one: stickerforge tailor image"
)


def with_own_image_adapter(requests: Sequence[Request], card: ModelCard) -> list[Request]:
    """Requests with the image adapter that comes with a model, where they have none.

    Raises:
        InputError, EnvironmentFault: it cannot be read.
    """
    if card.image_adapter_file is None or image_adapter(adapters_of(requests)):
        return list(requests)
    if not card.image_adapter_file.exists():
        raise EnvironmentFault(f"{card.image_adapter_file} is missing", "install the model again")
    file = read_file(card.image_adapter_file)
    own = ActiveAdapter(str(file.path), 1.0, file.sha256, kind=IMAGE, weights=IMAGE.read(file))
    return [
        replace(
            request,
            adapters=(*request.adapters, own),
            text=request.text if request.row.prompt else wordless_text(request.text, card),
        )
        for request in requests
    ]


def wordless_text(text: str, card: ModelCard) -> str:
    """What is read beside a picture without a prompt: the card's words, and the style's."""
    return f"{card.image_prompt_words} {text}".strip()


def image_adapter(adapters: Sequence[ActiveAdapter]) -> ActiveAdapter | None:
    """The image adapter among those of a call; None where there is none.

    Raises:
        InputError: there are two.
    """
    found = [adapter for adapter in adapters if adapter.is_image]
    if len(found) > 1:
        names = " and ".join(adapter.source for adapter in found[:2])
        raise InputError(f"{names} are image adapters, and a call takes one", "use one of them")
    return found[0] if found else None


def adapter_shape(adapter: ActiveAdapter) -> ImagePromptShape:
    """The widths of an image adapter; of one in the store only the header is read."""
    if adapter.installed is None:
        shape: ImagePromptShape = adapter.weights.shape
        return shape
    return shape_of(read_file(adapter.installed.path, tensors=False))


def adapter_encoder(adapter: ActiveAdapter, shape: ImagePromptShape, given: str) -> EncoderPlace:
    """The image encoder that an image adapter was trained with.

    Args:
        given: the one that a call names; "" for none.

    Raises:
        InputError: it is not here, or not the one that it was trained with.
        EnvironmentFault: a stranger's file names one that would have to be fetched.
    """
    made = adapter.installed.made if adapter.installed else {}
    known, fingerprint = made.get("image_encoder"), made.get("encoder_fingerprint")
    said = "" if isinstance(known, str) else encoder_in_file(adapter)
    usual = official_encoder(shape.variant, shape.features)
    place = find_image_encoder(given or known or said or usual)
    if said and not given and not (place.is_judge or said in MEGABYTES or is_cached(place)):
        raise EnvironmentFault(
            f"{adapter.source} names the image encoder {said}, which is not here",
            f"add --set {SETTING}={said} to fetch it, or give a folder",
        )
    if fingerprint and place.fingerprint and place.fingerprint != fingerprint:
        raise InputError(
            f"{adapter.source} was trained with another image encoder than"
            f" {place.folder or place.title}",
            f"give --set {SETTING}=FOLDER, the encoder that it was trained with",
        )
    return place


def encoder_in_file(adapter: ActiveAdapter) -> str:
    """The image encoder that an adapter's file names, which may be a stranger's; "" for none."""
    if adapter.installed:
        return encoder_of(read_file(adapter.installed.path, tensors=False))
    return str(adapter.weights.encoder)


def is_cached(place: EncoderPlace) -> bool:
    """Whether an encoder is one of the hub's that was fetched before."""
    return place.folder is not None and not place.fingerprint
