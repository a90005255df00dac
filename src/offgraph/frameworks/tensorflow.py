"""Batches of a loader as a ``tf.data.Dataset``."""

from __future__ import annotations

import itertools
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.frameworks.elements import Elements, Part, mapped
from offgraph.frameworks.missing import not_installed
from offgraph.pipeline.buffers import leased

if TYPE_CHECKING:
    import tensorflow as tf

    from offgraph.loading.batch import Batch
    from offgraph.loading.loader import Loader

__all__ = ["dataset"]

_Parts = str | Sequence[Any] | Mapping[str, Any]


def dataset(
    loader: Loader,
    *,
    epoch: int | None = None,
    advance: bool = True,
    inputs: _Parts | None = None,
    outputs: _Parts | None = None,
) -> tf.data.Dataset:
    """Give the whole batches of a loader to TensorFlow.

    An element is what the loader's task learns from: ``(image, label)`` for classes and numbers, with labels as in
    :class:`offgraph.Batch`, ``(image, mask)`` for masks, and ``image`` alone where there is neither. For boxes it is
    ``(image, {"boxes": …, "classes": …})``: float32 (B, N, 4) and int64 (B, N), padded with -1, or with
    ``boxes="ragged"`` ragged tensors; with keypoints also ``"points"`` (B, N, K, 2) and ``"visible"`` (B, N, K), with masks
    ``"masks"``. ``inputs`` and ``outputs`` choose otherwise, for models of several inputs or outputs. Images without a
    channel axis get one, of length 1, as convolutions want it. Shapes are static; the batch axis is ``None`` only where
    a short last batch is possible. With ``pad_last=True`` or ``class_weight=`` weights follow, in the
    structure of what is learnt: 0 for images that fill up the last batch, and those of each image's or pixel's class.

    Every pass over the dataset is the next epoch; ``take(n)``, ``skip(n)`` and ``shard(n, i)`` start a pass each, so where
    the loader shuffles they are parts of one order only with ``advance=False``. Keras warns about its own
    ``shuffle=True``, which it ignores for every ``tf.data.Dataset``: write ``model.fit(dataset, shuffle=False)``.

    TensorFlow takes the batch's own memory, without a copy, and the memory is used again only after the last tensor
    in it: ``list``, ``cache``, ``shuffle`` and ``prefetch`` are safe. A pass that is abandoned leaves no thread.
    ``options().autotune.enabled`` is False, as TensorFlow's autotuning often makes a pass wait at its end; where parallel
    ``map`` calls added after it gain by autotuning, turn it on again.

    Parameters
    ----------
    loader : Loader
    epoch : int, optional
        Number of the first pass. By default passes are numbered together with those of the loader itself.
    advance : bool
        False: every pass is the same epoch, ``epoch`` or else the loader's ``start_epoch``.
    inputs, outputs : str, sequence or mapping, optional
        What the model takes, and what it learns: the name of a part of the batch, a sequence of names, or a mapping from
        the names of the model's inputs or outputs to them. Parts are ``"image"``, ``"label"``, ``"mask"``, ``"boxes"``,
        ``"classes"``, ``"points"``, ``"visible"``, ``"weights"`` (of boxes, with ``mix=``), as far as the loader has
        them, and ``"index"``. One that is not given is as described above. A dict in ``inputs`` is matched with the names of the model's ``Input`` layers, one in
        ``outputs`` with the keys of a model's output.

    Returns
    -------
    tf.data.Dataset
        Its cardinality is ``len(loader)``; unknown with ``on_error="skip"`` or ``"quarantine"``, and after ``load_state_dict``, as the first
        pass is the rest of an epoch.

    Raises
    ------
    OffgraphError
        Where TensorFlow is not installed, or no image can be used.
    ArgumentError
        For a part that the loader does not have; lists those it has.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import offgraph as og
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for name in ("cat", "dog"):
    ...         (Path(photos) / name).mkdir()
    ...         og.imwrite(Path(photos) / name / "1.png", np.zeros((8, 8, 3), np.uint8))
    ...     loader = og.Loader(photos, batch_size=2)
    ...     loader.tensorflow(inputs={"photo": "image"}, outputs={"animal": "label"}).element_spec
    ({'photo': TensorSpec(shape=(2, 8, 8, 3), dtype=tf.uint8, name=None)}, {'animal': TensorSpec(shape=(2,), dtype=tf.int64, name=None)})
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise not_installed("TensorFlow", "tensorflow") from error
    if not isinstance(advance, bool | np.bool_):
        raise ArgumentError(f"advance={advance!r:.80}: give True or False")
    first = loader.start_epoch if epoch is None else whole_number("epoch", epoch, least=0)
    numbers = None if epoch is None and advance else itertools.count(first, int(advance))
    # The number of skipped images is known only at the end of a pass, and the rest of an epoch is shorter than others.
    may_be_short = loader.leaves_out or loader.resumes
    elements = Elements(loader, inputs, outputs)
    columns = [
        _RaggedColumn(elements.parts[name]) if elements.parts[name].ragged else _Column(elements.parts[name])
        for name in elements.names
    ]
    size = loader.batch_size if loader.fills_batches else None
    specs = [spec for column in columns for spec in column.specs(size)]

    def arrays(batch: Batch) -> list[np.ndarray]:
        parts = elements.arrays(batch)
        return [array for column, part in zip(columns, parts) for array in column.arrays(part)]

    def begin() -> Iterator[Batch]:
        if numbers is None:
            return _timed(loader, loader.next_pass(one_shape=True))
        return _timed(loader, loader.epoch(next(numbers), one_shape=True))

    def empty() -> list[np.ndarray]:  # of a shape that the specs allow
        return [np.empty((spec.shape[0] or 0, *spec.shape[1:]), spec.dtype.as_numpy_dtype) for spec in specs]

    def packed(tensors: Sequence[tf.Tensor]) -> Any:
        given = iter(tensors)
        return mapped(elements.structure, iter([column.packed(given) for column in columns]))

    passes = _Passes(begin, arrays, empty if may_be_short else None)
    made = _elements(passes, len(loader), specs, packed, may_be_short=may_be_short)
    made = _on_a_thread_of_its_own(made)
    # There is nothing to tune, but TensorFlow's tuning thread sleeps for longer and longer, and at the end of most
    # passes the whole program waits for it to wake: 0.15 s after a pass of 0.15 s.
    options = tf.data.Options()
    options.autotune.enabled = False
    made = made.with_options(options)
    # Asserting UNKNOWN would count as a wrong number.
    return made if may_be_short else made.apply(tf.data.experimental.assert_cardinality(len(loader)))


def _elements(
    passes: _Passes,
    count: int,
    specs: Sequence[Any],
    packed: Callable[[Sequence[tf.Tensor]], Any],
    *,
    may_be_short: bool,
) -> tf.data.Dataset:
    """Tensors of the batches; each iterator begins a pass with its first element.

    The ticket of a pass is the state of a scan, which belongs to the iterator: one call of Python per element, and a pass
    starts in a quarter of the time that a ``flat_map`` over passes takes. ``Dataset.from_generator`` is not used, as its
    operation sets M_TRIM_THRESHOLD: from then on the C library fetches every array above 128 KiB from the system again,
    for the rest of the process: a page fault per 4 KiB, a third of a pass's time.
    """
    import tensorflow as tf

    if may_be_short:  # whether the pass goes on comes first
        specs = [tf.TensorSpec((), tf.bool), *specs]
    dtypes: Any = [tf.int64, *(spec.dtype for spec in specs)]

    def following(ticket: tf.Tensor, _: tf.Tensor) -> Any:
        given, *tensors = tf.numpy_function(passes.following, [ticket], dtypes)
        shaped = [tf.ensure_shape(tensor, spec.shape) for tensor, spec in zip(tensors, specs)]
        element = (shaped[0], packed(shaped[1:])) if may_be_short else packed(shaped)
        return tf.ensure_shape(given, (1,)), element

    made: Any = tf.data.Dataset.range(count)
    made = made.scan(_Passes.NO_TICKET, following)
    if not may_be_short:
        return made
    made = made.take_while(lambda more, _: more)
    return made.map(lambda _, element: element)


def _on_a_thread_of_its_own(made: tf.data.Dataset) -> tf.data.Dataset:
    """Run the functions of a dataset on one thread, which says itself that a function has ended.

    In the pool that TensorFlow shares among all functions it wakes another thread to say so, which then wakes the one that waits:
    40 to 70 µs a batch. Datasets made of this one have the shared pool.
    """
    import tensorflow as tf

    specs: Any = tf.nest.flatten(made.element_spec)
    plain = [isinstance(spec, tf.TensorSpec) for spec in specs]  # ragged tensors come as variants
    variant = tf.raw_ops.PrivateThreadPoolDataset(
        input_dataset=tf.data.experimental.to_variant(made),
        num_threads=1,
        output_types=[spec.dtype if is_plain else tf.variant for spec, is_plain in zip(specs, plain)],
        output_shapes=[spec.shape if is_plain else None for spec, is_plain in zip(specs, plain)],
    )
    return tf.data.experimental.from_variant(variant, made.element_spec)


def _timed(loader: Loader, batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """The batches of a pass; the loader notes for how long they are waited for."""
    try:
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            loader.seconds_waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch
            del batch
    finally:
        if isinstance(batches, Generator):
            batches.close()


class _Column:
    """A part of a batch as a tensor."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def specs(self, size: int | None) -> list[Any]:
        """Specs of the tensors that TensorFlow is given."""
        import tensorflow as tf

        return [tf.TensorSpec((size, *self.part.shape), self.part.dtype)]

    def arrays(self, part: Any) -> list[np.ndarray]:
        """Arrays as the specs say."""
        return [part]

    def packed(self, tensors: Iterator[Any]) -> Any:
        """Make the part of the tensors that the specs name."""
        return next(tensors)


class _RaggedColumn(_Column):
    """A part with rows of another number in each image: all rows, one image after another, and their numbers."""

    def specs(self, size: int | None) -> list[Any]:
        """Specs of the numbers and the rows."""
        import tensorflow as tf

        return [tf.TensorSpec((size,), "int64"), tf.TensorSpec(self.part.shape, self.part.dtype)]

    def arrays(self, part: Any) -> list[np.ndarray]:
        """Numbers of rows, and the rows."""
        return [np.array([len(rows) for rows in part], np.int64), np.concatenate(part)]

    def packed(self, tensors: Iterator[Any]) -> Any:
        """Ragged tensor of numbers and rows."""
        import tensorflow as tf

        lengths, rows = next(tensors), next(tensors)
        return tf.RaggedTensor.from_row_lengths(rows, lengths, validate=False)  # type: ignore[attr-defined]


class _Passes:
    """The passes in progress, each identified by a ticket that lives as long as TensorFlow's iterator of the pass.

    Parameters
    ----------
    begin : callable
        Begins a pass.
    arrays : callable
        Makes the arrays of an element from a batch.
    empty : callable, optional
        Makes what stands for them after the last batch of a pass that may be shorter than others.
    """

    NO_TICKET = np.full(1, -1, np.int64)
    """Given by an iterator that has not begun a pass."""

    def __init__(
        self,
        begin: Callable[[], Iterator[Batch]],
        arrays: Callable[[Batch], Sequence[np.ndarray]],
        empty: Callable[[], Sequence[np.ndarray]] | None,
    ) -> None:
        self.begin, self.arrays, self.empty = begin, arrays, empty
        self._numbers = itertools.count()
        self._open: dict[int, tuple[Iterator[Batch], weakref.ref[np.ndarray]]] = {}

    def following(self, ticket: np.ndarray) -> tuple[np.ndarray | np.bool_, ...]:
        """Return the ticket and the arrays of the next batch.

        Where a pass may be shorter than others, True comes before the arrays, and after the last batch False and what stands for them.
        """
        number = int(ticket[0])
        passing, kept = self._begun() if number < 0 else self._going(number)
        batch = next(passing, None)
        if self.empty is None:
            if batch is None:
                raise OffgraphError("the pass has ended: an error before this one ended it")
            return (kept, *self.arrays(batch))
        if batch is None:
            return (kept, np.False_, *self.empty())
        return (kept, np.True_, *self.arrays(batch))

    def _begun(self) -> tuple[Iterator[Batch], np.ndarray]:
        number = next(self._numbers)
        ticket, lease = leased((1,), np.dtype(np.int64))
        ticket[0] = number
        passing = self.begin()
        self._open[number] = passing, weakref.ref(ticket)
        weakref.finalize(lease, self._close, number).atexit = False
        return passing, ticket

    def _going(self, number: int) -> tuple[Iterator[Batch], np.ndarray]:
        """The pass of a ticket, with the ticket as it was made: TensorFlow gives an array around its own, one layer more."""
        passing, own = self._open[number]
        ticket = own()
        assert ticket is not None, "TensorFlow holds it"
        return passing, ticket

    def _close(self, number: int) -> None:
        batches, _ = self._open.pop(number)
        if isinstance(batches, Generator):
            batches.close()
