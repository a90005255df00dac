"""The colour policy: from the numbers that a file stores to what a viewer shows, or to labels unchanged.

Decoders return numbers and describe how they are shown (`StoredImage.palette`, `top`, `white_is_zero`, `key`, `inks`);
the rules are applied in this module only, so that no format applies them to labels.
"""

from __future__ import annotations

import numpy as np

from offgraph.core.choices import Alpha, FileColor
from offgraph.formats.base import FormatError, Limits, StoredImage

__all__ = ["paint"]


_SLAB = 1 << 20  # bytes: luma and opacity are computed in numbers many times as wide


def paint(stored: StoredImage, color: FileColor, alpha: Alpha, limits: Limits) -> tuple[np.ndarray, str]:
    """Apply the colour policy; where it computes anything, one slab of rows at a time.

    Parameters
    ----------
    stored : StoredImage
        As a decoder returned it.
    color, alpha
        As in `offgraph.formats.decoding.read`.
    limits : Limits
        Checked against what the policy makes of the file, before that is allocated.

    Returns
    -------
    array : ndarray
        Under ``"labels"`` the stored numbers; otherwise what a viewer shows.
    axes : str
        Its axes.

    Raises
    ------
    FormatError
        Where the image cannot be shown as asked, or where that passes the limit.
    """
    held = stored.array
    y = stored.axes.index("Y")
    rows = held.shape[y]
    before = (slice(None),) * y
    first, axes = _paint_part(stored, held[(*before, slice(0, 1))], color, alpha)
    viewed = np.shares_memory(first, held)
    array = _paint_part(stored, held, color, alpha)[0] if viewed else first
    if not (viewed and array.flags.c_contiguous):
        limits.check_made(held.nbytes, first.nbytes * rows, f"color={color!r}")
    if viewed:
        return array, axes
    shape = list(first.shape)
    shape[axes.index("Y")] = rows
    array = np.empty(shape, first.dtype)
    into = np.moveaxis(array, axes.index("Y"), 0)
    step = max(1, _SLAB * rows // max(1, held.nbytes))
    for at in range(0, rows, step):
        part, _ = _paint_part(stored, held[(*before, slice(at, at + step))], color, alpha)
        into[at : at + step] = np.moveaxis(part, axes.index("Y"), 0)
    return array, axes


def _paint_part(
    stored: StoredImage, array: np.ndarray, color: FileColor, alpha: Alpha
) -> tuple[np.ndarray, str]:
    """Apply the colour policy to `array`, some rows of what a file stores."""
    if color == "labels":
        axes = stored.axes
        if stored.palette is not None and stored.alpha:
            array, axes = _indices_and_opacity(array, axes)[0], axes.replace("C", "")
        return (array.astype(np.uint8) if array.dtype == bool else array), axes
    array, axes, opacity = _shown(stored, array)
    if color == "keep" or (color == "rgb" and "Z" in axes):
        return array, axes
    return _to_rgb_or_grey(array, axes, opacity, stored.premultiplied, color, alpha)


def _shown(stored: StoredImage, array: np.ndarray) -> tuple[np.ndarray, str, bool]:
    axes = stored.axes
    if stored.palette is not None:
        return _from_palette(array, axes, stored.palette, opacity=stored.alpha)
    if stored.inks:
        return _from_inks(array, axes), axes, False
    full = _full_range(array, stored)
    if stored.key is None:
        return full, axes, stored.alpha
    return _with_opacity(full, axes, _opacity_of_key(array, axes, stored.key))


def _from_palette(
    array: np.ndarray, axes: str, palette: np.ndarray, *, opacity: bool
) -> tuple[np.ndarray, str, bool]:
    """The colours of indices; `opacity` says that a second channel holds that of each pixel."""
    if opacity:
        array, given = _indices_and_opacity(array, axes)
        colours, axes, _ = _from_palette(array, axes.replace("C", ""), palette, opacity=False)
        wide = np.iinfo(colours.dtype).max // np.iinfo(given.dtype).max  # 8 bits among 16: 255 becomes 65535
        shown = given.astype(colours.dtype) * wide if wide else given // (np.iinfo(given.dtype).max // 255)
        return np.concatenate([colours[..., :3], shown[..., None].astype(colours.dtype)], -1), axes, True
    if "C" in axes:
        raise FormatError(f"a palette's colours are channels: name the axes {axes} without C")
    if array.max(initial=0) >= len(palette):
        raise FormatError(f"damaged: index {array.max()} in a palette of {len(palette)} colours")
    return palette[array], axes + "C", palette.shape[1] == 4


def _indices_and_opacity(array: np.ndarray, axes: str) -> tuple[np.ndarray, np.ndarray]:
    """The two channels of a palette file with an opacity for each pixel."""
    channel = axes.index("C")
    return array.take(0, channel), array.take(1, channel)


def _full_range(array: np.ndarray, stored: StoredImage) -> np.ndarray:
    """Brightness of grey values: stretched from shallow depths to 0–255, and larger is brighter.

    Numbers of more than 8 bits are measurements and stay as they are.
    """
    if array.dtype == bool:
        return ~array if stored.white_is_zero else array
    if array.dtype != np.uint8 or not (stored.white_is_zero or stored.top):
        return array
    top = stored.top or 255
    if top < 255 and array.max(initial=0) > top:
        raise FormatError(f"damaged: a value of {array.max()} where {top} is the largest")
    shades = np.rint(np.arange(top + 1) / top * 255).astype(np.uint8)
    shown = (shades[::-1] if stored.white_is_zero else shades)[array]
    if stored.alpha and stored.white_is_zero:  # opacity is not inverted
        shown[..., -1] = shades[array[..., -1]]
    return shown


def _opacity_of_key(array: np.ndarray, axes: str, key: tuple[int, ...]) -> np.ndarray:
    top = np.iinfo(np.uint8 if array.dtype == bool else array.dtype).max
    planes = np.moveaxis(array, axes.index("C"), 0) if "C" in axes else array[None]
    hidden = np.ones(planes.shape[1:], bool)
    for plane, value in zip(planes, key, strict=True):
        hidden &= (plane == value) if value <= top else False
    return np.where(hidden, 0, top)[..., None]


def _with_opacity(array: np.ndarray, axes: str, opacity: np.ndarray) -> tuple[np.ndarray, str, bool]:
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    planes = array if "C" in axes else array[..., None]
    return np.concatenate([planes, opacity.astype(array.dtype)], -1), axes.replace("C", "") + "C", True


def _to_rgb_or_grey(
    array: np.ndarray, axes: str, opacity: bool, premultiplied: bool, color: FileColor, alpha: Alpha
) -> tuple[np.ndarray, str]:
    if set(axes) - set("YXC"):
        raise FormatError(f"a stack with axes {axes} is not an image to show as {color}; use color='keep'")
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if "C" in axes:
        if not axes.endswith("C"):
            array = np.moveaxis(array, axes.index("C"), -1)
        if opacity:
            array = _without_opacity(array, alpha, premultiplied)
        if array.shape[-1] not in (1, 3):
            raise FormatError(f"{array.shape[-1]} channels are neither grey nor RGB; use color='keep'")
        if array.shape[-1] == 1:
            array = array[..., 0]
    if color == "grey":
        return (array if array.ndim == 2 else _luma(array)), "YX"
    return (array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)), "YXC"


def _without_opacity(array: np.ndarray, alpha: Alpha, premultiplied: bool) -> np.ndarray:
    colours, opacity = array[..., :-1], array[..., -1:]
    if alpha == "drop":
        return colours
    if array.dtype.kind == "u":
        top = int(np.iinfo(array.dtype).max)
        ground = top if alpha == "white" else 0
        wide = np.uint32 if array.dtype.itemsize == 1 else np.uint64
        shown = colours.astype(wide) * (wide(top) if premultiplied else opacity.astype(wide))
        mixed = shown + (wide(top) - opacity) * wide(ground)
        return np.minimum((mixed + wide(top // 2)) // wide(top), wide(top)).astype(array.dtype)
    if array.dtype.kind == "f":
        shown = colours if premultiplied else colours * opacity
        return shown + (1 - opacity) * array.dtype.type(alpha == "white")
    raise FormatError(f"opacity of {array.dtype} is not supported; use alpha='drop'")


def _luma(array: np.ndarray) -> np.ndarray:
    """ITU-R 601 luma of (H, W, 3), with Pillow's integer weights for integers."""
    if array.dtype.kind == "f":
        weighted = array.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return weighted.astype(array.dtype)
    wide = np.uint32 if array.dtype == np.uint8 else np.int64
    red, green, blue = (array[..., i].astype(wide) for i in range(3))
    return ((red * wide(19595) + green * wide(38470) + blue * wide(7471) + wide(32768)) >> wide(16)).astype(
        array.dtype
    )


def _from_inks(array: np.ndarray, axes: str) -> np.ndarray:
    """RGB from ink: each of C, M, Y darkens one channel, K all three."""
    if array.dtype not in (np.uint8, np.uint16):
        raise FormatError(f"CMYK of {array.dtype} is not supported; convert the file to RGB")
    if not axes.endswith("C"):
        raise FormatError(f"CMYK with axes {axes} is not supported; convert the file to RGB")
    top = int(np.iinfo(array.dtype).max)
    wide = np.uint16 if top == 255 else np.uint32  # just wide enough for the products
    light = wide(top) - array.astype(wide)
    mixed = light[..., :3] * light[..., 3:]
    mixed += wide(top // 2)
    mixed //= wide(top)
    return mixed.astype(array.dtype)
