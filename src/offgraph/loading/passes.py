"""One pass over an epoch: samples made by threads, in order, and collated into batches."""

from __future__ import annotations

import itertools
import math
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError, OffgraphWarning
from offgraph.core.machine import with_retries
from offgraph.dataset.allowed import MaxBad
from offgraph.loading.batch import Batch, collate
from offgraph.loading.maker import SampleMaker
from offgraph.loading.samples import BatchRows, Row, TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.workers import ordered_map

__all__ = ["Batching", "Pass"]

Piece = tuple[Sequence[int], list[Row] | None]
"""Numbers of samples, and the rows of a batch that their images may be written into."""

_MOST_IN_PIECE = 16
_PIECE_BYTES = 16 << 20
"""Images that take more are pieces of their own, so that a pass can be ended between them."""
_MANY = 0.05
"""Share of a pass that is left out without a warning."""


@dataclass(frozen=True)
class Batching:
    """How samples become batches.

    Parameters
    ----------
    batch_size : int
    drop_last : bool
        Whether a last batch that is not full is left out.
    threads : int
        That make the samples.
    allowed : MaxBad
        Images that one pass may leave out.
    read_timeout : float or None
        Seconds that one read of a file may take.
    """

    batch_size: int
    drop_last: bool
    threads: int
    allowed: MaxBad
    read_timeout: float | None


class Pass:
    """One pass over an epoch.

    Parameters
    ----------
    maker : SampleMaker
    batching : Batching
    buffers : Buffers
        Where the arrays of the batches come from.
    epoch : int
    order : ndarray of int64
        Numbers of the samples, in the order of the epoch.
    alike : bool
        Whether images of another shape than most cannot be used.
    """

    def __init__(
        self,
        maker: SampleMaker,
        batching: Batching,
        buffers: Buffers,
        epoch: int,
        order: np.ndarray,
        alike: bool,
    ) -> None:
        self.maker, self.batching, self.buffers = maker, batching, buffers
        self.epoch, self.order, self.alike = epoch, order, alike

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("maker", "buffers")}

    def attach(self, maker: SampleMaker, buffers: Buffers) -> None:
        """Set what a copy in another process has of its own."""
        self.maker, self.buffers = maker, buffers

    def batches(self, stop: threading.Event) -> Generator[Batch, None, None]:
        """Make the batches; once `stop` is set, nothing is waited for."""
        waiting: list[TrainingSample] = []
        used = left_out = 0
        size, allowed = self.batching.batch_size, self.batching.allowed

        def samples_of(piece: Piece) -> list[TrainingSample | None]:
            return with_retries(lambda: self.maker.make(self.epoch, *piece, self.alike), stop)

        batching = self.batching
        mapped = ordered_map(
            samples_of,
            self._pieces(),
            threads=batching.threads,
            ended=stop,
            read_timeout=batching.read_timeout,
        )
        with closing(mapped) as made:
            for sample in itertools.chain.from_iterable(made):
                left_out += sample is None
                used += sample is not None
                if used and allowed.exceeded(left_out, len(self.maker)):
                    raise self._too_many(left_out)
                if sample is None:
                    continue
                waiting.append(sample)
                if len(waiting) == size:
                    yield self._collated(waiting)
                    waiting = []
        if waiting and not self.batching.drop_last:
            yield self._collated(waiting)
        if left_out and not used:
            raise self.maker.none_usable()
        if left_out > _MANY * (used + left_out) and not self.maker.warned:
            self.maker.warned = True
            warnings.warn(
                f"{left_out:,} of {used + left_out:,} images of epoch {self.epoch} were left out"
                f"{self.maker.first_skipped()}",
                OffgraphWarning,
                stacklevel=2,
            )

    def _pieces(self) -> Iterator[Piece]:
        """What is worked on at a time: one sample, or a part of a batch whose images are written into its array."""
        reference, order = self.maker.rules().reference, self.order
        if not self.maker.samples.in_rows or reference is None or None in reference.image.shape:
            yield from ((range(number, number + 1), None) for number in map(int, order))
            return
        size = self.batching.batch_size
        shape, dtype = reference.image.shape, np.dtype(reference.image.dtype)
        fit = _PIECE_BYTES // max(1, math.prod(shape) * dtype.itemsize)  # type: ignore[arg-type]  # no None in it
        length = max(1, min(-(-size // self.batching.threads), fit, _MOST_IN_PIECE))
        for start in range(0, len(order), size):
            numbers = order[start : start + size].tolist()
            batch = BatchRows(self.buffers, len(numbers), shape, dtype)  # type: ignore[arg-type]  # no None in it
            for first in range(0, len(numbers), length):
                part = numbers[first : first + length]
                yield part, [Row(batch, first + place) for place in range(len(part))]

    def _collated(self, samples: list[TrainingSample]) -> Batch:
        maker = self.maker
        return collate(samples, maker.samples.labels, maker.recipe, self.buffers, maker.objects)

    def _too_many(self, left_out: int) -> OffgraphError:
        return OffgraphError(
            f"{left_out:,} of {len(self.maker):,} images of epoch {self.epoch} were left out so far, more than "
            f"max_bad={self.batching.allowed.text} allows{self.maker.first_skipped()}. Look at these files and at the "
            "recipe, or raise max_bad"
        )
