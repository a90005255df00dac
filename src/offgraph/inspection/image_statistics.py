"""Mean and standard deviation of the images of a source: what `Normalize` is given."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from offgraph.core.errors import ArgumentError, OffgraphError, OffgraphWarning, StepError
from offgraph.core.random import Key
from offgraph.core.threads import get_num_threads
from offgraph.pipeline.failures import BAD_FILE, reason
from offgraph.pipeline.workers import ordered_map
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.recipe.layers import Augment
from offgraph.sources import Source, open_source
from offgraph.steps.base import Step
from offgraph.steps.kinds import value_range
from offgraph.targets import Image, Targets
from offgraph.transforms import Normalize

__all__ = ["ImageStatistics", "statistics"]


@dataclass(frozen=True)
class ImageStatistics:
    """What `statistics` measured, of values scaled to 0 to 1.

    Parameters
    ----------
    mean, std : tuple of float
        Of all pixels of all images, one number per channel.
    low, high : tuple of float
        Smallest and largest value.
    images, pixels : int
        How many were measured.
    range : float
        The value that counts as 1.
    dtype : str
        Of the images.
    bad : tuple of (str, str)
        Images that could not be measured, with the reason.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    images: int
    pixels: int
    range: float
    dtype: str
    bad: tuple[tuple[str, str], ...] = ()

    def normalize(self) -> Normalize:
        """Return the step that gives these images a mean of 0 and a standard deviation of 1.

        Raises
        ------
        StepError
            Where a channel has one value everywhere, so that its standard deviation is 0.
        """
        if min(self.std) == 0:
            raise StepError(f"std={self.std}: a channel has the same value everywhere; leave it out")
        kind = np.dtype(self.dtype)
        is_default = kind.kind == "u" and self.range == np.iinfo(kind).max
        return Normalize(mean=self.mean, std=self.std, range=None if is_default else self.range)

    def __str__(self) -> str:
        def row(values: tuple[float, ...]) -> str:
            return ", ".join(f"{value:.4f}" for value in values)

        return (
            f"{self.images:,} images, {self.pixels:,} pixels of {self.dtype}, of values over {self.range:g}\n"
            f"mean  {row(self.mean)}\nstd   {row(self.std)}\nfrom  {row(self.low)}\nto    {row(self.high)}"
        )


class _Sums(NamedTuple):
    """Exact sums of one image, per channel."""

    dtype: str
    pixels: int
    total: list[Fraction]
    squares: list[Fraction]
    low: list[float]
    high: list[float]


def statistics(
    src: Source | str | os.PathLike[str],
    recipe: Compose | Sequence[Step | Augment] | str | os.PathLike[str] = (),
    *,
    range: float | None = None,
) -> ImageStatistics:
    """Measure mean and standard deviation of every channel over all images of a source.

    Every pixel counts the same, so that a large image counts more than a small one, unless the recipe makes them equal.
    For integers of 8 and 16 bits the sums are exact: the result does not depend on the order of the images or on the number of
    threads. Other values are summed in float64, image by image.

    Parameters
    ----------
    src : path or Source
        Measure what is trained with, not what is tested with.
    recipe : Compose, list of steps or path of a recipe file, optional
        What precedes the `Normalize` that is looked for, such as ``[og.Resize(224)]``; its augmentation is left out.
    range : float, optional
        The value that counts as 1, as `Normalize` has it. By default the largest of an unsigned dtype; images of floats and
        signed integers must say theirs.

    Returns
    -------
    ImageStatistics
        ``.normalize()`` is the step. Images that cannot be read or do not fit the recipe are left out and listed in `bad`;
        an `OffgraphWarning` says how many there are.

    Raises
    ------
    SourceError
        Where `src` is not a source.
    ArgumentError
        Where `range` is needed.
    OffgraphError
        Where not one image can be measured, or images have different dtypes or numbers of channels: names two of them.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import offgraph as og
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for level in (51, 102):
    ...         og.imwrite(f"{folder}/{level}.png", np.full((4, 4, 3), level, np.uint8))
    ...     found = og.statistics(folder)
    >>> [round(value, 3) for value in found.mean], [round(value, 3) for value in found.std]
    ([0.3, 0.3, 0.3], [0.1, 0.1, 0.1])
    """
    source, prepare = open_source(src), as_recipe(recipe).eval()

    def measured(index: int) -> _Sums | str:
        item = source[index]
        try:
            image = source.read(index).targets.image
            if prepare.steps:
                made = prepare.run(Targets.of_image(image), Key(index=index))
                image = made.targets.image
            return _sums(image)
        except BAD_FILE as error:
            return reason(error, item.path, item.name, item.mask)

    bad: list[tuple[str, str]] = []
    first, whole, images, top = "", None, 0, 1.0
    numbers: list[int] = np.arange(len(source)).tolist()  # `range` is a parameter
    for index, found in zip(numbers, ordered_map(measured, numbers, threads=get_num_threads())):
        name = source[index].name
        if isinstance(found, str):
            bad.append((name, found))
            continue
        images += 1
        if whole is None:
            first, whole = name, found
            top = _top(found.dtype, range, name)
            continue
        if (found.dtype, len(found.total)) != (whole.dtype, len(whole.total)):
            raise OffgraphError(
                f"{name}: {found.dtype} of {len(found.total)} channels, but {first} is {whole.dtype} of "
                f"{len(whole.total)}; make them alike with a recipe, or open the source with color='rgb'"
            )
        whole = _joined(whole, found)
    if whole is None:
        raise OffgraphError(
            f"not one of {len(bad)} images can be measured; the first: {bad[0][0]}: {bad[0][1]}"
        )
    if bad:
        warnings.warn(
            f"{len(bad)} of {len(source)} images were left out; the first: {bad[0][0]}: {bad[0][1]}",
            OffgraphWarning,
            stacklevel=2,
        )
    return _result(whole, images, top, tuple(bad))


def _top(dtype: str, declared: float | None, name: str) -> float:
    """The value that counts as 1; refused before the other images are read."""
    try:
        return value_range(dtype, declared)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}") from None


def _sums(image: Image) -> _Sums:
    array, place = image.array, image.axes.find("C")
    planes = [array] if place < 0 else list(np.moveaxis(array, place, 0))
    if not array.size:
        raise StepError("the image has no pixels")
    exact = array.dtype.kind in "bui" and array.dtype.itemsize <= 2
    total, squares = [], []
    for plane in planes:
        values = plane.astype(np.int64 if exact else np.float64)
        sums = values.sum(), np.square(values, out=values).sum()
        if not exact and not np.isfinite(sums).all():
            raise StepError("it holds values that are not finite, or too large to be squared")
        total.append(Fraction(sums[0].item()))
        squares.append(Fraction(sums[1].item()))
    low, high = ([float(end(plane)) for plane in planes] for end in (np.min, np.max))
    return _Sums(array.dtype.name, planes[0].size, total, squares, low, high)


def _joined(one: _Sums, other: _Sums) -> _Sums:
    """The sums of two sets of images. Fractions of floats add without rounding."""
    return _Sums(
        one.dtype,
        one.pixels + other.pixels,
        [a + b for a, b in zip(one.total, other.total)],
        [a + b for a, b in zip(one.squares, other.squares)],
        list(map(min, one.low, other.low)),
        list(map(max, one.high, other.high)),
    )


def _result(sums: _Sums, images: int, top: float, bad: tuple[tuple[str, str], ...]) -> ImageStatistics:
    means = [total / sums.pixels for total in sums.total]
    spreads = [squares / sums.pixels - mean * mean for squares, mean in zip(sums.squares, means)]
    return ImageStatistics(
        mean=tuple(float(mean) / top for mean in means),
        std=tuple(max(float(spread), 0.0) ** 0.5 / top for spread in spreads),
        low=tuple(value / top for value in sums.low),
        high=tuple(value / top for value in sums.high),
        images=images,
        pixels=sums.pixels,
        range=top,
        dtype=sums.dtype,
        bad=bad,
    )
