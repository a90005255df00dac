"""One pass over an epoch: samples made by threads, in order, and collated into batches."""

from __future__ import annotations

import functools
import itertools
import math
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError, OffgraphWarning
from offgraph.dataset.allowed import MaxBad
from offgraph.loading.batch import Batch, each
from offgraph.loading.finishing import Finishing
from offgraph.loading.maker import SampleMaker
from offgraph.loading.native_rows import MadeRows
from offgraph.loading.position import Position
from offgraph.loading.sampling import SampledOrder
from offgraph.loading.share import Share
from offgraph.loading.training_sample import TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.freed import give_back_freed
from offgraph.pipeline.order import Order
from offgraph.pipeline.rows import BatchRows, RowBlock
from offgraph.pipeline.workers import ordered_map

__all__ = ["Batching", "Pass"]

Piece = tuple[int, Sequence[int], RowBlock | None]
"""The epoch in the addresses of samples, their numbers, and the rows of a batch that their images may be written into."""

_Parts = Sequence[TrainingSample | MadeRows]
"""The samples of a batch."""

_MOST_IN_PIECE = 32
_LAST_PIECES = 4
"""Samples in a piece at the end of a pass, where threads would wait for the one with the largest piece."""
_PIECE_BYTES = 24 << 20
"""Images that take more are pieces of their own, so that a pass can be ended between them."""
_AHEAD = 1
"""Pieces under way beyond those that threads work on: more would only take the memory of more batches."""
_CHUNK = 4096
"""Places whose numbers are found at a time."""
_MANY = 0.05
"""Share of a pass that is left out without a warning."""


@dataclass(frozen=True)
class Batching:
    """How samples become batches.

    Parameters
    ----------
    batch_size : int
    drop_last, pad_last : bool
        Whether a last batch that is not full is left out, or filled up.
    take : int or None
        Batches of an epoch, where they are limited.
    threads : int
        That make the samples.
    allowed : MaxBad
        Images that one pass may leave out.
    read_timeout : float or None
        Seconds that one read of a file may take.
    finishing : Finishing
        What is done to each batch.
    """

    batch_size: int
    drop_last: bool
    pad_last: bool
    take: int | None
    threads: int
    allowed: MaxBad
    read_timeout: float | None
    finishing: Finishing

    def batches(self, share: Share) -> int:
        """Batches of a share if no image is left out."""
        given = share.most if self.pad_last else share.least if self.drop_last else len(share)
        return self._limited(
            given // self.batch_size if self.drop_last else -(-given // self.batch_size), share
        )

    def limit(self, share: Share) -> int | None:
        """Batches that are given at most: with `drop_last` and `pad_last` each shard has as many."""
        if self.drop_last or self.pad_last:
            return self.batches(share)
        return None if self.take is None else self._limited(self.take, share)

    def _limited(self, batches: int, share: Share) -> int:
        before = sum(cut.batches for cut in share.cuts)
        return batches if self.take is None else max(0, min(batches, self.take - before))


class Pass:
    """One pass over an epoch, or the rest of one.

    Parameters
    ----------
    maker : SampleMaker
    batching : Batching
    buffers : Buffers
        Where the arrays of the batches come from.
    begin : Position
        Epoch, and what was given of it before.
    share : Share
        The part of the epoch.
    order : Order or SampledOrder
        Gives the numbers of the samples at places of the epoch.
    alike : bool
        Whether images of another shape than most cannot be used.
    end : int, optional
        Images of the share, at most, that are counted from its first one.
    """

    def __init__(
        self,
        maker: SampleMaker,
        batching: Batching,
        buffers: Buffers,
        begin: Position,
        share: Share,
        order: Order | SampledOrder,
        alike: bool,
        end: int | None = None,
    ) -> None:
        self.maker, self.batching, self.buffers = maker, batching, buffers
        self.begin, self.share, self.order, self.alike, self.end = begin, share, order, alike, end
        self.epoch = begin.epoch
        self.limit = batching.limit(share)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("maker", "buffers")}

    def attach(self, maker: SampleMaker, buffers: Buffers) -> None:
        """Set what a copy in another process has of its own."""
        self.maker, self.buffers = maker, buffers

    @property
    def fills_rows(self) -> bool:
        """Whether images are written to where they lie in their batch, of which nothing is left to make but an object.

        Such batches need no thread between those that make them and the one that takes them, for which the interpreter
        lock would change hands once more per batch.
        """
        maker = self.maker
        if maker.samples.has_masks or maker.objects is not None or maker.bad.leaves_out or self._row is None:
            return False  # others move up where one is left out
        reference = maker.rules().reference
        return reference is not None and self.batching.finishing.leaves(reference.image.axes)

    def batches(
        self, stop: threading.Event, *, ahead: int = 0
    ) -> Generator[tuple[Batch, Position], None, None]:
        """Make the batches, each with the position after it.

        Parameters
        ----------
        stop : threading.Event
            Once it is set, nothing is waited for.
        ahead : int
            Batches that wait to be taken, at most, beside those that threads work on: none where another thread takes them.
        """
        try:
            yield from self._made(stop, ahead)
        finally:
            self.buffers.end_pass()
            give_back_freed()

    def _made(self, stop: threading.Event, ahead: int) -> Generator[tuple[Batch, Position], None, None]:
        at, size = self.begin, self.batching.batch_size
        if self.limit is not None and at.batches >= self.limit:
            return
        waiting = _Waiting(size)
        last: TrainingSample | MadeRows | None = None
        left_out, images, used, counted = at.left_out, at.images, at.images > at.left_out, False
        mapped = ordered_map(
            lambda piece: (piece[1], self.maker.make(*piece, self.alike, stop)),
            self._pieces(),
            threads=self.batching.threads,
            spare=self._row is not None and self.maker.recipe.planner() is not None,
            ahead=self.batching.threads + _AHEAD + ahead * -(-size // self._length),
            stop=stop if ahead else None,
            ended=stop,
            read_timeout=self.batching.read_timeout,
        )
        with self.maker.bad.written(), closing(mapped) as made:  # workers add to the list until they end
            for count, replaced, part in waiting.parts_of(made):
                images += count
                if replaced:
                    left_out, counted = left_out + replaced, False
                used = used or part is not None
                if used and not counted:  # once for each that is left out: it takes as long as all else here
                    counted = True
                    if left_out:
                        self._check_allowed(left_out)
                if part is None:
                    continue
                last = part
                waiting.add(part, count)
                if waiting.count == size:
                    at = at.after(images, left_out)
                    yield self._collated(waiting.taken()), at
                    if at.batches == self.limit:
                        break
        if left_out and not used:
            raise self.maker.none_usable()
        if self.batching.pad_last:
            while at.batches < self.batching.batches(self.share):
                at = at.after(images, left_out)
                yield self._padded(waiting.taken(), last), at
        elif waiting.count and not self.batching.drop_last:
            yield self._collated(waiting.taken()), at.after(images, left_out)
        if left_out > _MANY * images and not self.maker.warned:
            self.maker.warned = True
            warnings.warn(
                f"{left_out:,} of {images:,} images of epoch {self.epoch} were {self._done}{self.maker.first_bad()}",
                OffgraphWarning,
                stacklevel=2,
            )

    @property
    def _last(self) -> int:
        """Where the samples of the pass end in their share."""
        end = len(self.share) if self.end is None else min(len(self.share), self.end)
        if self.limit is not None and not self.maker.bad.leaves_out:  # else others take the place of bad ones
            end = min(end, self.limit * self.batching.batch_size)
        return end

    def _addresses(self, most: int) -> Iterator[tuple[list[int], list[int]]]:
        """Epochs and numbers of up to so many samples at a time, from where the pass begins."""
        end, chunk = self._last, max(most, _CHUNK // most * most)
        for start in range(self.begin.images, end, chunk):
            epochs, numbers = self._chunk(start, min(start + chunk, end))
            for first in range(0, len(numbers), most):
                yield epochs[first : first + most], numbers[first : first + most]

    def _chunk(self, start: int, stop: int) -> tuple[list[int], list[int]]:
        """Epochs and numbers of the samples from one place of the share to before another."""
        even = self.share.even_places(start, stop)
        if even is not None and isinstance(
            self.order, Order
        ):  # without the arrays, it takes a third of the time
            return self.order.epochs(even), self.order.numbers_of(even)
        places = self.share.places(start, stop)
        return self.order.epochs(places), self.order.numbers(places).tolist()

    @functools.cached_property
    def _row(self) -> tuple[tuple[int, ...], np.dtype] | None:
        """Shape and dtype of the rows that images are written into; None where each has an array of its own."""
        is_alone = self.batching.batch_size == 1  # such images may have any shape
        return None if is_alone or not self.maker.samples.in_rows else self.maker.rules().row

    @functools.cached_property
    def _length(self) -> int:
        """Samples of a piece."""
        if self._row is None:
            return 1
        shape, dtype = self._row
        fit = _PIECE_BYTES // max(1, math.prod(shape) * dtype.itemsize)
        return max(1, min(-(-self.batching.batch_size // self.batching.threads), fit, _MOST_IN_PIECE))

    def _pieces(self) -> Iterator[Piece]:
        """What is worked on at a time: one sample, or a part of a batch whose images are written into its array."""
        if self._row is None:
            for epochs, numbers in self._addresses(_CHUNK):
                yield from ((epoch, [number], None) for epoch, number in zip(epochs, numbers))
            return
        (shape, dtype), size, length = self._row, self.batching.batch_size, self._length
        left = self._last - self.begin.images
        for epochs, numbers in self._addresses(size):
            if self.batching.threads > 1 and left <= 2 * self.batching.threads * length:
                length = min(length, _LAST_PIECES)
            left -= len(numbers)
            batch = BatchRows(self.buffers, len(numbers), shape, dtype)
            for first in range(0, len(numbers), length):
                for start, stop in _runs(epochs, first, min(first + length, len(numbers))):
                    yield epochs[start], numbers[start:stop], RowBlock(batch, start, stop)

    def _padded(self, parts: _Parts, last: TrainingSample | MadeRows | None) -> Batch:
        """A batch filled up with its own samples again, or with any where it has none."""
        samples = each(parts)
        filling = samples or (each([last])[-1:] if last is not None else [self._any_sample()])
        size = self.batching.batch_size
        valid = np.arange(size) < len(samples)
        cycled = itertools.islice(itertools.cycle(filling), size - len(samples))
        return self._collated([*samples, *cycled], valid)

    def _any_sample(self) -> TrainingSample:
        """The first sample of the epoch that can be used."""
        for place in range(self.share.count):
            (sample,) = self.maker.make(
                self.epoch, self.order.numbers(np.array([place], np.int64)).tolist(), None, self.alike
            )
            if sample is not None:
                return sample
        raise self.maker.none_usable()

    def _collated(self, parts: _Parts, valid: np.ndarray | None = None) -> Batch:
        batch = self.maker.collated(parts, self.buffers)
        if self.batching.pad_last:
            batch = replace(batch, valid=np.ones(len(batch), bool) if valid is None else valid)
        reference = self.maker.rules().reference
        first = parts[0]
        if reference is not None and (isinstance(first, MadeRows) or first.row is not None):
            axes = reference.image.axes  # without an object for a sample
        else:
            axes = (first[0] if isinstance(first, MadeRows) else first).image.axes
        finishing = self.batching.finishing
        if finishing.leaves(axes):
            return batch
        mixes = finishing.mixing is not None and self.maker.objects is not None
        targets = [sample.targets for sample in each(parts)] if mixes else None
        return finishing(batch, self.epoch, axes, self.buffers, targets)

    @property
    def _done(self) -> str:
        """What is done with images that cannot be used, in words."""
        return "replaced by others" if self.maker.bad.on_error == "substitute" else "left out"

    def _check_allowed(self, left_out: int) -> None:
        """Refuse to go on where more was left out than is allowed."""
        total = len(replace(self.share, cuts=()))
        if not self.batching.allowed.exceeded(left_out, total):
            return
        raise OffgraphError(
            f"{left_out:,} of {total:,} images of epoch {self.epoch} were {self._done} so far, more than "
            f"max_bad={self.batching.allowed.text} allows{self.maker.first_bad()}. Look at these files and at the "
            "recipe, or raise max_bad"
        )


class _Waiting:
    """The samples of the batch that is not full yet.

    Parameters
    ----------
    size : int
        Of a full batch.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self._size, self._parts = size, list[TrainingSample | MadeRows]()

    def add(self, part: TrainingSample | MadeRows, count: int) -> None:
        """Add a sample, or a block of them."""
        self._parts.append(part)
        self.count += count

    def taken(self) -> list[TrainingSample | MadeRows]:
        """Return what waits, and begin the next batch."""
        parts, self._parts, self.count = self._parts, [], 0
        return parts

    def parts_of(
        self, made: Iterable[tuple[Sequence[int], Sequence[TrainingSample | None]]]
    ) -> Iterator[tuple[int, int, TrainingSample | MadeRows | None]]:
        """Single samples of pieces with these numbers, and blocks that end where the batch is full.

        Yields
        ------
        tuple of (int, int, part)
            How many samples, of how many none or another one was made, and what was made.
        """
        for numbers, found in made:
            if isinstance(found, MadeRows):
                room = self._size - self.count
                if len(found) <= room:
                    yield len(found), 0, found
                else:  # after samples that were left out, a piece is of two batches
                    yield room, 0, found[:room]
                    yield len(found) - room, 0, found[room:]
                continue
            for number, sample in zip(numbers, found):
                yield 1, int(sample is None or sample.number != number), sample


def _runs(epochs: list[int], first: int, stop: int) -> list[tuple[int, int]]:
    """Parts of a piece that are of one epoch: nearly always the whole."""
    if epochs[first:stop].count(epochs[first]) == stop - first:
        return [(first, stop)]
    bounds = [place for place in range(first + 1, stop) if epochs[place] != epochs[place - 1]]
    return list(itertools.pairwise([first, *bounds, stop]))
