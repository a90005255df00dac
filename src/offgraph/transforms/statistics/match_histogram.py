"""Give an image the distribution of values of another."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from offgraph.core.specs import SpecT
from offgraph.engine.lookup import lookup
from offgraph.engine.values import histogram
from offgraph.steps.arrays import NumberArray
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep
from offgraph.steps.values import channel_count, limited

__all__ = ["MatchHistogram"]


@step
class MatchHistogram(StatisticsStep):
    """Change the values of each channel so that they are distributed as those of another image; the dtype stays.

    A statistics step: a value that a share q of the pixels does not exceed becomes the quantile q of the other image, with linear
    interpolation between the given quantiles. Integers are rounded half to even and limited to what the dtype holds.
    Exactness: `numpy.interp` in float64.

    Parameters
    ----------
    quantiles : list of lists of float
        A row for each channel, or one for all: at least two rising values, those of the probabilities 0 to 1 in even steps, in
        the image's own units; 10,000 numbers at most. ``MatchHistogram.like(image)`` takes them from an image.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.MatchHistogram([[0, 200]])])(image=np.array([[10, 11, 12, 13]], np.uint8)).image
    array([[ 50, 100, 150, 200]], dtype=uint8)
    """

    quantiles: NumberArray

    def __post_init__(self) -> None:
        rows = np.array(self.quantiles)
        if rows.ndim != 2 or rows.shape[1] < 2 or (np.diff(rows, axis=1) < 0).any():
            raise ValueError("expected at least two quantiles in each row, none below the one before it")

    @classmethod
    def like(cls, image: ArrayLike, channel_axis: int | None = None, count: int = 256) -> Self:
        """Return the step that gives other images this one's distribution.

        Parameters
        ----------
        image : array_like
        channel_axis : int, optional
            Whose entries have quantiles of their own; by default all values are taken together.
        count : int
            How many quantiles, at least 2.

        Examples
        --------
        >>> import numpy as np
        >>> MatchHistogram.like(np.array([[0, 10, 20]]), count=3)
        MatchHistogram(quantiles=((0.0, 10.0, 20.0),))
        """
        array = np.asarray(image, np.float64)
        rows = array.reshape(1, -1)
        if channel_axis is not None:
            rows = np.moveaxis(array, channel_axis, 0).reshape(array.shape[channel_axis], -1)
        return cls(np.quantile(rows, np.linspace(0, 1, count), axis=1).T.tolist())

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; there is one row of quantiles for each channel, or one for all."""
        count = channel_count(spec)
        if len(self.quantiles) not in (1, count) and count is not None:
            raise ValueError(
                f"quantiles of {len(self.quantiles)} channels do not fit an image of {count} channels (axes {spec.axes})"
            )
        return spec

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Count, and look up."""
        if image.dtype not in (np.uint8, np.uint16) or not image.size:
            return None
        counts = histogram(image)
        table = np.zeros(counts.shape, image.dtype)
        for place, (row, count) in enumerate(zip(table, counts)):
            levels = np.flatnonzero(count)
            row[levels] = self._found(count[levels], place, image.dtype)
        return lookup(image, table)

    def _found(self, counts: np.ndarray, place: int, dtype: np.dtype[Any]) -> np.ndarray:
        """What becomes of the values of a channel that occur so often, in order."""
        shares = np.cumsum(counts) / counts.sum()
        row = self.quantiles[place % len(self.quantiles)]
        return limited(np.interp(shares, np.linspace(0, 1, len(row)), row), dtype)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.interp` of the share of pixels up to each value."""
        out = np.empty_like(image)
        for place in range(image.shape[-1]):
            _, group, counts = np.unique(image[..., place], return_inverse=True, return_counts=True)
            out[..., place] = self._found(counts, place, image.dtype)[group].reshape(image.shape[:-1])
        return out
