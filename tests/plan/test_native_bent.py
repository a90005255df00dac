"""Labels, heatmaps and images through maps that bend, in the native core: the bytes of the Python runner, always."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.test_bent_chains import bending, chains
from tests.plan.test_fuse import SIZE, noise, planned
from tests.plan.test_native import AXES, LABEL_DTYPES, LEVELS, MODES, assert_same, geometric, image_of

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.core.threads import get_num_threads, set_num_threads
from offgraph.engine.native import core
from offgraph.engine.native_plan import border_stage, native_target, run_plan, warp_op
from offgraph.geometry import AffineMap, DisplacementMap, RadialMap, Resampling
from offgraph.geometry.base import pixel_grid
from offgraph.plan import native
from offgraph.plan.fuse import fuse
from offgraph.plan.run import run_image
from offgraph.steps.ops import Resample
from offgraph.targets.composed import border_rule
from offgraph.targets.heatmap import Heatmap
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

ALL_MODES = ("constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap", "grid-constant", "grid-mirror")


@pytest.fixture(params=[(level, threads) for level in LEVELS for threads in (1, 3)], ids=str)
def machine(request: pytest.FixtureRequest):
    """Every SIMD level, with one and with three threads."""
    level, threads = core.build_info()["simd"], get_num_threads()
    core.set_simd_level(request.param[0])
    set_num_threads(request.param[1])
    yield
    core.set_simd_level(level)
    set_num_threads(threads)


def targets_of(shape: tuple[int, ...], axes: str, dtype: str, density: bool) -> list[Any]:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 1 if dtype == "bool" else 9, shape, endpoint=True).astype(dtype)
    if np.dtype(dtype).itemsize == 8:
        labels[labels == 9] = np.iinfo(dtype).max  # beyond what float64 holds
    swap = [(1, 2)] if dtype == "uint32" else []
    heat = rng.random(shape, np.float32 if density else np.float64)
    return [Mask(labels, axes, swap=swap), Heatmap(heat, axes, fill=0.25, density=density)]


def assert_companions(targets: list[Any], legs: list[Any]) -> None:
    image = Image(np.zeros(targets[0].array.shape, np.uint8), targets[0].axes)
    for target in targets:
        beside = native.companion(target, legs)
        assert beside is not None
        assert native.run_image((), image, [beside]) is image
        found, expected = beside.finished(), target.moved(legs)
        assert type(found) is type(expected) and found.axes == expected.axes
        assert found.array.dtype == expected.array.dtype
        assert found.array.tobytes() == np.ascontiguousarray(expected.array).tobytes()


MIXED = MODES.flatmap(
    lambda mode: st.one_of(geometric(st.integers(0, 1)), bending(st.just(mode), st.integers(0, 1)))
)


@settings(max_examples=120, deadline=None)
@given(
    steps=st.lists(MIXED, min_size=1, max_size=5),
    dtype=st.sampled_from(LABEL_DTYPES),
    axes=st.sampled_from(["YX", "YXC", "TYXC", "CYX", "YCX"]),
    density=st.booleans(),
)
def test_labels_and_heatmaps_bend_as_python_bends_them(steps, dtype, axes, density):
    shape = AXES[axes]
    image = Image(np.zeros(shape, np.uint8), axes)
    try:
        legs = [each.op.leg for each in planned(steps, image.spec) if hasattr(each.op, "leg")]
    except og.OffgraphError:
        return  # a crop of nothing
    assert_companions(targets_of(shape, axes, dtype, density), legs)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_every_border_rule_on_every_machine(mode: str, machine: None):
    steps = [
        og.Elastic("4%", mode=mode),
        og.Rotate(25, mode=mode),
        og.LensDistortion(0.3, mode=mode),
        og.Pad(5, mode="mirror"),
        og.Elastic("3%", nodes=4, mode=mode),
    ]
    spec = ArraySpec((150, 130, 2), "uint8", "YXC")
    legs = [each.op.leg for each in planned(steps, spec)]
    for dtype in ("uint8", "int64"):
        assert_companions(targets_of(spec.shape, "YXC", dtype, True), legs)


def test_a_map_of_many_pixels_is_read_as_a_small_one_is():
    """Above 2**18 pixels Python takes some rows at a time."""
    spec = ArraySpec((600, 520), "uint8", "YX")
    for steps in (
        [og.Elastic("2%")],
        [og.LensDistortion(0.2, mode="reflect")],
        [og.Elastic(3), og.Rotate(9)],
    ):
        legs = [each.op.leg for each in planned(steps, spec)]
        assert_companions(targets_of(spec.shape, "YX", "uint8", False), legs)


@settings(max_examples=60, deadline=None)
@given(
    steps=chains(st.sampled_from([0, 1, 3]), MODES),
    dtype=st.sampled_from(["uint8", "int16", "float32", "float64"]),
)
def test_no_bent_operation_is_left_to_python(steps, dtype):
    image = Image(noise((*SIZE, 2), dtype), "YXC")
    ops = fuse(planned(steps, image.spec))
    for each in ops:
        assert native.native_op(each.op, each.before) is not None
    assert_same(native.run_image(ops, image), run_image(ops, image))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_lenses_and_clips_on_every_machine(dtype: str, machine: None):
    steps = [
        og.Rotate(20, cval=3),
        og.CenterCrop("90%"),
        og.Affine(scale=0.8, cval=3),
        og.LensDistortion(0.3, k2=-0.05, cval=3),
    ]
    bent = [og.Perspective(0.1, cval=3), og.Rotate(20, cval=3), og.Elastic("4%", cval=3)]
    for chain in (steps, bent):
        image = image_of(dtype, (150, 130, 3), "YXC", 5)
        ops = fuse(planned(chain, image.spec))
        assert any(isinstance(each.op, Resample) and each.op.clips for each in ops)
        assert_same(native.run_image(ops, image), run_image(ops, image))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_a_displacement_in_the_middle_is_sampled_at_any_point(order: int):
    rng = np.random.default_rng(order)
    bent = DisplacementMap(rng.normal(0, 2, (2, 4, 5)), (40, 50), (40, 50), order)
    lens = RadialMap((-0.9,), (20.0, 25.0), 20.0, (40, 50), (40, 50))  # folds
    turned = AffineMap(np.array([[0.9, 0.3], [-0.2, 1.1]]), np.array([2.0, -3.0]), (40, 50), (40, 50))
    image = image_of("float64", (40, 50, 2), "YXC", 1)
    for whole in (bent.then(turned), lens.then(bent).then(lens), bent.then(lens)):
        op = Resample(whole, Resampling(3, "reflect", 7.5))
        code = native.native_op(op, image.spec)
        assert code is not None
        out = np.empty(image.array.shape)
        run_plan([native_target(image.array, out, (0, 1), [code])])
        assert out.tobytes() == op.run(image).array.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(ALL_MODES),
    whole=st.booleans(),
    shift=st.sampled_from([0.0, 0.5, -0.5, 1e-9, -1e-9, 2e-9, 3.25, -17.0, 40.5, 1e9]),
    scale=st.sampled_from([1.0, -1.0, 0.5, 3.0, 0.0]),
    n=st.integers(1, 7),
)
def test_border_rules_are_those_of_labels(mode, whole, shift, scale, n):
    """The rule alone: coordinates along one axis, read as labels."""
    labels = np.arange(1, n + 1, dtype=np.int32)
    out = np.empty(24, np.int32)
    along = pixel_grid((24,))[0] * scale + shift
    read, filled = border_rule(along, n, mode, whole_pixels=whole)
    expected = labels[np.clip(np.floor(np.nan_to_num(read) + (0.5 + 1e-9)), 0, n - 1).astype(int)]
    if filled is not None:
        expected[filled] = 77
    stages = [(0, (scale,), (shift,)), border_stage((n,), mode, whole, 77)]
    run_plan(
        [
            native_target(
                labels, out, (0,), [warp_op(stages, (24,), order=0, mode="nearest", cval=0, labels=True)]
            )
        ]
    )
    np.testing.assert_array_equal(out, expected)


def test_a_stage_that_does_not_fit_is_refused():
    image, out = np.zeros((4, 5)), np.zeros((4, 5))
    for stages in (
        [(0, (1.0,), (0.0,))],
        [(5, (4,))],
        [(6, (4, 0), 1, False, 0.0)],
        [(4, (), (1.0, 1.0), 4.0)],
    ):
        with pytest.raises(ValueError, match="do not fit"):
            run_plan(
                [
                    native_target(
                        image, out, (0, 1), [warp_op(stages, (4, 5), order=1, mode="nearest", cval=0)]
                    )
                ]
            )
    with pytest.raises(ValueError, match="not known"):
        run_plan(
            [native_target(image, out, (0, 1), [warp_op([(9,)], (4, 5), order=1, mode="nearest", cval=0)])]
        )


def test_places_that_are_found_lead_to_their_goals():
    rng = np.random.default_rng(0)
    for n, size in ((1, (40,)), (2, (40, 50)), (3, (20, 22, 24))):
        for order in range(1, 6):
            field = rng.uniform(-1, 1, (n, *(4 + axis for axis in range(n))))
            step = DisplacementMap(field, size, size, order)
            goals = rng.uniform(-3, 30, (n, 50))
            goals[:, 3] = math.nan
            places = step.push(goals)
            assert np.isnan(places[:, 3]).all()
            kept = np.isfinite(places[0])
            assert kept.sum() > 30
            np.testing.assert_allclose(step.pull(places)[:, kept], goals[:, kept], atol=1e-7)
