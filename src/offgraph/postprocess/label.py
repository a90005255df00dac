"""Number the objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.postprocess._labels import Connectivity, LabelStep, components, neighbours
from offgraph.postprocess._watershed import renumbered
from offgraph.steps.declaration import step
from offgraph.targets.image import Image

__all__ = ["Label"]


@step
class Label(LabelStep):
    """Number the connected components of each label: 1, 2, 3, … as int32, label after label.

    A result step on a label image; components of different labels never join. Exactness: the numbers of
    `scipy.ndimage.label` of each label, counted on from label to label.

    Parameters
    ----------
    connectivity : int
        Which pixels are connected: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Label()])(image=np.array([[1, 0, 1, 1]], np.uint8)).image
    array([[1, 0, 2, 2]], dtype=int32)
    """

    numbers_objects = True
    connectivity: Connectivity = 1

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """int32."""
        return super().output_spec(spec, params).cast("int32")

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Number all components, then sort the numbers by label."""
        self.output_spec(image.spec)
        numbers, _ = components(image.array, self.connectivity)
        return Image(renumbered(numbers, image.array), image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid."""
        out = np.zeros(image.shape, np.int32)
        for value in np.unique(image[image != 0]):
            numbered, _ = ndi.label(image == value, neighbours(ndi, image.ndim, self.connectivity))
            out[numbered > 0] = numbered[numbered > 0] + out.max(initial=0)
        return out
