"""What a predictor is called with: a source, a path, arrays or a list of either."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.counting import count_of
from offgraph.core.errors import ArgumentError, SourceError
from offgraph.frameworks.unsaved import assumption_about
from offgraph.inference.model_source import color_for, source_for
from offgraph.sources import Item, Source
from offgraph.sources.arrays import array_source
from offgraph.sources.names import first_repeated, printable, warn_caller
from offgraph.sources.reading import Reading

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["is_one_image", "source_of"]

_NAMED = 3


def source_of(
    saved: SavedModel, images: Any, *, masks: str | os.PathLike[str] | None = None, **reading: Any
) -> Source:
    """Return the source of what is to be predicted.

    Parameters
    ----------
    saved : SavedModel
    images : Source, path, ndarray, or sequence or iterator of paths or of ndarray
        An array is one image with the axes that the model takes (the channel axis may be left out where it takes one
        channel), or a batch of them. An iterator, such as ``folder.glob("*.jpg")``, is read to its end first.
    masks, **reading
        As for `source_for`, with a path.

    Raises
    ------
    SourceError
        For a source that cannot be opened, or options that go with a path alone.
    ArgumentError
        For anything else, and for arrays of another shape.
    """
    if isinstance(images, Source | str | os.PathLike):
        return source_for(saved, images, masks=masks, **reading)
    if masks is not None or (reading.keys() - {"labels"}):
        named = "masks" if masks is not None else sorted(reading.keys() - {"labels"})[0]
        raise SourceError(
            f"{named}=: only where the images are a path; arrays have the axes that the model takes, "
            f"{saved.input_spec.axes}: np.moveaxis(array, …) brings them there, and og.open_source(paths, {named}=…) opens files"
        )
    if isinstance(images, Iterator) and not hasattr(images, "read"):  # of an open file
        images = list(images)
    if isinstance(images, np.ndarray):
        if not is_one_image(saved, images) and images.ndim <= len(saved.input_spec.axes):
            raise ArgumentError(_misfit("the array", saved, images) + _how_to_repeat(saved, images))
        return _of_arrays(saved, [images] if is_one_image(saved, images) else images)
    if isinstance(images, Sequence) and not isinstance(images, bytes) and len(images):
        if all(isinstance(one, str | os.PathLike) for one in images):
            return _of_files(saved, [Path(one) for one in images])
        if all(isinstance(one, np.ndarray) for one in images):
            return _of_arrays(saved, images)
    raise ArgumentError(
        f"images={images!r:.80}: give a path, a source, an array, or a list of paths or of arrays that is not empty"
    )


def is_one_image(saved: SavedModel, images: Any) -> bool:
    """Whether an array is one image as the model takes it, and not a batch of them."""
    spec = saved.input_spec
    return isinstance(images, np.ndarray) and (
        images.ndim == len(spec.axes) or (images.ndim == len(spec.axes) - 1 and _one_channel(saved))
    )


def _one_channel(saved: SavedModel) -> bool:
    spec = saved.input_spec
    return "C" in spec.axes and spec.shape[spec.axes.index("C")] == 1


def _of_arrays(saved: SavedModel, arrays: Any) -> Source:
    axes = saved.input_spec.axes
    for number, array in enumerate(arrays):
        if not is_one_image(saved, array):
            raise ArgumentError(_misfit(f"array {number}", saved, array))
        if array.dtype.kind not in "buif":
            raise ArgumentError(f"images: array {number} is {array.dtype}; give numbers that are not complex")
    if _one_channel(saved):  # read as files with one channel are: without an axis for it
        axes = axes.replace("C", "")
        arrays = [one[..., 0] if one.ndim > len(axes) else one for one in arrays]
    if any(array.dtype == np.float16 for array in arrays):
        arrays = [one.astype(np.float32) if one.dtype == np.float16 else one for one in arrays]
    return array_source(arrays, axes=axes)


def _misfit(which: str, saved: SavedModel, array: np.ndarray) -> str:
    spec = saved.input_spec
    return (
        f"images: {which} has the shape {array.shape}; the model takes {spec.shape}, axes {spec.axes}; a batch has "
        f"one axis more, before them{assumption_about(saved.model)}"
    )


def _how_to_repeat(saved: SavedModel, array: np.ndarray) -> str:
    """What makes a grey image one of channels, where this is what the model takes."""
    spec = saved.input_spec
    channels = spec.shape[spec.axes.index("C")] if spec.axes.endswith("C") else None
    if channels is None or array.ndim != len(spec.axes) - 1:
        return ""
    return f". A grey image is given as np.stack([image] * {channels}, axis=-1)"


def _of_files(saved: SavedModel, paths: list[Path]) -> Source:
    names = [path.as_posix() for path in paths]
    twice = first_repeated(names)
    if twice is not None:
        raise ArgumentError(f"images: {printable(twice)} is in the list twice")
    _say_what_is_missing(paths)
    items = tuple(Item(name, path) for name, path in zip(names, paths))
    return Source(items, (), Path(), Reading(color=color_for(saved.input_spec)))


def _say_what_is_missing(paths: list[Path]) -> None:
    """Refuse a list of which no file is there; warn of some that are not, which the run sets aside.

    Raises
    ------
    SourceError

    Warns
    -----
    OffgraphWarning
    """
    missing = [
        f"{printable(path)!r} (images[{place}])" for place, path in enumerate(paths) if not path.exists()
    ]
    if not missing:
        return
    said = ", ".join(missing[:_NAMED]) + (
        f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
    )
    if len(missing) == len(paths):
        raise SourceError(f"images: none of the {count_of(len(paths), 'file')} is there: {said}")
    warn_caller(f"images: {len(missing):,} of {len(paths):,} files are not there, and are set aside: {said}")
