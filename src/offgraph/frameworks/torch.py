"""Batches of a loader as an iterable dataset that a ``torch.utils.data.DataLoader`` takes."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.frameworks.elements import Elements, mapped
from offgraph.frameworks.missing import not_installed

if TYPE_CHECKING:
    from torch.utils.data import IterableDataset  # type: ignore[import-not-found]  # no part of the test extra

    from offgraph.loading.batch import Batch
    from offgraph.loading.loader import Loader

__all__ = ["Layout", "dataset"]

Layout = Literal["NCHW", "NHWC"]
"""Where the channels of an image stand: after the batch axis, or last."""

_MOST_WORKERS = 1024
"""Each has a place for the number of its next epoch, in memory that all share; the first is for passes without workers."""


def dataset(
    loader: Loader,
    *,
    epoch: int | None = None,
    advance: bool = True,
    layout: Layout = "NCHW",
    inputs: Any = None,
    outputs: Any = None,
) -> IterableDataset:
    """Give the whole batches of a loader to PyTorch.

    An element is what the loader's task learns from, as in :func:`offgraph.frameworks.tensorflow.dataset`:
    ``(image, label)``, ``(image, mask)``, ``(image, {"boxes": …, "classes": …})``, or ``image`` alone; with
    ``boxes="ragged"`` a list with one tensor per image. A ``DataLoader`` takes them as they are with ``batch_size=None``::

        for image, label in DataLoader(loader.torch(), batch_size=None): ...

    Tensors share the memory of the batch, which is used again only after the last of them. With ``layout="NCHW"`` images
    keep their bytes, too: such a tensor is a view in torch's ``channels_last`` memory format.

    Each pass is the next epoch. With ``num_workers=n``, worker w makes batches w, w + n, w + 2n, … of each epoch, so that they
    come out in the order, and with the bytes, that they have without workers; give the loader ``threads=1`` then. With
    ``on_error="skip"`` the images of a worker's batches close up among themselves: no image comes twice, but batches differ
    from those without workers. A worker sends tensors through shared memory, one copy more than a loader with
    ``process=True`` and ``num_workers=0``.

    Parameters
    ----------
    loader : Loader
    epoch : int, optional
        Number of the first pass. By default passes without workers are numbered together with those of the loader itself;
        with workers they count from its ``start_epoch``.
    advance : bool
        False: every pass is the same epoch.
    layout : {"NCHW", "NHWC"}
        Where the channels of an image stand; volumes likewise (NCDHW, NDHWC).
    inputs, outputs : str, sequence or mapping, optional
        As in :func:`offgraph.frameworks.tensorflow.dataset`.

    Returns
    -------
    torch.utils.data.IterableDataset
        With a length, except with ``on_error="skip"`` or ``"quarantine"``; its ``set_epoch(number)`` says which epoch the next pass is.

    Raises
    ------
    OffgraphError
        Where PyTorch is not installed, or no image can be used.
    ArgumentError
        For an argument that cannot be used; names it.
    """
    torch = _torch()
    if not isinstance(advance, bool | np.bool_):
        raise ArgumentError(f"advance={advance!r:.80}: give True or False")
    if layout not in get_args(Layout):
        raise ArgumentError(f"layout={layout!r:.80}: choose 'NCHW' or 'NHWC'")
    if epoch is not None:
        epoch = whole_number("epoch", epoch, least=0)
    elements = Elements(loader, inputs, outputs)
    first = loader.start_epoch if epoch is None else epoch
    passes = torch.full((_MOST_WORKERS,), first, dtype=torch.int64).share_memory_()
    return _restored(_Options(elements, epoch, bool(advance), layout), passes)


class _Options:
    """What a dataset is made of, without torch's class.

    Parameters
    ----------
    elements : Elements
    epoch : int or None
    advance : bool
    layout : {"NCHW", "NHWC"}
    """

    def __init__(self, elements: Elements, epoch: int | None, advance: bool, layout: Layout) -> None:
        self.elements, self.epoch, self.advance, self.layout = elements, epoch, advance, layout

    def tensors(self, batch: Batch) -> Any:
        """Tensors of a batch in their structure."""
        names, arrays = self.elements.names, self.elements.arrays(batch)
        found = [self._tensor(name, array) for name, array in zip(names, arrays)]
        return mapped(self.elements.structure, iter(found))

    def _tensor(self, name: str, array: Any) -> Any:
        if isinstance(array, tuple):
            return [_shared(rows) for rows in array]
        tensor = _shared(array)
        if name == "image" and self.layout == "NCHW" and self.elements.channels_last:
            return tensor.movedim(-1, 1)
        if name == "image" and self.layout == "NHWC" and not self.elements.channels_last:
            return tensor.movedim(1, -1)
        return tensor


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise not_installed("PyTorch", "torch") from error


def _shared(array: np.ndarray) -> Any:
    """A tensor in the memory of an array."""
    torch = _torch()
    if array.dtype.name == "bfloat16":  # a dtype that NumPy does not know itself
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _restored(options: _Options, passes: Any) -> IterableDataset:
    return _dataset_class()(options, passes)


@functools.cache
def _dataset_class() -> type[IterableDataset]:
    """The class of the datasets, made when torch is first asked for."""
    data = importlib.import_module("torch.utils.data")

    class OffgraphBatches(data.IterableDataset):
        """Batches of an Offgraph loader."""

        def __init__(self, options: _Options, passes: Any) -> None:
            self._options, self._passes = options, passes
            self._part: Loader | None = None  # of this worker

        def __reduce__(self) -> Any:  # a class of a function is not found by name
            return _restored, (self._options, self._passes)

        def __iter__(self) -> Iterator[Any]:
            loader, worker = self._options.elements.loader, data.get_worker_info()
            if worker is not None:
                self._part = self._part or loader.every(worker.num_workers, worker.id)
                batches = self._part.epoch(self._next(1 + worker.id), one_shape=True)
            elif self._options.epoch is None and self._options.advance:
                batches = loader.next_pass(one_shape=True)
            else:
                batches = loader.epoch(self._next(0), one_shape=True)
            for batch in batches:
                tensors = self._options.tensors(batch)
                del batch
                yield tensors
                del tensors

        def _next(self, worker: int) -> int:
            """Number of a worker's next pass: each counts its own, in memory that outlives it."""
            number = int(self._passes[worker])
            self._passes[worker] += int(self._options.advance)
            return number

        def set_epoch(self, epoch: int) -> None:
            """Say which epoch the next pass is."""
            self._options.epoch = whole_number("epoch", epoch, least=0)
            self._passes.fill_(epoch)

        def __len__(self) -> int:
            loader = self._options.elements.loader
            if loader.leaves_out:
                raise TypeError(
                    f"how many batches there are is not known before the images are read: on_error={loader.on_error!r}"
                )
            return len(loader)

        def __repr__(self) -> str:
            return f"<batches of {self._options.elements.loader!r} as tensors, {self._options.layout}>"

    return OffgraphBatches
