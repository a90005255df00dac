"""Names of axes: how a caller gives them, and which of them are spatial."""

from __future__ import annotations

import functools

from offgraph.core.errors import StepError

__all__ = ["SPATIAL", "name_axes", "spatial_axes", "spatial_names"]


SPATIAL = "ZYX"
"""Letters of spatial axes. ``C`` names a channel axis, ``T`` time; neither is ever filtered or resampled."""


@functools.lru_cache(maxsize=64)
def spatial_names(axes: str) -> str:
    """Return the letters of the spatial axes, in order."""
    return "".join(name for name in axes if name in SPATIAL)


@functools.lru_cache(maxsize=64)
def spatial_axes(axes: str) -> tuple[int, ...]:
    """Return the places of the spatial axes, in order."""
    return tuple(i for i, name in enumerate(axes) if name in SPATIAL)


def _looks_like(shape: tuple[int, ...]) -> str:
    """What a shape that is often given without its axes probably is, and what to write for it."""
    if len(shape) == 3 and shape[0] <= 4:
        return "; where the channels are first, axes='CYX', or np.moveaxis(array, 0, -1)"
    if len(shape) == 4 and shape[-1] <= 4:
        return (
            "; a batch of images is called image by image, or read by a Loader; frames of a video are axes='TYXC', and a "
            "volume with channels 'ZYXC'"
        )
    return ""


def name_axes(shape: tuple[int, ...], axes: str | None = None) -> str:
    """Check the axes that a caller named, or name those that are unambiguous.

    Two axes are ``"YX"``; three of which the last has at most four entries are ``"YXC"``. Everything
    else must be given: a wrong guess, such as slices taken for channels, would go unnoticed.

    Raises
    ------
    StepError
        Where the axes are missing, repeated, unknown, or do not fit the shape.
    """
    if axes is None:
        if len(shape) == 2:
            return "YX"
        if len(shape) == 3 and shape[-1] <= 4:
            return "YXC"
        raise StepError(
            f"an array of shape {shape} needs its axes named: axes='ZYX' for a volume, 'YXC' for channels last{_looks_like(shape)}"
        )
    if not isinstance(axes, str):
        raise StepError(f"axes={axes!r:.80}: use one letter per axis, such as 'YXC'")
    if len(axes) != len(shape):
        raise StepError(
            f"axes={axes!r} names {len(axes)} axes, but the array of shape {shape} has {len(shape)}"
        )
    if len(set(axes)) != len(axes) or not set(axes) <= set("TZYXC") or not {"Y", "X"} <= set(axes):
        raise StepError(f"axes={axes!r}: use each of T, Z, Y, X, C at most once, and both Y and X")
    order = [name for name in axes if name in SPATIAL]
    if order != sorted(order, key=SPATIAL.index):
        raise StepError(
            f"axes={axes!r}: spatial axes must stand in the order Z, Y, X; transpose the array first"
        )
    return axes
