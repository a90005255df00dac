"""Borders that stay: where no step shows anything outside its input, no fill value appears, in any chain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.plan.test_bent_chains import chains
from tests.plan.test_fuse import SIZE, planned

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.geometry import DisplacementMap
from offgraph.plan.fuse import fuse

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")


def staying() -> st.SearchStrategy[og.Step]:
    """Steps of mode 'constant' that read the input between the centres of its border pixels only."""
    return st.one_of(
        st.builds(og.Flip, st.sampled_from("XY")),
        st.builds(og.Rotate, st.sampled_from([90.0, -90.0, 180.0]), reshape=st.just(True)),
        st.builds(og.CenterCrop, st.sampled_from(["80%", ("100%", "60%")])),
        st.builds(og.RandomCrop, st.sampled_from(["90%", ("70%", "100%")])),
        st.builds(og.GridDistortion, st.sampled_from([0.2, 0.4]), cells=st.integers(2, 6)),
        FIXED,
    )


FIXED = st.builds(
    og.Elastic, st.sampled_from([0.5, 1.0, "2%"]), nodes=st.integers(2, 4), fixed_border=st.just(True)
)
STAYING = st.tuples(st.lists(staying(), max_size=3), FIXED, st.lists(staying(), max_size=3)).map(
    lambda parts: [*parts[0], parts[1], *parts[2]]
)
KEYS = st.builds(og.Key, st.integers(0, 1 << 20))


@settings(max_examples=60, deadline=None)
@given(
    steps=STAYING,
    size=st.tuples(st.integers(14, 60), st.integers(14, 60)),
    key=KEYS,
    fused=st.booleans(),
)
def test_nothing_is_filled_where_every_border_stays(steps, size, key, fused):
    ones = np.ones(size)
    recipe = og.Compose(steps, fuse=fused)
    out = recipe(image=ones, mask=ones.astype(np.uint8), heatmap=ones.astype(np.float32), key=key)
    np.testing.assert_allclose(out.image, 1, rtol=1e-12)
    assert out.mask.all()
    if not any(
        isinstance(step, og.Pad) for step in steps
    ):  # between a pixel and its copy a heatmap is read as outside
        np.testing.assert_allclose(out.heatmap, 1, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(steps=chains(st.just(1), st.just("constant")), key=KEYS)
def test_image_and_labels_end_at_the_same_pixels(steps, key):
    """Where a chain is one reading of the image, exactly the pixels without a label are filled."""
    ones = np.ones(SIZE)
    assume(len(fuse(planned(steps, ArraySpec(SIZE, "float64", "YX")))) == 1)
    # Of crops and pads, which copy whole pixels, labels end at the pixels' edges.
    assume(not any(isinstance(step, og.Pad | og.CenterCrop | og.RandomCrop) for step in steps))
    assume(
        all(
            getattr(step, "cval", 0) == 0 and getattr(step, "mode", "constant") == "constant"
            for step in steps
        )
    )
    out = og.Compose(steps)(image=ones, mask=ones.astype(np.uint8), key=key)
    np.testing.assert_array_equal(out.image != 0, out.mask != 0)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(4))
def test_a_field_of_zeros_at_the_border_moves_nothing_there(order, seed):
    rng = np.random.default_rng(seed)
    size, nodes = tuple(rng.integers(9, 80, 2).tolist()), rng.integers(3, 8, 2)
    field = np.zeros((2, *nodes))
    field[:, 1:-1, 1:-1] = rng.normal(0, 3, (2, *(nodes - 2)))
    step = DisplacementMap(field, size, size, order)
    pixels = np.indices(size)
    border = np.ones(size, bool)
    border[1:-1, 1:-1] = False
    on_it = pixels[:, border]
    assert (step.coordinates()[:, border] == on_it).all()
    assert (step.pull(on_it.astype(np.float64)) == on_it).all()
    if not step.may_fold:
        assert (step.push(on_it.astype(np.float64)) == on_it).all()


def test_rounding_does_not_carry_a_composed_coordinate_over_the_border():
    """(0.1 + 0.2) - 0.3 is not 0: a crop of a resized image, read where its first pixel lies on the border."""
    field = np.zeros((2, 3, 3))
    field[:, 1, 1] = 0.5
    bent = DisplacementMap(field, (20, 20), (20, 20))
    for shift in (0.1, 0.3, 0.7):
        there = og.AffineMap(np.eye(2), (shift, shift), (20, 20), (20, 20))
        again = og.AffineMap(np.eye(2), (-shift - 1e-12, -shift + 1e-12), (20, 20), (20, 20))
        whole = there.then(bent).then(again)
        places = there.then(again).then(bent).coordinates()
        assert places.min() >= 0 and places.max() <= 19
        assert whole.coordinates().shape == (2, 20, 20)
    outside = og.AffineMap(np.eye(2), (-1e-8, 0), (20, 20), (20, 20)).then(bent).coordinates()
    assert outside.min() == -1e-8
