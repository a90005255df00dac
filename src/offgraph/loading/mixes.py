"""MixUp, CutMix and Mosaic as they are declared; what is drawn for an image, and what follows, stands in `mixing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.targets.boxes import BoxRules

__all__ = ["CutMix", "Fit", "Mix", "MixUp", "Mosaic", "images_of", "parse_mix"]

Fit = Literal["crop", "join", "resize"]
"""What a quadrant of a mosaic shows of its image."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _shown(name: str, defaults: dict[str, Any], **values: Any) -> str:
    """How a mix is written; options of their default value are left out, as state files of earlier versions have it."""
    listed = [f"{key}={value}" for key, value in values.items() if key not in defaults]
    listed += [f"{key}={values[key]!r}" for key in defaults if values[key] != defaults[key]]
    return f"{name}({', '.join(listed)})"


@dataclass(frozen=True)
class _Keeping:
    """Mixes that cut objects off, and say which are kept."""

    min_visibility: float
    min_area: float

    def _parse_rules(self, min_visibility: Any, min_area: Any) -> None:
        name = type(self).__name__
        for key, value in (("min_visibility", min_visibility), ("min_area", min_area)):
            if not _number(value):
                raise ArgumentError(f"{name}: {key}={value!r:.80}: give a number")
        try:
            BoxRules(min_area, min_visibility)
        except ArgumentError as error:
            raise ArgumentError(f"{name}: {error}") from None
        object.__setattr__(self, "min_visibility", float(min_visibility))
        object.__setattr__(self, "min_area", float(min_area))

    def rules(self, own: BoxRules) -> BoxRules:
        """Return rules for boxes that keep what these and their own keep."""
        return BoxRules(
            max(own.min_area, self.min_area), max(own.min_visibility, self.min_visibility), own.clip
        )


@dataclass(frozen=True, kw_only=True)
class _Mixed:
    """What MixUp and CutMix share."""

    alpha: float
    p: float

    def __post_init__(self) -> None:
        for name, top in (("alpha", np.inf), ("p", 1)):
            value = getattr(self, name)
            if not _number(value) or not 0 < value <= top:
                allowed = "above 0 and up to 1" if top == 1 else "above 0"
                raise ArgumentError(f"{type(self).__name__}: {name}={value!r:.80}: give a number {allowed}")
            if not np.isfinite(value):
                raise ArgumentError(f"{type(self).__name__}: {name}={value!r:.80}: give a finite number")
            object.__setattr__(self, name, float(value))


class MixUp(_Mixed):
    """Average each image with another one of its batch, and their labels: ``lam * image + (1 - lam) * partner``.

    An option of a loader, ``Loader(..., mix=og.MixUp(0.2))``. Each image has its own share `lam` and its own partner; both
    follow from (seed, epoch, index), and stand in the record of the image. Labels are mixed in the same way, so a source of
    classes needs ``one_hot=True``. An image with boxes gets those of both, its own first, with `lam` and ``1 - lam`` in
    ``batch.objects.weights``. A mask cannot be averaged: use `CutMix`.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) of `lam`. With 0.2, the value for ImageNet of Zhang et al. (2018), most
        images keep nearly all or nearly nothing of themselves; with 1 all shares are as likely; with 32, as detectors
        are trained, both images are seen about equally.
    p : float
        Probability of being mixed.

    Notes
    -----
    Exactness: each product and the sum is rounded to the dtype of the image, float32 as a rule. Boxes stay as they are.

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


@dataclass(frozen=True, init=False, repr=False)
class CutMix(_Mixed, _Keeping):
    """Paste a rectangle of another image of the batch, from the same place; mix their labels by area.

    An option of a loader, ``Loader(..., mix=og.CutMix())``. The rectangle has the shape of the image, and before it is cut
    off at the edges ``1 - lam`` of its area; `lam` is then the share of pixels that stay. A mask gets the rectangle as
    well, so its labels stay exact. Boxes are drawn around what is left of the image's own objects, and around what the
    rectangle shows of the other's. A source of classes needs ``one_hot=True``.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) of `lam`; 1, as in Yun et al. (2019), makes all shares as likely.
    p : float
        Probability of being mixed.
    min_visibility : float
        Least share of an object's area, 0 to 1, that recipe and rectangle leave of it; it loses its box below.
    min_area : float
        Least area of a box after it was cut, in pixels.

    Raises
    ------
    ArgumentError
        For other numbers.

    Notes
    -----
    On an axis of length n the rectangle is ``w = floor(n * (1 - lam) ** (1 / axes))`` long, and goes from
    ``max(0, c - w // 2)`` to ``min(n, c + w // 2)``, c drawn from 0 to n - 1. Volumes get a box.

    Exactness: pixels are copied; labels are mixed in float32. Boxes and outlines are cut along the rectangle's edges.

    Examples
    --------
    >>> import offgraph as og
    >>> og.CutMix(p=0.5)
    CutMix(alpha=1.0, p=0.5)
    """

    def __init__(
        self, alpha: float = 1.0, p: float = 1.0, *, min_visibility: float = 0.0, min_area: float = 0.0
    ) -> None:
        _Mixed.__init__(self, alpha=alpha, p=p)
        self._parse_rules(min_visibility, min_area)

    def __repr__(self) -> str:
        return _shown("CutMix", {"min_visibility": 0.0, "min_area": 0.0}, **vars(self))


@dataclass(frozen=True, init=False, repr=False)
class Mosaic(_Keeping):
    """Put four images of the batch side by side, each its own quadrant; mix their labels by area.

    An option of a loader, ``Loader(..., mix=og.Mosaic())``, for images of two spatial axes. A cross is drawn; the image itself keeps
    one of the four quadrants, all as likely, and each of the others shows another image of the batch, drawn evenly: one may
    come twice. Masks, boxes and keypoints are put together in the same way; each object is moved with its image, and
    cut off at the border of its quadrant. A source of classes needs ``one_hot=True``.

    Parameters
    ----------
    margin : float
        How far the cross stays from the border, as a share of each side, from 0 up to 0.5, which is the middle.
    p : float
        Probability of being mixed.
    fit : {"crop", "join", "resize"}
        What a quadrant shows of its image. ``"crop"``: the same place. ``"join"``: what lies next to one corner, so that
        four images meet at the cross, as in YOLOv5 and its successors and in ``keras.layers.Mosaic``. ``"resize"``: the
        whole image, resized to the quadrant.
    min_visibility : float
        Least share of an object's area, 0 to 1, that recipe and mosaic leave of it; it loses its box below.
    min_area : float
        Least area of a box in the mosaic, in pixels.

    Raises
    ------
    ArgumentError
        For other numbers.

    Notes
    -----
    With the cross at (cy, cx) of an image of (H, W) pixels, pixel (y, x) shows the pixel of its image at

    - ``"crop"``: (y, x);
    - ``"join"``: (y + H - cy, x + W - cx) above and left of the cross; (y - cy, x - cx) below and right of it; each axis by itself;
    - ``"resize"``: of the image resized by ``og.Resize`` to (cy, cx) in the upper left quadrant, and so on.

    YOLO trainings let a step of scaling and moving follow; ``"join"`` alone is their mosaic at scale 1, with the window of one
    image's size around the cross that ``margin`` allows.

    Exactness: pixels are copied, or resized as `Resize` does; labels are mixed in float32. Objects are moved as `Crop`,
    `Resize` and `Pad` move them.

    Examples
    --------
    >>> import offgraph as og
    >>> og.Mosaic(0.25, fit="join", min_visibility=0.1)
    Mosaic(margin=0.25, p=1.0, fit='join', min_visibility=0.1)
    """

    margin: float
    p: float
    fit: Fit

    def __init__(
        self,
        margin: float = 0.25,
        p: float = 1.0,
        *,
        fit: Fit = "crop",
        min_visibility: float = 0.0,
        min_area: float = 0.0,
    ) -> None:
        for name, value, top in (("margin", margin, 0.5), ("p", p, 1)):
            if not _number(value) or not 0 <= value <= top or (name == "p" and value == 0):
                raise ArgumentError(
                    f"Mosaic: {name}={value!r:.80}: give a number from 0{' (not 0 itself)' * (name == 'p')} to {top}"
                )
            object.__setattr__(self, name, float(value))
        if fit not in get_args(Fit):
            raise ArgumentError(f"Mosaic: fit={fit!r:.80}: choose 'crop', 'join' or 'resize'")
        object.__setattr__(self, "fit", fit)
        self._parse_rules(min_visibility, min_area)

    def __repr__(self) -> str:
        return _shown("Mosaic", {"fit": "crop", "min_visibility": 0.0, "min_area": 0.0}, **vars(self))


Mix = MixUp | CutMix | Mosaic


def images_of(mixes: tuple[Mix, ...]) -> int:
    """Return the largest number of images that one is mixed of."""
    return max((4 if isinstance(one, Mosaic) else 2 for one in mixes), default=1)


def parse_mix(given: Any, *, task: str | None, one_hot: bool, has_masks: bool) -> tuple[Mix, ...]:
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
