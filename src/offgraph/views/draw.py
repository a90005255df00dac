"""Arrays to images for display: scaling to 8 bits, label overlays and differences.

Every function takes arrays and returns a new uint8 array ``(H, W, 3)``. The values are scaled for display only: do not
compute with them. `sheets.py` lays images out side by side, `charts.py` draws numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image as PILImage

from offgraph import ndimage
from offgraph.core.arguments import plain_array
from offgraph.core.axes import name_axes
from offgraph.core.errors import StepError
from offgraph.views.colours import PALETTE
from offgraph.views.label_numbers import write_numbers

__all__ = ["PALETTE", "common_range", "difference", "fit", "overlay", "to_rgb"]


def to_rgb(
    array: np.ndarray, axes: str | None = None, range: tuple[float, float] | None = None
) -> np.ndarray:
    """Scale an array for display.

    Parameters
    ----------
    array : ndarray
        Any real dtype. Of a volume the middle slice is shown, of a series the first image; of two channels
        red and green, of four or more the first three (alpha is left out).
    axes : str, optional
        One letter per axis; two axes are ``"YX"``, three with up to four last entries ``"YXC"``.
    range : (low, high), optional
        The values shown as black and white. Without it: uint8 as it is, bool as 0 and 255, floats that lie
        within 0 and 1 times 255, and everything else stretched from its smallest to its largest finite value,
        so that 12 bits in uint16, or a normalised image, can be seen at all.

    Returns
    -------
    ndarray
        uint8, shape (H, W, 3), a new array. NaN is shown as black; of a volume without slices there is no pixel.

    Raises
    ------
    StepError
        Where the axes are not named and leave a doubt, or the values are complex.

    Examples
    --------
    >>> to_rgb(np.array([[0, 4095]], np.uint16))[0, :, 0].tolist()
    [0, 255]
    """
    array = plain_array("an image", array, error=StepError)
    if array.dtype.kind not in "buif":
        raise StepError(
            f"an image of dtype {array.dtype} cannot be shown; take its real part or its magnitude"
        )
    axes = name_axes(array.shape, axes)
    for name in "TZ":
        if name in axes:
            at = axes.index(name)
            if not array.shape[at]:  # a volume without slices
                return np.zeros((0, 0, 3), np.uint8)
            array = np.take(array, array.shape[at] // 2 if name == "Z" else 0, axis=at)
            axes = axes.replace(name, "")
    if "C" not in axes:
        array = array[..., None]
    else:
        array = np.moveaxis(array, axes.index("C"), -1)
    channels = array.shape[-1]
    if channels == 1:
        array = np.broadcast_to(array, (*array.shape[:2], 3))
    elif channels == 2:
        array = np.concatenate([array, np.zeros_like(array[..., :1])], axis=-1)
    return _bytes(array[..., :3], range)


def _bytes(array: np.ndarray, range: tuple[float, float] | None) -> np.ndarray:
    """Scale values to 0…255 by the rule of `to_rgb`."""
    if array.dtype == np.uint8 and range is None:
        return np.array(array, order="C")
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    values = array.astype(np.float64)
    if range is None:
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        if array.dtype.kind == "f" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
    else:
        low, high = range
    # Halved first: the distance between the extremes of float64 overflows.
    width = high / 2 - low / 2
    with np.errstate(invalid="ignore", over="ignore"):
        values = (values / 2 - low / 2) * (255.0 / width) if width > 0 else np.zeros_like(values)
    values = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def common_range(arrays: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """One display range for several images, so that their brightness can be compared.

    None, which is "as they are", where all are uint8 or bool; else 0 and 1 where all values lie between, or the
    smallest and the largest finite value of all.

    >>> common_range([np.array([0.5, 2.0]), np.array([-1.0])])
    (-1.0, 2.0)
    """
    ends: list[tuple[float, float]] = []
    plain = True
    for array in arrays:
        plain &= array.dtype in (np.uint8, np.bool_)
        finite = array[np.isfinite(array)]
        if finite.size:
            ends.append((float(finite.min()), float(finite.max())))
    if plain or not ends:
        return None
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def fit(rgb: np.ndarray, side: int, *, enlarge: bool = True) -> np.ndarray:
    """Bring a display image to at most `side` pixels per side.

    Larger images are shrunk with antialiasing; small ones grow by a whole factor without smoothing, so that
    single pixels can be seen, unless `enlarge` is false. Shape (H, W, 3) uint8 in and out.

    >>> fit(np.zeros((32, 16, 3), np.uint8), 96).shape
    (96, 48, 3)
    """
    height, width = rgb.shape[:2]
    longest = max(height, width)
    if min(height, width) == 0:
        return np.full((1, 1, 3), 255, np.uint8)
    if longest <= side:
        factor = side // longest if enlarge else 1
        return np.repeat(np.repeat(rgb, factor, axis=0), factor, axis=1)
    size = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
    return np.array(PILImage.fromarray(np.ascontiguousarray(rgb)).resize(size, PILImage.Resampling.BOX))


def overlay(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    axes: str | None = None,
    opacity: float = 0.35,
    outline: int | None = None,
    numbers: bool = False,
    range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw a label mask over its image: a tint inside every object and a line on its edge.

    Parameters
    ----------
    image : ndarray
        As for `to_rgb`.
    mask : ndarray
        Integers or bool, shape (H, W); 0 is background, every other value has its colour from `PALETTE`.
    opacity : float
        Of the tint, 0 to 1.
    outline : int, optional
        Width of the line in pixels, drawn inside the object; by default about 1/250 of the shorter side,
        at least 1. 0 draws none. The line separates neighbours that share a colour, also for
        readers who see no colour.
    numbers : bool
        Write each label on the middle of its object, or beside an object that is too small for it. A number hides
        no other object; one that has no room is left out.

    Raises
    ------
    StepError
        Where mask and image differ in size, or the mask has no integer dtype.

    Examples
    --------
    >>> overlay(np.zeros((4, 4), np.uint8), np.eye(4, dtype=np.uint8)).shape
    (4, 4, 3)
    """
    rgb = to_rgb(image, axes, range)
    mask = plain_array("a mask", mask, error=StepError)
    if mask.shape != rgb.shape[:2]:
        raise StepError(f"the mask of shape {mask.shape} does not fit the image of size {rgb.shape[:2]}")
    if mask.dtype.kind not in "bui":
        raise StepError(f"a label mask holds integers, not {mask.dtype}; threshold probabilities first")
    mask = mask.astype(np.uint8) if mask.dtype == np.bool_ else mask
    inside = mask != 0
    colour = PALETTE[(mask[inside].astype(np.int64) - 1) % len(PALETTE)].astype(np.float64)
    rgb[inside] = np.rint(rgb[inside] * (1 - opacity) + colour * opacity).astype(np.uint8)
    if outline is None:
        outline = max(1, round(min(rgb.shape[:2]) / 250))
    if outline and inside.any():
        size = 2 * outline + 1
        edge = inside & (ndimage.maximum_filter(mask, size) != ndimage.minimum_filter(mask, size))
        rgb[edge] = PALETTE[(mask[edge].astype(np.int64) - 1) % len(PALETTE)]
    return write_numbers(rgb, mask) if numbers and inside.any() else rgb


def difference(
    first: np.ndarray, second: np.ndarray, *, axes: str | None = None, limit: float | None = None
) -> np.ndarray:
    """Show where two images differ and in which direction: blue where `second` is lower, red where higher.

    Of several channels the largest change is shown. White is no change, and so is a change from or to NaN or
    infinity, which has no amount.

    Parameters
    ----------
    first, second : ndarray
        Of one shape.
    limit : float, optional
        The change, in the images' own unit, that is shown in full colour; by default the largest there is.

    Raises
    ------
    StepError
        Where the shapes differ.

    Examples
    --------
    >>> difference(np.zeros((1, 2)), np.array([[0.0, 1.0]]))[0, 0].tolist()
    [255, 255, 255]
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape:
        raise StepError(f"images of shapes {first.shape} and {second.shape} have no pixelwise difference")
    axes = name_axes(first.shape, axes)
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.nan_to_num(second.astype(np.float64) - first.astype(np.float64), posinf=0.0, neginf=0.0)
    if "C" in axes:
        at = axes.index("C")
        largest = np.expand_dims(np.abs(change).argmax(axis=at), at)
        change = np.take_along_axis(change, largest, axis=at).squeeze(at)
        axes = axes.replace("C", "")
    limit = float(np.abs(change).max(initial=0.0)) if limit is None else limit
    share = np.clip(change / limit, -1, 1) if limit > 0 else np.zeros_like(change)
    # White in the middle, and two ends that every kind of colour blindness can tell apart.
    red, blue = np.array((178, 24, 43.0)), np.array((33, 102, 172.0))
    end = np.where(share[..., None] > 0, red, blue)
    shown = 255 + (end - 255) * np.abs(share)[..., None]
    return to_rgb(np.rint(shown).astype(np.uint8), axes + "C")
