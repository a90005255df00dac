"""`RunsAlone`: steps and layers are called as a recipe is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.alone import recipe_alone
from offgraph.core.lazy import lazy_property
from offgraph.core.random import Key
from offgraph.core.specs import MAX_PIXELS
from offgraph.targets import Heatmap, Image, Mask, Target

if TYPE_CHECKING:
    from offgraph.recipe.result import Result

__all__ = ["RunsAlone"]


class RunsAlone:
    """Mixin: called with an image, it is the recipe of this one item."""

    @lazy_property
    def _recipe(self) -> Callable[..., Any]:
        """The recipe of this alone, made once: it knows the sizes that it has run on."""
        return recipe_alone(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_recipe"}

    def __call__(
        self,
        image: np.ndarray | Image,
        *,
        mask: np.ndarray | Mask | None = None,
        heatmap: np.ndarray | Heatmap | None = None,
        boxes: Any = None,
        points: Any = None,
        key: Key | None = None,
        seed: int | None = None,
        axes: str | None = None,
        max_pixels: int = MAX_PIXELS,
        metadata: Mapping[str, Any] | None = None,
        **targets: Target,
    ) -> Result:
        """Apply this alone to an image and to what lies on its grid: what ``Compose([step])`` does, see `Compose`.

        Parameters
        ----------
        image : ndarray or Image
            Left as it is.
        mask, heatmap, boxes, points : array_like or Target, optional
            What moves along.
        key : Key, optional
            Address of the draws. Needed, or `seed`, where something is drawn.
        seed : int, optional
            Short for ``key=Key(seed=seed)``; each image needs its own.
        axes : str, optional
            Axes of the image, such as ``"YXC"`` or ``"ZYX"``, where its shape leaves a doubt.
        max_pixels : int
            Most pixels that may be made of an image that has fewer.
        metadata : mapping, optional
            In ``Result.targets.metadata``, untouched.
        **targets : Target
            Further targets by any other name: ``nuclei=og.Mask(labels)``.

        Returns
        -------
        Result
            ``out.image``, ``out.mask``, ``out.boxes``, …

        Raises
        ------
        StepError
            As of a recipe, whose step 1 this is.
        ArgumentError
            For an invalid key or seed, and for invalid boxes or points.

        Examples
        --------
        >>> import numpy as np
        >>> import offgraph as og
        >>> og.Flip("X")(np.array([[1, 2, 3]], np.uint8)).image
        array([[3, 2, 1]], dtype=uint8)
        >>> og.Rotate((-15, 15))(np.eye(4), seed=7).record["steps"][0]["params"]["angle"]  # doctest: +ELLIPSIS
        -...
        """
        return self._recipe(
            image, mask=mask, heatmap=heatmap, boxes=boxes, points=points, key=key, seed=seed, axes=axes,
            max_pixels=max_pixels, metadata=metadata, **targets,
        )  # fmt: skip
