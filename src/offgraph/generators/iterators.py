"""Iterators over batches, with the attributes of Keras' `DirectoryIterator`, `DataFrameIterator` and `NumpyArrayIterator`.

Keras' order of files, classes and subsets; the loader's batches. An iterator is a ``keras.utils.PyDataset`` where Keras is
installed. Its loader is made with its first batch, so that `ImageDataGenerator.fit` may come after `flow`.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from offgraph.core.arguments import plain_array, whole_number
from offgraph.core.errors import ArgumentError
from offgraph.frameworks.pydataset import Ahead, pydataset_class
from offgraph.generators.frames import Rows, rows_of
from offgraph.generators.listing import list_classes, masks_beside, part_of
from offgraph.generators.pixels import Work, check_range, work_of
from offgraph.generators.saving import SaveTo
from offgraph.generators.transforms import fresh_seed
from offgraph.loading.batch import Batch
from offgraph.loading.loader import Loader
from offgraph.recipe.compose import Compose
from offgraph.sources import Item, Source
from offgraph.sources.arrays import array_source
from offgraph.sources.reading import Reading

__all__ = ["ArrayFlow", "DataFrameFlow", "DirectoryFlow", "Flow", "made"]

ColorMode = Literal["rgb", "grayscale"]
_COLORS = {"rgb": ("rgb", 3), "grayscale": ("grey", 1)}
FlowType = TypeVar("FlowType", bound="Flow")


@functools.cache
def _class_of(kind: type[Any]) -> type[Any]:
    return type(
        kind.__name__, (kind, pydataset_class()), {"__doc__": kind.__doc__, "__module__": kind.__module__}
    )


def made(kind: type[FlowType], *args: Any, **options: Any) -> FlowType:
    """Make an iterator that is Keras' PyDataset too."""
    return _class_of(kind)(*args, **options)


def _restored(kind: type[Any], state: dict[str, Any]) -> Any:
    made = _class_of(kind)
    flow: Any = object.__new__(made)
    vars(flow).update(state, lock=threading.Lock())
    return flow


class Flow:
    """Batches of images that a generator draws, for ever, or by their numbers in an epoch.

    Parameters
    ----------
    generator : ImageDataGenerator
    n : int
        Number of images.
    batch_size : int
    shuffle : bool
    seed : int or None
        None draws one from `numpy.random`.
    save : SaveTo
    threads : int or None
    on_error : {"raise", "skip", "substitute", "quarantine"}

    Attributes
    ----------
    epoch : int
        Number of the epoch that batches come from; the draws of image i are those of (seed, epoch, i).
    """

    def __init__(
        self,
        generator: Any,
        n: int,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        save: SaveTo,
        threads: int | None,
        on_error: Any,
    ) -> None:
        super().__init__()
        self.image_data_generator = generator
        self.n = n
        self.batch_size = whole_number("batch_size", batch_size)
        self.shuffle, self.seed = bool(shuffle), seed
        self.data_format, self.dtype = generator.data_format, generator.dtype
        self._drawn_seed = fresh_seed() if seed is None else whole_number("seed", seed, least=0)
        self.batch_index = self.total_batches_seen = 0
        self.epoch = 0
        self.lock = threading.Lock()
        self._save, self._threads, self._on_error = save, threads, on_error
        self._given = False
        self._prepared: tuple[tuple[int, ...], Work, Loader, Ahead] | None = None

    def __reduce__(self) -> Any:
        kind = next(each for each in type(self).__mro__[1:] if issubclass(each, Flow))
        state = {name: value for name, value in vars(self).items() if name != "lock"} | {"_prepared": None}
        return _restored, (kind, state)

    # what a kind of iterator says

    def _source(self) -> Source:
        raise NotImplementedError

    def _work(self) -> Work:
        raise NotImplementedError

    def _element(self, images: np.ndarray, batch: Batch) -> Any:
        raise NotImplementedError

    # batches

    @property
    def work(self) -> Work:
        """The recipe of the generator, and what else it does to values."""
        return self._ready()[0]

    @property
    def recipe(self) -> Compose:
        """The recipe that the loader runs."""
        return self.work.recipe

    @property
    def report(self) -> Any:
        """How far the recipe agrees with Keras, argument by argument."""
        return self.work.report

    @property
    def loader(self) -> Loader:
        """The loader that makes the batches."""
        return self._ready()[1]

    def _ready(self) -> tuple[Work, Loader, Ahead]:
        generator = self.image_data_generator
        state = tuple(id(each) for each in (generator.mean, generator.std, generator.zca_whitening_matrix))
        if self._prepared is None or self._prepared[0] != state:
            work = self._work()
            loader = Loader(
                self._source(),
                work.recipe,
                batch_size=self.batch_size,
                seed=self._drawn_seed,
                shuffle=self.shuffle,
                threads=self._threads,
                on_error=self._on_error,
                non_finite="allow",
                data_format=self.data_format,
            )
            self._prepared = state, work, loader, Ahead(loader, useful=True)
        return self._prepared[1:]

    @property
    def index_array(self) -> np.ndarray:
        """Numbers of the images in the order of this epoch."""
        return self.loader.order(self.epoch) if self.n else np.arange(0)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx: int) -> Any:
        """Return one batch of this epoch; the same one each time."""
        if not 0 <= idx < len(self):
            raise ArgumentError(f"batch {idx}: an epoch has {len(self)}, counted from 0")
        with self.lock:
            epoch, self._given = self.epoch, True
            self.total_batches_seen += 1
        return self._made(epoch, idx)

    def _made(self, epoch: int, idx: int) -> Any:
        work, loader, ahead = self._ready()
        batch = ahead.batch(epoch, idx) or loader.batch(epoch, idx)
        images = batch.image
        if images.ndim == 3:  # one channel
            images = np.expand_dims(images, 1 if self.data_format == "channels_first" else -1)
        images = images.astype(self.dtype, copy=False)
        if work.standardize is not None:
            images = self._standardized(work.standardize, images)
        self._save(images, batch.index, self._drawn_seed, epoch, self.data_format)
        return self._element(images, batch)

    def _standardized(
        self, standardize: Callable[[np.ndarray], np.ndarray], images: np.ndarray
    ) -> np.ndarray:
        made = images if images.flags.writeable else images.copy()
        for place in range(len(made)):
            made[place] = standardize(made[place])
        return made

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next batch; after the last of an epoch the first of the next one."""
        with self.lock:
            if not self.n:
                raise StopIteration
            if self.batch_index == 0:
                self._next_epoch()
                self._ready()[2].begin()
            epoch, index = self.epoch, self.batch_index
            self._given = True
            self.batch_index = (index + 1) % len(self)
            self.total_batches_seen += 1
        return self._made(epoch, index)

    def next(self) -> Any:
        """Return the next batch."""
        return self.__next__()

    def reset(self) -> None:
        """Begin with the first batch of a new epoch, and make none ahead until it is asked for.

        Keras keeps the last generator that `fit` was given: call this to end its threads.
        """
        with self.lock:
            self.batch_index = 0
            if self._prepared is not None:
                self._prepared[3].end()

    def on_epoch_begin(self) -> None:
        """Note that Keras asks for the batches of an epoch, in their order or another."""
        if self.n:
            self._ready()[2].begin()

    def on_epoch_end(self) -> None:
        """Go on to the next epoch: another order, other draws."""
        with self.lock:
            if self._prepared is not None:
                self._prepared[3].end()
            self._next_epoch()

    def _next_epoch(self) -> None:
        self.epoch += self._given
        self._given = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.n} images, {len(self)} batches of up to {self.batch_size}>"


class FileFlow(Flow):
    """Images read from files."""

    directory: str
    filenames: list[str]
    class_mode: str | None
    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def _set(
        self, generator: Any, target_size: Sequence[int], color_mode: str, interpolation: str, keep_aspect_ratio: bool,
        subset: str | None,
    ) -> None:  # fmt: skip
        """Check how files become images, and keep it."""
        if color_mode not in _COLORS:
            alpha = " (opacity is not kept)" if color_mode == "rgba" else ""
            raise ArgumentError(f"color_mode={color_mode!r:.80}: choose 'rgb' or 'grayscale'{alpha}")
        if not isinstance(target_size, Sequence) or isinstance(target_size, str) or len(target_size) != 2:
            raise ArgumentError(f"target_size={target_size!r:.80}: give (height, width) in pixels")
        height, width = (whole_number("target_size", each) for each in target_size)
        self.target_size, self.color_mode = (height, width), color_mode
        self.interpolation, self.keep_aspect_ratio, self.subset = (
            interpolation,
            bool(keep_aspect_ratio),
            subset,
        )
        channels = (_COLORS[color_mode][1],)
        first = generator.data_format == "channels_first"
        self.image_shape = channels + self.target_size if first else self.target_size + channels
        self.split = part_of(subset, generator.validation_split)
        self._mask_files: list[Path] | None = None

    @property
    def samples(self) -> int:
        """Number of images."""
        return self.n

    @property
    def filepaths(self) -> list[str]:
        """Paths of the files, in the order of their numbers."""
        return [os.path.join(self.directory, name) for name in self.filenames]  # noqa: PTH118  # as Keras joins them

    def _source(self) -> Source:
        masks: Sequence[Path | None] = self._mask_files or [None] * self.n
        items = tuple(
            Item(name, Path(path), mask=mask)
            for name, path, mask in zip(self.filenames, self.filepaths, masks, strict=True)
        )
        color = "rgb" if self.color_mode == "rgb" else "grey"
        return Source(items, (), Path(self.directory or "."), Reading(color=color))

    def _work(self) -> Work:
        loading = {
            "target_size": self.target_size,
            "interpolation": self.interpolation,
            "keep_aspect_ratio": self.keep_aspect_ratio,
        }
        return work_of(self.image_data_generator, "uint8", loading)

    @property
    def sample_weight(self) -> np.ndarray | None:
        """Weight of each image, where the table has a column of them."""
        return None

    @property
    def labels(self) -> Any:
        """Class numbers, or what `class_mode` "raw" and "multi_output" learn."""
        raise NotImplementedError

    def _element(self, images: np.ndarray, batch: Batch) -> Any:
        learnt = self._learnt(images, batch)
        if learnt is None:
            return images
        weights = self.sample_weight
        return (images, learnt) if weights is None else (images, learnt, weights[batch.index])

    def _learnt(self, images: np.ndarray, batch: Batch) -> Any:
        numbers = batch.index
        if batch.mask is not None:
            return np.expand_dims(batch.mask, 1 if self.data_format == "channels_first" else -1)
        match self.class_mode:
            case "input":
                return images.copy()
            case "binary" | "sparse":
                return np.asarray(self.labels)[numbers].astype(self.dtype)
            case "categorical":
                return self._one_hot(numbers)
            case "multi_output":
                return tuple(target[numbers] for target in self.labels)
            case "raw":
                return self.labels[numbers]
            case _:
                return None

    def _one_hot(self, numbers: np.ndarray) -> np.ndarray:
        hot = np.zeros((len(numbers), len(self.class_indices)), self.dtype)
        for row, number in enumerate(numbers):
            hot[row, self.labels[number]] = 1
        return hot

    class_indices: dict[str, int]


class DirectoryFlow(FileFlow):
    """Images of a directory with a folder per class; see `ImageDataGenerator.flow_from_directory`."""

    allowed_class_modes = frozenset({"categorical", "binary", "sparse", "input", None})

    def __init__(
        self, generator: Any, directory: str | os.PathLike[str], *, target_size: Sequence[int], color_mode: str,
        classes: Sequence[str] | None, class_mode: str | None, batch_size: int, shuffle: bool, seed: int | None,
        save: SaveTo, follow_links: bool, subset: str | None, interpolation: str, keep_aspect_ratio: bool,
        masks: str | os.PathLike[str] | None, threads: int | None, on_error: Any,
    ) -> None:  # fmt: skip
        self._set(generator, target_size, color_mode, interpolation, keep_aspect_ratio, subset)
        if class_mode not in self.allowed_class_modes:
            raise ArgumentError(f"class_mode={class_mode!r:.80}: choose {_listed(self.allowed_class_modes)}")
        listing = list_classes(Path(directory), classes, self.split, follow_links)
        self.directory, self.class_mode = os.fspath(directory), class_mode
        self.filenames, self.class_indices = listing.names, listing.class_indices
        self.classes = np.array(listing.classes, np.int32)
        self.num_classes = len(self.class_indices)
        if masks is not None:
            self._mask_files = masks_beside(self.filenames, Path(masks))
        print(f"Found {len(self.filenames)} images belonging to {self.num_classes} classes.")
        super().__init__(generator, len(self.filenames), batch_size, shuffle, seed, save, threads, on_error)

    @property
    def labels(self) -> np.ndarray:
        """Class number of each image, int32."""
        return self.classes


class DataFrameFlow(FileFlow):
    """Images that a table names; see `ImageDataGenerator.flow_from_dataframe`."""

    allowed_class_modes = frozenset({"binary", "categorical", "input", "multi_output", "raw", "sparse", None})

    def __init__(
        self, generator: Any, dataframe: Any, directory: str | os.PathLike[str] | None, *, x_col: Hashable, y_col: Any,
        weight_col: Hashable, target_size: Sequence[int], color_mode: str, classes: Sequence[str] | None,
        class_mode: str | None, batch_size: int, shuffle: bool, seed: int | None, save: SaveTo, subset: str | None,
        interpolation: str, keep_aspect_ratio: bool, validate_filenames: bool, threads: int | None, on_error: Any,
    ) -> None:  # fmt: skip
        self._set(generator, target_size, color_mode, interpolation, keep_aspect_ratio, subset)
        if class_mode not in self.allowed_class_modes:
            raise ArgumentError(f"class_mode={class_mode!r:.80}: choose {_listed(self.allowed_class_modes)}")
        self.directory, self.class_mode = os.fspath(directory or ""), class_mode
        self._rows: Rows = rows_of(
            dataframe,
            directory=self.directory,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            class_mode=class_mode,
            classes=classes,
            part=self.split,
            validate_filenames=validate_filenames,
        )
        self.filenames = self._rows.filenames
        if self._rows.class_indices is not None:
            self.class_indices, self.classes = self._rows.class_indices, self._rows.classes
            self.num_classes = len(self.class_indices)
        kind = "validated" if validate_filenames else "non-validated"
        classes_said = (
            f" belonging to {self.num_classes} classes" if self._rows.class_indices is not None else ""
        )
        print(f"Found {len(self.filenames)} {kind} image filenames{classes_said}.")
        super().__init__(generator, len(self.filenames), batch_size, shuffle, seed, save, threads, on_error)

    @property
    def labels(self) -> Any:
        """Class number, or numbers, of each image; with "raw" and "multi_output" what the columns hold."""
        return self._rows.classes if self._rows.targets is None else self._rows.targets

    @property
    def sample_weight(self) -> np.ndarray | None:
        """Weight of each image, where the table has a column of them."""
        return self._rows.weights


class ArrayFlow(Flow):
    """Images of an array; see `ImageDataGenerator.flow`."""

    def __init__(
        self, generator: Any, x: Any, y: Any, *, batch_size: int, shuffle: bool, sample_weight: Any, seed: int | None,
        save: SaveTo, ignore_class_split: bool, subset: str | None, threads: int | None, on_error: Any,
    ) -> None:  # fmt: skip
        images, others = x, []
        if isinstance(x, tuple | list) and len(x) == 2 and np.ndim(x[0]) == 4:
            images = x[0]
            others = [np.asarray(each) for each in (x[1] if isinstance(x[1], list) else [x[1]])]
        images = _images(images, generator)
        y = None if y is None else np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        for name, other in (("y", y), ("sample_weight", weights), *(("x[1]", each) for each in others)):
            if other is not None and len(other) != len(images):
                raise ArgumentError(
                    f"{name} has {len(other)} rows, and x {len(images)}: give one for each image"
                )
        part = part_of(subset, generator.validation_split)
        if part is not None:
            images, y, weights, others = _part(images, y, weights, others, part, ignore_class_split)
        self.x, self.y, self.sample_weight, self.x_misc = images, y, weights, others
        self.subset = subset
        check_range(generator, images)
        super().__init__(generator, len(images), batch_size, shuffle, seed, save, threads, on_error)

    def _source(self) -> Source:
        last = np.moveaxis(self.x, 1, -1) if self.data_format == "channels_first" else self.x
        return array_source(last, axes="YXC")

    def _work(self) -> Work:
        return work_of(self.image_data_generator, self.x.dtype.name, {})

    def _element(self, images: np.ndarray, batch: Batch) -> Any:
        numbers = batch.index
        given: Any = images
        if self.x_misc:  # tuples: `fit` of Keras 3 takes no lists
            given = (images, *(each[numbers] for each in self.x_misc))
        if self.y is None:
            return (given,) if self.x_misc else given
        rest = () if self.sample_weight is None else (self.sample_weight[numbers],)
        return (given, self.y[numbers], *rest)


def _images(x: Any, generator: Any) -> np.ndarray:
    """The images as an array that steps take: bytes stay bytes, everything else is of the generator's dtype."""
    array = plain_array("x=", x)
    if array.dtype != np.uint8:
        array = array.astype(generator.dtype, copy=False)
    if array.ndim != 4:
        raise ArgumentError(
            f"x has the shape {array.shape}: give images as an array of four axes, the first counting them"
        )
    return array


def _part(
    images: np.ndarray, y: np.ndarray | None, weights: np.ndarray | None, others: list[np.ndarray],
    part: tuple[float, float], ignore_class_split: bool,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, list[np.ndarray]]:  # fmt: skip
    """The images of a subset; both must have the same classes."""
    cut = int(len(images) * (part[1] if part[0] == 0 else part[0]))
    if (
        y is not None
        and not ignore_class_split
        and not np.array_equal(np.unique(y[:cut]), np.unique(y[cut:]))
    ):
        raise ArgumentError(
            "the training and the validation part of y do not hold the same classes: shuffle x and y first, or pass "
            "ignore_class_split=True"
        )
    chosen = slice(0, cut) if part[0] == 0 else slice(cut, None)
    return (
        images[chosen],
        None if y is None else y[chosen],
        None if weights is None else weights[chosen],
        [each[chosen] for each in others],
    )


def _listed(values: frozenset[str | None]) -> str:
    return ", ".join(sorted(map(repr, values)))
