"""What holds for every target after any chain of one to eight geometric steps of the registry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.step_chains import (
    DISCS,
    KEYS,
    MODES,
    WHOLE,
    discs_at,
    from_inside,
    near_boundaries,
    pixels,
    step_chains,
    steps,
)

import offgraph as og
from offgraph.geometry import Frame
from offgraph.steps.kinds import GeometricStep

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")

SIZE = (61, 70)
DISC_LABELS = discs_at(pixels(SIZE))
CENTRES = np.array([place[:2] for place in DISCS], float)


@pytest.mark.parametrize("n", [2, 3])
def test_the_chains_have_every_geometric_step(n: int):
    known = {
        name
        for name, cls in og.STEPS.items()
        if issubclass(cls, GeometricStep) and n in cls.dimensions and not cls.draws_from
    }  # those that draw from a target are in test_target_view.py
    known.remove("GridShuffle")  # its map jumps, so it is continuous nowhere: test_grid_shuffle.py
    assert steps(n=n).keys() == known, "add the new step to tests/support/step_chains.py"


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(MODES), key=KEYS, fuse=st.booleans())
def test_labels_are_a_subset(chain: list[og.Step], key: og.Key, fuse: bool):
    labels = DISC_LABELS.astype(np.int64) << 40
    out = og.Compose(chain, fuse=fuse)(image=DISC_LABELS, mask=labels, key=key)
    assert out.mask.shape == out.image.shape and out.mask.dtype == labels.dtype
    assert set(np.unique(out.mask).tolist()) <= set(np.unique(labels).tolist())


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(), key=KEYS, label=st.integers(1, 5))
def test_image_heatmap_and_mask_stay_aligned(chain: list[og.Step], key: og.Key, label: int):
    """An object drawn into image and heatmap lies where its label lies, but for pixels at its boundary."""
    mask = (label == DISC_LABELS).astype(np.uint8)
    out = og.Compose(chain)(
        image=mask.astype(np.float64), mask=mask, heatmap=mask.astype(np.float32), key=key
    )
    near = near_boundaries(out.mask, 2)
    for drawn in (out.image, out.heatmap):
        assert not (((drawn > 0.5) != (out.mask == 1)) & ~near).any()


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(MODES), key=KEYS)
def test_a_box_contains_its_object(chain: list[og.Step], key: og.Key):
    """Every pixel with the object's label that no border repeats; boxes of a mask are its bounds."""
    tight = og.Boxes.of_labels(og.Mask(DISC_LABELS))
    loose = og.Boxes(tight.array, size=SIZE, labels=tight.labels)
    out = og.Compose(chain)(image=DISC_LABELS, mask=DISC_LABELS, boxes=loose, tight=tight, key=key)
    own = from_inside(out.frame)
    for label in range(1, 6):
        places = np.argwhere((out.mask == label) & own)
        if len(places):
            low, high = out.boxes.edges[out.boxes.labels.tolist().index(label)].reshape(2, 2)
            assert (places >= low - 1e-6).all() and (places <= high + 1e-6).all()
        places = np.argwhere(out.mask == label)
        if len(places) and own[out.mask == label].all():
            edges = out.tight.edges[out.tight.labels.tolist().index(label)]
            np.testing.assert_array_equal(edges, [*(places.min(axis=0) - 0.5), *(places.max(axis=0) + 0.5)])


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(MODES), key=KEYS, seed=st.integers(0, 999))
def test_points_come_back(chain: list[og.Step], key: og.Key, seed: int):
    """Within 1e-6 pixels where lines stay lines, within 1e-3 where a step bends."""
    given_places = np.random.default_rng(seed).uniform(-0.5, np.array(SIZE) - 0.5, (30, 2))
    points = og.Points(np.concatenate([CENTRES, given_places]), size=SIZE)
    out = og.Compose(chain)(image=DISC_LABELS, points=points, key=key)
    seen = out.points.visible
    back = out.frame.undo(points=out.points)
    straight = all(step.preserves_lines for step in out.frame.maps)
    far = np.abs(back.places[seen] - points.places[seen]).max(initial=0)
    assert far < (1e-6 if straight else 1e-3)
    # Where a point goes, its pixel went: the middle of a disc has the disc's label.
    if all(getattr(step, "mode", "constant") == "constant" for step in chain):
        shown = out.frame.undo(mask=og.Compose(chain)(image=DISC_LABELS, mask=DISC_LABELS, key=key).mask)
        for label, place in enumerate(CENTRES.astype(int), 1):
            assert not seen[label - 1] or shown[tuple(place)] in (label, 0)


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(MODES, WHOLE), key=KEYS, fuse=st.booleans())
def test_whole_pixels_come_back_wherever_they_are_valid(chain: list[og.Step], key: og.Key, fuse: bool):
    labels = np.arange(1, 1 + SIZE[0] * SIZE[1], dtype=np.uint32).reshape(SIZE)
    out = og.Compose(chain, fuse=fuse)(image=labels.astype(np.float64), mask=labels, key=key)
    back, valid = out.frame.undo(mask=out.mask), out.frame.valid()
    np.testing.assert_array_equal(back, np.where(valid, labels, 0))


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(st.sampled_from(["constant", "nearest"])), key=KEYS)
def test_a_mask_comes_back_but_for_boundaries(chain: list[og.Step], key: og.Key):
    labels = DISC_LABELS + 1
    out = og.Compose(chain)(image=labels, mask=labels, key=key)
    back, valid = out.frame.undo(mask=out.mask), out.frame.valid()
    assert not back[~valid].any()
    # A pixel of the output stands for as many of the original as the chain shrinks it.
    shrunk = max(1.0, scale_of(out.frame, valid))
    wrong = valid & (back != labels)
    assert not (wrong & ~near_boundaries(labels, int(np.ceil(shrunk)), valid)).any()


def scale_of(frame: Frame, valid: np.ndarray) -> float:
    """Original pixels that one pixel of the output is at most, along an axis."""
    places = pixels(frame.output_size)[::2, ::2]
    with np.errstate(invalid="ignore"):
        derivative = np.abs(frame.map.jacobian(places)).sum(axis=-1)
        at = np.nan_to_num(frame.map(places), nan=-9e9)
    inside = ((at >= -1) & (at <= valid.shape)).all(axis=-1)
    return float(np.nanmax(derivative[inside], initial=1))


@settings(max_examples=50, deadline=None)
@given(chain=step_chains(), key=KEYS)
def test_labels_are_those_of_the_composed_map_in_one_step(chain: list[og.Step], key: og.Key):
    """On discs known as formulas a chain is as often wrong as one reading through its map."""
    out = og.Compose(chain)(image=DISC_LABELS, mask=DISC_LABELS, key=key)
    own = from_inside(out.frame)
    places = out.frame.map(pixels(out.frame.output_size))
    nearest = np.nan_to_num(np.floor(places + (0.5 + 1e-9)), nan=0)
    index = np.clip(nearest, 0, np.array(SIZE) - 1).astype(int)
    once = DISC_LABELS[index[..., 0], index[..., 1]]
    tie = (np.abs(places - np.floor(places) - 0.5) < 1e-6).any(axis=-1)
    assert not ((out.mask != once) & own & ~tie).any()
    truth = discs_at(np.nan_to_num(places))
    wrong, wrong_once = ((found != truth) & own for found in (out.mask, once))
    assert wrong.sum() <= wrong_once.sum() + (tie & own).sum()
    # Half a pixel about a rim is all that rounding a place may get wrong.
    sure = np.ones(own.shape, bool)
    for y, x, radius in DISCS:
        rim = np.abs(np.hypot(places[..., 0] - y, places[..., 1] - x) - np.sqrt(radius**2 + 0.5))
        sure &= ~(rim <= np.sqrt(0.5) + 1e-6)
    assert not (wrong & sure).any()


def test_how_often_a_mask_comes_back():
    """Of forty chains: all pixels but those beside another label or the border of what is shown; of these 99 %."""
    recipe = og.Compose(
        [
            og.Resize((72, 80)),
            og.Rotate((-30, 30)),
            og.Elastic(("1%", "4%")),
            og.Affine(scale=(0.9, 1.2), shear=(-0.1, 0.1)),
            og.GridDistortion(0.3),
            og.Perspective(0.06),
            og.Flip("X", p=0.5),
            og.RandomCrop("90%"),
        ]
    )
    counts: Any = np.zeros(4, int)
    for index in range(40):
        out = recipe(image=DISC_LABELS, mask=DISC_LABELS, key=og.Key(index=index))
        back, valid = out.frame.undo(mask=out.mask), out.frame.valid()
        wrong, near = valid & (back != DISC_LABELS), near_boundaries(DISC_LABELS, 1, valid)
        counts += [(valid & near).sum(), (wrong & near).sum(), (valid & ~near).sum(), (wrong & ~near).sum()]
    assert counts[3] == 0 and counts[2] > 60_000
    assert counts[1] / counts[0] < 0.012


# Volumes


@settings(max_examples=25, deadline=None)
@given(chain=step_chains(n=3, most=5), key=KEYS)
def test_volumes_keep_the_same_properties(chain: list[og.Step], key: og.Key):
    size = (12, 22, 24)
    labels = np.zeros(size, np.uint16)
    for label, (middle, radius) in enumerate([((5, 8, 8), 5), ((7, 14, 17), 4)], 1):
        labels[((pixels(size) - middle) ** 2).sum(-1) <= radius**2] = label * 1000
    tight = og.Boxes.of_labels(og.Mask(labels, "ZYX"))
    loose = og.Boxes(tight.array, size=size, labels=tight.labels)
    centres = og.Points([[5, 8, 8], [7, 14, 17]], size=size)
    out = og.Compose(chain)(image=labels, mask=labels, boxes=loose, points=centres, axes="ZYX", key=key)
    assert set(np.unique(out.mask).tolist()) <= {0, 1000, 2000}
    own = from_inside(out.frame)
    for label in (1000, 2000):
        places = np.argwhere((out.mask == label) & own)
        if len(places):
            low, high = out.boxes.edges[out.boxes.labels.tolist().index(label)].reshape(2, 3)
            assert (places >= low - 1e-6).all() and (places <= high + 1e-6).all()
    seen = out.points.visible
    back = out.frame.undo(points=out.points)
    straight = all(step.preserves_lines for step in out.frame.maps)
    np.testing.assert_allclose(
        back.places[seen], centres.places[seen], rtol=0, atol=1e-6 if straight else 1e-3
    )
    returned, valid = out.frame.undo(mask=out.mask), out.frame.valid()
    wrong = valid & (returned != labels)
    assert not (wrong & ~near_boundaries(labels, 2, valid)).any()
