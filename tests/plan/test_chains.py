"""Random chains as users meet them: masks, the way back, image and mask on one grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import offgraph as og

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

SIZE = (61, 70)
MODES = st.sampled_from(["constant", "nearest", "reflect", "mirror", "grid-wrap"])
KEYS = st.builds(og.Key, st.integers(0, 99))


def whole_pixels(mode: st.SearchStrategy[str], fill: int = 9) -> st.SearchStrategy[og.Step]:
    return st.one_of(
        st.builds(og.Flip, st.sampled_from("XY"), p=st.sampled_from([1.0, 0.5])),
        st.builds(og.CenterCrop, st.sampled_from([40, "90%", (66, 50)]), pad=st.just(True), mode=mode),
        st.builds(og.RandomCrop, st.sampled_from(["80%", ("100%", "70%")])),
        st.builds(og.Pad, st.integers(0, 5), mode=mode, mask_cval=st.just(fill)),
    )


WHOLE = whole_pixels(MODES)


def resampling(mode: st.SearchStrategy[str]) -> st.SearchStrategy[og.Step]:
    rule: dict[str, Any] = {"mode": mode, "mask_cval": st.just(0)}
    return st.one_of(
        st.builds(og.Rotate, st.floats(-45, 45), **rule),
        st.builds(og.Affine, scale=st.floats(0.85, 1.3), shear=st.floats(-0.15, 0.15), **rule),
        st.builds(og.Affine, translate=st.tuples(st.floats(-5, 5), st.floats(-5, 5)), **rule),
        st.builds(og.Zoom, st.sampled_from([1.25, 0.9]), order=st.just(1), **rule),
        st.builds(og.Resize, scale=st.sampled_from([0.8, 1.3])),
    )


def chains(*kinds: st.SearchStrategy[og.Step]) -> st.SearchStrategy[list[og.Step]]:
    return st.lists(st.one_of(*kinds), min_size=1, max_size=8)


def discs(size: tuple[int, ...] = SIZE) -> np.ndarray:
    """Labels 1 to 5 of discs apart from each other."""
    down, right = np.indices(size)
    labels = np.zeros(size, np.uint8)
    for label, (y, x, radius) in enumerate(
        [(15, 15, 9), (40, 20, 11), (20, 50, 12), (48, 52, 9), (35, 38, 5)], 1
    ):
        labels[(down - y) ** 2 + (right - x) ** 2 <= radius**2] = label
    return labels


def near_boundaries(labels: np.ndarray, reach: int = 1) -> np.ndarray:
    """Pixels with another label within `reach` pixels, or the image's border."""
    size = 2 * reach + 1
    least = ndimage.minimum_filter(labels.astype(int), size, mode="constant", cval=-1)
    return least != ndimage.maximum_filter(labels.astype(int), size, mode="constant", cval=99)


@settings(max_examples=60, deadline=None)
@given(steps=chains(WHOLE), key=KEYS, fuse=st.booleans())
def test_whole_pixels_come_back_wherever_they_are_seen(steps: list[og.Step], key: og.Key, fuse: bool):
    """Every pixel that the output shows has its own label again; the rest is 0."""
    labels = np.arange(1, 1 + SIZE[0] * SIZE[1], dtype=np.uint32).reshape(SIZE)
    out = og.Compose(steps, fuse=fuse)(image=labels.astype(np.float64), mask=labels, key=key)
    np.testing.assert_array_equal(out.image[out.mask > 9], out.mask[out.mask > 9])
    back = out.frame.undo(mask=out.mask)
    shown = back > 0
    np.testing.assert_array_equal(back[shown], labels[shown])
    if all(getattr(step, "mode", "constant") == "constant" for step in steps):
        assert (back > 9).sum() == (out.mask > 9).sum()


@settings(max_examples=40, deadline=None)
@given(steps=chains(WHOLE, resampling(MODES)), key=KEYS, fuse=st.booleans())
def test_labels_are_a_subset(steps: list[og.Step], key: og.Key, fuse: bool):
    labels = discs() * 7
    out = og.Compose(steps, fuse=fuse)(image=labels, mask=labels, key=key)
    assert out.mask.shape == out.image.shape and out.mask.dtype == labels.dtype
    assert set(np.unique(out.mask).tolist()) <= {*np.unique(labels).tolist(), 0, 9}


@settings(max_examples=40, deadline=None)
@given(steps=chains(WHOLE, resampling(st.just("constant"))), key=KEYS)
def test_a_mask_comes_back_but_for_boundaries(steps: list[og.Step], key: og.Key):
    """A pixel that comes back wrong lies at most three pixels from another label, or from where the output ends."""
    labels = discs() + 1
    out = og.Compose(steps)(image=labels, mask=labels, key=key)
    back = out.frame.undo(mask=out.mask)
    seen = np.isin(back, np.unique(labels))
    wrong = seen & (back != labels)
    edge = near_boundaries(labels, 3) | ndimage.binary_dilation(~seen, iterations=3)
    assert not (wrong & ~edge).any()


@settings(max_examples=40, deadline=None)
@given(
    steps=chains(whole_pixels(st.just("constant"), fill=0), resampling(st.just("constant"))),
    key=KEYS,
    label=st.integers(1, 5),
)
def test_image_and_mask_stay_aligned(steps: list[og.Step], key: og.Key, label: int):
    """An object drawn into the image lies where its label lies, but for pixels at its boundary."""
    mask = (discs() == label).astype(np.uint8)
    out = og.Compose(steps)(image=mask.astype(np.float64), mask=mask, key=key)
    drawn, labelled = out.image > 0.5, out.mask == 1
    assert not ((drawn != labelled) & ~near_boundaries(labelled, 2)).any()
    if (
        labelled.sum() > 30
        and not labelled[near_boundaries(np.zeros_like(mask, shape=labelled.shape), 6)].any()
    ):
        np.testing.assert_allclose(
            ndimage.center_of_mass(out.image), ndimage.center_of_mass(labelled), atol=0.75
        )


def test_labels_read_once_are_as_right_as_in_one_step():
    """On discs known as formulas: after a chain, after its composed map in one step, and step by step."""
    chain = [og.Resize((90, 100)), og.Rotate(20), og.Resize((64, 70)), og.Affine(shear=0.15), og.Flip()]
    labels = discs((61, 70))
    wrong = {}
    for fuse in (True, False):
        out = og.Compose(chain, fuse=fuse)(image=labels, mask=labels)
        rows, columns = np.indices(out.mask.shape)
        places = out.frame.map(np.stack([rows, columns], axis=-1).astype(float))
        ideal = np.zeros(out.mask.shape, np.uint8)
        for label, (y, x, radius) in enumerate(
            [(15, 15, 9), (40, 20, 11), (20, 50, 12), (48, 52, 9), (35, 38, 5)], 1
        ):
            inside = (places[..., 0] - y) ** 2 + (places[..., 1] - x) ** 2 <= radius**2
            ideal[inside] = label
        cut = np.any((places < 6) | (places > np.array(SIZE) - 7), axis=-1)
        objects = (ideal > 0) & ~cut
        wrong[fuse] = (out.mask != ideal)[objects].mean()
    assert wrong[True] < 0.035 < 0.04 < wrong[False]
