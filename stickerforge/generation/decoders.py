"""Decoders with alpha among the adapters of a call: which one, and whether it fits the model."""

from collections.abc import Sequence

from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.models.card import ModelCard
from stickerforge.models.network_config import has_alpha

OTHER = "make one for it with stickerforge tailor alpha"


def draws_alpha(adapters: Sequence[ActiveAdapter], card: ModelCard) -> bool:
    """Whether a model makes four channels with these adapters."""
    return has_alpha(card) or any(adapter.is_decoder for adapter in adapters)


def check_decoders(adapters: Sequence[ActiveAdapter], card: ModelCard, fingerprint: str) -> None:
    """Make sure that at most one decoder is in use, and that it is one for the model's latents.

    A decoder serves every model that has its encoder, whatever its denoiser is.

    Args:
        adapters: of the whole call.
        fingerprint: of the model's weights.

    Raises:
        InputError: there are two, or one does not fit or is to be used in part.
    """
    decoders = [adapter for adapter in adapters if adapter.is_decoder]
    if len(decoders) > 1:
        names = " and ".join(adapter.source for adapter in decoders[:2])
        raise InputError(f"{names} are decoders, and a picture is decoded once", "use one of them")
    for decoder in decoders:
        if decoder.scale != 1:
            raise InputError(
                f"{decoder.source} is a decoder, which has no weight: {decoder.scale:g}",
                f"give --adapter {decoder.source}",
            )
        if has_alpha(card):
            raise InputError(
                f"{card.title} draws alpha itself, so that the decoder {decoder.source} is of no"
                " use",
                "leave it out, or give the --model that it was made for",
            )
        if not fits(decoder, card, fingerprint):
            base = decoder.base
            raise InputError(
                f"the decoder {decoder.source} was made for another autoencoder than that of"
                f" {card.title}, or for another precision of it",
                f"use --model {base.name}, or {OTHER}" if base else OTHER,
            )


def fits(decoder: ActiveAdapter, card: ModelCard, fingerprint: str) -> bool:
    """Whether the latents of a model are those of a decoder."""
    if decoder.base and decoder.base.fingerprint == fingerprint:
        return True
    # torch, and the weights of an encoder, which are needed for decoders of other models only
    from stickerforge.models.alpha_decoder import folder_encoder_digest

    return folder_encoder_digest(card.folder / "vae") == decoder.encoder
