"""A decoder with alpha on a model: while it is on, the model draws four channels."""

from stickerforge.adapters.decoder_weights import DecoderWeights
from stickerforge.errors import InputError
from stickerforge.models.alpha_decoder import AlphaDecoder, encoder_digest
from stickerforge.models.families.base import DiffusionModel


class AttachedDecoder:
    """A decoder beside a model's own; which of them decodes is switched."""

    def __init__(self, model: DiffusionModel, decoder: AlphaDecoder) -> None:
        self.model, self.decoder = model, decoder

    def activate(self, scale: float) -> None:
        """Decode with it.

        Raises:
            InputError: half a decoder is asked for.
        """
        if scale != 1:
            raise InputError(
                f"a decoder cannot be used with the weight {scale:g}", "give its name alone"
            )
        self.model.alpha_decoder = self.decoder

    def deactivate(self) -> None:
        """Decode as the model itself does."""
        if self.model.alpha_decoder is self.decoder:
            self.model.alpha_decoder = None


def attach_decoder(model: DiffusionModel, weights: DecoderWeights, source: str) -> AttachedDecoder:
    """Put a decoder beside that of a model, switched off.

    Args:
        source: what to call it in an error.

    Raises:
        InputError: the model draws alpha itself, or its latents are those of another encoder.
    """
    if model.vae.config.out_channels == 4:
        raise InputError(
            f"{model.card.title} draws alpha itself, so that {source} is of no use", "leave it out"
        )
    decoder = AlphaDecoder(model.vae)
    expected = {name: value.shape for name, value in decoder.state_dict().items()}
    found = {name: value.shape for name, value in weights.tensors.items()}
    if encoder_digest(model.vae.state_dict()) != weights.encoder or found != expected:
        raise InputError(
            f"{source} was made for another autoencoder than that of {model.card.title}, or for"
            " another precision of it",
            "give the model that it was made for, or make one with stickerforge tailor alpha",
        )
    decoder.load_state_dict(dict(weights.tensors))
    decoder = decoder.to(model.device, model.vae.dtype).eval().requires_grad_(False)
    return AttachedDecoder(model, decoder)
