"""Arrays to images for eyes: scaling for display, overlays and contact sheets. Charts are made by `charts.py`.

Every function takes arrays and gives a new uint8 array ``(H, W, 3)``; values are
scaled *for display only*: nothing here is meant to be computed with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from offgraph import ndimage
from offgraph.core.axes import name_axes
from offgraph.core.errors import StepError
from offgraph.targets.regions import regions
from offgraph.views.text import clean, shorten

__all__ = ["PALETTE", "common_range", "difference", "fit", "grid", "overlay", "sheet", "to_rgb"]


PALETTE = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)
"""The colours of Okabe and Ito, told apart by the colour-blind; label n has colour (n - 1) mod 7."""

_INK, _PAPER, _QUIET, _WRONG = (28, 30, 33), (255, 255, 255), (176, 180, 186), (213, 94, 0)
_FONT_SIZE = 13


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
        One letter an axis; two axes are ``"YX"``, three with up to four last entries ``"YXC"``.
    range : (low, high), optional
        The values shown as black and white. Without it: uint8 as it is, bool as 0 and 255, floats that lie
        within 0 and 1 times 255, and everything else stretched from its smallest to its largest finite value,
        so that 12 bits in uint16, or a normalised image, can be seen at all.

    Returns
    -------
    ndarray
        uint8, shape (H, W, 3), a new array. NaN is shown as black.

    Raises
    ------
    StepError
        Where the axes are not named and leave a doubt, or the values are complex.

    Examples
    --------
    >>> to_rgb(np.array([[0, 4095]], np.uint16))[0, :, 0].tolist()
    [0, 255]
    """
    array = np.asarray(array)
    if array.dtype.kind not in "buif":
        raise StepError(
            f"an image of dtype {array.dtype} cannot be shown; take its real part or its magnitude"
        )
    axes = name_axes(array.shape, axes)
    for name in "TZ":
        if name in axes:
            at = axes.index(name)
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
    """Values to 0…255 by the rule that `to_rgb` states."""
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
    # Halved first: the distance between the extremes of float64 is itself beyond float64.
    width = high / 2 - low / 2
    with np.errstate(invalid="ignore", over="ignore"):
        values = (values / 2 - low / 2) * (255.0 / width) if width > 0 else np.zeros_like(values)
    values = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def common_range(arrays: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """Range by which several images are shown alike, so that their brightness can be compared.

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
    """Bring a display image to at most `side` pixels a side.

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
        at least 1. 0 draws none. The line separates neighbours that share a colour, and serves eyes
        that see no colour.
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
    mask = np.asarray(mask)
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
    return _numbered(rgb, mask) if numbers and inside.any() else rgb


def _numbered(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Write each label's number, dark on light so that it reads on any image.

    It stands on its object where it hides little of it and nothing of another, else beside it; where there is no
    room beside it either, it is left out.
    """
    canvas = PILImage.fromarray(rgb)
    draw = ImageDraw.Draw(canvas)
    font = _font(max(10, min(rgb.shape[:2]) // 28))
    # Counts of object pixels above and to the left of each place: those within a box are four look-ups.
    counts = np.pad((mask != 0).cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    written = np.zeros(mask.shape, bool)
    for label, box, inside in regions(mask):
        left, top, right, bottom = font.getbbox(str(label), anchor="mm", stroke_width=_STROKE)
        size = (math.ceil(bottom - top), math.ceil(right - left))
        for place in _places(box, inside, size):
            within = (
                place[0] >= 0 and place[1] >= 0 and place[2] <= mask.shape[0] and place[3] <= mask.shape[1]
            )
            here = np.s_[place[0] : place[2], place[1] : place[3]]
            if not within or written[here].any():
                continue
            hidden = int(
                counts[place[2], place[3]] - counts[place[0], place[3]]
                - counts[place[2], place[1]] + counts[place[0], place[1]]
            )  # fmt: skip
            own = _covered(inside, box, place)
            if hidden > own or own > _MOST_HIDDEN * inside.sum():
                continue
            written[here] = True
            draw.text(
                ((place[1] + place[3]) / 2, (place[0] + place[2]) / 2),
                str(label),
                font=font,
                fill=_PAPER,
                anchor="mm",
                stroke_width=_STROKE,
                stroke_fill=_INK,
            )
            break
    return np.array(canvas)


_STROKE = 2
_MOST_HIDDEN = 0.2  # share of an object that its number may hide
_Box = tuple[int, int, int, int]  # first row and column, end row and column


def _places(box: tuple[slice, ...], inside: np.ndarray, size: tuple[int, int]) -> Iterator[_Box]:
    """Where a number of this size may stand: on the object's middle, then to its right, left, below and above."""
    height, width = size
    rows, columns = (part.start for part in box)
    middle = [float(n @ np.arange(len(n))) / n.sum() for n in (inside.sum(1), inside.sum(0))]
    row, column = round(rows + middle[0] - height / 2), round(columns + middle[1] - width / 2)
    for top, left in (
        (row, column),
        (row, box[1].stop + 1),
        (row, columns - width - 1),
        (box[0].stop + 1, column),
        (rows - height - 1, column),
    ):
        yield top, left, top + height, left + width


def _covered(inside: np.ndarray, box: tuple[slice, ...], place: _Box) -> int:
    """How many of an object's pixels a place covers."""
    row, column = (part.start for part in box)
    return int(
        inside[
            max(0, place[0] - row) : max(0, place[2] - row),
            max(0, place[1] - column) : max(0, place[3] - column),
        ].sum()
    )


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
    # White in the middle, and two ends that differ in lightness order for no kind of colour blindness.
    red, blue = np.array((178, 24, 43.0)), np.array((33, 102, 172.0))
    end = np.where(share[..., None] > 0, red, blue)
    shown = 255 + (end - 255) * np.abs(share)[..., None]
    return to_rgb(np.rint(shown).astype(np.uint8), axes + "C")


def sheet(rows: Sequence[Sequence[tuple[np.ndarray, str]]], *, side: int = 192) -> np.ndarray:
    """Lay images out in rows with a caption under each, as for *before* and *after*.

    Parameters
    ----------
    rows : sequence of rows; a row is a sequence of (image, caption)
        Images as for `to_rgb` with unnamed axes. Captions are cut to the width of their image.
    side : int
        Longest side of each image, in pixels.

    Examples
    --------
    >>> before, after = np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8)
    >>> sheet([[(before, "before"), (after, "after")]], side=64).ndim
    3
    """
    tiles = [[_tile(fit(to_rgb(picture), side), caption, side) for picture, caption in row] for row in rows]
    return _lay_out(tiles, side)


def grid(
    images: Sequence[np.ndarray],
    true: Sequence[int | None],
    predicted: Sequence[int],
    names: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    side: int = 96,
) -> np.ndarray:
    """Images with their predicted class; a wrong one has a cross, a thick frame and its true class.

    Parameters
    ----------
    images : sequence of ndarray
        As for `to_rgb` with unnamed axes.
    true, predicted : sequence of int
        Class numbers; a true class of None is unknown, and then nothing is marked.
    names : sequence of str, optional
        Names of the classes; without them the numbers are written.

    Examples
    --------
    >>> grid([np.zeros((8, 8), np.uint8)] * 3, [0, 1, None], [0, 0, 1], ["cat", "dog"]).ndim
    3
    """
    if not len(images) == len(true) == len(predicted):
        raise StepError(f"{len(images)} images, {len(true)} true and {len(predicted)} predicted classes")

    def name(label: int) -> str:
        return str(label) if names is None else names[label]

    tiles = []
    for image, truth, guess in zip(images, true, predicted):
        rgb = fit(to_rgb(image), side)
        if truth is None:
            tiles.append(_tile(rgb, name(guess), side))
        elif truth == guess:
            tiles.append(_tile(rgb, f"✓ {name(guess)}", side))
        else:
            tiles.append(_tile(rgb, f"✗ {name(guess)}, is {name(truth)}", side, wrong=True))
    columns = columns or max(1, math.ceil(math.sqrt(len(tiles) * 1.6)))
    return _lay_out([tiles[at : at + columns] for at in range(0, len(tiles), columns)], side)


def _lay_out(rows: Sequence[Sequence[PILImage.Image]], side: int) -> np.ndarray:
    """Tiles of one size on a white sheet."""
    gap = max(6, side // 16)
    columns = max((len(row) for row in rows), default=0)
    width, height = _tile_size(side)
    canvas = PILImage.new("RGB", (gap + columns * (width + gap), gap + len(rows) * (height + gap)), _PAPER)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            canvas.paste(tile, (gap + j * (width + gap), gap + i * (height + gap)))
    return np.array(canvas)


def _tile_size(side: int) -> tuple[int, int]:
    """(width, height) of a tile: the image, its frame, and two lines of caption."""
    return side + 8, side + 8 + 2 * _FONT_SIZE + 8


def _tile(rgb: np.ndarray, caption: str, side: int, *, wrong: bool = False) -> PILImage.Image:
    """One captioned image."""
    width, height = _tile_size(side)
    tile = PILImage.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(tile)
    left, top = (width - rgb.shape[1]) // 2, (side + 8 - rgb.shape[0]) // 2
    right, bottom = left + rgb.shape[1] - 1, top + rgb.shape[0] - 1
    line = 4 if wrong else 1
    draw.rectangle(
        (left - line, top - line, right + line, bottom + line), fill=_WRONG if wrong else _QUIET, width=0
    )
    tile.paste(PILImage.fromarray(rgb), (left, top))
    font = _font(_FONT_SIZE)
    for number, line_text in enumerate(_wrapped(clean(caption), font, width, 2)):
        where = (width / 2, side + 10 + number * (_FONT_SIZE + 3))
        draw.text(where, line_text, font=font, fill=_INK, anchor="mt")
    return tile


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int, lines: int) -> list[str]:
    """Break text into at most `lines` lines of `width` pixels; text that is too long is shortened in the middle."""
    text = shorten(text, 400)
    done = _broken(text, font, width)
    if len(done) <= lines:
        return done
    low, high = 1, len(text)  # the longest that fits
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(_broken(shorten(text, middle), font, width)) <= lines
        low, high = (middle, high) if fits else (low, middle - 1)
    return _broken(shorten(text, low), font, width)


def _broken(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break text into lines of `width` pixels, at spaces where that leaves no half-empty line."""
    done: list[str] = []
    while text:
        length = _fitting(text, font, width)
        if length < len(text):
            space = text.rfind(" ", 1, length + 1)
            length = space if space > length // 2 else length
        done.append(text[:length].rstrip())
        text = text[length:].lstrip()
    return done


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: float) -> int:
    """How many leading characters fit into `width` pixels; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle - 1)
    return low


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib carries, so that captions look the same on every machine."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ImportError("matplotlib is a dependency of offgraph and is missing: pip install matplotlib")
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
