"""Take objects of the mask away."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.counts import CountOrRange, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.labels import Labels, shown
from offgraph.steps.parameters import PerChannel, Whole
from offgraph.targets.mask import Mask
from offgraph.targets.regions import regions
from offgraph.transforms.noise._fill import FilledObjectStep, fill_labels, fill_of

__all__ = ["MaskDropout"]


@step
class MaskDropout(FilledObjectStep):
    """Fill objects of the mask, drawn for every image, with one value; the dtype stays.

    A noise step that draws from the mask, as it is after the steps before this one: `mask`, or the only mask by another name. An object is
    what hangs together of one label, over corners too. How many are filled is drawn, then which, all as likely; all of
    them where there are fewer. A sample without a mask is refused; put the step into `Augment`. Boxes and points stay.
    Exactness: whole pixels; all other values are copied. A record holds the filled pixels, as runs of the flattened grid
    [start, length, ...], and replays without the mask.

    Parameters
    ----------
    objects : int or (low, high)
        How many, at least 1.
    fill : float or one float per channel
        In the image's own units; an integer image takes whole numbers that its dtype holds.
    mask_fill : int, optional
        Label of the filled pixels in masks. None leaves masks as they are.
    labels : int or list of int, optional
        The labels whose objects may be filled; by default all but 0.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> mask = np.array([[1, 1, 0, 0, 2], [1, 0, 0, 0, 2]], np.uint8)
    >>> out = og.Compose([og.MaskDropout(1)])(image=mask + 5, mask=mask, key=og.Key(seed=7))
    >>> out.image, out.record["steps"][0]["params"]
    (array([[6, 6, 5, 5, 0],
           [6, 5, 5, 5, 0]], dtype=uint8), {'found': 2, 'runs': [4, 1, 9, 1]})
    """

    draws_from = "mask"

    objects: CountOrRange = 1
    fill: PerChannel = 0.0
    mask_fill: Whole | None = 0
    labels: Labels | None = None

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw how many objects, then which; `found` is how many there are, `runs` are their pixels."""
        mask = draw.target(self.draws_from)
        wanted = drawn_count(draw, self.objects)
        if mask is None:
            return {"found": 0, "runs": []}
        numbers, count = self._objects(mask)
        left, chosen = list(range(1, count + 1)), np.zeros(count + 1, bool)
        for _ in range(min(wanted, count)):
            chosen[left.pop(draw.integer(0, len(left) - 1))] = True
        return {"found": count, "runs": _runs(chosen[numbers])}

    def _objects(self, mask: Mask) -> tuple[np.ndarray, int]:
        """The object that each pixel belongs to, counted from 1 by label and place, and how many there are."""
        if mask.spec.spatial != tuple(range(mask.array.ndim)):
            raise ValueError(f"takes a mask of labels on spatial axes only, it has the axes {mask.axes}")
        labels = np.where(shown(mask, self.labels, ()), mask.array, 0)
        numbers, count = np.zeros(labels.shape, np.int64), 0
        structure = np.ones((3,) * labels.ndim, bool)
        for _, box, inside in regions(labels):
            found: Any = ndimage.label(inside, structure)
            own, more = found
            numbers[box][inside] = own[inside] + count
            count += int(more)
        return numbers, count

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Fill the same pixels with `mask_fill`."""
        if self.mask_fill is None or not params["runs"]:
            return mask
        return fill_labels(mask, self.mask_fill, [_places(params["runs"], mask.size)])

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One assignment for each run."""
        out, value = image.copy(), fill_of(self.fill, image)
        pixels, runs = out.reshape(-1, image.shape[-1]), params["runs"]
        for start, length in zip(runs[::2], runs[1::2]):
            pixels[start : start + length] = value
        return out


def _runs(places: np.ndarray) -> list[int]:
    """First place and length of each run of true values, in C order."""
    flat = np.concatenate([[False], places.ravel(), [False]])
    ends = np.flatnonzero(flat[1:] != flat[:-1]).reshape(-1, 2)
    return np.stack([ends[:, 0], ends[:, 1] - ends[:, 0]], axis=-1).ravel().tolist()


def _places(runs: list[int], size: tuple[int, ...]) -> np.ndarray:
    """The pixels of runs, as an array of bool."""
    flat = np.zeros(int(np.prod(size)), bool)
    for start, length in zip(runs[::2], runs[1::2]):
        flat[start : start + length] = True
    return flat.reshape(size)
