"""Arrays of `numpy.ma` hide values behind a mask, which NumPy drops without a word: they are refused at every door."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import offgraph as og
from offgraph.objects import watershed
from offgraph.views.draw import overlay, to_rgb

MASK = np.zeros((6, 6), bool)
MASK[2, 3] = True
GREY = np.arange(36, dtype=np.uint8).reshape(6, 6)
IMAGE = np.ma.array(GREY, mask=MASK)
LABELS = np.ma.array(GREY.astype(np.int32), mask=MASK)
FLOATS = np.ma.array(GREY.astype(np.float64), mask=MASK)
COLOURS = np.ma.array(np.zeros((2, 6, 6, 3), np.uint8), mask=True)
FLIP = og.Compose([og.Flip("X")])


def _predictor() -> og.Predictor:
    def bright(batch):
        return batch

    return og.Predictor(
        bright, recipe=[og.Rescale(1 / 255)], task="segment", outputs="probabilities", input_shape=(None, None, 1),
        postprocess=[og.Threshold(0.5)], tiles=(4, 4), overlap=0,
    )  # fmt: skip


DOORS = {
    "Compose": lambda path: FLIP(image=IMAGE),
    "Compose, mask": lambda path: FLIP(image=GREY, mask=LABELS),
    "Compose, heatmap": lambda path: FLIP(image=GREY, heatmap=FLOATS),
    "Compose, boxes": lambda path: FLIP(image=GREY, boxes=np.ma.array([[0, 1, 2, 3.0]], mask=True)),
    "Compose, points": lambda path: FLIP(image=GREY, points=np.ma.array([[0, 1.0]], mask=True)),
    "Image": lambda path: og.Image(IMAGE),
    "Mask": lambda path: og.Mask(LABELS),
    "Heatmap": lambda path: og.Heatmap(FLOATS),
    "undo": lambda path: FLIP(image=GREY).frame.undo(mask=LABELS),
    "Lambda": lambda path: og.Compose([og.Lambda(_masking)])(image=GREY),
    "imwrite": lambda path: og.imwrite(path / "a.tif", IMAGE),
    "show": lambda path: og.show(IMAGE),
    "compare": lambda path: og.compare(IMAGE, "MedianFilter.size=1,3", path / "a.html"),
    "to_rgb": lambda path: to_rgb(IMAGE),
    "overlay": lambda path: overlay(GREY, LABELS),
    "Predictor": lambda path: _predictor()(IMAGE),
    "Predictor, several": lambda path: _predictor()([GREY, IMAGE]),
    "Predictor.to_file": lambda path: _predictor().to_file(IMAGE, path / "a.npy"),
    "measure": lambda path: og.measure(LABELS),
    "measure, image": lambda path: og.measure(GREY.astype(np.int32), image=FLOATS),
    "watershed": lambda path: watershed(FLOATS, GREY.astype(np.int32)),
    "watershed, markers": lambda path: watershed(GREY.astype(float), LABELS),
    "ImageDataGenerator.flow": lambda path: og.ImageDataGenerator().flow(COLOURS),
    "ImageDataGenerator.fit": lambda path: og.ImageDataGenerator(featurewise_center=True).fit(COLOURS),
    "ImageDataGenerator.random_transform": lambda path: og.ImageDataGenerator().random_transform(COLOURS[0]),
}


def _masking(image: np.ndarray) -> np.ndarray:
    return np.ma.masked_less(image, 5)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_masked_array_is_refused_with_what_to_do(door, tmp_path):
    with pytest.raises(og.OffgraphError, match=r"masked array.*\.filled\("):
        door(tmp_path)
    assert not list(tmp_path.iterdir())


@given(
    values=hnp.arrays(np.uint8, (4, 5)),
    mask=hnp.arrays(np.bool_, (4, 5)),
    fill=st.integers(0, 255),
)
def test_the_advice_holds(values, mask, fill):
    """Filled, and the mask beside it, both move together: nothing is lost."""
    masked = np.ma.array(values, mask=mask)
    out = FLIP(image=masked.filled(fill), mask=np.ma.getmaskarray(masked))
    np.testing.assert_array_equal(out.image, np.where(mask, fill, values)[:, ::-1])
    np.testing.assert_array_equal(out.mask, mask[:, ::-1])
