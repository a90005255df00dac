"""Labels are looked up by an exact rule: floor(x + 1/2), where the grid gives the coordinate x as a fraction."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from scipy import ndimage as scipy_ndimage

import offgraph as og
from offgraph.engine.resize import KERNELS
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

SIZES = range(1, 80)
PAIRS = [(n, m) for n in SIZES for m in SIZES]


def exact(n: int, m: int) -> np.ndarray:
    """Pixel floor((2 i + 1) n / (2 m)) for every i, by Python's whole numbers."""
    return np.array([(2 * i + 1) * n // (2 * m) for i in range(m)])


def corners(n: int, m: int) -> np.ndarray:
    half = Fraction(1, 2)
    return np.array([floor(Fraction(i * (n - 1), m - 1) + half) if m > 1 else 0 for i in range(m)])


def column(n: int) -> Mask:
    """A mask of one column whose labels are their rows, from 1."""
    return Mask(np.arange(1, n + 1, dtype=np.int32)[:, np.newaxis])


def moved(step: og.Resize | og.Zoom, n: int, **params: float) -> np.ndarray:
    """Rows that a mask of rows takes; wide enough for a zoom to leave a column between the outermost."""
    width = int(1 / params.get("factor", 1)) + 2
    out = step.apply_mask(Mask(np.broadcast_to(column(n).array, (n, width))), params).array
    return out[:, out.shape[1] // 2] - 1


def test_the_rule_at_a_tie():
    """4 -> 14: the coordinates of pixels 3 and 10 fall on 3.5 / 14 * 4 = 1 and 3, the border of two pixels."""
    assert moved(og.Resize((14, 1)), 4).tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]


def test_resize_of_masks_in_all_pairs_of_sizes():
    wrong = [(n, m) for n, m in PAIRS if not np.array_equal(moved(og.Resize((m, 1)), n), exact(n, m))]
    assert wrong == []


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint64"])
def test_every_dtype_and_axis_has_one_rule(dtype):
    mask = (np.arange(4 * 5 * 7).reshape(4, 5, 7) % 2).astype(dtype)
    out = og.Resize((14, 12, 3)).apply_mask(Mask(mask, "ZYX"), {}).array
    np.testing.assert_array_equal(out, mask[np.ix_(exact(4, 14), exact(5, 12), exact(7, 3))])
    assert out.dtype == mask.dtype


def test_the_image_takes_the_pixel_that_its_mask_takes():
    """The box kernel without antialiasing is nearest neighbour: image and mask agree, in all pairs of sizes."""
    wrong = []
    for n, m in PAIRS:
        step = og.Resize((m, 1), kernel="box", antialias=False)
        image = step.apply(Image(column(n).array.astype(np.float64)), {}).array[:, 0] - 1
        if not np.array_equal(image, exact(n, m)):
            wrong.append((n, m))
    assert wrong == []


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_a_label_stays_where_its_image_is(kernel):
    """Half bright, half dark, at any even sizes: the label and the image change at the same row."""
    for n, m in PAIRS[::3]:
        if n % 2 == 0 and m % 2 == 0:
            half = (np.arange(n) >= n // 2).astype(np.float64)[:, np.newaxis]
            step = og.Resize((m, 1), kernel=kernel)
            labels = step.apply_mask(Mask(half.astype(np.uint8)), {}).array
            np.testing.assert_array_equal(step.apply(Image(half), {}).array > 0.5, labels == 1)


@pytest.mark.filterwarnings("ignore:Zoom. with mode=.constant")
def test_zoom_of_masks_on_corners_in_all_pairs_of_sizes():
    """SciPy's order 0 breaks ties by rounding in 49 of them, and loses the last row in 126."""
    wrong = [
        (n, m) for n, m in PAIRS if not np.array_equal(moved(og.Zoom(m / n), n, factor=m / n), corners(n, m))
    ]
    assert wrong == []


@pytest.mark.filterwarnings("ignore:It is recommended to use mode", "ignore:Zoom. with grid=.pixels")
@pytest.mark.parametrize(
    "mode", ["nearest", "reflect", "mirror", "grid-wrap", "grid-constant", "grid-mirror", "wrap", "constant"]
)
def test_zoom_of_masks_on_pixels_is_scipys_but_for_ties(mode):
    """SciPy's order 0, but for pixels whose coordinate is a tie, or on the border, by the exact fraction."""
    for n, m in PAIRS[::3]:
        ours = moved(og.Zoom(m / n, grid="pixels", mode=mode), n, factor=m / n)
        scipys = scipy_ndimage.zoom(np.arange(1, n + 1), m / n, order=0, mode=mode, grid_mode=True) - 1
        for i in np.flatnonzero(ours != scipys):
            place = Fraction((2 * int(i) + 1) * n, 2 * m)
            assert place.denominator == 1 or place in (Fraction(1, 2), n - Fraction(1, 2)), (n, m, i)
            assert place.denominator != 1 or ours[i] == place


def test_the_way_back_of_masks_in_all_pairs_of_sizes():
    wrong = []
    for n, m in PAIRS:
        way = og.Frame((og.Resize((m, 1)).map({}, column(n).spec),))
        for dtype in ("int32", "int64") if m % 8 == 0 else ("int32",):  # the wide one goes through indices
            back = way.undo(mask=column(m).array.astype(dtype))[:, 0] - 1
            if not np.array_equal(back, exact(m, n)):
                wrong.append((n, m, dtype))
    assert wrong == []


def test_enlarged_masks_come_back_as_they_were():
    for n, m in PAIRS[::5]:
        if m >= n:
            out = og.Compose([og.Resize((m, 3))])(
                image=np.zeros((n, 3), np.uint8), mask=np.tile(column(n).array, 3)
            )
            np.testing.assert_array_equal(out.frame.undo(mask=out.mask), np.tile(column(n).array, 3))


def test_the_way_back_of_two_resizes_is_exact():
    """The fractions of a chain are those of the product of its lengths."""
    for n, k, m in ((4, 14, 6), (30, 7, 50), (79, 64, 48), (512, 300, 299)):
        first, second = og.Resize((k, 1)), og.Resize((m, 1))
        way = og.Frame((first.map({}, column(n).spec), second.map({}, column(k).spec)))
        back = way.undo(mask=column(m).array)[:, 0] - 1
        np.testing.assert_array_equal(back, exact(m, n))


@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90, 360, 450])
def test_quarter_turns_of_masks_are_exact(angle):
    """Where one side is odd and the other even, every centre falls between two pixels: the later one is taken."""
    half = Fraction(1, 2)
    cosine, sine = {0: (1, 0), 1: (0, 1), 2: (-1, 0), 3: (0, -1)}[angle // 90 % 4]
    for height, width in ((1, 1), (2, 3), (3, 2), (4, 7), (5, 5), (8, 3)):
        mask = np.arange(1, height * width + 1, dtype=np.int64).reshape(height, width)
        for dtype in ("uint8", "int64"):
            out = og.Rotate(angle).apply_mask(Mask(mask.astype(dtype)), {"angle": float(angle)}).array
            centre = Fraction(height - 1, 2), Fraction(width - 1, 2)
            for row in range(height):
                for col in range(width):
                    down, right = row - centre[0], col - centre[1]
                    y = cosine * down + sine * right + centre[0]
                    x = -sine * down + cosine * right + centre[1]
                    inside = 0 <= y <= height - 1 and 0 <= x <= width - 1
                    label = mask[floor(y + half), floor(x + half)] if inside else 0
                    assert out[row, col] == label, (angle, height, width, row, col)


def test_shifts_by_half_a_pixel_take_the_later_one():
    mask = np.arange(1, 7, dtype=np.uint8)[:, np.newaxis]
    for shift, rows in ((0.5, [0, 2, 3, 4, 5, 6]), (-0.5, [2, 3, 4, 5, 6, 0])):
        out = og.Affine(translate=(shift, 0)).apply_mask(
            Mask(mask), {"scale": 1.0, "shear": 0.0, "rotate": 0.0, "translate": [shift, 0.0]}
        )
        assert out.array[:, 0].tolist() == rows
