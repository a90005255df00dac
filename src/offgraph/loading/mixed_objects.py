"""Boxes and keypoints of mixed images: each object goes with the pixels of its image.

    a part of a mosaic        boxes.moved([Leg(crop or resize), Leg(pad)]): what the steps Crop or Resize, and Pad, do
    the rectangle of CutMix   the same, from its place to its place
    beneath that rectangle    boxes.covered(rectangle): the bounds of what it leaves
    MixUp                     all boxes of both images

The image's own objects come first, then those of its partners, part by part. The objects of an image are numbered on after
the highest number of the image before, as are the labels of its mask where they number objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from offgraph.dataset.objects import OBJECT
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Leg, Resampling
from offgraph.loading.batch import Batch
from offgraph.loading.mixes import CutMix, MixUp
from offgraph.loading.mixing_plan import MixPart, MixPlan
from offgraph.loading.objects import ObjectLayout
from offgraph.targets import Boxes, Points, Targets
from offgraph.targets.boxes import BoxRules

__all__ = ["MixedObjects", "ObjectMixing"]


@dataclass(frozen=True, eq=False)
class MixedObjects:
    """The objects of one image of a batch.

    Parameters
    ----------
    rows : dict of str to ndarray
        Columns of a batch's objects.
    numbers : tuple of tuple of int
        Numbers, in their items, of the objects that the image itself has left, and of those that each part gives.
    added : tuple of int
        What is added to the labels of each part, where a mask numbers objects; else empty.
    is_mixed : bool
    left : tuple of (str, str), or None
        Name of the mix, and why the image was left as it is.
    """

    rows: dict[str, np.ndarray]
    numbers: tuple[tuple[int, ...], ...] = ()
    added: tuple[int, ...] = ()
    is_mixed: bool = False
    left: tuple[str, str] | None = None


@dataclass(frozen=True)
class ObjectMixing:
    """How the objects of batches are mixed.

    Parameters
    ----------
    layout : ObjectLayout
    instances : bool
        Whether masks number objects.
    """

    layout: ObjectLayout
    instances: bool

    def mixed(
        self,
        plans: Sequence[MixPlan | None],
        batch: Batch,
        targets: Sequence[Targets],
        size: tuple[int, ...],
    ) -> list[MixedObjects]:
        """Return the objects of each image of a batch.

        Parameters
        ----------
        plans : sequence of MixPlan or None
            What is done to each image.
        batch : Batch
            Before it is mixed.
        targets : sequence of Targets
            Of each image, likewise.
        size : tuple of int
            Spatial lengths of the images.
        """
        objects = [_Objects.of(one, int(index)) for one, index in zip(targets, batch.index, strict=True)]
        highest = [one.highest for one in objects]
        if self.instances and batch.mask is not None:
            highest = [max(most, int(mask.max(initial=0))) for most, mask in zip(highest, batch.mask)]
        return [
            self._unmixed(objects[row]) if plan is None else self._mixed(plan, row, objects, highest, size)
            for row, plan in enumerate(plans)
        ]

    def _unmixed(self, own: _Objects, left: tuple[str, str] | None = None) -> MixedObjects:
        return MixedObjects(self.layout.rows(own.boxes, own.points, own.image), left=left)

    def _mixed(
        self,
        plan: MixPlan,
        row: int,
        objects: Sequence[_Objects],
        highest: Sequence[int],
        size: tuple[int, ...],
    ) -> MixedObjects:
        given = [_left_of(plan, objects[row], size)]
        given += [_shown_by(plan, part, objects[part.source], size) for part in plan.parts]
        count = sum(len(one.boxes) for one in given)
        if self.layout.layout == "padded" and count > self.layout.most:
            why = f"it would have {count} boxes, and max_boxes={self.layout.most}"
            return self._unmixed(objects[row], (type(plan.mix).__name__, why))
        weights = [1.0] * len(given)
        if isinstance(plan.mix, MixUp):
            weights = [plan.lam, plan.parts[0].share]
        sources = [row, *(part.source for part in plan.parts)]
        firsts = np.cumsum([0, *(highest[source] for source in sources)])[: len(sources)].tolist()
        rows = [
            self.layout.rows(one.boxes, one.points, one.image, weight=weight, first=first)
            for one, weight, first in zip(given, weights, firsts)
        ]
        joined = {name: np.concatenate([columns[name] for columns in rows]) for name in rows[0]}
        numbers = tuple(tuple(one.numbers.tolist()) for one in given)
        return MixedObjects(joined, numbers, tuple(firsts[1:]) if self.instances else (), True)


@dataclass(frozen=True, eq=False)
class _Objects:
    """The objects of one image before it is mixed, or what is left of them."""

    boxes: Boxes
    points: Points | None
    image: int

    @classmethod
    def of(cls, targets: Targets, image: int) -> _Objects:
        """Those of a sample with a number."""
        return cls(targets.of(Boxes)["boxes"], targets.of(Points).get("points"), image)

    @property
    def numbers(self) -> np.ndarray:
        """Number of each among the objects of its item."""
        return self.boxes.extra.get(OBJECT, self.boxes.ids)

    @property
    def highest(self) -> int:
        """The highest of these numbers, counted from 1; 0 without any."""
        return int(self.numbers.max(initial=-1)) + 1


def _left_of(plan: MixPlan, own: _Objects, size: tuple[int, ...]) -> _Objects:
    """What is left of an image's own objects."""
    if plan.own is not None:
        return _shown_by(plan, plan.own, own, size)
    if not isinstance(plan.mix, CutMix):
        return own
    (part,) = plan.parts
    if part.is_empty:
        return own
    start, stop = zip(*((side.start, side.stop) for side in part.placed))
    boxes = own.boxes.under(plan.mix.rules(own.boxes.rules)).covered(start, stop)
    return replace(own, boxes=boxes, points=None if own.points is None else own.points.covered(start, stop))


def _shown_by(plan: MixPlan, part: MixPart, given: _Objects, size: tuple[int, ...]) -> _Objects:
    """What a part shows of the objects of its image."""
    if isinstance(plan.mix, MixUp):
        return given
    if part.is_empty:
        return replace(given, boxes=given.boxes.taken(np.zeros(0, np.int64), "its image has no room"))
    legs, boxes = _legs(part, size), given.boxes
    rules: BoxRules = plan.mix.rules(boxes.rules)
    # The rules are of what the part shows: the pad after it changes nothing of a box.
    moved = boxes.under(rules).moved(legs)
    return replace(given, boxes=moved, points=None if given.points is None else given.points.moved(legs))


def _legs(part: MixPart, size: tuple[int, ...]) -> list[Leg]:
    """The window of an image cut out or resized, and put where it stands."""
    lengths = part.lengths
    if part.is_resized:
        ratio = np.array(size) / np.array(lengths)
        shown = Leg(AffineMap(np.diag(ratio), 0.5 * ratio - 0.5, size, lengths), Resampling(1, "nearest"))
    else:
        shown = Leg(GridMap.crop([side.start for side in part.seen], lengths, size))
    placed = GridMap.crop([-side.start for side in part.placed], size, lengths)
    return [shown, Leg(placed)]
