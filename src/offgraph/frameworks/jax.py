"""Batches of a loader as JAX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.frameworks.elements import Elements
from offgraph.frameworks.missing import not_installed

if TYPE_CHECKING:
    import jax

    from offgraph.loading.batch import Batch
    from offgraph.loading.loader import Loader

__all__ = ["JaxBatches", "batches"]


def batches(
    loader: Loader, *, epoch: int | None = None, advance: bool = True, device: Any = None
) -> JaxBatches:
    """Give the whole batches of a loader to JAX.

    Each batch is a dict of the arrays that the loader's task learns from, by their names in :class:`offgraph.Batch`:
    ``"image"`` (B, H, W, C) and ``"label"``, ``"mask"``, or ``"boxes"`` and ``"classes"``. Each pass over the result is the next
    epoch.

    On the CPU, JAX takes the batch's own memory through DLPack, without a copy; it is used again only after the last
    array in it. Nothing else writes into it, as JAX expects. Class numbers, int64 in the loader, become int32 as all whole numbers in
    JAX, unless ``jax_enable_x64`` is set.

    Parameters
    ----------
    loader : Loader
    epoch : int, optional
        Number of the first pass. By default passes are numbered together with those of the loader itself.
    advance : bool
        False: every pass is the same epoch.
    device : jax.Device or jax.sharding.Sharding, optional
        Where the arrays go, as in ``jax.device_put``; JAX's default device unless given.

    Returns
    -------
    JaxBatches
        An iterable with a length, the number of batches if no image is left out.

    Raises
    ------
    OffgraphError
        Where JAX is not installed, or no image can be used.
    ArgumentError
        For an argument that cannot be used; names it.
    """
    try:
        import jax  # noqa: F401  # so that it is missed here and not with the first batch
    except ImportError as error:
        raise not_installed("JAX", "jax") from error
    if not isinstance(advance, bool | np.bool_):
        raise ArgumentError(f"advance={advance!r:.80}: give True or False")
    if epoch is not None:
        epoch = whole_number("epoch", epoch, least=0)
    return JaxBatches(loader, epoch, bool(advance), device)


class JaxBatches:
    """Batches as dicts of JAX arrays; each pass is the next epoch.

    Parameters
    ----------
    loader : Loader
    epoch : int or None
        Number of the first pass; None to number them with the loader's.
    advance : bool
    device : jax.Device, jax.sharding.Sharding or None
    """

    def __init__(self, loader: Loader, epoch: int | None, advance: bool, device: Any) -> None:
        self._elements = Elements(loader)
        self._epoch, self._advance, self._device = epoch, advance, device

    def __len__(self) -> int:
        return len(self._elements.loader)

    def __repr__(self) -> str:
        return f"<batches of {self._elements.loader!r} as JAX arrays>"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        loader = self._elements.loader
        if self._epoch is None and self._advance:
            return self._arrays(loader.next_pass(one_shape=True))
        number = loader.start_epoch if self._epoch is None else self._epoch
        self._epoch = number + self._advance
        return self._arrays(loader.epoch(number, one_shape=True))

    def _arrays(self, found: Iterator[Batch]) -> Iterator[dict[str, Any]]:
        for batch in found:
            arrays = dict(zip(self._elements.names, self._elements.arrays(batch)))
            del batch
            given = {name: self._given(array) for name, array in arrays.items()}
            del arrays
            yield given
            del given

    def _given(self, array: Any) -> Any:
        if isinstance(array, tuple):
            return tuple(self._given(rows) for rows in array)
        return _shared(array, self._device)


def _shared(array: np.ndarray, device: Any) -> jax.Array:
    """A JAX array in the memory of a NumPy array, or on a device."""
    import jax

    known = array.dtype.isbuiltin and array.dtype == jax.dtypes.canonicalize_dtype(array.dtype)
    if device is None and known and jax.default_backend() == "cpu":
        return jax.dlpack.from_dlpack(array)
    return jax.device_put(array, device)
