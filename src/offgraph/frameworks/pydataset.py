"""Batches of a loader as a ``keras.utils.PyDataset``, for Keras with any backend."""

from __future__ import annotations

import atexit
import functools
import sys
import threading
import weakref
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.frameworks.elements import Elements, mapped
from offgraph.frameworks.missing import not_installed

if TYPE_CHECKING:
    import keras

    from offgraph.loading.batch import Batch
    from offgraph.loading.loader import Loader

__all__ = ["Ahead", "keras_setting", "py_dataset", "pydataset_class"]


def py_dataset(
    loader: Loader,
    *,
    epoch: int | None = None,
    inputs: Any = None,
    outputs: Any = None,
    workers: int = 1,
    use_multiprocessing: bool = False,
    max_queue_size: int = 10,
) -> keras.utils.PyDataset:
    """Give the whole batches of a loader to Keras, as arrays of NumPy.

    ``dataset[k]`` is batch k of the epoch, made when it is asked for, by the loader's threads: what ``loader.epoch`` gives
    as its batch k. ``fit`` goes on to the next epoch by itself. With ``shuffle=True``, which is its default, it takes the
    batches of an epoch in an order of its own, drawn from Python's `random`; the images in each batch stay together, and the
    loader's own order already differs from epoch to epoch, so ``shuffle=False`` loses nothing and repeats exactly. TensorFlow
    is not imported unless it is Keras' backend. With that backend ``loader.tensorflow()`` is faster.

    With one worker and ``shuffle=False``, batches are made ahead, as in a pass over the loader.

    Parameters
    ----------
    loader : Loader
    epoch : int, optional
        Number of the first epoch. Default: the loader's ``start_epoch``.
    inputs, outputs : str, sequence or mapping, optional
        As in :func:`offgraph.frameworks.tensorflow.dataset`. Without ``outputs``, for a source without labels, masks and
        boxes, an element is ``(image,)``.
    workers, use_multiprocessing, max_queue_size
        As in ``keras.utils.PyDataset``: how many batches are worked on side by side. One worker has the loader's threads to
        itself.

    Returns
    -------
    keras.utils.PyDataset
        With an attribute ``epoch``, the number of the epoch that it gives; set it to change that.

    Raises
    ------
    ArgumentError
        For an argument that cannot be used, and for ragged boxes, which are no array.
    OffgraphError
        Where Keras is not installed, or no image can be used.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import offgraph as og
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for number in range(3):
    ...         og.imwrite(f"{photos}/{number}.png", np.full((8, 8, 3), number, np.uint8))
    ...     dataset = og.Loader(photos, batch_size=2).keras(outputs="index")
    ...     image, number = dataset[1]
    >>> len(dataset), image.shape, number
    (2, (1, 8, 8, 3), array([2]))
    """
    for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
        whole_number(name, value, least=0)
    if not isinstance(use_multiprocessing, bool):
        raise ArgumentError(f"use_multiprocessing={use_multiprocessing!r:.80}: give True or False")
    first = loader.start_epoch if epoch is None else whole_number("epoch", epoch, least=0)
    options = {
        "workers": workers,
        "use_multiprocessing": use_multiprocessing,
        "max_queue_size": max_queue_size,
    }
    return _made(loader, first, inputs, outputs, options)


def _made(
    loader: Loader, epoch: int, inputs: Any, outputs: Any, options: dict[str, Any]
) -> keras.utils.PyDataset:
    return _kind()(loader, epoch, inputs, outputs, options)


@functools.cache
def _kind() -> type[Any]:
    """Make the class, which derives from one of Keras'."""
    try:
        from keras.utils import PyDataset
    except ImportError as error:
        raise not_installed("Keras", "tensorflow") from error

    class LoaderDataset(PyDataset):
        """Batches of a loader by their numbers."""

        def __init__(
            self, loader: Loader, epoch: int, inputs: Any, outputs: Any, options: dict[str, Any]
        ) -> None:
            super().__init__(**options)
            self.epoch = epoch
            self._in_epoch = False
            self._ahead = Ahead(loader, self.workers <= 1 and not self.use_multiprocessing)
            self._loader, self._given = loader, (inputs, outputs, options)
            self._elements = Elements(loader, inputs, outputs)
            ragged = [name for name in self._elements.names if self._elements.parts[name].ragged]
            if ragged:
                raise ArgumentError(
                    f"boxes='ragged': {ragged[0]} are no array, and Keras takes arrays; open the loader with boxes='padded', "
                    "or use loader.tensorflow()"
                )

        def __reduce__(self) -> Any:
            inputs, outputs, options = self._given
            return _made, (self._loader, self.epoch, inputs, outputs, options)

        @property
        def num_batches(self) -> int:
            """Batches of an epoch."""
            return len(self._loader)

        def __len__(self) -> int:
            return len(self._loader)

        def __getitem__(self, index: int) -> Any:
            batch = self._ahead.batch(self.epoch, index)
            if batch is None:
                batch = self._loader.batch(self.epoch, index)
            made = mapped(self._elements.structure, iter(self._elements.arrays(batch)))
            return made if isinstance(made, tuple) else (made,)

        def on_epoch_begin(self) -> None:
            """Note that an epoch has begun: Keras says that one ends before the first begins, too."""
            self._in_epoch = True
            self._ahead.begin()

        def on_epoch_end(self) -> None:
            """Go on to the next epoch."""
            self._ahead.end()
            self.epoch += self._in_epoch
            self._in_epoch = False

    return LoaderDataset


@functools.cache
def pydataset_class() -> type[Any]:
    """Return Keras' ``PyDataset``, or ``object`` where Keras is not installed."""
    try:
        from keras.utils import PyDataset
    except ImportError:
        return object
    return PyDataset


def keras_setting(name: str, otherwise: str) -> str:
    """Return what `keras.config` says, such as ``"floatx"``; a value of one's own where Keras is not loaded."""
    keras = sys.modules.get("keras")
    return otherwise if keras is None else str(getattr(keras.config, name)())


_in_use: weakref.WeakSet[Ahead] = weakref.WeakSet()
"""All that may be in the middle of a pass."""


class Ahead:
    """A pass that makes batches ahead, for as long as those of an epoch are asked for in their order.

    Parameters
    ----------
    loader : Loader
    useful : bool
        Whether one worker asks, in this process.
    """

    def __init__(self, loader: Loader, useful: bool) -> None:
        self._loader = loader
        # What a pass leaves out, it replaces by the next image, so that its batches are not those of their numbers.
        self._useful = useful and not loader.leaves_out
        self._lock = threading.Lock()
        self._passing: Iterator[Batch] | None = None
        self._wanted: int | None = None
        _in_use.add(self)

    def begin(self) -> None:
        """Expect the first batch of an epoch."""
        with self._lock:
            self._wanted = 0

    def batch(self, epoch: int, index: int) -> Batch | None:
        """Return a batch if it is the next one; after any other, the pass ends."""
        if not self._useful:
            return None
        with self._lock:
            if index != self._wanted:
                self._stop()
                return None
            if index == 0:
                self._stop()
                self._passing = self._loader.epoch(epoch)
            self._wanted = index + 1
            return None if self._passing is None else next(self._passing, None)

    def end(self) -> None:
        """End the pass."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        self._wanted = None
        if isinstance(self._passing, Generator):
            self._passing.close()
        self._passing = None


@atexit.register
def _end_all() -> None:
    """End the passes while there are modules left to end them with: later, each would print a traceback."""
    for ahead in list(_in_use):
        ahead.end()
