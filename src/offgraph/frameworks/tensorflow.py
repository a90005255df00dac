"""Batches of a loader as a ``tf.data.Dataset``."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError, OffgraphError, StepError
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.pipeline.buffers import leased
from offgraph.pipeline.checks import advice

if TYPE_CHECKING:
    import tensorflow as tf

    from offgraph.loading.batch import Batch
    from offgraph.loading.loader import Loader
    from offgraph.loading.objects import ObjectLayout

__all__ = ["dataset"]


def dataset(loader: Loader, *, epoch: int | None = None, advance: bool = True) -> tf.data.Dataset:
    """Give the whole batches of a loader to TensorFlow.

    An element is what the loader's task learns from: ``(image, label)`` for classes and numbers, with labels as in
    :class:`offgraph.Batch`, ``(image, mask)`` for masks, and ``image`` alone where there is neither. For boxes it is
    ``(image, {"boxes": …, "classes": …})``: float32 (B, N, 4) and int64 (B, N), padded with -1, or with
    ``boxes="ragged"`` ragged tensors; with keypoints also ``"points"`` (B, N, K, 2) and ``"visible"`` (B, N, K), with masks
    ``"masks"``. Images without a channel axis get one, of length 1, as convolutions want
    it. Shapes are static; the batch axis is ``None`` only where a short last batch is possible. Every pass over
    the dataset is the next epoch; ``take(n)``, ``skip(n)`` and ``shard(n, i)`` start a pass each, so where the loader
    shuffles they are parts of one order only with ``advance=False``. Keras warns about its own ``shuffle=True``, which
    it ignores for every ``tf.data.Dataset``: write ``model.fit(dataset, shuffle=False)``. TensorFlow takes the batch's own memory, without a copy; a pass
    that is abandoned leaves no thread. ``options().autotune.enabled`` is False, as TensorFlow's autotuning often
    makes a pass wait at its end; where parallel ``map`` calls added after it gain by autotuning, turn it on again.

    Parameters
    ----------
    loader : Loader
    epoch : int, optional
        Number of the first pass. By default passes are numbered together with those of the loader itself.
    advance : bool
        False: every pass is the same epoch, ``epoch`` or else the loader's ``start_epoch``.

    Returns
    -------
    tf.data.Dataset
        Its cardinality is ``len(loader)``; unknown with ``on_error="skip"``.

    Raises
    ------
    OffgraphError
        Where TensorFlow is not installed, or no image can be used.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise OffgraphError(
            "TensorFlow is not installed; run: pip install 'offgraph[tensorflow]', or iterate over the loader itself"
        ) from error
    if not isinstance(advance, bool | np.bool_):
        raise ArgumentError(f"advance={advance!r:.80}: give True or False")
    first = loader.start_epoch if epoch is None else whole_number("epoch", epoch, least=0)
    numbers = None if epoch is None and advance else itertools.count(first, int(advance))
    skips = loader.on_error == "skip"
    whole = loader.drop_last or (loader.num_images % loader.batch_size == 0 and not skips)
    size = loader.batch_size if whole else None
    image_spec, mask_spec = loader.specs()
    image_shape = image_spec.shape if "C" in image_spec.axes else (*image_spec.shape, 1)
    signature: Any = tf.TensorSpec((size, *image_shape), image_spec.dtype)
    if loader.label_spec is not None:
        shape, dtype = loader.label_spec
        signature = (signature, tf.TensorSpec((size, *shape), dtype))
    objects = None if loader.object_layout is None else _Objects(loader.object_layout)
    if objects is not None:
        signature = (signature, *objects.specs(size))
    if mask_spec is not None and loader.label_spec is None:
        masks = tf.TensorSpec((size, *mask_spec.shape), mask_spec.dtype)
        signature = (*signature, masks) if objects is not None else (signature, masks)

    def arrays(batch: Batch) -> tuple[np.ndarray, ...]:
        _check(batch.image, image_spec, "image", loader)
        image = batch.image.reshape(len(batch), *image_shape)
        if batch.label is not None:
            return image, batch.label
        columns = () if objects is None else objects.arrays(batch.objects)
        if mask_spec is not None:
            _check(batch.mask, mask_spec, "mask", loader)
            return image, *columns, batch.mask  # type: ignore[return-value]  # it was checked
        return image, *columns

    parts: list[Any] = list(signature) if isinstance(signature, tuple) else [signature]
    dtypes: Any = [tf.bool, *(part.dtype for part in parts)]
    passes = _Passes(
        lambda: loader.epoch(loader.next_epoch() if numbers is None else next(numbers), one_shape=True),
        arrays,
        tuple(np.empty((0, *p.shape[1:]), p.dtype.as_numpy_dtype) for p in parts),
    )

    def one_pass(_: tf.Tensor) -> tf.data.Dataset:
        ticket = tf.numpy_function(passes.start, [], tf.int64)

        def next_batch(_: tf.Tensor) -> Any:
            more, *batch = tf.numpy_function(passes.next, [ticket], dtypes)
            return more, *(tf.ensure_shape(tensor, part.shape) for tensor, part in zip(batch, parts))

        elements: Any = tf.data.Dataset.range(len(loader)).map(next_batch)
        return elements.take_while(lambda more, *_: more)

    def without_flag(_: Any, first: Any, *others: Any) -> Any:
        if objects is not None:
            return first, objects.packed(others)
        return (first, *others) if others else first

    made: Any = tf.data.Dataset.range(1).flat_map(one_pass)
    made = made.map(without_flag)
    # There is nothing to tune, but TensorFlow's tuning thread sleeps for longer and longer, and at the end of most
    # passes the whole program waits for it to wake: 0.15 s after a pass of 0.15 s.
    options = tf.data.Options()
    options.autotune.enabled = False
    made = made.with_options(options)
    # The number of skipped images is known only at the end of a pass; asserting UNKNOWN would count as a wrong number.
    return made if skips else made.apply(tf.data.experimental.assert_cardinality(len(loader)))


class _Objects:
    """Boxes and keypoints of a batch as tensors: padded arrays, or rows one image after another with their numbers."""

    def __init__(self, layout: ObjectLayout) -> None:
        self.ragged = layout.layout == "ragged"
        self.most = layout.most
        self.columns: dict[str, tuple[tuple[int, ...], str]] = {
            "boxes": ((4,), "float32"),
            "classes": ((), "int64"),
        }
        if layout.keypoints is not None:
            self.columns["points"] = (layout.keypoints, 2), "float32"
            self.columns["visible"] = (layout.keypoints,), "int64"

    def specs(self, size: int | None) -> list[Any]:
        """Specs of the tensors of a batch."""
        import tensorflow as tf

        if not self.ragged:
            return [tf.TensorSpec((size, self.most, *shape), dtype) for shape, dtype in self.columns.values()]
        rows = [tf.TensorSpec((None, *shape), dtype) for shape, dtype in self.columns.values()]
        return [tf.TensorSpec((size,), "int64"), *rows]

    def arrays(self, objects: Any) -> list[np.ndarray]:
        """Arrays of a batch, as the specs say."""
        columns = [getattr(objects, name) for name in self.columns]
        if not self.ragged:
            return columns
        lengths = np.array([len(rows) for rows in columns[0]], np.int64)
        return [lengths, *(np.concatenate(column) for column in columns)]

    def packed(self, tensors: Sequence[Any]) -> dict[str, Any]:
        """Tensors by name, with the masks where there are some."""
        import tensorflow as tf

        lengths, rows = (tensors[0], tensors[1:]) if self.ragged else (None, tensors)
        made = dict(zip((*self.columns, "masks"), rows))  # masks may be absent
        if lengths is not None:
            for name in self.columns:
                made[name] = tf.RaggedTensor.from_row_lengths(made[name], lengths, validate=False)  # type: ignore[attr-defined]
        return made


class _Passes:
    """The passes in progress, each identified by a ticket that lives as long as TensorFlow's iterator of the pass.

    Replaces ``Dataset.from_generator``. On Python 3.11 that makes the C library fetch every array above 128 KiB from
    the system again, for the rest of the process: a page fault per 4 KiB, a third of a pass's time.

    Parameters
    ----------
    begin : callable
        Begins a pass.
    arrays : callable
        Makes the arrays of an element from a batch.
    nothing : tuple of ndarray
        Placeholder for an element after the last one.
    """

    def __init__(
        self,
        begin: Callable[[], Iterator[Batch]],
        arrays: Callable[[Batch], tuple[np.ndarray, ...]],
        nothing: tuple[np.ndarray, ...],
    ) -> None:
        self.begin, self.arrays, self.nothing = begin, arrays, nothing
        self._numbers = itertools.count()
        self._open: dict[int, Iterator[Batch]] = {}

    def start(self) -> np.ndarray:
        """Begin a pass and return its ticket, an array that TensorFlow keeps with the iterator."""
        number = next(self._numbers)
        self._open[number] = self.begin()
        ticket, lease = leased((1,), np.dtype(np.int64))
        ticket[0] = number
        weakref.finalize(lease, self._close, number).atexit = False
        return ticket

    def next(self, ticket: np.ndarray) -> tuple[Any, ...]:
        """Return True and the arrays of the next batch, or False and placeholders after the last one."""
        batch = next(self._open[int(ticket[0])], None)
        return (np.False_, *self.nothing) if batch is None else (np.True_, *self.arrays(batch))

    def _close(self, number: int) -> None:
        batches = self._open.pop(number)
        if isinstance(batches, Generator):
            batches.close()


def _check(array: np.ndarray | None, spec: OpenSpec, kind: str, loader: Loader) -> None:
    if array is None:
        raise StepError(f"a batch has no {kind}s, but the first image has a {kind}")
    if array.shape[1:] != spec.shape or array.dtype != spec.dtype:
        axes = {-1: spec.axes.replace("C", ""), 0: spec.axes, 1: spec.axes + "C"}
        axes_here = axes.get(array.ndim - 1 - len(spec.axes), spec.axes)
        here = ArraySpec(array.shape[1:], array.dtype.name, axes_here)
        raise StepError(
            f"the {kind}s of a batch are {here.dtype} of shape {here.shape}, but most {kind}s of the source are "
            f"{spec.dtype} of shape {spec.shape}, and a tf.data.Dataset has one dtype and one shape; "
            + advice(kind, here, spec, loader.recipe)
        )
