"""MixUp, CutMix and Mosaic: each image of a batch is mixed with others of it, and so are their labels.

What is drawn for an image follows from its address alone, (seed, epoch, index), as the draws of a recipe's steps do:

    words = those of Draw(Key(seed, epoch, index), "mix"); u[k] = (words[k] >> 11) * 2**-53, evenly in [0, 1)
    mixed     u[0] < p of the mix that is chosen
    the mix   number floor(u[1] * count) of those given
    lam       the share of the image itself: the quantile u[2] of Beta(alpha, alpha), rounded to 2**-24
    partner   number floor(u[3] * (B - 1)) of the other images of the batch, in their order
    centre    CutMix: floor(u[4 + k] * length) on spatial axis k
    Mosaic    the cross lies at floor(length * (margin + (1 - 2 * margin) * u[4 + k])) of rows and columns; the image keeps quadrant
              floor(4 * u[6]), counted along the rows; the partner of each other one in turn: u[7], u[8], u[9] as u[3]

Which image is the partner depends on the batch: the same loader gives the same batches for any number of threads, with
another `batch_size` images meet others. A batch of one image is not mixed, nor is one that would have more boxes than the
batch has rows for (`max_boxes`). What becomes of boxes and keypoints stands in `mixed_objects`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.random import Draw, Key
from offgraph.engine.nearest import on_half_pixels
from offgraph.engine.resize import resize
from offgraph.loading.batch import Batch, LazyRecords
from offgraph.loading.mixed_objects import MixedObjects, ObjectMixing
from offgraph.loading.mixes import CutMix, Mix, MixUp, Mosaic
from offgraph.loading.mixing_plan import MixPart, MixPlan
from offgraph.pipeline.buffers import Buffers
from offgraph.targets import Targets

__all__ = ["CutMix", "Mix", "MixUp", "Mixing", "Mosaic"]

_STEP = "mix"
_GRID = 2.0**24
"""lam is a multiple of 2**-24, exact in float32: what libraries give for a quantile differs in its last bits."""


@dataclass(frozen=True)
class Mixing:
    """What a loader mixes the images of its batches with.

    Parameters
    ----------
    mixes : tuple of MixUp, CutMix or Mosaic
        One of them is drawn for each image.
    seed : int
    objects : ObjectMixing, optional
        How boxes and keypoints are mixed; None for a source without.
    """

    mixes: tuple[Mix, ...]
    seed: int
    objects: ObjectMixing | None = None

    def __call__(
        self,
        batch: Batch,
        epoch: int,
        axes: str,
        buffers: Buffers,
        targets: Sequence[Targets] | None = None,
    ) -> Batch:
        """Mix a batch.

        Parameters
        ----------
        batch : Batch
        epoch : int
        axes : str
            Of one image.
        buffers : Buffers
            Where the arrays of the new batch come from.
        targets : sequence of Targets, optional
            Of each image; needed where they have boxes.

        Raises
        ------
        StepError
            Where images of integers are to be averaged, for a mosaic of volumes, and where the masks' dtype cannot number
            all objects of a mixed image.
        """
        sources = len(batch) if batch.valid is None else int(batch.valid.sum())
        spatial = [place for place, name in enumerate(axes) if name != "C"]
        size = tuple(batch.image.shape[1 + place] for place in spatial)
        plans = [self._plan(row, batch, epoch, sources, size) for row in range(len(batch))]
        if not any(plans):
            return batch
        _check(batch, plans, size, axes)
        mixed: list[MixedObjects] | None = None
        if self.objects is not None and targets is not None:
            mixed = self.objects.mixed(plans, batch, targets, size)
            plans = [plan if one.is_mixed else None for plan, one in zip(plans, mixed)]
        where = {place: number for number, place in enumerate(spatial)}
        of_image = _OnAxes(tuple(where.get(place) for place in range(len(axes))))
        image = _pasted(batch.image, plans, buffers, of_image)
        mask = batch.mask
        if mask is not None:
            plain = _OnAxes(tuple(range(len(size))))
            added = [()] * len(plans) if mixed is None else [one.added for one in mixed]
            mask = _pasted(mask, plans, buffers, plain, added)
        label = batch.label if batch.label is None else _mixed_labels(batch.label, plans)
        # They are made when they are asked for: nothing is read for them before.
        found = mixed or [None] * len(plans)
        records = LazyRecords(
            len(plans),
            lambda: (_recorded(batch.records, row, plan, found[row]) for row, plan in enumerate(plans)),
        )
        made = replace(batch, image=image, mask=mask, label=label, records=records)
        if mixed is None or self.objects is None:
            return made
        return replace(made, objects=self.objects.layout.stacked([one.rows for one in mixed]))

    def _plan(
        self, row: int, batch: Batch, epoch: int, sources: int, size: tuple[int, ...]
    ) -> MixPlan | None:
        """Draw what is done to the image in a row; None where nothing is."""
        if sources < 2:
            return None
        draw = Draw(Key(self.seed, epoch, int(batch.index[row])), _STEP)
        u = [(draw.word() >> 11) * 2.0**-53 for _ in range(4 + len(size))]
        mix = self.mixes[int(u[1] * len(self.mixes))]
        if u[0] >= mix.p:
            return None
        own = row % sources  # rows that fill up a batch repeat the first ones
        if isinstance(mix, Mosaic):
            more = [(draw.word() >> 11) * 2.0**-53 for _ in range(4)]
            others = [_other(v, own, sources) for v in more[1:]]
            return _mosaic(mix, size, u[4:], row, int(4 * more[0]), others)
        partner = _other(u[3], own, sources)
        lam = _quantile(mix.alpha, u[2])
        if isinstance(mix, MixUp):
            return MixPlan(mix, lam, None, (MixPart(partner, 1 - lam),))
        share = (1 - lam) ** (1 / len(size))
        box = tuple(_side(n, int(n * share), int(n * v)) for n, v in zip(size, u[4:]))
        cut = int(np.prod([side.stop - side.start for side in box]))
        lam = 1 - cut / int(np.prod(size))
        return MixPlan(mix, lam, None, (MixPart(partner, 1 - lam, box, box),))


@dataclass(frozen=True)
class _OnAxes:
    """A window on the axes of an array: for each, the number of its spatial axis, or None where it is taken whole."""

    axes: tuple[int | None, ...]

    def __call__(self, box: tuple[slice, ...]) -> tuple[slice, ...]:
        return tuple(slice(None) if axis is None else box[axis] for axis in self.axes)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Places of the spatial axes."""
        return tuple(place for place, axis in enumerate(self.axes) if axis is not None)


def _check(batch: Batch, plans: Sequence[MixPlan | None], size: tuple[int, ...], axes: str) -> None:
    """Refuse what cannot be mixed."""
    if len(size) != 2 and any(plan and isinstance(plan.mix, Mosaic) for plan in plans):
        raise StepError(f"Mosaic takes images of two spatial axes, these have {len(size)} (axes {axes})")
    if batch.image.dtype.kind != "f" and any(plan and isinstance(plan.mix, MixUp) for plan in plans):
        raise StepError(
            f"MixUp averages images, and these are {batch.image.dtype}: end the recipe with Normalize(...), or use CutMix"
        )
    if batch.image.dtype.kind == "b" and any(plan and plan.resizes for plan in plans):
        raise StepError("Mosaic(fit='resize') averages pixels, and these are bool: choose fit='join'")


def _other(u: float, own: int, sources: int) -> int:
    """One of the other images, in their order."""
    other = int(u * (sources - 1))
    return other + (other >= own)


def _mosaic(
    mix: Mosaic, size: tuple[int, ...], u: Sequence[float], row: int, own: int, partners: Sequence[int]
) -> MixPlan:
    """The four quadrants about a cross, in the order of their rows; `own` is the one that the image keeps."""
    crosses = [int(n * (mix.margin + (1 - 2 * mix.margin) * v)) for n, v in zip(size, u)]
    boxes = list(product(*((slice(0, cross), slice(cross, n)) for n, cross in zip(size, crosses))))
    shown = boxes
    if mix.fit == "join":
        shown = list(
            product(*((slice(n - cross, n), slice(0, n - cross)) for n, cross in zip(size, crosses)))
        )
    elif mix.fit == "resize":
        shown = [tuple(slice(0, n) for n in size)] * len(boxes)
    shares = [float(np.prod([side.stop - side.start for side in box]) / np.prod(size)) for box in boxes]
    sources = [*partners[:own], row, *partners[own:]]
    parts = [MixPart(*four) for four in zip(sources, shares, boxes, shown)]
    return MixPlan(mix, shares[own], parts.pop(own), tuple(parts))


def _side(length: int, width: int, centre: int) -> slice:
    return slice(max(0, centre - width // 2), min(length, centre + width // 2))


def _quantile(alpha: float, u: float) -> float:
    from scipy.special import betaincinv  # takes 30 ms to import

    return float(np.rint(betaincinv(alpha, alpha, u) * _GRID) / _GRID)


def _pasted(
    array: np.ndarray,
    plans: Sequence[MixPlan | None],
    buffers: Buffers,
    on_axes: _OnAxes,
    added: Sequence[Sequence[int]] | None = None,
) -> np.ndarray:
    """Mix the rows of an array into a new one; the old one is read until the end.

    Parameters
    ----------
    array : ndarray
    plans : sequence of MixPlan or None
    buffers : Buffers
    on_axes : _OnAxes
        The axes that the rows have.
    added : sequence of sequence of int, optional
        Of masks: what is added to the labels, other than 0, of each part; nothing where it is empty.
    """
    made = buffers.empty(array.shape, array.dtype)
    for row, plan in enumerate(plans):
        if plan is None or plan.own is None or plan.keeps_place:
            if plan is None or not isinstance(plan.mix, MixUp):
                made[row] = array[row]
        elif not plan.own.is_empty:
            made[row][on_axes(plan.own.placed)] = _shown(array[row], plan.own, on_axes, added is not None)
        if plan is None:
            continue
        for number, part in enumerate(plan.parts):
            if part.box is None:
                own = array.dtype.type(plan.lam)
                np.multiply(array[row], own, out=made[row])
                made[row] += array[part.source] * array.dtype.type(part.share)
            elif not part.is_empty:
                seen = _shown(array[part.source], part, on_axes, added is not None)
                if added is not None and added[row]:
                    seen = _renumbered(seen, added[row][number])
                made[row][on_axes(part.box)] = seen
    return made


def _shown(array: np.ndarray, part: MixPart, on_axes: _OnAxes, labels: bool) -> np.ndarray:
    """What a part shows of an image or mask."""
    if not part.is_resized:
        return array[on_axes(part.seen)]
    lengths, spatial = part.lengths, on_axes.spatial
    if not labels:
        return resize(array, lengths, axes=spatial)
    for axis, length in zip(spatial, lengths):
        array = np.take(array, on_half_pixels(array.shape[axis], length), axis=axis)
    return array


def _renumbered(labels: np.ndarray, added: int) -> np.ndarray:
    """Labels of objects, numbered on; 0 stays."""
    most = int(labels.max(initial=0)) + added
    if most > np.iinfo(labels.dtype).max:
        raise StepError(
            f"a mixed image has objects up to number {most:,}, and its mask is {labels.dtype}: give the loader a wider "
            "mask_dtype"
        )
    return np.where(labels > 0, labels + labels.dtype.type(added), labels)


def _mixed_labels(label: np.ndarray, plans: Sequence[MixPlan | None]) -> np.ndarray:
    made = label.copy()
    for row, plan in enumerate(plans):
        if plan is not None:
            mixed = label[row] * np.float32(plan.lam)
            for part in plan.parts:
                mixed = mixed + label[part.source] * np.float32(part.share)
            made[row] = mixed
    return made


def _recorded(
    records: Sequence[dict[str, Any]], row: int, plan: MixPlan | None, objects: MixedObjects | None
) -> dict[str, Any]:
    """Record of an image with what it was mixed with."""
    record = records[row]
    if plan is None:
        if objects is None or objects.left is None:
            return record
        return {**record, "mix": {"step": objects.left[0], "left": objects.left[1]}}
    numbers = (None,) * (1 + len(plan.parts)) if objects is None else objects.numbers
    parts = [
        {"partner": records[part.source]["key"], **_part_recorded(part, of_part)}
        for part, of_part in zip(plan.parts, numbers[1:])
    ]
    found: dict[str, Any] = {"step": type(plan.mix).__name__, "lam": plan.lam}
    own = {} if plan.own is None else _part_recorded(plan.own, None)
    if numbers[0] is not None:
        own["objects"] = list(numbers[0])
    if own.keys() - {"box"}:  # where it is what the others leave, it says nothing
        found["own"] = own
    return {**record, "mix": {**found, "parts": parts} if len(parts) > 1 else {**found, **parts[0]}}


def _part_recorded(part: MixPart, objects: Sequence[int] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if part.box is not None:
        found["box"] = _ends(part.box)
        if part.seen != part.box:
            found["shown"] = _ends(part.seen)
    if objects is not None:
        found["objects"] = list(objects)
    return found


def _ends(box: tuple[slice, ...]) -> list[list[int]]:
    return [[side.start, side.stop] for side in box]
