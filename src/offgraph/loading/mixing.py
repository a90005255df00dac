"""MixUp and CutMix: each image of a batch is mixed with another one of it, and so are their labels.

What is drawn for an image follows from its address alone, (seed, epoch, index), as the draws of a recipe's steps do:

    words = those of Draw(Key(seed, epoch, index), "mix"); u[k] = (words[k] >> 11) * 2**-53, evenly in [0, 1)
    mixed     u[0] < p of the mix that is chosen
    the mix   number floor(u[1] * count) of those given
    lam       the share of the image itself: the quantile u[2] of Beta(alpha, alpha), rounded to 2**-24
    partner   number floor(u[3] * (B - 1)) of the other images of the batch, in their order
    centre    CutMix: floor(u[4 + k] * length) on spatial axis k

Which image is the partner depends on the batch: the same loader gives the same batches for any number of threads, with
another `batch_size` images meet others. A batch of one image is not mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.errors import ArgumentError, StepError
from offgraph.core.random import Draw, Key
from offgraph.loading.batch import Batch, LazyRecords
from offgraph.pipeline.buffers import Buffers

__all__ = ["CutMix", "Mix", "MixUp", "Mixing", "parse_mix"]

_STEP = "mix"
_GRID = 2.0**24
"""lam is a multiple of 2**-24, exact in float32: what libraries give for a quantile differs in its last bits."""


@dataclass(frozen=True, kw_only=True)
class _Mixed:
    """What MixUp and CutMix share."""

    alpha: float
    p: float

    def __post_init__(self) -> None:
        for name, top in (("alpha", np.inf), ("p", 1)):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float | np.number)
                or not 0 < value <= top
            ):
                allowed = "above 0 and up to 1" if top == 1 else "above 0"
                raise ArgumentError(f"{type(self).__name__}: {name}={value!r:.80}: give a number {allowed}")
            if not np.isfinite(value):
                raise ArgumentError(f"{type(self).__name__}: {name}={value!r:.80}: give a finite number")
            object.__setattr__(self, name, float(value))


class MixUp(_Mixed):
    """Average each image with another one of its batch, and their labels: ``lam * image + (1 - lam) * partner``.

    An option of a loader, ``Loader(..., mix=og.MixUp(0.2))``. Each image has its own share `lam` and its own partner; both
    follow from (seed, epoch, index), and stand in the record of the image. Labels are mixed in the same way, so a source of
    classes needs ``one_hot=True``. A mask cannot be averaged: use `CutMix`.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) of `lam`. With 0.2, the value for ImageNet of Zhang et al. (2018), most
        images keep nearly all or nearly nothing of themselves; with 1 all shares are as likely.
    p : float
        Probability of being mixed.

    Notes
    -----
    Exactness: each product and the sum is rounded to the dtype of the image, float32 as a rule.

    Examples
    --------
    >>> import offgraph as og
    >>> og.MixUp(0.2)
    MixUp(alpha=0.2, p=1.0)
    """

    def __init__(self, alpha: float = 0.2, p: float = 1.0) -> None:
        super().__init__(alpha=alpha, p=p)

    def __repr__(self) -> str:
        return f"MixUp(alpha={self.alpha}, p={self.p})"


class CutMix(_Mixed):
    """Paste a rectangle of another image of the batch, from the same place; mix their labels by area.

    An option of a loader, ``Loader(..., mix=og.CutMix())``. The rectangle has the shape of the image, and before it is cut
    off at the edges ``1 - lam`` of its area; `lam` is then the share of pixels that stay. A mask gets the rectangle as
    well, so its labels stay exact. A source of classes needs ``one_hot=True``.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) of `lam`; 1, as in Yun et al. (2019), makes all shares as likely.
    p : float
        Probability of being mixed.

    Notes
    -----
    On an axis of length n the rectangle is ``w = floor(n * (1 - lam) ** (1 / axes))`` long, and goes from
    ``max(0, c - w // 2)`` to ``min(n, c + w // 2)``, c drawn from 0 to n - 1. Volumes get a box.

    Exactness: pixels are copied; labels are mixed in float32.

    Examples
    --------
    >>> import offgraph as og
    >>> og.CutMix(p=0.5)
    CutMix(alpha=1.0, p=0.5)
    """

    def __init__(self, alpha: float = 1.0, p: float = 1.0) -> None:
        super().__init__(alpha=alpha, p=p)

    def __repr__(self) -> str:
        return f"CutMix(alpha={self.alpha}, p={self.p})"


Mix = MixUp | CutMix


class _Plan(NamedTuple):
    """What is done to one image of a batch."""

    mix: Mix
    partner: int
    lam: float
    box: tuple[slice, ...] | None


@dataclass(frozen=True)
class Mixing:
    """What a loader mixes the images of its batches with.

    Parameters
    ----------
    mixes : tuple of MixUp or CutMix
        One of them is drawn for each image.
    seed : int
    axes : int
        Spatial axes of an image.
    """

    mixes: tuple[Mix, ...]
    seed: int

    def __call__(self, batch: Batch, epoch: int, axes: str, buffers: Buffers) -> Batch:
        """Mix a batch.

        Parameters
        ----------
        batch : Batch
        epoch : int
        axes : str
            Of one image.
        buffers : Buffers
            Where the arrays of the new batch come from.

        Raises
        ------
        StepError
            Where images of integers are to be averaged.
        """
        sources = len(batch) if batch.valid is None else int(batch.valid.sum())
        spatial = [place for place, name in enumerate(axes) if name != "C"]
        size = tuple(batch.image.shape[1 + place] for place in spatial)
        plans = [self._plan(row, batch, epoch, sources, size) for row in range(len(batch))]
        if not any(plans):
            return batch
        if batch.image.dtype.kind != "f" and any(plan and plan.box is None for plan in plans):
            raise StepError(
                f"MixUp averages images, and these are {batch.image.dtype}: end the recipe with Normalize(...), or use CutMix"
            )
        where = {place: number for number, place in enumerate(spatial)}
        boxes = [plan and plan.box and self._of_image(plan.box, where, len(axes)) for plan in plans]
        image = _pasted(batch.image, plans, boxes, buffers)
        mask = (
            batch.mask
            if batch.mask is None
            else _pasted(batch.mask, plans, [p and p.box for p in plans], buffers)
        )
        label = batch.label if batch.label is None else _mixed_labels(batch.label, plans)
        # They are made when they are asked for: nothing is read for them before.
        records = LazyRecords(
            [partial(_recorded, batch.records, row, plan) for row, plan in enumerate(plans)]
        )
        return replace(batch, image=image, mask=mask, label=label, records=records)

    def _plan(self, row: int, batch: Batch, epoch: int, sources: int, size: tuple[int, ...]) -> _Plan | None:
        """Draw what is done to the image in a row; None where nothing is."""
        if sources < 2:
            return None
        draw = Draw(Key(self.seed, epoch, int(batch.index[row])), _STEP)
        u = [(draw.word() >> 11) * 2.0**-53 for _ in range(4 + len(size))]
        mix = self.mixes[int(u[1] * len(self.mixes))]
        if u[0] >= mix.p:
            return None
        own = row % sources  # rows that fill up a batch repeat the first ones
        other = int(u[3] * (sources - 1))
        lam = _quantile(mix.alpha, u[2])
        if isinstance(mix, MixUp):
            return _Plan(mix, other + (other >= own), lam, None)
        share = (1 - lam) ** (1 / len(size))
        box = tuple(_side(n, int(n * share), int(n * v)) for n, v in zip(size, u[4:]))
        cut = int(np.prod([side.stop - side.start for side in box]))
        return _Plan(mix, other + (other >= own), 1 - cut / int(np.prod(size)), box)

    def _of_image(self, box: tuple[slice, ...], where: dict[int, int], count: int) -> tuple[slice, ...]:
        """The rectangle on all axes of an image, channels whole."""
        return tuple(box[where[place]] if place in where else slice(None) for place in range(count))


def _side(length: int, width: int, centre: int) -> slice:
    return slice(max(0, centre - width // 2), min(length, centre + width // 2))


def _quantile(alpha: float, u: float) -> float:
    from scipy.special import betaincinv  # takes 30 ms to import

    return float(np.rint(betaincinv(alpha, alpha, u) * _GRID) / _GRID)


def _pasted(
    array: np.ndarray,
    plans: Sequence[_Plan | None],
    boxes: Sequence[tuple[slice, ...] | None],
    buffers: Buffers,
) -> np.ndarray:
    """Mix the rows of an array into a new one; the old one is read until the end."""
    made = buffers.empty(array.shape, array.dtype)
    for row, (plan, box) in enumerate(zip(plans, boxes)):
        if plan is None or plan.box is not None:
            made[row] = array[row]
        if plan is None:
            continue
        if box is not None:
            made[row][box] = array[plan.partner][box]
        elif plan.box is None:
            own = array.dtype.type(plan.lam)
            np.multiply(array[row], own, out=made[row])
            made[row] += array[plan.partner] * array.dtype.type(1 - plan.lam)
    return made


def _mixed_labels(label: np.ndarray, plans: Sequence[_Plan | None]) -> np.ndarray:
    made = label.copy()
    for row, plan in enumerate(plans):
        if plan is not None:
            lam = np.float32(plan.lam)
            made[row] = label[row] * lam + label[plan.partner] * np.float32(1 - plan.lam)
    return made


def _recorded(records: Sequence[dict[str, Any]], row: int, plan: _Plan | None) -> dict[str, Any]:
    """Record of an image with what it was mixed with."""
    record = records[row]
    if plan is None:
        return record
    found: dict[str, Any] = {
        "step": type(plan.mix).__name__,
        "partner": records[plan.partner]["key"],
        "lam": plan.lam,
    }
    if plan.box is not None:
        found["box"] = [[side.start, side.stop] for side in plan.box]
    return {**record, "mix": found}


def parse_mix(
    given: Any, *, task: str | None, one_hot: bool, has_masks: bool, has_boxes: bool
) -> tuple[Mix, ...]:
    """Return the mixes that a loader's argument gives; none for None.

    Raises
    ------
    ArgumentError
        Where it is none, or the targets of the source cannot be mixed.
    """
    if given is None:
        return ()
    mixes = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not mixes or not all(isinstance(one, Mix) for one in mixes):
        raise ArgumentError(f"mix={given!r:.80}: give MixUp(...), CutMix(...), or a list of them")
    if has_boxes:
        raise ArgumentError(f"mix={given!r:.80}: boxes cannot be mixed; leave it out")
    if task == "classify" and not one_hot:
        raise ArgumentError(
            f"mix={given!r:.80}: a mixed label is a share of several classes: give one_hot=True as well, and train with "
            "categorical_crossentropy"
        )
    if has_masks and any(isinstance(one, MixUp) for one in mixes):
        raise ArgumentError(f"mix={given!r:.80}: the labels of a mask cannot be averaged; use CutMix")
    return mixes
