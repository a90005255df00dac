"""What a batch is made of: a sample after the recipe, and the rules for what a batch may hold."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.choices import NonFinite
from offgraph.pipeline.checks import fit_mask
from offgraph.pipeline.depth import to_depth
from offgraph.pipeline.probe import Reference
from offgraph.pipeline.rows import Row
from offgraph.recipe.compose import Compose
from offgraph.sources.items import Label
from offgraph.targets import Image, Mask, Targets

__all__ = ["EpochRun", "Rules", "TrainingSample"]


@dataclass(eq=False)  # not frozen, which takes three times as long: one is made for each image
class TrainingSample:
    """One image after the recipe, with its targets, ready for a batch.

    Parameters
    ----------
    number : int
        Number of the item in its source, or of the example in its dataset.
    named : callable
        Gives the name of the file, relative to the source's root.
    made : Targets or callable
        The image and what lies on its grid, or what gives them.
    mask : Mask or None
        Its mask.
    label : int, tuple of int, tuple of float, or None
        As in `Item.label`.
    recorded : callable
        Gives what was drawn.
    converted : str or None
        How the image was brought to the depth of the others.
    row : Row, optional
        Where in a batch the image lies already.
    """

    number: int
    named: Callable[[], str]
    made: Targets | Callable[[], Targets]
    mask: Mask | None
    label: Label | None
    recorded: Callable[[], dict[str, Any]]
    converted: str | None = None
    row: Row | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.named()

    @property
    def record(self) -> dict[str, Any]:
        """What was drawn."""
        return self.recorded()

    @property
    def image(self) -> Image:
        """The image."""
        return self.targets.image

    def copied_to(self, row: Row) -> TrainingSample:
        """Return the sample with its image in a row too, where it fits: a batch whose images all lie in theirs is not copied."""
        array = self.image.array
        if array.shape != row.shape or array.dtype != row.dtype:
            return self
        row.array()[...] = array
        return replace(self, row=row)

    @functools.cached_property
    def targets(self) -> Targets:
        """The image and what lies on its grid."""
        return self.made if isinstance(self.made, Targets) else self.made()


@dataclass(frozen=True)
class Rules:
    """What a loader takes into a batch.

    Parameters
    ----------
    reference : Reference or None
        What most images look like; None where no image could be looked at.
    any_depth : bool
        Whether the recipe gives the same result for every depth.
    non_finite : {"error", "allow"}
        What NaN and infinity do.
    """

    reference: Reference | None
    any_depth: bool
    non_finite: NonFinite

    @functools.cached_property
    def row(self) -> tuple[tuple[int, ...], np.dtype] | None:
        """Shape and dtype of a row of a batch, as far as most images have one shape."""
        if self.reference is None or None in self.reference.image.shape:
            return None
        return self.reference.image.shape, np.dtype(self.reference.image.dtype)  # type: ignore[return-value]  # no None in it

    def fitted(self, targets: Targets) -> Targets:
        """Bring the mask among targets to the dtype of its source's masks."""
        reference, mask = self.reference, targets.mask
        if mask is None or reference is None or reference.mask is None:
            return targets
        return targets.replaced(mask=fit_mask(mask, reference.mask.dtype, reference.name))

    def admit(self, image: Image, *, scale: bool) -> tuple[Image, str | None]:
        """Bring an image to the depth that most have, or refuse it; see `offgraph.pipeline.depth.to_depth`."""
        if self.any_depth or self.reference is None:
            return image, None
        return to_depth(image, self.reference.stored, self.reference.name, scale=scale)

    def check_recipe(self, recipe: Compose, image: Image, start: int = 0) -> None:
        """Refuse a recipe that makes of an image now one dtype, now another, where no image could be looked at before."""
        if self.reference is None:
            recipe.output_spec(image.spec, start)

    def has_usual_depth(self, dtype: str) -> bool:
        """Whether an image is of the depth that most have, or may be of any; others are converted or refused."""
        return self.reference is not None and (self.any_depth or dtype == self.reference.stored.dtype)


class EpochRun(NamedTuple):
    """What decides the samples of an epoch, beside their numbers.

    Parameters
    ----------
    recipe : Compose
    seed, epoch : int
        With the number of a sample, the address of its draws.
    rules : Rules
    """

    recipe: Compose
    seed: int
    epoch: int
    rules: Rules
