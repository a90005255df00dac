"""Measure a loader by running its parts: reading, decoding, each operation, batches, and what is done with them.

Nothing inside a part is timed. Each measurement runs all the work up to some point, on the same images, and the time of
a part is the difference between two of them:

    read the files                                               one image after another, on threads
    … and decode them                                            the recipe cut off before its first step
    … and run the recipe up to the end of operation k            the same, cut off there
    the loader as it is                                          batches
    batches that are ready, handed over                          without any work

Where the loader makes batches faster than single images, because it runs several in one native call, recipes that give all
images one shape are measured in batches. They are then written in place, and storing them takes no time of its own.
"""

from __future__ import annotations

import itertools
import statistics
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from offgraph.core.arguments import whole_number
from offgraph.core.counting import count_of
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec, spec_of
from offgraph.formats.decoding import read_bytes
from offgraph.loading.benchmark_report import BenchmarkReport, MeasuredPart, ModelTiming, part_times
from offgraph.loading.cached_samples import CachedSamples
from offgraph.loading.finishing import UNFINISHED
from offgraph.loading.maker import SampleMaker
from offgraph.loading.samples import DatasetSamples, FileSamples
from offgraph.pipeline.scaled_decoding import error_of_scaled
from offgraph.pipeline.workers import ordered_map
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import lower
from offgraph.plan.native import native_op
from offgraph.plan.placed import place
from offgraph.recipe.compose import Compose
from offgraph.recipe.layers import Augment

if TYPE_CHECKING:
    from offgraph.loading.loader import Loader

__all__ = ["FRAMEWORKS", "measure", "operations_of"]

FRAMEWORKS = ("numpy", "tensorflow")
"""What batches can be handed over to in a benchmark."""

_MOST_IMAGES = 1000
_ROUNDS = 3
_PIECE = 4
"""Images per piece of work on a thread: its cost is spread over them."""
_MEAN_STAGE = 0.6
"""Time of a stage relative to that of all the work, on average."""
_READ_BYTES = 1 << 33
_LEAST_STEPS = 5
"""Batches that a model's loop runs over, where the source has as many."""
_READY = 16
"""Batches that are handed over without any work."""
_FASTER = 0.9
"""Time of a loader relative to single images, below which it is said to run several in one call."""

Step = Callable[[Any], Any] | float


class Operation(NamedTuple):
    """Steps of a recipe that run as one.

    Parameters
    ----------
    name : str
        Their classes.
    stop : int
        Steps of the recipe up to the end of the operation.
    python : bool
        Whether Python is called for it.
    drawn : bool
        Whether a step up to here draws.
    """

    name: str
    stop: int
    python: bool
    drawn: bool


def operations_of(recipe: Compose, spec: ArraySpec, start: int = 0) -> list[Operation]:
    """Return the operations of a recipe for an image, in order, after fusion.

    Parameters
    ----------
    recipe : Compose
    spec : ArraySpec
        Of the image before step `start`.
    start : int

    Raises
    ------
    StepError
        Where a step cannot be applied to such an image.
    """
    steps = [(replace(step, p=1.0) if step.p else step, False) for step in recipe.steps]
    placed = place(steps)[start:]
    applied, specs = draw(placed, spec, Key())
    ops = lower(placed, applied, specs)
    runs = {here.number for here, drawn in zip(placed, applied) if drawn.applied}
    found: list[Operation] = []
    seen: set[int] = set()
    names: list[str] = []
    python = False
    for planned in fuse(ops) if recipe.fuse else ops:
        names += [each.step.name for each in planned.steps if each.number not in seen]
        seen.update(each.number for each in planned.steps)
        python = python or native_op(planned.op, planned.before) is None
        stop = max(seen)
        if any(number not in seen for number in runs if number < stop):
            continue  # a crop was moved in front of the steps before it: they end together
        if names:
            drawn = any(step.draws for step in recipe.steps[:stop])
            found.append(Operation(" + ".join(names), stop, python, drawn))
        else:  # another operation of the same step
            found[-1] = found[-1]._replace(python=found[-1].python or python)
        names, python = [], False
    return found


def measure(
    loader: Loader,
    *,
    images: int | None = None,
    seconds: float = 20.0,
    step: Step | None = None,
    framework: str = "numpy",
) -> BenchmarkReport:
    """Measure a loader; see :meth:`offgraph.Loader.benchmark`."""
    if images is not None:
        images = whole_number("images", images)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e6:
        raise ArgumentError(f"seconds={seconds!r:.80}: give a number of seconds above 0")
    if framework not in FRAMEWORKS:
        raise ArgumentError(f"framework={framework!r:.80}: choose one of {', '.join(FRAMEWORKS)}")
    if not (
        step is None
        or callable(step)
        or (isinstance(step, int | float) and not isinstance(step, bool) and step >= 0)
    ):
        raise ArgumentError(
            f"step={step!r:.80}: give a function of a batch, or the seconds that a step takes"
        )
    if loader.num_images == 0:
        raise OffgraphError("the source is empty: there is nothing to measure")
    return _Benchmark(loader, images, float(seconds)).report(step, framework)


@dataclass(frozen=True)
class _Stage:
    """All the work up to some point.

    Parameters
    ----------
    part : MeasuredPart
        The last part of it, without its times.
    run : callable
        Does it for all images of the sample with so many threads, and returns the seconds per image.
    """

    part: MeasuredPart
    run: Callable[[int], float]


class _Benchmark:
    """Measurements of one loader on one sample of its images."""

    def __init__(self, loader: Loader, images: int | None, seconds: float) -> None:
        self.loader, self.maker, self.seconds = loader, loader._maker, seconds
        self.samples = self.maker.samples
        self.epoch = loader.start_epoch
        self.numbers = [int(number) for number in loader.order(self.epoch)[:_MOST_IMAGES]]
        self.whole = self.maker.with_recipe(loader.recipe)
        self.start = self._first_step()
        self.spec = self._stored_spec()
        self.operations = operations_of(loader.recipe, self.spec, self.start)
        count = self._affordable() if images is None else images
        self.numbers = self.numbers[: max(1, count)]
        size = loader.batch_size
        if len(self.numbers) > size:  # whole batches
            self.numbers = self.numbers[: len(self.numbers) // size * size]

    def _first_step(self) -> int:
        """The first step that is not stored already."""
        if isinstance(self.samples, DatasetSamples) and self.samples.own_recipe:
            return int(self.samples.dataset.line(self.numbers[0])["start"])
        return 0

    def _stored_spec(self) -> ArraySpec:
        """Spec of the first image that can be used, before the first step."""
        maker = self.maker.with_recipe(self._prefix(self.start))
        found = (maker.sample(self.epoch, number, False) for number in self.numbers)
        sample = next((sample for sample in found if sample is not None), None)
        if sample is None:
            raise self.maker.none_usable()
        return sample.image.spec

    def _affordable(self) -> int:
        """How many images can be measured in so much time."""
        tried = self.numbers[:5]
        self._singly(self.whole)(1, tried[:1])  # tables and libraries are loaded
        each = max(self._singly(self.whole)(1, tried[-4:]), 1e-6)
        passes = (len(self.operations) + 4) * (1 + 1 / self.loader.threads) * _ROUNDS
        return max(min(8, len(self.numbers)), int(self.seconds / (each * passes * _MEAN_STAGE)))

    def _prefix(self, stop: int) -> Compose:
        """The recipe up to a step, with the draws of the whole."""
        recipe, left = self.loader.recipe, stop
        items: list[Any] = []
        for item in recipe.items:
            steps = item.steps if isinstance(item, Augment) else (item,)
            kept = steps[: max(0, left)]
            left -= len(steps)
            if kept:
                items.append(Augment(*kept) if isinstance(item, Augment) else item)
        prefix = Compose(items, fuse=recipe.fuse, decode=recipe.decode)
        prefix.training = recipe.training
        return prefix

    def _one_shape(self, stop: int) -> bool:
        """Whether the recipe up to a step gives all images one shape, whatever the files hold."""
        if isinstance(self.samples, DatasetSamples):
            specs = {self.samples.dataset.specs(number)[0] for number in self.numbers}
            if len(specs) == 1:
                return None not in self.loader.recipe.output_spec(specs.pop(), self.start, stop).shape
        lengths = tuple(
            n if axis == "C" else None for axis, n in zip(self.spec.axes, self.spec.shape, strict=True)
        )
        opened = spec_of(lengths, self.spec.dtype, self.spec.axes)
        return None not in self.loader.recipe.output_spec(opened, self.start, stop).shape

    # ways of running

    def _on_threads(
        self, function: Callable[[int], Any], threads: int, numbers: Sequence[int] | None = None
    ) -> float:
        """Seconds per image of a function of one image's number."""
        numbers = self.numbers if numbers is None else numbers
        pieces = [numbers[first : first + _PIECE] for first in range(0, len(numbers), _PIECE)]
        began = time.perf_counter()
        with closing(
            ordered_map(lambda piece: [function(n) for n in piece] and None, pieces, threads=threads)
        ) as done:
            for _ in done:
                pass
        return (time.perf_counter() - began) / len(numbers)

    def _singly(self, maker: SampleMaker) -> Callable[..., float]:
        """Make one sample after another, on threads."""
        maker.rules()
        return lambda threads, numbers=None: self._on_threads(
            lambda number: maker.sample(self.epoch, number, False), threads, numbers
        )

    def _copy(self, recipe: Compose, threads: int, least: int = 0) -> Loader:
        """A loader of the sample's images, or of more of the source where `least` says so, its state its own."""
        count = max(len(self.numbers), least)
        size = min(count, self.loader.batch_size)
        other = self.loader.take(-(-count // size))
        other.recipe, other.threads, other.batch_size = recipe, threads, size
        other._maker = self.maker.with_recipe(recipe)
        if recipe is not self.loader.recipe:  # mixing and dtype need not fit the images of a part of it
            other._finishing = UNFINISHED
        return other

    def _in_batches(self, recipe: Compose) -> Callable[[int], float]:
        """Run a recipe as the loader does."""
        loaders = {threads: self._copy(recipe, threads) for threads in (1, self.loader.threads)}
        for loader in loaders.values():
            loader._maker.rules()

        def run(threads: int) -> float:
            began, count = time.perf_counter(), 0
            for batch in loaders[threads].epoch(self.epoch):
                count += len(batch)
            return (time.perf_counter() - began) / max(count, 1)

        return run

    def _read(self) -> Callable[[int], float] | None:
        """Read the bytes of the files; None where they are not read one by one."""
        if not isinstance(self.samples, FileSamples):
            return None
        source = self.samples.source

        def read(number: int) -> None:
            item = source[number]
            for path in (item.path, item.mask):
                if path is not None:
                    try:
                        read_bytes(path, _READ_BYTES)
                    except OffgraphError:  # left out, or named, where it is decoded
                        return

        return lambda threads: self._on_threads(read, threads)

    # the report

    def report(self, step: Step | None, framework: str) -> BenchmarkReport:
        """Run all measurements in turn, several times, and take their medians."""
        loader, recipe = self.loader, self.loader.recipe
        batches = self._in_batches(recipe)
        counts = [1, loader.threads] if loader.threads > 1 else [1]
        for threads in counts:
            batches(threads)  # caches are filled, processes are started
        stages = self._stages(batches)
        medians = _medians(stages, counts, self.seconds)
        # The loader is the truth: what takes longer alone than all of it together takes no longer than that in it.
        one, many = (
            part_times([1000 * min(time, found[-1]) for time in found])
            for found in (medians[1], medians[loader.threads])
        )
        parts = [replace(stage.part, one=a, many=b) for stage, a, b in zip(stages, one, many, strict=True)]
        if framework != "numpy":
            handed = 1000 * self._handing_over(framework)
            parts.append(MeasuredPart("hand over", "hand over", handed, handed))
        return BenchmarkReport(
            source=str(self.samples),
            stored=isinstance(self.samples, DatasetSamples),
            images=len(self.numbers),
            batch_size=loader.batch_size,
            threads=loader.threads,
            parts=tuple(parts),
            one=1 / medians[1][-1],
            many=1 / medians[loader.threads][-1],
            framework=framework,
            left_out=len(self.whole.bad.unusable),
            model=None if step is None else self._model(step, framework),
            decoding=error_of_scaled(self.samples.source, loader.recipe)
            if isinstance(self.samples, FileSamples)
            else None,
        )

    def _stages(self, batches: Callable[[int], float]) -> list[_Stage]:
        """All the work up to each point, the whole of it last, which is `batches`."""
        if isinstance(self.samples, CachedSamples):  # another recipe would not find its images in the cache
            done = self.samples.resumed.done
            names = ", ".join(
                ["images from the cache", *(one.name for one in self.operations if one.stop > done)]
            )
            return [_Stage(MeasuredPart(names, "operation", 0, 0, drawn=True), batches)]
        alone = self._singly(self.whole)
        threads = self.loader.threads
        alone(threads)
        together = batches(threads) < _FASTER * alone(threads)

        def upto(stop: int) -> Callable[[int], float]:
            cut = self._prefix(stop)
            if together and self._one_shape(stop):
                return self._in_batches(cut)
            return self._singly(self.maker.with_recipe(cut))

        read = self._read()
        stages = [] if read is None else [_Stage(MeasuredPart("read", "read", 0, 0), read)]
        name = "decode" if stages else "read and decode"
        stages.append(_Stage(MeasuredPart(name, "decode", 0, 0), upto(self.start)))
        for here in self.operations:
            part = MeasuredPart(here.name, "operation", 0, 0, here.python, here.drawn)
            stages.append(_Stage(part, upto(here.stop)))
        return [*stages, _Stage(MeasuredPart("store in batches", "store", 0, 0), batches)]

    def _feed(self, loader: Loader, framework: str, images: int) -> Iterator[Any]:
        """Batches as the framework gets them."""
        if framework == "tensorflow":
            count = images // loader.batch_size if loader.drop_last else -(-images // loader.batch_size)
            return iter(loader.tensorflow(epoch=self.epoch, advance=False).take(count))
        return loader.epoch(self.epoch)

    def _handing_over(self, framework: str) -> float:
        """Seconds per image to hand over batches that are ready."""
        loader = self._copy(self.loader.recipe, self.loader.threads)
        with closing(_generator(loader.epoch(self.epoch))) as made:
            ready = next(made)
        count = len(ready)
        loader.batch_size = count
        loader.epoch = lambda number, **options: iter([ready] * (_READY + 1))  # type: ignore[method-assign]
        loader.drop_last = True
        feed = iter(loader.tensorflow(epoch=self.epoch, advance=False).take(min(_READY, len(loader))))
        next(feed)  # the pass has begun
        times = []
        began = time.perf_counter()
        for _ in feed:
            now = time.perf_counter()
            times.append(now - began)
            began = now
        return statistics.median(times) / count if times else 0.0

    def _model(self, step: Step, framework: str) -> ModelTiming:
        """Loop over batches and model steps; the first batch, for which the pass begins, is not counted."""
        take = step if callable(step) else lambda batch: time.sleep(step)
        size = self.loader.batch_size
        least = min(_LEAST_STEPS * size, self.loader.num_images)
        loader = self._copy(self.loader.recipe, self.loader.threads, least)
        waiting = working = 0.0
        images = batches = 0
        feed = self._feed(loader, framework, max(len(self.numbers), least))
        try:
            take(next(feed))
            while True:
                began = time.perf_counter()
                batch = next(feed, None)
                waiting += time.perf_counter() - began
                if batch is None:
                    break
                began = time.perf_counter()
                take(batch)
                working += time.perf_counter() - began
                images += _images_of(batch)
                batches += 1
        finally:
            if isinstance(feed, types.GeneratorType):
                feed.close()
        spent = waiting + working
        if not batches:
            raise OffgraphError(
                f"step= is measured over two batches or more, and there are {count_of(self.loader.num_images, 'image')} "
                f"with batch_size={size}: give a smaller batch_size, or leave step out"
            )
        return ModelTiming(images / spent, 1000 * working / batches, waiting / spent)


def _medians(stages: Sequence[_Stage], counts: Sequence[int], seconds: float) -> dict[int, list[float]]:
    """Seconds per image of each stage by number of threads: the median of rounds in which all run in turn.

    The number of images follows from a few of them: where they take longer than those, there are fewer rounds.
    """
    found: dict[int, list[list[float]]] = {threads: [] for threads in counts}
    began = time.perf_counter()
    for number in range(1, _ROUNDS + 1):
        for threads in counts:
            found[threads].append([stage.run(threads) for stage in stages])
        if (time.perf_counter() - began) * (number + 1) / number > seconds:
            break
    return {threads: [statistics.median(each) for each in zip(*rounds)] for threads, rounds in found.items()}


def _generator(things: Iterator[Any]) -> Any:
    """A generator of an iterator, so that it can be closed."""
    if isinstance(things, types.GeneratorType):
        return things
    return (thing for thing in things)


def _images_of(batch: Any) -> int:
    """Number of images in a batch, as a loader or a framework gives it."""
    first = next(iter(itertools.chain(batch))) if isinstance(batch, tuple) else batch
    return len(getattr(first, "image", first))
