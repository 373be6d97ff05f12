"""Training methods by the name that a setting or command gives them."""

from collections.abc import Callable
from typing import Any

from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.methods.dco import Dco
from stickerforge.training.methods.plain import Plain

METHODS: dict[str, Callable[..., TrainingMethod[Any]]] = {"dco": Dco, "plain": Plain}
