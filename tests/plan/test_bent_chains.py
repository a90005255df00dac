"""Random chains with maps that bend or tilt an image, on every target: what holds for affine chains holds for these."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from tests.plan.test_chains import discs, near_boundaries
from tests.plan.test_fuse import KEY, SIZE, geometric, groups, local_range, noise, planned, run, smooth
from tests.plan.test_native import assert_same

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.plan import native
from offgraph.plan.fuse import fuse
from offgraph.plan.move import leg_of
from offgraph.plan.run import run_image
from offgraph.steps.ops import Resample
from offgraph.targets.image import Image

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

MODES = st.sampled_from(["constant", "constant", "nearest", "reflect", "mirror", "grid-wrap"])
KEYS = st.builds(og.Key, st.integers(0, 999))


def bending(mode: st.SearchStrategy[str], order: st.SearchStrategy[int]) -> st.SearchStrategy[og.Step]:
    """Steps whose maps are not affine; none of them folds the image."""
    rule: dict[str, Any] = {"order": order, "mode": mode}
    return st.one_of(
        st.builds(
            og.Elastic,
            st.sampled_from([1.0, 3.0, "4%"]),
            nodes=st.integers(3, 6),
            fixed_border=st.booleans(),
            **rule,
        ),
        st.builds(og.GridDistortion, st.sampled_from([0.2, 0.4]), cells=st.integers(2, 6), **rule),
        st.builds(og.Perspective, st.sampled_from([0.05, 0.12]), inwards=st.booleans(), **rule),
        st.builds(og.LensDistortion, st.floats(-0.2, 0.3), **rule),
    )


def chains(
    order: st.SearchStrategy[int], mode: st.SearchStrategy[str] = MODES
) -> st.SearchStrategy[list[og.Step]]:
    """One to eight steps, one at least of which bends; most of one mode, so that there is something to join."""
    steps = mode.flatmap(
        lambda one: st.tuples(
            st.lists(geometric(st.just(one), order) | bending(st.just(one), order), max_size=4),
            bending(st.just(one), order),
            st.lists(geometric(st.just(one), order) | bending(st.just(one), order), max_size=3),
        )
    )
    return steps.map(lambda parts: [*parts[0], parts[1], *parts[2]])


@settings(max_examples=50, deadline=None)
@given(steps=chains(st.sampled_from([0, 1, 3])), dtype=st.sampled_from(["uint8", "uint16", "float32"]))
def test_a_group_is_one_exact_resample_by_the_composed_map(steps: list[og.Step], dtype: str):
    spec = ArraySpec((*SIZE, 2), dtype, "YXC")
    chain = planned(steps, spec)
    fused = fuse(chain)
    image = Image(noise(spec.shape, dtype), "YXC")
    points = np.random.default_rng(0).uniform(2, 20, (9, 2))
    for each, members in zip(fused, groups(chain, fused)):
        op, out = each.op, each.op.run(image)
        if isinstance(op, Resample) and not isinstance(op.map, og.AffineMap):
            rule = op.resampling
            for channel in range(2):
                expected = ndimage.map_coordinates(
                    image.array[..., channel], np.nan_to_num(op.map.coordinates(), nan=-9e9), order=rule.order,
                    mode=rule.mode, cval=rule.cval,
                )  # fmt: skip
                for clip in op.clips:
                    places = np.nan_to_num(clip.map.coordinates(), nan=-9e9)
                    last = np.array(clip.size).reshape(2, 1, 1) - 1
                    expected[((places < 0) | (places > last)).any(axis=0)] = rule.cval
                np.testing.assert_array_equal(out.array[..., channel], expected)
            there = points
            for member in reversed(members):
                there = member.op.map(there)
            np.testing.assert_allclose(op.map(points), there, atol=1e-9)
        image = out


@settings(max_examples=40, deadline=None)
@given(steps=chains(st.just(1)))
def test_fused_agrees_with_the_chain_within_the_interpolation_error(steps: list[og.Step]):
    chain = planned(steps, ArraySpec(SIZE, "float64", "YX"))
    image = smooth(SIZE)
    alone, fused = run(chain, image), run(fuse(chain), image)
    low, high, border = local_range(chain, image)
    for out in (alone, fused):
        assert ((out >= low - 1e-9) & (out <= high + 1e-9)).all()
    stretch = np.cumprod([max(1.0, steepest(each.op.map)) for each in chain])  # type: ignore[attr-defined]
    assert np.abs(alone - fused)[~border].max(initial=0) <= 2 * (1.5 / 8) * (stretch**2).sum()


def steepest(step: og.CoordinateMap) -> float:
    """How many input pixels one output pixel is, at most, on a lattice over the output."""
    axes = [np.linspace(0, max(n - 1, 0), 20) for n in step.output_size]
    return float(
        np.abs(step.jacobian(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))).sum(axis=-1).max()
    )


def drift(maps: list[og.CoordinateMap]) -> float:
    """How many pixels a label may stray in a chain that rounds it to whole pixels in every step."""
    strayed = 0.0
    for step in maps:
        if not step.is_exact:
            axes = [np.linspace(0, max(n - 1, 0), 20) for n in step.output_size]
            pull = step.jacobian(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
            strayed = (strayed + 0.5) * float(np.abs(np.linalg.inv(pull)).sum(axis=-1).max())
    return strayed


@settings(max_examples=50, deadline=None)
@given(
    steps=chains(st.integers(0, 3)),
    dtype=st.sampled_from(["uint8", "int16", "float32", "float64"]),
    shape=st.sampled_from([("YX", SIZE), ("YXC", (*SIZE, 3)), ("CYX", (2, *SIZE)), ("TYXC", (2, *SIZE, 1))]),
    fused=st.booleans(),
)
def test_the_native_runner_has_the_bytes_of_the_python_runner(steps, dtype, shape, fused):
    image = Image(noise(shape[1], dtype), shape[0])
    ops = planned(steps, image.spec)
    ops = fuse(ops) if fused else ops
    assert_same(native.run_image(ops, image), run_image(ops, image))


TURNED = [
    og.Affine(translate={"Y": -2.9055886812015324, "X": 4.0}),
    og.Rotate(-10, reshape=True),
    og.Rotate(10, reshape=True),
    og.Rotate(90),
    og.GridDistortion(0.2, cells=3),
]


@settings(max_examples=40, deadline=None)
@given(steps=chains(st.just(1), st.just("constant")), key=KEYS, fused=st.booleans())
@example(steps=TURNED, key=og.Key(), fused=False)  # labels that are rounded five times stray by 1.7 pixels
def test_all_targets_move_together(steps: list[og.Step], key: og.Key, fused: bool):
    """Labels are those of the input and lie where the object is drawn; a box holds its object; points come back."""
    labels = discs(SIZE)
    centres = np.array(ndimage.center_of_mass(labels > 0, labels, [1, 2, 3]))
    boxes = og.Boxes.of_labels(og.Mask((labels * (labels < 4)).astype(np.uint8)))
    outline = og.Boxes(boxes.array, size=SIZE, labels=[1, 2, 3])
    recipe = og.Compose(steps, fuse=fused)
    out = recipe(
        image=(labels == 2).astype(np.float64),
        mask=labels,
        boxes=outline,
        points=centres,
        heatmap=(labels == 2).astype(np.float32),
        key=key,
    )
    mask = out.mask
    shown = recipe(image=labels, mask=np.ones_like(labels), key=key).mask
    strayed = 0 if fused else drift([leg.map for each in out.history.chain if (leg := leg_of(each))])
    width = 2 + math.ceil(strayed)
    near = near_boundaries(mask == 2, width) | near_boundaries(shown, width)
    assert set(np.unique(mask)) <= {0, 1, 2, 3, 4, 5}
    assert not (((out.image > 0.5) != (mask == 2)) & ~near_boundaries(mask == 2, width)).any()
    assert out.heatmap.shape == mask.shape
    assert not (((out.heatmap > 0.5) != (mask == 2)) & ~near).any()
    moved = out.targets["boxes"]
    repeats = any(getattr(step, "mode", "constant") != "constant" for step in steps)
    for number, edges in zip(moved.labels, moved.edges):
        pixels = np.argwhere(mask == number)
        if len(pixels) and not repeats:  # what a border mode repeats outside the image has no box
            low, high = edges.reshape(2, 2)
            assert (pixels.min(axis=0) >= low - 1 - strayed).all() and (
                pixels.max(axis=0) <= high + 1 + strayed
            ).all()
    places, has_place = out.frame.map.forward(centres)
    np.testing.assert_allclose(out.frame.map(places)[has_place], centres[has_place], atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(steps=chains(st.just(1), st.just("constant")), key=KEYS)
def test_a_mask_comes_back_but_for_boundaries(steps: list[og.Step], key: og.Key):
    """Where the output shows a pixel its own label comes back, but within three pixels of another label or the border."""
    labels = discs(SIZE) + 1
    out = og.Compose(steps)(image=labels, mask=labels, key=key)
    back, valid = out.frame.undo(mask=out.mask), out.frame.valid()
    assert not back[~valid].any()
    wrong = valid & (back != labels)
    edge = near_boundaries(labels, 3) | ndimage.binary_dilation(~valid, iterations=4)
    assert not (wrong & ~edge).any()


@pytest.mark.parametrize("index", range(3))
def test_volumes_bend_with_their_labels(index: int):
    down = np.stack(np.meshgrid(*[np.arange(n) for n in (12, 30, 34)], indexing="ij"))
    labels = (
        (down - np.reshape([6, 14, 16], (3, 1, 1, 1))) ** 2 / np.reshape([9, 64, 64], (3, 1, 1, 1))
    ).sum(0) < 1
    recipe = og.Compose(
        [
            og.Elastic({"Z": 0.5, "YX": 3}, nodes={"Z": 3, "YX": 5}),
            og.GridDistortion({"YX": 0.3}, cells={"YX": 4}),
            og.Affine(rotate=(-20, 20)),
            og.Flip("X"),
        ]
    )
    mask = labels.astype(np.uint8)
    out = recipe(image=labels.astype(np.float32), mask=mask, axes="ZYX", key=og.Key(index=index))
    drawn = out.image > 0.5
    assert not ((drawn != (out.mask == 1)) & ~near_boundaries(out.mask, 2)).any()
    back, valid = out.frame.undo(mask=out.mask), out.frame.valid()
    edge = near_boundaries(mask, 2) | ndimage.binary_dilation(~valid, iterations=2)
    assert valid.mean() > 0.8 and not ((back != mask) & ~edge).any()


def test_records_replay_to_the_same_bytes():
    image = noise((*SIZE, 3), "uint8")
    recipe = og.Compose(
        [og.Elastic("4%"), og.GridDistortion(), og.Perspective(), og.LensDistortion((-0.2, 0.2), k2=(0, 0.1))]
    )
    out = recipe(image=image, key=KEY)
    again = og.Compose.from_yaml(recipe.to_yaml()).replay(out.record, image=image)
    np.testing.assert_array_equal(again.image, out.image)
    assert recipe(image=image, key=KEY).image.tobytes() == out.image.tobytes()
