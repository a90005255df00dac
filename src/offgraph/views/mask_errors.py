"""A predicted mask beside the true one, and how far a map lies above or below zero over its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.core.errors import StepError
from offgraph.views.draw import fit, overlay, to_rgb

__all__ = ["heat", "masks_beside"]

_GAP = 6
_FULL = 0.75  # opacity of a map's largest value


def masks_beside(
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    *,
    axes: str | None = None,
    side: int = 240,
    range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw an image, and beside it the same image under each of several masks.

    Parameters
    ----------
    image : ndarray
        As for `offgraph.views.draw.to_rgb`, of a plane.
    masks : sequence of ndarray of integers, (H, W)
    axes : str, optional
        A letter for each axis of the image.
    side : int
        Longest side of each part in pixels: small images grow by a whole factor, larger ones shrink.
    range : (low, high), optional
        The values shown as black and white.

    Returns
    -------
    ndarray of uint8, (H, W, 3)

    Examples
    --------
    >>> masks_beside(np.zeros((4, 4), np.uint8), [np.eye(4, dtype=np.uint8)], side=8).shape
    (8, 22, 3)
    """
    rgb = to_rgb(image, axes, range)
    parts = [fit(rgb, side)]
    # Grown first, so that outlines are thin; shrunk last, so that they stay.
    factor = max(1, side // max(*rgb.shape[:2], 1))
    large = np.repeat(np.repeat(rgb, factor, 0), factor, 1)
    for mask in masks:
        grown = np.repeat(np.repeat(np.asarray(mask), factor, 0), factor, 1)
        parts.append(fit(overlay(large, grown, opacity=0.25), side))
    gap = np.full((parts[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([piece for part in parts for piece in (gap, part)][1:], axis=1)


def heat(image: np.ndarray, values: np.ndarray, *, axes: str | None = None, limit: float) -> np.ndarray:
    """Draw a map over its image in greys: red where it is above zero, blue where it is below.

    Parameters
    ----------
    image : ndarray
        As for `offgraph.views.draw.to_rgb`; of a volume the middle slice is shown.
    values : ndarray of floats, (H, W), or of a volume (D, H, W)
    axes : str, optional
        A letter for each axis of the image.
    limit : float
        The value that is shown in full colour.

    Raises
    ------
    StepError
        Where map and image differ in size.

    Examples
    --------
    >>> shown = heat(np.full((1, 2), 255, np.uint8), np.array([[0.0, 0.5]]), limit=0.5)
    >>> shown[0, 0].tolist(), bool(shown[0, 1, 0] > shown[0, 1, 2])
    ([255, 255, 255], True)
    """
    rgb = to_rgb(image, axes).astype(np.float64)
    values = values[values.shape[0] // 2] if values.ndim == 3 else values
    if values.shape != rgb.shape[:2]:
        raise StepError(f"the map of shape {values.shape} does not fit the image of size {rgb.shape[:2]}")
    grey = rgb.mean(axis=-1, keepdims=True)
    share = np.clip(values / limit if limit > 0 else np.zeros_like(values), -1, 1)[..., np.newaxis]
    colour = np.where(share > 0, np.array((178.0, 24.0, 43.0)), np.array((33.0, 102.0, 172.0)))
    opacity = _FULL * np.abs(share)
    return np.rint(grey * (1 - opacity) + colour * opacity).astype(np.uint8)
