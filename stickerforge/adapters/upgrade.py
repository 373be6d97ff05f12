"""Adapters that older versions kept as one file become what this one keeps when they are used."""

import contextlib
from typing import Any

from stickerforge.adapters import store
from stickerforge.errors import InputError, StickerforgeError

ONE_FILE = "adapter-"  # how the names of such files begin


def read_upgraded(adapter: store.Adapter) -> Any:
    """The tensors of an adapter, in the form of its kind; it is kept in today's form from then on.

    It stays the same adapter, by its digest as well. Where the store cannot be written it stays as
    it is.

    Raises:
        InputError: the tensors are missing, or not those that were written.
    """
    try:
        weights = store.read_weights(adapter)
    except InputError:
        current = store.find(adapter.name)
        if current == adapter or current.sha256 != adapter.sha256:
            raise
        return store.read_weights(current)  # another process upgraded it just now
    if any(name.startswith(ONE_FILE) for name in adapter.files):
        with contextlib.suppress(StickerforgeError):
            store.save(
                adapter.name,
                weights,
                kind=adapter.kind,
                base=adapter.base,
                tokens=adapter.tokens,
                phrase=adapter.phrase,
                made=adapter.made,
                parents=adapter.parents,
                same=adapter,
            )
    return weights
