"""Crop where the mask shows something."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.labels import Labels, shown
from offgraph.steps.parameters import CropSize
from offgraph.transforms.geometric._window import DrawnCrop, crop_size

__all__ = ["CropAroundMask"]


@step
class CropAroundMask(DrawnCrop):
    """Keep a window that holds a labelled pixel of the mask, drawn for every image: rare structures come up in each crop.

    A geometric step that draws from the mask, as it is after the steps before this one: `mask`, or the only mask by another name.
    One labelled pixel is drawn, all as likely, then a window, of all that hold it and lie within the image. Where the mask
    shows nothing the window is drawn as by `RandomCrop`. A sample without a mask is refused; put the step into `Augment`,
    for there is none at prediction. Its record holds the pixel and the window, and replays without the mask.

    Exactness: whole pixels, equal to slicing. Albumentations' `CropNonEmptyMaskIfExists` moves windows that reach beyond the border back
    into the image, so that they lie at the border more often.

    Parameters
    ----------
    size : int, str or tuple of them
        (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side. ``"80%"`` is a
        share of that side of the image, rounded to whole pixels, half up.
    labels : int or list of int, optional
        The labels that count; by default all but 0.
    ignore : int or list of int
        Labels that do not count, such as 255 where nobody knows.
    pad : bool
        Add pixels evenly around an image that is smaller, as `mode` says. By default that is an error.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> mask = np.zeros((50, 50), np.uint8)
    >>> mask[31, 7] = 1
    >>> out = og.Compose([og.CropAroundMask(8)])(image=mask * 9, mask=mask, key=og.Key(seed=7))
    >>> int(out.mask.sum()), out.record["steps"][0]["params"]
    (1, {'labelled': 1, 'pixel': [31, 7], 'start': [27, 2]})
    """

    draws_from = "mask"

    size: CropSize
    labels: Labels | None = None
    ignore: Labels = ()
    pad: bool = False

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw a labelled pixel, then the first pixel of a window that holds it; an axis that is too short is centred."""
        mask = draw.target(self.draws_from)
        pixel: list[int] | None = None
        count = 0
        if mask is not None:
            places = np.flatnonzero(shown(mask, self.labels, self.ignore))
            if count := len(places):
                chosen = np.unravel_index(places[draw.integer(0, count - 1)], mask.size)
                pixel = [int(place) for place in chosen]
        start = []
        for axis, (want, n) in enumerate(zip(crop_size(self.size, spec.size, pad=self.pad), spec.size)):
            low, high = 0, n - want
            if high < 0:
                start.append(high // 2)
                continue
            if pixel is not None:
                low, high = max(low, pixel[axis] - want + 1), min(high, pixel[axis])
            start.append(draw.integer(low, high))
        return {"labelled": count, "pixel": pixel, "start": start}
