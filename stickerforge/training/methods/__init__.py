"""Training methods by the name that a setting or command gives them."""

from collections.abc import Callable

from stickerforge.training.methods.dco import Dco
from stickerforge.training.methods.denoising import DenoisingMethod
from stickerforge.training.methods.plain import Plain

METHODS: dict[str, Callable[..., DenoisingMethod]] = {"dco": Dco, "plain": Plain}
