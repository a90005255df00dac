"""Objects of an instance mask: their boxes, taken again from the mask whenever it is moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.errors import ArgumentError
from offgraph.targets.mask import Mask
from offgraph.targets.regions import regions

if TYPE_CHECKING:
    from offgraph.geometry.resampling import Leg

__all__ = ["Instances"]


@dataclass(frozen=True, eq=False)
class Instances:
    """Objects of a mask.

    Parameters
    ----------
    mask : Mask
        One label per object.
    labels : ndarray, shape (n,)
        Those of the objects that count, rising.
    counts : ndarray of int, shape (n,)
        Pixels of each.
    """

    mask: Mask
    labels: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, mask: Mask) -> tuple[Self, np.ndarray]:
        """Return all objects of a mask, those of labels other than 0, and their edges, shape (n, 2 d).

        Raises
        ------
        ArgumentError
            For a mask with channels or time.
        """
        if not set(mask.axes) <= set(SPATIAL):
            raise ArgumentError(f"a mask with axes {mask.axes} has no boxes: leave only {SPATIAL}")
        found = [(label, box, int(np.count_nonzero(inside))) for label, box, inside in regions(mask.array)]
        edges = [[*(s.start - 0.5 for s in box), *(s.stop - 0.5 for s in box)] for _, box, _ in found]
        labels = np.array([label for label, _, _ in found], mask.array.dtype)
        counts = np.array([count for _, _, count in found], np.int64)
        return cls(mask, labels, counts), np.array(edges, np.float64).reshape(-1, 2 * mask.array.ndim)

    def moved(self, legs: Sequence[Leg], mask: Mask | None = None) -> tuple[Self, np.ndarray, np.ndarray]:
        """Return the objects in the mask after a chain, their edges, and an estimate of the share left of each.

        A copy that a border mode shows of an object is no part of it: beyond the border there is background. `mask` is
        the mask after the chain, for a caller that has it; it is used where no step shows anything else there.
        An object of which no pixel is left has edges of NaN. The share compares numbers of pixels, with how much the
        chain magnifies at the centres of its outputs.
        """
        if mask is None or any(map(_shows_labels_outside, legs)):
            mask = self.mask.moved([_with_background_outside(leg) for leg in legs])
        magnified = 1.0
        for leg in legs:
            centre = (np.array(leg.map.output_size, np.float64) - 1) / 2
            magnified /= max(abs(float(np.linalg.det(leg.map.jacobian(centre)))), 1e-300)
        return self._found_in(mask, magnified)

    def covered(self, window: tuple[slice, ...]) -> tuple[Self, np.ndarray, np.ndarray]:
        """Return the objects where background is pasted over a window, their edges, and the share left of each."""
        array = self.mask.array.copy()
        array[window] = 0
        return self._found_in(self.mask.with_array(array), 1.0)

    def _found_in(self, mask: Mask, magnified: float) -> tuple[Self, np.ndarray, np.ndarray]:
        """The objects as they are in another mask, whose pixels are so many times smaller."""
        after, edges = Instances.of(mask)
        place = np.minimum(np.searchsorted(after.labels, self.labels), max(len(after.labels) - 1, 0))
        there = after.labels[place] == self.labels if len(after.labels) else np.zeros(len(self.labels), bool)
        result = np.full((len(self.labels), edges.shape[1]), np.nan)
        counts, share = np.zeros(len(self.labels), np.int64), np.zeros(len(self.labels))
        result[there], counts[there] = edges[place[there]], after.counts[place[there]]
        share[there] = np.minimum(1.0, counts[there] / (self.counts[there] * magnified))
        return replace(after, labels=self.labels, counts=counts), result, share  # type: ignore[return-value]

    def rows(self, kept: np.ndarray) -> Instances:
        """Return some of the objects."""
        return replace(self, labels=self.labels[kept], counts=self.counts[kept])


def _shows_labels_outside(leg: Leg) -> bool:
    """Whether there may be a label beyond the border: one that a mode shows again, or `mask_cval`."""
    return not leg.resampling.is_constant or leg.resampling.mask_cval != 0


def _with_background_outside(leg: Leg) -> Leg:
    """Return the same step with background beyond the border."""
    if not _shows_labels_outside(leg):
        return leg
    rule = leg.resampling
    mode = rule.mode if rule.is_constant else "constant" if leg.map.is_exact else "grid-constant"
    return replace(leg, resampling=replace(rule, mode=mode, mask_cval=0))
