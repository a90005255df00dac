"""The native runner against the Python runner: equal bytes for every operation, dtype, SIMD level and thread count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.core.threads import get_num_threads, set_num_threads
from offgraph.engine.native import core
from offgraph.engine.native_plan import grid_op, native_target, run_plan
from offgraph.geometry import AffineMap, CoordinateMap, DisplacementMap, GridMap, ProjectiveMap, Resampling
from offgraph.plan import native
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.placed import place
from offgraph.plan.run import run_image
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.ops import Clip, Filter, Resample
from offgraph.targets.heatmap import Heatmap
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

LEVELS = ("baseline", "avx2", "avx512")
MODES = st.sampled_from(
    [
        "constant",
        "constant",
        "nearest",
        "reflect",
        "mirror",
        "wrap",
        "grid-wrap",
        "grid-constant",
        "grid-mirror",
    ]
)
PAD_MODES = st.sampled_from(["constant", "nearest", "reflect", "mirror", "grid-wrap"])
DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64")


def geometric(order: st.SearchStrategy[int]) -> st.SearchStrategy[og.Step]:
    rule: dict[str, Any] = {"order": order, "mode": MODES, "cval": st.sampled_from([0.0, 3.0, 7.5])}
    angles = st.one_of(st.sampled_from([0.0, 45.0, 90.0, 180.0]), st.floats(-180, 180))
    return st.one_of(
        st.builds(og.Flip, st.sampled_from("XY")),
        st.builds(og.Rotate, angles, **rule),
        st.builds(og.Rotate, st.sampled_from([10.0, 90.0]), reshape=st.just(True), **rule),
        st.builds(og.Affine, scale=st.floats(0.7, 1.5), shear=st.floats(-0.3, 0.3), **rule),
        st.builds(og.Affine, translate=st.tuples(st.floats(-4, 4), st.integers(-4, 4)), **rule),
        st.builds(og.CenterCrop, st.sampled_from(["80%", ("100%", "60%")])),
        st.builds(og.RandomCrop, st.sampled_from(["90%", ("70%", "100%")])),
        st.builds(og.Pad, st.integers(1, 40), mode=PAD_MODES, cval=st.sampled_from([0.0, 5.0])),
        st.builds(
            og.Zoom, st.sampled_from([1.0, 1.2, 0.7]), grid=st.sampled_from(["corners", "pixels"]), **rule
        ),
        st.builds(og.Resize, st.tuples(st.integers(5, 40), st.integers(5, 40)), antialias=st.booleans()),
    )


VALUES = st.one_of(
    st.builds(
        og.Normalize, mean=st.just(0.4), std=st.sampled_from([0.25, 0.3]), range=st.sampled_from([100.0])
    ),
    st.builds(og.Rescale, st.floats(-2, 2), offset=st.floats(-3, 3)),
    st.builds(og.Gamma, st.sampled_from([0.7, (0.5, 2.0)]), range=st.just(100.0)),
    st.builds(og.GaussianFilter, st.just(0.8)),
    st.builds(og.MedianFilter, st.integers(1, 4)),
    st.builds(og.Brightness, st.sampled_from([0.7, (0.5, 2.0)]), range=st.just(100.0)),
    st.builds(og.Posterize, st.sampled_from([2, (1, 5)]), range=st.just(100.0)),
    st.builds(og.UniformFilter, st.integers(1, 4)),
    st.builds(og.MinFilter, st.integers(1, 4)) | st.builds(og.MaxFilter, st.integers(1, 4)),
    st.builds(og.PercentileFilter, st.sampled_from([0.0, 30.0, 100.0, (20.0, 80.0)]), st.integers(1, 4)),
    st.builds(og.ChannelShuffle),
)


def chain(steps: Sequence[og.Step], spec: ArraySpec, index: int) -> tuple[PlannedOp, ...]:
    placed = place((step, True) for step in steps)
    applied, specs = draw(placed, spec, og.Key(seed=1, index=index))
    return lower(placed, applied, specs)


def image_of(dtype: str, shape: tuple[int, ...], axes: str, seed: int) -> Image:
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return Image(rng.normal(0, 300, shape).astype(dtype), axes)
    top = min(np.iinfo(kind).max, 1 << 40)
    return Image(rng.integers(0, top, shape, dtype=dtype, endpoint=True), axes)


def assert_same(found: Image, expected: Image) -> None:
    assert found.spec == expected.spec
    assert found.array.flags.c_contiguous
    assert found.array.tobytes() == np.ascontiguousarray(expected.array).tobytes()


@pytest.fixture
def restored_settings():
    level, threads = core.build_info()["simd"], get_num_threads()
    yield
    core.set_simd_level(level)
    set_num_threads(threads)


AXES = {
    "YX": (31, 43),
    "YXC": (29, 37, 3),
    "CYX": (4, 25, 33),
    "YCX": (23, 2, 31),
    "TYXC": (2, 19, 27, 1),
    "YXCT": (17, 29, 2, 3),
}


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(geometric(st.integers(0, 5)) | geometric(st.just(1)) | VALUES, min_size=1, max_size=6),
    dtype=st.sampled_from(DTYPES),
    axes=st.sampled_from(sorted(AXES)),
    seed=st.integers(0, 1 << 30),
    fused=st.booleans(),
)
def test_random_plans_have_the_bytes_of_the_python_runner(
    steps: list[og.Step], dtype: str, axes: str, seed: int, fused: bool
) -> None:
    image = image_of(dtype, AXES[axes], axes, seed)
    before = image.array.copy()
    try:
        ops = chain(steps, image.spec, seed)
    except og.OffgraphError:
        return  # a gamma whose range the dtype does not hold, a crop of nothing
    ops = fuse(ops) if fused else ops
    with np.errstate(all="ignore"):
        expected = run_image(ops, image)
        found = native.run_image(ops, image)
    assert_same(found, expected)
    assert np.array_equal(image.array, before, equal_nan=True)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_simd_level_and_thread_count_has_the_same_bytes(
    level: str, threads: int, dtype: str, restored_settings: None
) -> None:
    steps = [
        og.Resize((210, 190)),
        og.Rotate((-30, 30), cval=7.5),
        og.Affine(scale=(0.9, 1.1), shear=(-0.1, 0.1), cval=7.5),
        og.RandomCrop((170, 160)),
        og.Flip("X"),
        og.Normalize("imagenet", range=255),
    ]
    image = image_of(dtype, (250, 230, 3), "YXC", 5)
    ops = chain(steps, image.spec, 3)
    expected = run_image(fuse(ops), image)
    core.set_simd_level(level)
    set_num_threads(threads)
    for plan in (fuse(ops), ops):
        assert native_ops(plan) == len(plan)
        assert_same(native.run_image(plan, image), expected if plan is not ops else run_image(ops, image))


def native_ops(ops: Sequence[PlannedOp]) -> int:
    return sum(native.native_op(planned.op, planned.before) is not None for planned in ops)


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("plane", ["YX", "ZX", "ZY"])
def test_volumes_turn_in_a_plane_and_in_space(order: int, plane: str) -> None:
    image = image_of("int16", (9, 14, 13, 2), "ZYXC", order)
    steps = [
        og.Rotate(20, plane=plane, order=order, mode="nearest"),
        og.Affine(scale={"Z": 1.1, "YX": 0.9}, order=order, cval=4),
        og.Flip("Z"),
        og.Pad(((1, 0), 2, (0, 3)), mode="mirror"),
    ]
    ops = chain(steps, image.spec, 0)
    assert native_ops(ops) == len(ops)
    for plan in (ops, fuse(ops)):
        assert_same(native.run_image(plan, image), run_image(plan, image))


@pytest.mark.parametrize("axes", ["YXC", "CYX", "YCX"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_tables_know_their_channel(axes: str, dtype: str) -> None:
    shape = {"Y": 300, "X": 310, "C": 3}
    image = image_of(dtype, tuple(shape[name] for name in axes), axes, 0)
    steps = [
        og.Normalize(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), range=100.0),
        og.Normalize(mean=(0.3, 0.2, 0.1), std=(0.7, 0.6, 0.5), range=1.0),
        og.Rescale(0.3, offset=2),
    ]
    ops = chain(steps, image.spec, 0)
    assert native_ops(ops) == len(ops)
    assert_same(native.run_image(ops, image), run_image(ops, image))


def test_normalize_of_bytes_is_arithmetic_and_not_a_table() -> None:
    image = image_of("uint8", (40, 40, 3), "YXC", 0)
    for step in (og.Normalize("imagenet"), og.Rescale(1 / 255), og.Rescale(2 / 255, offset=-1)):
        (planned,) = chain([step], image.spec, 0)
        code = native.native_op(planned.op, planned.before)
        assert code is not None and code[1].is_linear


def test_arithmetic_is_what_the_step_defines() -> None:
    values = np.random.default_rng(0).normal(0, 1e3, (500, 3)).astype(np.float32)
    operations = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}
    tried = 0
    for step in (og.Normalize("imagenet", range=7), og.Rescale(0.1, offset=3.3), og.Gamma(0.5, range=1)):
        assert isinstance(step, PointwiseStep)
        steps = step.arithmetic({"gamma": 0.5}, "float32")
        if steps is None:
            continue
        tried += 1
        for channel in range(3):
            found = values[:, channel].astype(np.float64)
            for name, numbers in steps:
                found = operations[name](found, numbers[channel % len(numbers)])
            expected = step.reference(np, values[:, channel], {}, channel)
            assert found.astype(expected.dtype).tobytes() == expected.tobytes()
    assert tried == 2


def test_a_class_with_another_reference_does_not_inherit_arithmetic() -> None:
    class Squared(type(og.Rescale(1.0))):  # type: ignore[misc]
        def reference(
            self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0
        ) -> np.ndarray:
            return (image.astype(np.float64) ** 2).astype(np.float32)

    image = image_of("float64", (20, 30), "YX", 0)
    step = Squared(1.0)
    (planned,) = chain([step], image.spec, 0)
    assert native.native_op(planned.op, planned.before) is None
    assert_same(native.run_image([planned], image), run_image([planned], image))


def test_an_operation_of_python_splits_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of("uint8", (40, 50, 3), "YXC", 1)
    monkeypatch.setattr(og.MedianFilter, "passes", lambda self, params, spec: None)
    steps = [og.Flip("X"), og.Rotate(10), og.MedianFilter(3), og.Flip("Y"), og.Rescale(1 / 255)]
    ops = chain(steps, image.spec, 0)
    assert [type(planned.op) for planned in ops if native.native_op(planned.op, planned.before) is None] == [
        Filter
    ]
    assert_same(native.run_image(ops, image), run_image(ops, image))


def test_an_empty_plan_gives_the_image_itself() -> None:
    image = image_of("uint8", (4, 5), "YX", 0)
    assert native.run_image((), image) is image


def test_arrays_of_any_layout_are_read() -> None:
    whole = image_of("uint16", (60, 70, 3), "YXC", 2).array
    steps = [og.Rotate(25, order=1), og.Flip("Y"), og.Resize((20, 30))]
    for array in (whole[::2, ::-1], whole.transpose(1, 0, 2), whole.astype(">u2"), np.asfortranarray(whole)):
        image = Image(array, "YXC")
        ops = chain(steps, image.spec, 0)
        assert_same(native.run_image(ops, image), run_image(ops, image))


def test_a_plan_that_does_not_fit_is_refused() -> None:
    array, out = np.zeros((4, 5), np.uint8), np.zeros((4, 6), np.uint8)
    same = grid_op((0, 1), (False, False), (0, 0), (4, 5), "constant", 0)
    with pytest.raises(ValueError, match="cannot fill"):
        run_plan([native_target(array, out, (0, 1), [same])])
    with pytest.raises(ValueError, match="cannot fill"):
        run_plan([native_target(array, out, (0, 1), [])])
    with pytest.raises(ValueError, match="spatial axes"):
        core.run_plan(((array, array.copy(), 1, 2, ()),))
    with pytest.raises(ValueError, match="not known"):
        core.run_plan(((array, array.copy(), 0, 2, ((99,),)),))


def test_a_sample_runs_all_its_targets() -> None:
    arrays = [image_of(dtype, (6, 7), "YX", 0).array for dtype in ("uint8", "float32", "int32")]
    outs = [np.empty_like(array) for array in arrays]
    flip = grid_op((0, 1), (False, True), (0, 6), (6, 7), "constant", 0)
    run_plan([native_target(array, out, (0, 1), [flip]) for array, out in zip(arrays, outs)])
    for array, out in zip(arrays, outs):
        assert (out == array[:, ::-1]).all()


LABEL_DTYPES = ("bool", "uint8", "int16", "uint32", "int64", "uint64")


@settings(max_examples=120, deadline=None)
@given(
    steps=st.lists(geometric(st.integers(0, 1)), min_size=2, max_size=6),
    dtype=st.sampled_from(LABEL_DTYPES),
    axes=st.sampled_from(["YX", "YXC", "TYXC", "CYX"]),
    seed=st.integers(0, 1 << 30),
)
def test_labels_and_heatmaps_move_as_python_moves_them(
    steps: list[og.Step], dtype: str, axes: str, seed: int
) -> None:
    shape = AXES[axes]
    rng = np.random.default_rng(seed)
    top = {"bool": 1, "uint8": 255}.get(dtype, 9)
    labels = rng.integers(0, top, shape, endpoint=True).astype(dtype)
    if np.dtype(dtype).itemsize == 8:
        labels[labels == 9] = np.iinfo(dtype).max  # beyond what float64 holds
    swap = [(1, 2)] if dtype == "uint32" else []
    targets = [Mask(labels, axes, swap=swap), Heatmap(rng.random(shape, np.float32), axes, fill=0.25)]
    image = Image(np.zeros(shape, np.uint8), axes)
    try:
        legs = [planned.op.leg for planned in chain(steps, image.spec, seed) if hasattr(planned.op, "leg")]
    except og.OffgraphError:
        return
    for target in targets:
        beside = native.companion(target, legs)
        expected = target.moved(legs)
        if beside is None:
            continue
        assert native.run_image((), image, [beside]) is image
        found = beside.finished()
        assert type(found) is type(expected) and found.axes == expected.axes
        assert found.array.dtype == expected.array.dtype
        assert found.array.tobytes() == np.ascontiguousarray(expected.array).tobytes()


def test_a_mask_moves_in_the_call_of_its_image(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(native, "run_plan", lambda targets: (calls.append(len(targets)), run_plan(targets)))
    image = image_of("uint8", (60, 70, 3), "YXC", 0).array
    mask = np.arange(60 * 70).reshape(60, 70)
    recipe = og.Compose([og.Resize((50, 40)), og.Rotate(20), og.RandomCrop((30, 30)), og.Rescale(1 / 255)])
    result = recipe(image=image, mask=mask, key=og.Key(seed=1))
    assert calls == [2]
    assert result.mask is not None and result.mask.shape == (30, 30)


def test_labels_that_nothing_shows_are_the_same_error() -> None:
    mask = Mask(np.zeros((20, 20), np.uint8), "YX")
    image = Image(np.zeros((20, 20), np.uint8), "YX")
    legs = [planned.op.leg for planned in chain([og.Rotate(10, mask_cval=300), og.Flip("X")], image.spec, 0)]
    with pytest.raises(og.OffgraphError, match="mask_cval=300") as python:
        mask.moved(legs)
    with pytest.raises(og.OffgraphError) as found:
        native.companion(mask, legs)
    assert str(found.value) == str(python.value)


def warps(size: tuple[int, int]) -> st.SearchStrategy[CoordinateMap]:
    """Maps that are not affine, alone and as the end of a chain."""
    rng = np.random.default_rng(3)
    corners = np.array([(0, 0), (0, size[1] - 1), (size[0] - 1, 0), (size[0] - 1, size[1] - 1)], float)
    turned = AffineMap(np.array([[0.9, 0.3], [-0.2, 1.1]]), np.array([2.0, -3.0]), size, size)
    seen = ProjectiveMap.from_points(corners, corners + rng.uniform(-4, 4, corners.shape), size, size)
    horizon = ProjectiveMap(np.array([[1.0, 0, 0], [0, 1, 0], [-0.06, 0, 1]]), size, size)
    fields = [
        (rng.normal(0, 3, (2, 4, 5)), 3), (rng.normal(0, 3, (2, 3, 3)), 1), (rng.normal(0, 3, (2, *size)), 3),
    ]  # fmt: skip
    bent = [DisplacementMap(field, size, size, order) for field, order in fields]
    mirrored = GridMap.flip((1,), size)
    return st.sampled_from(
        [
            seen,
            horizon,
            *bent,
            turned.then(bent[0]),
            seen.then(bent[0]),
            mirrored.then(bent[2]),
            horizon.then(bent[1]),
        ]
    )


@settings(max_examples=80, deadline=None)
@given(
    grid=warps((23, 31)),
    order=st.integers(0, 5),
    mode=MODES,
    dtype=st.sampled_from(["uint8", "int16", "float32", "float64"]),
    level=st.sampled_from(LEVELS),
    clipped=st.booleans(),
)
def test_maps_that_are_not_affine_have_the_bytes_of_the_python_runner(
    grid: CoordinateMap, order: int, mode: str, dtype: str, level: str, clipped: bool
) -> None:
    image = image_of(dtype, (23, 31, 2), "YXC", 4)
    shifted = AffineMap(np.array([[0.8, 0.1], [0.0, 1.2]]), np.array([-2.0, 1.0]), (20, 30), (23, 31))
    clips = (Clip(shifted, (20, 30)),) if clipped else ()
    op = Resample(grid, Resampling(order, mode, 7.5), clips)
    assert native.native_op(op, image.spec) is not None
    planned = PlannedOp(op, place([(og.Flip("X"), False)]), image.spec, op.output_spec(image.spec))
    before = core.build_info()["simd"]
    core.set_simd_level(level)
    try:
        found = native.run_image([planned], image)
    finally:
        core.set_simd_level(before)
    assert_same(found, run_image([planned], image))
