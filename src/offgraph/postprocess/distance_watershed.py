"""Split objects that touch, by their shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import SpecT
from offgraph.postprocess._labels import Connectivity, LabelStep, neighbours
from offgraph.postprocess._watershed import flooded, markers, renumbered
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisSize, Count, NonNegativeNumber, along_axes
from offgraph.targets.image import Image
from offgraph.targets.regions import regions

__all__ = ["DistanceWatershed"]


@step
class DistanceWatershed(LabelStep):
    """Split objects that touch, and number all: each pixel goes to the summit of the distance to the background above it.

    A result step on a label image, in place of `Label`. Round objects that touch have a summit of the distance transform
    each, and the line between them is where it is lowest. Every connected component of a label gets at least one number, and
    no pixel is lost. Gives int32: 1, 2, 3, …, label after label, by their first pixels. Each label is worked on by itself, so
    put it before steps that number objects. Exactness: `scipy.ndimage.distance_transform_edt` of each label,
    scikit-image's `local_maxima` of its `reconstruction` from below by `h`, and its `watershed`, which is given the summits
    of one height in the order of their places; computed natively.

    Parameters
    ----------
    h : float
        Two summits are two objects if every way between them leads down from the lower one by more than this, in units of the
        distance. Larger values split less; 0 splits at every summit.
    min_distance : int
        Summits of one component whose centres are nearer than this along every axis, in pixels, are one object: the highest
        stays, of equal ones the first.
    sigma : float
        Standard deviation in pixels of a Gaussian over the distance before its summits are found; 0 for none. Rough outlines
        make fewer summits then.
    sampling : float or mapping
        Size of a pixel, as `scipy.ndimage.distance_transform_edt` takes it: one for all axes, or one for each by its name,
        such as ``{"Z": 3, "YX": 1}`` for slices far apart.
    connectivity : int
        Which pixels are connected: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> rows, columns = np.indices((21, 36))
    >>> discs = [((rows - 10) ** 2 + (columns - c) ** 2) <= 81 for c in (10, 25)]
    >>> both = (discs[0] | discs[1]).astype(np.uint8)
    >>> [og.Compose([step])(image=both).image.max() for step in (og.Label(), og.DistanceWatershed())]
    [np.int32(1), np.int32(2)]
    """

    numbers_objects = True
    h: NonNegativeNumber = 1.0
    min_distance: Count = 1
    sigma: NonNegativeNumber = 0.0
    sampling: AxisSize = 1.0
    connectivity: Connectivity = 1

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """int32."""
        return super().output_spec(spec, params).cast("int32")

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Work inside each label's box, with a margin of background, but for the edge of the image."""
        self.output_spec(image.spec)
        basins, total = np.zeros(image.array.shape, np.int32), 0
        for _, box, inside in regions(image.array):
            room = [(min(1, side.start), min(1, n - side.stop)) for side, n in zip(box, image.array.shape)]
            found = self._split(ndimage, np.pad(inside, room), image.axes)
            within = found[tuple(slice(low, low + n) for (low, _), n in zip(room, inside.shape))]
            basins[box][inside] = within[inside] + total
            total += int(within.max())
        return Image(renumbered(basins, image.array), image.axes)

    def _split(self, ndi: Any, inside: np.ndarray, axes: str) -> np.ndarray:
        """Basins of one label."""
        height = np.ones(inside.shape)
        if not inside.all():  # else there is no background to be away from
            sampling = along_axes("sampling", self.sampling, axes, 1.0)
            height = ndi.distance_transform_edt(inside, sampling=sampling)
        if self.sigma:
            height = np.where(inside, ndi.gaussian_filter(height, self.sigma, mode="nearest"), 0)
        lowest = min(along_axes("sampling", self.sampling, axes, 1.0))
        if not self.sigma and height.max(initial=0) - lowest <= self.h:  # no way inside leads down by more
            return ndi.label(inside, neighbours(ndi, inside.ndim, self.connectivity))[0]
        seeds = markers(height, inside, self.h, self.min_distance, self.connectivity)
        return flooded(height, seeds, inside, self.connectivity)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid, its basins by their first pixels."""
        out = np.zeros(image.shape, np.int32)
        for value in np.unique(image[image != 0]):
            basins = self._split(ndi, image == value, SPATIAL[-image.ndim :])
            numbers, first = np.unique(basins, return_index=True)
            for number in numbers[np.argsort(first)]:
                if number:
                    out[basins == number] = out.max() + 1
        return out
