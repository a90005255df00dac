"""The epochs of a loader: passes over them, parts and single samples of them, and where the loader is."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.counting import count_of
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.core.machine import with_retries
from offgraph.core.random import Key
from offgraph.dataset.allowed import MaxBad
from offgraph.loading.batch import Batch
from offgraph.loading.explanation import SampleExplanation, explain_mix, explain_sample
from offgraph.loading.finishing import Finishing
from offgraph.loading.maker import SampleMaker
from offgraph.loading.mixes import Mix
from offgraph.loading.passes import Batching, Pass
from offgraph.loading.position import LoaderIdentity, Position, resumed, state_of
from offgraph.loading.process import OwnProcess
from offgraph.loading.samples import Samples
from offgraph.loading.sampling import REPEATED, SampledOrder, Sampling
from offgraph.loading.share import Cut, EveryNth, Share
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.order import Order
from offgraph.pipeline.workers import Ended, read_ahead
from offgraph.recipe.compose import Compose

if TYPE_CHECKING:
    from offgraph.loading.loader import Loader

__all__ = ["Epochs"]


class Epochs:
    """Methods of :class:`offgraph.Loader` that give its epochs."""

    if TYPE_CHECKING:  # what a loader has
        recipe: Compose
        seed: int
        batch_size: int
        threads: int
        prefetch: int
        shuffle: bool
        drop_last: bool
        pad_last: bool
        process: bool
        shard: tuple[int, int]
        mix: tuple[Mix, ...]
        read_timeout: float | None
        _samples: Samples
        _maker: SampleMaker
        _buffers: Buffers
        _own_process: OwnProcess
        _lock: threading.Lock
        _allowed: MaxBad
        _finishing: Finishing
        _sampling: Sampling | None
        _take: int | None
        _every: tuple[int, int]
        _next_epoch: int
        _at: Position
        _resumed: Position | None

        def __len__(self) -> int: ...

        @property
        def num_images(self) -> int: ...
        @property
        def leaves_out(self) -> bool: ...

    def next_pass(self, *, one_shape: bool | None = None) -> Iterator[Batch]:
        """Start the next epoch, or go on in the middle of one after :meth:`load_state_dict`.

        Parameters
        ----------
        one_shape : bool, optional
            As in :meth:`epoch`.
        """
        epoch = self.next_epoch()
        with self._lock:
            begin, self._resumed = self._resumed, None
        if begin is None or begin.epoch != epoch:
            begin = Position(epoch)
        return self._pass(begin, one_shape, noted=True)

    @property
    def resumes(self) -> bool:
        """Whether the next pass goes on in the middle of its epoch, and is shorter than others."""
        return self._resumed is not None and self._resumed != Position(self._resumed.epoch)

    @property
    def fills_batches(self) -> bool:
        """Whether all batches of the next pass, and of those after it, have ``batch_size`` images."""
        if self.drop_last or self.pad_last:
            return True
        begin = self._resumed or Position(0)
        left = len(self._share(begin.cuts)) - begin.images
        return not self.leaves_out and left % self.batch_size == self.num_images % self.batch_size == 0

    def next_epoch(self) -> int:
        """Reserve and return the number of the next epoch."""
        with self._lock:
            epoch, self._next_epoch = self._next_epoch, self._next_epoch + 1
        return epoch

    def epoch(self, number: int, *, one_shape: bool | None = None) -> Iterator[Batch]:
        """Batches of one epoch; the same ones each time.

        Parameters
        ----------
        number : int
        one_shape : bool, optional
            Whether images of another shape than most cannot be used, unless ``on_error="raise"``. Unless given: where ``batch_size``
            is above 1, as images of any shape are batches of one.
        """
        number = Key(self.seed, number).epoch
        return self._pass(Position(number), one_shape, noted=False)

    def _pass(self, begin: Position, one_shape: bool | None, *, noted: bool) -> Iterator[Batch]:
        """Batches from a position on; where they are noted, `state_dict` says how many were taken."""
        alike = self.batch_size > 1 if one_shape is None else one_shape
        share, order = self._share(begin.cuts), self._order(begin.epoch)
        made = Pass(self._maker, self._batching(), self._buffers, begin, share, order, alike)
        if noted:
            self._at = begin
        with closing(self._ahead(made)) as ahead:
            try:
                for batch, position in ahead:
                    if noted:
                        self._at = position
                    yield batch
                    del batch
            except Ended:  # with the program: the thread of a framework gets no more
                return
        if noted:
            self._at = Position(begin.epoch + 1)

    def _ahead(self, made: Pass) -> Generator[tuple[Batch, Position], None, None]:
        """Make batches ahead, on a thread or in another process."""
        if self.process:
            return self._own_process.batches(made)
        stop = threading.Event()
        if made.fills_rows:
            return made.batches(stop, ahead=self.prefetch)
        return read_ahead(made.batches(stop), self.prefetch, stop)

    def batch(self, epoch: int, number: int) -> Batch:
        """Return one batch of an epoch, made on its own.

        Its bytes are those that `epoch` gives as its batch of that number, counted from 0. With ``on_error="skip"``, what
        is left out is not replaced: the batch is smaller.

        Parameters
        ----------
        epoch, number : int

        Raises
        ------
        ArgumentError
            For a number that is not below ``len(loader)``.
        OffgraphError
            For an image that cannot be used, or where none of the batch can.
        """
        epoch, number = Key(self.seed, epoch).epoch, whole_number("number", number, least=0)
        if number >= len(self):
            given = count_of(len(self), "batch", "batches")
            raise ArgumentError(f"number={number}: an epoch has {given}, counted from 0")
        begin = Position(epoch, number * self.batch_size, number)
        batching = replace(self._batching(), drop_last=False)
        end, alike = begin.images + self.batch_size, self.batch_size > 1
        made = Pass(
            self._maker, batching, self._buffers, begin, self._share(), self._order(epoch), alike, end
        )
        with closing(made.batches(threading.Event())) as batches:
            for batch, _ in batches:
                return batch
        raise OffgraphError(
            f"batch {number} of epoch {epoch}: none of its images could be used{self._maker.first_bad()}"
        )

    def _share(self, cuts: tuple[Cut, ...] = ()) -> Share:
        """The part of an epoch that this loader gives."""
        if self._every == (0, 1):
            return Share(len(self._samples), *self.shard, cuts)
        return EveryNth(len(self._samples), *self.shard, cuts, self.batch_size, *self._every)

    def _batching(self) -> Batching:
        return Batching(
            self.batch_size,
            self.drop_last,
            self.pad_last,
            self._take,
            self.threads,
            self._allowed,
            self.read_timeout,
            self._finishing,
        )

    def _order(self, epoch: int) -> Order | SampledOrder:
        if self._sampling is not None:
            return self._sampling.order(self.seed, epoch, self.shuffle)
        return Order(len(self._samples), self.seed, epoch, self.shuffle)

    def order(self, epoch: int) -> np.ndarray:
        """Numbers of the images in the order of an epoch, int64, as far as this shard has them."""
        share = self._share()
        return self._order(Key(self.seed, epoch).epoch).numbers(share.places(0, self.num_images))

    def addresses(self, epoch: int) -> np.ndarray:
        """Epoch and number in the address of each image, in the order of an epoch, as far as this shard has them.

        Image k of the epoch is ``loader.sample(number, epoch=epoch)`` of row k. The epoch is the one given, unless an image
        comes again by `sampling`.

        Returns
        -------
        ndarray of int64, shape (num_images, 2)
        """
        order = self._order(Key(self.seed, epoch).epoch)
        places = self._share().places(0, self.num_images)
        return np.column_stack([np.array(order.epochs(places), np.int64), order.numbers(places)])

    def take(self, batches: int) -> Loader:
        """Return a loader of the first batches of each epoch.

        Parameters
        ----------
        batches : int
            Their number, as elements of a loader are batches; of each shard, where there are several.

        Returns
        -------
        Loader
            Of the same images, with the same draws; its passes begin with the same epoch as this one's next, and are
            counted apart.

        Raises
        ------
        ArgumentError
            For one that is not a whole number of at least 1.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for number in range(5):
        ...         og.imwrite(f"{photos}/{number}.png", np.zeros((4, 4), np.uint8))
        ...     loader = og.Loader(photos, batch_size=2).take(2)
        ...     len(loader), [batch.index.tolist() for batch in loader]
        (2, [[0, 1], [2, 3]])
        """
        number = whole_number("batches", batches)
        taken = cast("Loader", copy.copy(self))
        taken._take = number if self._take is None else min(number, self._take)
        return taken

    def every(self, step: int, first: int = 0) -> Loader:
        """Return a loader of every n-th batch of each epoch, for worker processes that share one.

        Together the loaders of ``first`` 0 to ``step - 1`` give the batches of this one, byte for byte. With
        ``on_error="skip"`` the images of each close up among themselves: none comes twice, but batches differ.

        Parameters
        ----------
        step : int
            Number of the processes.
        first : int
            Number of this one, from 0.

        Returns
        -------
        Loader
            With the options of this one. Its passes begin with the same epoch as this one's next, and are counted apart.

        Raises
        ------
        ArgumentError
            Where `first` is not below `step`.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for number in range(5):
        ...         og.imwrite(f"{photos}/{number}.png", np.zeros((4, 4), np.uint8))
        ...     loader = og.Loader(photos, batch_size=2).every(2)
        ...     len(loader), [batch.index.tolist() for batch in loader]
        (2, [[0, 1], [4]])
        """
        step, first = whole_number("step", step), whole_number("first", first, least=0)
        if first >= step:
            raise ArgumentError(f"first={first}: of {step}, counted from 0, the last one is {step - 1}")
        other, (before, apart) = cast("Loader", copy.copy(self)), self._every
        other._every = first * apart + before, step * apart
        other._take = None if self._take is None else max(0, -(-(self._take - first) // step))
        return other

    def explain(self, epoch: int, index: int) -> SampleExplanation:
        """Make a sample of an epoch again, and say how it came about.

        Parameters
        ----------
        epoch : int
        index : int
            Of the image, as ``Batch.index`` says.

        Returns
        -------
        SampleExplanation
            The image before and after, what was drawn, and how the recipe ran, in words; a notebook shows both images. With
            ``mix=`` also what it is mixed with in its batch, and which objects come from which image: the batch is made
            again, without those that ``on_error="skip"`` would put in the place of bad images.

        Raises
        ------
        ArgumentError
            For an index that the source does not have.
        OffgraphError
            Where the image cannot be used, whatever ``on_error`` says; names it.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     og.imwrite(f"{photos}/a.png", np.zeros((20, 30, 3), np.uint8))
        ...     print(og.Loader(photos, [og.Resize((8, 8))]).explain(epoch=3, index=0))
        a.png: index 0 of epoch 3
        image: 20 x 30 x 3 YXC uint8
        1. resize to 8 x 8: kernel 'triangle', antialiased  [step 1 Resize]
           reads 1,800 values, writes 192 values; up to 5 + 8 weights each, axis after axis
           gives 8 x 8 x 3 YXC uint8
        """
        number = whole_number("index", index, least=0)
        if number >= len(self._samples):
            raise ArgumentError(
                f"index={number}: {self._samples} has the indices 0 to {len(self._samples) - 1}; give one of Batch.index"
            )
        epoch = Key(self.seed, epoch).epoch
        made = explain_sample(self._maker, epoch, number)
        return replace(made, mixed=self._mix_of(epoch, number)) if self.mix else made

    def _mix_of(self, epoch: int, number: int) -> str:
        """What a sample is mixed with in its batch, in words."""
        addresses = self.addresses(epoch % REPEATED)
        (places,) = np.nonzero((addresses == (epoch, number)).all(axis=1))
        if not len(places) or places[0] // self.batch_size >= len(self):
            return "in none of this loader's batches of that epoch, and so not mixed"
        batch = int(places[0]) // self.batch_size
        made = self.batch(epoch % REPEATED, batch)
        names = {
            tuple(record["key"].values()): self._samples.name(index)
            for record, index in zip(made.records, made.index.tolist())
        }
        own = int(places[0]) % self.batch_size
        rows = np.flatnonzero(made.index == number).tolist()
        row = own if own in rows else next(iter(rows), None)  # it moves up where others are left out
        if row is not None:
            return explain_mix(made.records[row], batch, names)
        return f"left out of batch {batch}, and so not mixed"

    def sample(self, index: int, *, epoch: int = 0) -> Batch | None:
        """Make one sample by its address, as a batch of one.

        It is the sample that the batches of an epoch hold, whatever their order and size, before it is mixed with others
        (`mix`).

        Parameters
        ----------
        index : int
            Number of the image in its source, or of the example in a built dataset.
        epoch : int

        Returns
        -------
        Batch or None
            None where the image is left out, with ``on_error="skip"``.

        Raises
        ------
        ArgumentError
            Where there is no such image.
        MachineError, OffgraphError
            Where it cannot be used.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for number in range(3):
        ...         og.imwrite(f"{photos}/{number}.png", np.full((4, 4), number, np.uint8))
        ...     og.Loader(photos).sample(2).image[0, 0, 0].tolist()
        [2, 2, 2]
        """
        number, epoch = whole_number("index", index, least=0), Key(self.seed, epoch).epoch
        if number >= len(self._samples):
            raise ArgumentError(f"index={number}: the source has {count_of(len(self._samples), 'image')}")
        made = with_retries(partial(self._maker.sample, epoch, number))
        if made is None:
            return None
        batch = self._maker.collated([made], self._buffers)
        batch = self._finishing(batch, epoch, made.image.axes, self._buffers)
        return replace(batch, valid=np.ones(1, bool)) if self.pad_last else batch

    def state_dict(self) -> dict[str, Any]:
        """Say where the loader is, as a few hundred bytes of plain JSON.

        It counts the batches that were handed over by the last pass begun by iterating or by :meth:`tensorflow` without
        ``epoch``, and not those made ahead. After ``loader.tensorflow().prefetch(n)`` TensorFlow takes up to n + 1
        batches ahead of the model, and they count as handed over: leave it out (the loader makes batches ahead itself),
        or save at the end of an epoch.

        Returns
        -------
        dict
            For :meth:`load_state_dict`: epoch, images and batches given of it, seed, shard, digests of the names in
            the source and of the recipe.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for number in range(5):
        ...         og.imwrite(f"{photos}/{number}.png", np.zeros((4, 4), np.uint8))
        ...     loader = og.Loader(photos, batch_size=2, shuffle=True)
        ...     for batch in loader:
        ...         break
        ...     state = loader.state_dict()
        ...     again = og.Loader(photos, batch_size=2, shuffle=True)
        ...     again.load_state_dict(state)
        ...     state["epoch"], state["images"], sum(len(batch) for batch in again)
        (0, 2, 3)
        """
        return state_of(self._at, self._identity())

    def load_state_dict(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Go on where :meth:`state_dict` was called: the next pass gives the rest of that epoch, in the same bytes.

        Parameters
        ----------
        state : dict, or list of dict
            What `state_dict` returned. Another number of shards, or another ``batch_size``, divides what is left of
            the epoch anew. The state of one shard stands for all, as they give as many images per step; give the
            states of all shards where they did not, as with ``on_error="skip"``.

        Notes
        -----
        Call it before :meth:`tensorflow`. Keras takes the first epoch of a ``fit`` for the length of the others: train on
        the rest with ``model.fit(loader.tensorflow(), epochs=1)``, then on whole epochs with another ``fit``.

        Raises
        ------
        RecipeMismatch
            For the state of another recipe.
        ArgumentError
            For the state of another source, seed or order, or what is no state.
        """
        position = resumed(state, self._identity())
        share, limit = self._share(position.cuts), self._batching().limit(self._share(position.cuts))
        ended = position.batches >= limit if limit is not None else False
        if ended or (position.images >= len(share) and not self.pad_last):
            position = Position(position.epoch + 1)
        with self._lock:
            self._next_epoch, self._at, self._resumed = position.epoch, position, position

    @property
    def _digest(self) -> str:
        """Digest of all that the images of a batch follow from, beside source, seed and order."""
        if not self.mix and self._sampling is None:
            return self.recipe.digest
        sampling = "" if self._sampling is None else self._sampling.digest
        return hashlib.sha256(f"{self.recipe.digest} {self.mix} {sampling}".encode()).hexdigest()

    def _identity(self) -> LoaderIdentity:
        return LoaderIdentity(
            self.seed,
            self.shuffle,
            self.batch_size,
            self.shard,
            len(self._samples),
            self._samples.digest,
            self._digest,
        )
