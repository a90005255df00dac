"""What a predictor is told about tiles, and what a model says about them itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from offgraph.core.arguments import whole_number
from offgraph.core.choices import Blend
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.frameworks.receptive_field import receptive_field
from offgraph.inference.tiling.grid import TileAxis, TileGrid

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["ModelTiles", "Tiling", "common_tiles"]

_SHARED = 4
"""What part of a tile a detector's tiles share: one in so many pixels."""


@dataclass(frozen=True)
class Tiling:
    """Options as they were given, parsed.

    Parameters
    ----------
    size : tuple of int
        Of a tile, spatial axes.
    overlap : tuple of int or None
        What neighbours share at least; None where the model is to say it.
    blend : {"gaussian", "linear", "none"}
    batch : int
        Tiles that the model is run on at a time.
    """

    size: tuple[int, ...]
    overlap: tuple[int, ...] | None
    blend: Blend
    batch: int

    @classmethod
    def of(cls, saved: SavedModel, tiles: Any, overlap: Any, blend: Any, batch: int) -> Tiling | None:
        """Parse ``tiles=``, ``overlap=`` and ``blend=``; None without tiles.

        Raises
        ------
        ArgumentError
            For values that are none, or other numbers of axes than the model's.
        OffgraphError
            For a model that makes neither masks nor boxes, and for sizes that it does not take.
        """
        if blend not in (None, *get_args(Blend)):
            raise ArgumentError(f"blend={blend!r:.80}: choose 'gaussian', 'linear' or 'none'")
        if tiles is None:
            for name, value, default in (("overlap", overlap, "auto"), ("blend", blend, None)):
                if value != default:
                    raise ArgumentError(
                        f"{name}={value!r:.80}: of tiles, and there are none; give tiles=, such as (512, 512)"
                    )
            return None
        if saved.task not in ("segment", "detect") or (saved.detection and saved.detection.boxes is None):
            raise OffgraphError(
                f"tiles={tiles!r:.80}: {saved.path} gives one answer for an image, its task is {saved.task!r}; tiles are for "
                "models that make masks or boxes"
            )
        if saved.task == "detect" and blend is not None:
            raise ArgumentError(f"blend={blend!r}: of masks; boxes of several tiles are joined, not averaged")
        count = len(saved.input_spec.size)
        size = _lengths("tiles", tiles, count, 1)
        shared = None if overlap == "auto" else _lengths("overlap", overlap, count, 0)
        for name, one, two in zip(saved.input_spec.spatial_names, size, saved.input_spec.size):
            if two is not None and one != two:
                raise OffgraphError(
                    f"tiles={tiles!r:.80}: {saved.path} takes {two} pixels along {name}, and no other number; give tiles="
                    f"{tuple(n or m for n, m in zip(saved.input_spec.size, size))}"
                )
        for one, two in zip(size, shared or ()):
            if two >= one:
                raise ArgumentError(
                    f"overlap={overlap!r:.80}: less than a tile, of {' × '.join(map(str, size))} pixels here"
                )
        return cls(size, shared, blend or "gaussian", batch)


def _lengths(name: str, value: Any, count: int, least: int) -> tuple[int, ...]:
    """One whole number for all axes, or one for each."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != count:
            raise ArgumentError(
                f"{name}={value!r:.80}: give {count} numbers, one for each spatial axis of the model, or one for all"
            )
        return tuple(whole_number(name, one, least=least) for one in value)
    return (whole_number(name, value, least=least),) * count


@dataclass(frozen=True)
class ModelTiles:
    """What is known of a model when its images are cut.

    Parameters
    ----------
    tiling : Tiling
    multiple : tuple of int
        Tiles begin at multiples of these.
    reach : tuple of int
        Pixels next to inner edges that do not count: how far the model looks, where its layers say it, else 0. Of a detector 0: its
        boxes count by where they lie.
    overlap : tuple of int
    fixed : tuple of bool
        Along which axes the model takes the tile's size alone.
    """

    tiling: Tiling
    multiple: tuple[int, ...]
    reach: tuple[int, ...]
    overlap: tuple[int, ...]
    fixed: tuple[bool, ...]

    @classmethod
    def of(cls, saved: SavedModel, tiling: Tiling, multiple: int, ratio: Sequence[float]) -> ModelTiles:
        """Ask a model how it is to be tiled.

        Parameters
        ----------
        saved : SavedModel
        tiling : Tiling
        multiple : int
            Of which the lengths that it takes are multiples.
        ratio : sequence of float
            Input pixels per output pixel, where they are known: between coarse ones is interpolated, which looks one farther.

        Raises
        ------
        OffgraphError
            Where the overlap is left to a model that does not say how far it looks, or looks farther than tiles allow, and
            for tiles that are no multiples.
        """
        field = receptive_field(saved.main)
        count = len(tiling.size)
        multiples = tuple(math.lcm(multiple, one) for one in (field.stride if field else (1,) * count))
        for one, two in zip(tiling.size, multiples):
            if one % two:
                nearest = tuple(-(-n // m) * m for n, m in zip(tiling.size, multiples))
                raise OffgraphError(
                    f"tiles={tiling.size}: {saved.path} pools by {two}, so that tiles must be multiples of it; take {nearest}"
                )
        overlap = tiling.overlap
        if saved.task == "detect":
            shared = tuple(-(-(n // _SHARED) // m) * m for n, m in zip(tiling.size, multiples))
            fixed = tuple(length is not None for length in saved.input_spec.size)
            return cls(tiling, multiples, (0,) * count, shared if overlap is None else overlap, fixed)
        reach = field.reach if field else (0,) * count
        if field and any(one > 1 for one in ratio):
            reach = tuple(n + math.ceil(one) for n, one in zip(reach, ratio))
        if overlap is None:
            if field is None:
                raise OffgraphError(
                    f"{saved.path}: how far the model looks cannot be read from its layers; say how many pixels tiles are to "
                    "share: overlap=, twice as many as it looks to each side"
                )
            overlap = tuple(2 * -(-n // m) * m for n, m in zip(reach, multiples))
            if any(one + two > n for one, two, n in zip(overlap, multiples, tiling.size)):
                raise OffgraphError(
                    f"tiles={tiling.size}: {saved.path} looks {reach} pixels to each side, so that tiles this small say nothing "
                    "for sure; take larger tiles, or declare the overlap and accept that seams may be seen"
                )
        fixed = tuple(length is not None for length in saved.input_spec.size)
        return cls(tiling, multiples, reach, overlap, fixed)

    def grid(self, size: tuple[int, ...]) -> TileGrid:
        """Lay tiles over an image of this size."""
        axes = zip(size, self.tiling.size, self.overlap, self.multiple, self.reach, self.fixed)
        return TileGrid(
            tuple(
                TileAxis.planned(n, tile, shared, multiple, reach, fixed=fixed)
                for n, tile, shared, multiple, reach, fixed in axes
            )
        )


def common_tiles(several: Sequence[ModelTiles]) -> ModelTiles:
    """What suits all models of an ensemble, which are given the same tiles."""
    first = several[0]
    return ModelTiles(
        first.tiling,
        tuple(math.lcm(*of) for of in zip(*(one.multiple for one in several))),
        tuple(map(max, zip(*(one.reach for one in several)))),
        tuple(map(max, zip(*(one.overlap for one in several)))),
        tuple(map(any, zip(*(one.fixed for one in several)))),
    )
