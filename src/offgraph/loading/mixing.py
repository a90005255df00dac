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
another `batch_size` images meet others. A batch of one image is not mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.errors import ArgumentError, StepError
from offgraph.core.random import Draw, Key
from offgraph.loading.batch import Batch, LazyRecords
from offgraph.pipeline.buffers import Buffers

__all__ = ["CutMix", "Mix", "MixUp", "Mixing", "Mosaic", "parse_mix"]

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


@dataclass(frozen=True, init=False)
class Mosaic:
    """Put four images of the batch side by side, each its own quadrant; mix their labels by area.

    An option of a loader, ``Loader(..., mix=og.Mosaic())``, for images of two spatial axes. A cross is drawn; the image itself keeps
    one of the four quadrants, all as likely, and each of the others shows the same place of another image of the batch, drawn evenly:
    one may come twice. A mask is put together in the same way, so its labels stay exact. A source of classes needs
    ``one_hot=True``. Boxes cannot be mixed.

    Parameters
    ----------
    margin : float
        How far the cross stays from the border, as a share of each side, from 0 up to 0.5, which is the middle.
    p : float
        Probability of being mixed.

    Raises
    ------
    ArgumentError
        For other numbers.

    Notes
    -----
    Exactness: pixels are copied; labels are mixed in float32.

    Examples
    --------
    >>> import offgraph as og
    >>> og.Mosaic(0.25)
    Mosaic(margin=0.25, p=1.0)
    """

    margin: float
    p: float

    def __init__(self, margin: float = 0.25, p: float = 1.0) -> None:
        for name, value, top in (("margin", margin, 0.5), ("p", p, 1)):
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= top or (name == "p" and value == 0):
                raise ArgumentError(
                    f"Mosaic: {name}={value!r:.80}: give a number from 0{' (not 0 itself)' * (name == 'p')} to {top}"
                )
            object.__setattr__(self, name, float(value))


Mix = MixUp | CutMix | Mosaic


class _Plan(NamedTuple):
    """What is done to one image of a batch."""

    mix: Mix
    lam: float
    parts: tuple[_Part, ...]


class _Part(NamedTuple):
    """What another image gives."""

    partner: int
    share: float
    box: tuple[slice, ...] | None


@dataclass(frozen=True)
class Mixing:
    """What a loader mixes the images of its batches with.

    Parameters
    ----------
    mixes : tuple of MixUp, CutMix or Mosaic
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
            Where images of integers are to be averaged, and for a mosaic of volumes.
        """
        sources = len(batch) if batch.valid is None else int(batch.valid.sum())
        spatial = [place for place, name in enumerate(axes) if name != "C"]
        size = tuple(batch.image.shape[1 + place] for place in spatial)
        plans = [self._plan(row, batch, epoch, sources, size) for row in range(len(batch))]
        if not any(plans):
            return batch
        if len(size) != 2 and any(plan and isinstance(plan.mix, Mosaic) for plan in plans):
            raise StepError(f"Mosaic takes images of two spatial axes, these have {len(size)} (axes {axes})")
        if batch.image.dtype.kind != "f" and any(plan and isinstance(plan.mix, MixUp) for plan in plans):
            raise StepError(
                f"MixUp averages images, and these are {batch.image.dtype}: end the recipe with Normalize(...), or use CutMix"
            )
        where = {place: number for number, place in enumerate(spatial)}
        image = _pasted(batch.image, plans, buffers, lambda box: self._of_image(box, where, len(axes)))
        mask = batch.mask if batch.mask is None else _pasted(batch.mask, plans, buffers, lambda box: box)
        label = batch.label if batch.label is None else _mixed_labels(batch.label, plans)
        # They are made when they are asked for: nothing is read for them before.
        records = LazyRecords(
            len(plans),
            lambda: (_recorded(batch.records, row, plan) for row, plan in enumerate(plans)),
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
        if isinstance(mix, Mosaic):
            more = [(draw.word() >> 11) * 2.0**-53 for _ in range(4)]
            return _mosaic(mix, size, u[4:], int(4 * more[0]), [_other(v, own, sources) for v in more[1:]])
        partner = _other(u[3], own, sources)
        lam = _quantile(mix.alpha, u[2])
        if isinstance(mix, MixUp):
            return _Plan(mix, lam, (_Part(partner, 1 - lam, None),))
        share = (1 - lam) ** (1 / len(size))
        box = tuple(_side(n, int(n * share), int(n * v)) for n, v in zip(size, u[4:]))
        cut = int(np.prod([side.stop - side.start for side in box]))
        lam = 1 - cut / int(np.prod(size))
        return _Plan(mix, lam, (_Part(partner, 1 - lam, box),))

    def _of_image(self, box: tuple[slice, ...], where: dict[int, int], count: int) -> tuple[slice, ...]:
        """The rectangle on all axes of an image, channels whole."""
        return tuple(box[where[place]] if place in where else slice(None) for place in range(count))


def _other(u: float, own: int, sources: int) -> int:
    """One of the other images, in their order."""
    other = int(u * (sources - 1))
    return other + (other >= own)


def _mosaic(
    mix: Mosaic, size: tuple[int, ...], u: Sequence[float], own: int, partners: Sequence[int]
) -> _Plan:
    """The four quadrants about a cross, in the order of their rows."""
    ends = [
        (slice(0, cross), slice(cross, n))
        for n, cross in ((n, int(n * (mix.margin + (1 - 2 * mix.margin) * v))) for n, v in zip(size, u))
    ]
    boxes = list(product(*ends))
    shares = [float(np.prod([side.stop - side.start for side in box]) / np.prod(size)) for box in boxes]
    others = [number for number in range(len(boxes)) if number != own]
    parts = (_Part(partner, shares[number], boxes[number]) for number, partner in zip(others, partners))
    return _Plan(mix, shares[own], tuple(parts))


def _side(length: int, width: int, centre: int) -> slice:
    return slice(max(0, centre - width // 2), min(length, centre + width // 2))


def _quantile(alpha: float, u: float) -> float:
    from scipy.special import betaincinv  # takes 30 ms to import

    return float(np.rint(betaincinv(alpha, alpha, u) * _GRID) / _GRID)


def _pasted(
    array: np.ndarray,
    plans: Sequence[_Plan | None],
    buffers: Buffers,
    of_array: Callable[[tuple[slice, ...]], tuple[slice, ...]],
) -> np.ndarray:
    """Mix the rows of an array into a new one; the old one is read until the end.

    Parameters
    ----------
    array : ndarray
    plans : sequence of _Plan or None
    buffers : Buffers
    of_array : callable
        A box on the axes that the rows have.
    """
    made = buffers.empty(array.shape, array.dtype)
    for row, plan in enumerate(plans):
        if plan is None or not isinstance(plan.mix, MixUp):
            made[row] = array[row]
        if plan is None:
            continue
        for part in plan.parts:
            if part.box is not None:
                box = of_array(part.box)
                made[row][box] = array[part.partner][box]
            else:
                own = array.dtype.type(plan.lam)
                np.multiply(array[row], own, out=made[row])
                made[row] += array[part.partner] * array.dtype.type(part.share)
    return made


def _mixed_labels(label: np.ndarray, plans: Sequence[_Plan | None]) -> np.ndarray:
    made = label.copy()
    for row, plan in enumerate(plans):
        if plan is not None:
            mixed = label[row] * np.float32(plan.lam)
            for part in plan.parts:
                mixed = mixed + label[part.partner] * np.float32(part.share)
            made[row] = mixed
    return made


def _recorded(records: Sequence[dict[str, Any]], row: int, plan: _Plan | None) -> dict[str, Any]:
    """Record of an image with what it was mixed with."""
    record = records[row]
    if plan is None:
        return record
    parts = [_part_recorded(records, part) for part in plan.parts]
    found: dict[str, Any] = {"step": type(plan.mix).__name__, "lam": plan.lam}
    return {**record, "mix": {**found, "parts": parts} if len(parts) > 1 else {**found, **parts[0]}}


def _part_recorded(records: Sequence[dict[str, Any]], part: _Part) -> dict[str, Any]:
    found: dict[str, Any] = {"partner": records[part.partner]["key"]}
    if part.box is not None:
        found["box"] = [[side.start, side.stop] for side in part.box]
    return found


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
        raise ArgumentError(
            f"mix={given!r:.80}: give MixUp(...), CutMix(...), Mosaic(...), or a list of them"
        )
    if has_boxes:
        raise ArgumentError(f"mix={given!r:.80}: boxes cannot be mixed; leave it out")
    if task == "classify" and not one_hot:
        raise ArgumentError(
            f"mix={given!r:.80}: a mixed label is a share of several classes: give one_hot=True as well, and train with "
            "categorical_crossentropy"
        )
    if has_masks and any(isinstance(one, MixUp) for one in mixes):
        raise ArgumentError(
            f"mix={given!r:.80}: the labels of a mask cannot be averaged; use CutMix or Mosaic"
        )
    return mixes
