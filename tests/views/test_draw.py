"""Arrays to images: what is shown is what the arrays hold, and captions never break out of their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import data

from offgraph.core.errors import StepError
from offgraph.views import draw, fonts, sheets
from offgraph.views.text import shorten

VERMILION = (213, 94, 0)


def test_uint8_is_shown_as_it_is_and_copied():
    image = data.astronaut()
    shown = draw.to_rgb(image)
    assert np.array_equal(shown, image) and not np.shares_memory(shown, image)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (np.array([[False, True]]), [0, 255]),
        (np.array([[100, 4095]], np.uint16), [0, 255]),
        (np.array([[-3, 0, 3]], np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[0.25, 0.5]], np.float32), [64, 128]),
        (np.array([[-2.0, 2.0]]), [0, 255]),
        (np.array([[np.nan, -1.0, 3.0, np.inf, -np.inf]]), [0, 0, 255, 255, 0]),
        (np.array([[7.0, 7.0]]), [0, 0]),
        (np.array([[-np.finfo(np.float64).max, np.finfo(np.float64).max]]), [0, 255]),
        (np.array([[np.nan]]), [0]),
        (np.array([[0, 2**64 - 1]], np.uint64), [0, 255]),
    ],
)
def test_display_range_is_the_stated_one(values, shown):
    assert draw.to_rgb(values)[0, :, 0].tolist() == shown


def test_a_given_range_clips():
    shown = draw.to_rgb(np.array([[0, 100, 200, 300]], np.uint16), range=(100, 200))
    assert shown[0, :, 0].tolist() == [0, 0, 255, 255]
    assert draw.to_rgb(np.array([[10, 20]], np.uint8), range=(10, 20))[0, :, 1].tolist() == [0, 255]


def test_volumes_series_and_channels():
    volume = np.zeros((5, 4, 6), np.uint8)
    volume[2] = 9
    assert (draw.to_rgb(volume, "ZYX") == 9).all()
    series = np.stack([np.full((4, 6), value, np.uint8) for value in (1, 2)])
    assert (draw.to_rgb(series, "TYX") == 1).all()
    channels = np.arange(7 * 2 * 3, dtype=np.uint8).reshape(7, 2, 3)
    assert np.array_equal(draw.to_rgb(channels, "CYX"), np.moveaxis(channels[:3], 0, -1))
    two = np.full((2, 2, 2), 50, np.uint8)
    assert draw.to_rgb(two)[0, 0].tolist() == [50, 50, 0]
    with pytest.raises(StepError, match="axes="):
        draw.to_rgb(np.zeros((3, 4, 7)))
    with pytest.raises(StepError, match="complex64"):
        draw.to_rgb(np.zeros((3, 4), np.complex64))


REAL = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(32, 64)),
)
SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6)


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("error")
def test_any_values_are_shown_without_a_warning(drawn):
    """Extremes, NaN, infinities, no pixels at all: black stays the lowest and white the highest."""
    image = drawn.draw(hnp.arrays(drawn.draw(REAL), drawn.draw(SIZES)))
    shown = draw.to_rgb(image)
    assert shown.dtype == np.uint8 and shown.shape == (*image.shape, 3)
    finite = np.isfinite(image)
    values, grey = image[finite], shown[finite][:, 0]
    order = np.argsort(values, kind="stable")
    assert (np.diff(grey[order].astype(int)) >= 0).all(), "a higher value is never darker"
    other = drawn.draw(hnp.arrays(image.dtype, image.shape))
    assert draw.difference(image, other).shape == shown.shape
    assert (draw.difference(image, image) == 255).all()
    assert draw.fit(shown, 20).ndim == 3


def test_no_pixels_is_no_crash():
    assert draw.to_rgb(np.zeros((0, 5), np.float32)).shape == (0, 5, 3)
    assert draw.fit(np.zeros((0, 5, 3), np.uint8), 50).shape == (1, 1, 3)
    assert draw.overlay(np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.int32)).shape == (0, 5, 3)


def test_overlay_colours_each_label_and_leaves_the_background_alone():
    image = data.coins()
    mask = np.zeros(image.shape, np.int64)
    mask[10:60, 10:60] = 1
    mask[10:60, 60:110] = 8  # the same colour as 1: only the line between them tells them apart
    mask[100:150, 10:60] = 2**40
    before = mask.copy()
    shown = draw.overlay(image, mask)
    assert np.array_equal(mask, before)
    assert np.array_equal(shown[mask == 0], draw.to_rgb(image)[mask == 0])
    assert (shown[30, 59] == draw.PALETTE[0]).all() and (shown[30, 60] == draw.PALETTE[0]).all()
    assert (shown[30, 30] != draw.PALETTE[0]).any()
    assert (shown[100, 30] == draw.PALETTE[(2**40 - 1) % 7]).all()
    filled = draw.overlay(image, mask == 1, opacity=1, outline=0)
    assert (filled[mask == 1] == draw.PALETTE[0]).all()


def test_overlay_numbers_are_drawn_at_the_objects():
    mask = np.zeros((200, 200), np.uint8)
    mask[20:60, 20:60] = 1
    image = np.zeros((200, 200), np.uint8)
    changed = draw.overlay(image, mask, numbers=True) != draw.overlay(image, mask)
    rows, columns = np.nonzero(changed.any(axis=-1))
    assert rows.size and abs(rows.mean() - 39.5) < 4 and abs(columns.mean() - 39.5) < 4


def test_overlay_says_what_does_not_fit():
    with pytest.raises(StepError, match=r"\(3, 4\).*\(4, 4\)"):
        draw.overlay(np.zeros((4, 4), np.uint8), np.zeros((3, 4), np.uint8))
    with pytest.raises(StepError, match="float64"):
        draw.overlay(np.zeros((4, 4), np.uint8), np.zeros((4, 4)))


def test_palette_stays_distinct_for_each_kind_of_colour_blindness():
    # Machado, Oliveira and Fernandes (2009), severity 1, on linear light.
    matrices = {
        "none": np.eye(3),
        "protan": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deutan": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    }
    linear = (draw.PALETTE / 255.0) ** 2.2
    for kind, matrix in matrices.items():
        seen = np.clip(linear @ np.asarray(matrix).T, 0, 1) ** (1 / 2.2) * 255
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[~np.eye(7, dtype=bool)]
        assert apart.min() > 25, (kind, apart.min())


def test_difference_shows_direction_and_amount():
    first = np.full((1, 4), 100, np.uint8)
    second = np.array([[100, 90, 110, 105]], np.uint8)  # wraps, if it were subtracted as uint8
    shown = draw.difference(first, second).astype(int)
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[0, 1, 2] > shown[0, 1, 0] and shown[0, 2, 0] > shown[0, 2, 2]
    assert shown[0, 2].sum() < shown[0, 3].sum() < 3 * 255
    assert np.array_equal(draw.difference(first, second, limit=1000.0)[0, 0], [255, 255, 255])
    colour = np.zeros((2, 2, 3))
    other = colour.copy()
    other[0, 0] = (0.1, -0.9, 0.2)
    assert draw.difference(colour, other)[0, 0].tolist() == [33, 102, 172]
    with pytest.raises(StepError, match=r"\(1, 4\).*\(2, 4\)"):
        draw.difference(first, np.zeros((2, 4), np.uint8))


def test_fit_shows_single_pixels_and_shrinks_without_dropping_lines():
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(draw.fit(small, 9), np.repeat(np.repeat(small, 4, axis=0), 4, axis=1))
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[::2] = 255
    assert (abs(draw.fit(stripes, 64).astype(int) - 128) <= 1).all()


def test_grid_marks_wrong_ones_by_more_than_colour():
    images = [np.full((8, 8), 128, np.uint8)] * 2
    right = sheets.grid(images, [0, 0], [0, 0], ["cat", "dog"])
    wrong = sheets.grid(images, [0, 1], [0, 0], ["cat", "dog"])
    unknown = sheets.grid(images, [None, None], [0, 0], ["cat", "dog"])
    assert right.shape == wrong.shape == unknown.shape

    def framed(shown: np.ndarray) -> np.ndarray:
        return (shown == VERMILION).all(axis=-1)

    assert framed(wrong).any() and not framed(right).any() and not framed(unknown).any()
    # Without colour: the wrong tile has more dark writing (its true class) than the right one.
    dark = (wrong.max(axis=-1) < 90).sum(axis=0)
    half = dark.size // 2
    assert dark[half:].sum() > 1.5 * dark[:half].sum()
    with pytest.raises(StepError, match="2 images"):
        sheets.grid(images, [0], [0, 0])


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "x" * 200,
        "two\nlines\x00and\ttabs",
        "日本語 עברית 🙂",
        "\udcff\udcfe",
        " ",
        "<img src=x onerror=alert(1)>.png",
    ],
)
def test_captions_of_any_kind_fit_under_their_image(caption):
    image = data.camera()
    shown = sheets.sheet([[(image, caption), (image, "after")], [(image[:20], caption)]], side=96)
    plain = sheets.sheet([[(image, ""), (image, "")], [(image[:20], "")]], side=96)
    assert shown.shape == plain.shape and shown.dtype == np.uint8
    if caption.strip():
        assert (shown != plain).any()


def test_sheet_of_nothing_is_empty_paper():
    assert (sheets.sheet([]) == 255).all()
    assert sheets.grid([], [], []).ndim == 3


def numbered(mask):
    """Which pixels the numbers of a mask change, on a black image."""
    image = np.zeros(mask.shape, np.uint8)
    return (draw.overlay(image, mask, numbers=True) != draw.overlay(image, mask)).any(axis=-1)


def test_numbers_stand_beside_objects_that_they_would_hide():
    mask = np.zeros((120, 120), np.uint8)
    mask[50:53, 50:54] = 1
    mask[10:12, 100:102] = 2
    mask[90:118, 10:60] = 3  # large: its number stands on it
    changed = numbered(mask)
    assert not changed[(mask == 1) | (mask == 2)].any()
    assert changed[mask == 3].any()
    for label, (row, column) in {1: (51.5, 52), 2: (11, 101)}.items():
        near = np.hypot(*(np.argwhere(changed) - (row, column)).T)
        assert near.min() < 12, f"number {label} stands beside its object"


def test_numbers_hide_no_neighbour_and_are_left_out_where_there_is_no_room():
    rng = np.random.default_rng(0)
    mask = np.zeros((90, 90), np.int64)
    at = [(row, column) for row in range(2, 86, 8) for column in range(2, 86, 8)]
    for label, (row, column) in enumerate(at, 1):
        mask[row : row + 2 + int(rng.integers(3)), column : column + 3] = label
    changed = numbered(mask)
    assert not changed[mask > 0].any()
    one = np.zeros((40, 40), np.uint8)
    one[15:18, 15:18] = 200
    assert numbered(one).any() and not numbered(one)[one > 0].any()


def test_a_number_hides_at_most_a_fifth_of_its_object():
    for side in range(2, 40):
        mask = np.zeros((100, 100), np.uint8)
        mask[40 : 40 + side, 40 : 40 + side] = 8
        assert numbered(mask)[mask > 0].mean() <= 0.2, side


def test_long_captions_are_shortened_in_the_middle():
    name = "patient-0017-" + "x" * 200 + "-slice-003-left.png"
    face = fonts.font(13)
    lines = fonts.wrapped(name, face, 150, 2)
    assert len(lines) == 2 and all(face.getlength(line) <= 150 for line in lines)
    shown = "".join(lines)
    assert shown.startswith("patient-0") and shown.endswith("-left.png") and shown.count("…") == 1
    assert len(shown) > 30
    assert fonts.wrapped("short name", face, 150, 2) == ["short name"]
    assert fonts.wrapped("", face, 150, 2) == []
    assert [shorten("abcdef", most) for most in (6, 5, 4, 3, 2, 1)] == [
        "abcdef", "ab…ef", "ab…f", "a…f", "a…", "…"
    ]  # fmt: skip
