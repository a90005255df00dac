"""An image that is in memory, given to a model tile by tile."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from offgraph.core.errors import StepError
from offgraph.inference.answer import Answer
from offgraph.inference.detections import Detections
from offgraph.inference.tiling.blending import Blender
from offgraph.inference.tiling.grid import TileGrid
from offgraph.inference.tiling.options import Tiling
from offgraph.inference.tiling.seams import placed

__all__ = ["check_tile", "place_of", "run_detector_on_tiles", "run_on_tiles", "tile_batches"]


def run_on_tiles(
    run: Callable[[Sequence[np.ndarray]], list[Answer]],
    array: np.ndarray,
    grid: TileGrid,
    tiling: Tiling,
) -> Answer:
    """Run a model on the tiles of an image, and put what it says together.

    Parameters
    ----------
    run : callable
        The model, of tiles of one shape.
    array : ndarray
        As long as the tiles reach, spatial axes first.
    grid : TileGrid
        Its lengths are the array's.
    tiling : Tiling

    Returns
    -------
    Answer
        On the grid that the model outputs. Further outputs on that grid are put together likewise, others left out.

    Raises
    ------
    StepError
        Where the model does not take a tile, gives NaN for one, or an output whose place in the image is not known; says
        which tile.
    """
    blenders: dict[str, Blender] = {}
    made: dict[str, np.ndarray] = {}
    alike: tuple[str, ...] = ()  # outputs that are read as they are
    made_of: tuple[int, ...] | None = None

    for windows in tile_batches(grid, tiling.batch):
        for window, answer in zip(windows, run([array[window] for window in windows])):
            check_tile(window, answer.values)
            size = answer.values.shape[:-1]
            if made_of is None:
                made_of, scaled = size, scaled_grid(grid, size)
                parts = {"": answer.values, **{n: v for n, v in answer.raw.items() if v.shape[:-1] == size}}
                alike = tuple(n for n, v in answer.raw.items() if np.may_share_memory(v, answer.values))
                parts = {name: values for name, values in parts.items() if name not in alike}
                for name, values in parts.items():
                    blenders[name] = Blender(scaled, tiling.blend)
                    made[name] = np.empty((*scaled.lengths, values.shape[-1]), np.float32)
            elif size != made_of:
                raise StepError(
                    f"the model makes {size} of the tile at {place_of(window)}, and {made_of} of the first one"
                )
            for name, blender in blenders.items():
                finished = blender.add(answer.values if not name else answer.raw[name])
                if finished is not None:
                    made[name][finished[0]] = finished[1]
    values = made.pop("")
    return Answer(values, made | dict.fromkeys(alike, values))


def run_detector_on_tiles(
    run: Callable[[Sequence[np.ndarray]], list[Answer]],
    read: Callable[[Answer], Detections],
    array: np.ndarray,
    grid: TileGrid,
    batch: int,
) -> Answer:
    """Run a detector on the tiles of an image.

    Parameters
    ----------
    run : callable
        The model, of tiles of one shape.
    read : callable
        What its outputs say, on the tile's grid.
    array : ndarray
        As long as the tiles reach, spatial axes first.
    grid : TileGrid
    batch : int
        Tiles that the model is run on at a time.

    Returns
    -------
    Answer
        With `tiles`, and no other outputs: those are of tiles, and there are none of the image.

    Raises
    ------
    StepError
        Where the model does not take a tile, or its outputs for one make no sense; says which tile.
    """
    tiles: list[Detections] = []
    for windows in tile_batches(grid, batch):
        for window, answer in zip(windows, run([array[window] for window in windows])):
            try:
                tiles.append(placed(read(answer), window))
            except StepError as error:
                raise StepError(f"{error} (in the tile at {place_of(window)})") from error
    return Answer(np.zeros(0, np.float32), {}, tuple(tiles))


def tile_batches(grid: TileGrid, count: int) -> Iterator[list[tuple[slice, ...]]]:
    """Some tiles at a time, in C order, never of two rows: what the model is run on together does not depend on where a run began."""
    for row in range(len(grid.axes[0])):
        windows = grid.windows(row)
        while batch := list(itertools.islice(windows, count)):
            yield batch


def check_tile(window: tuple[slice, ...], values: np.ndarray) -> None:
    """Refuse a tile for which a model gives NaN.

    Raises
    ------
    StepError
    """
    if not np.isfinite(values).all():
        raise StepError(f"the model's output for the tile at {place_of(window)} has NaN or infinite values")


def scaled_grid(grid: TileGrid, size: tuple[int, ...]) -> TileGrid:
    """The grid in pixels of what the model outputs.

    Raises
    ------
    StepError
        Where that is not the tile's grid, nor one a whole factor coarser or finer.
    """
    given = grid.size
    fits = len(size) == len(given) and 0 not in size
    if not fits or any(max(a, b) % min(a, b) for a, b in zip(given, size)):
        raise StepError(
            f"the model makes {size} of a tile of {given}: a segmentation model must output the grid that it takes, or one that "
            "is a whole factor coarser or finer"
        )
    ratio = tuple(a / b for a, b in zip(given, size))
    for axis, one in zip(grid.axes, ratio):
        if any(start % one for start in (*axis.starts, axis.length)):
            raise StepError(
                f"the model makes {size} of a tile of {given}, and its tiles begin between two of the pixels it outputs; take tiles "
                f"and an overlap that are multiples of {round(one)}"
            )
    return grid.scaled(ratio)


def place_of(window: tuple[slice, ...]) -> tuple[int, ...]:
    """Where a tile begins, for messages."""
    return tuple(one.start for one in window)
