"""Fusion on random chains: what it gives, and how near it stays to the chain of single steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.geometry import AffineMap, GridMap
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.placed import place
from offgraph.steps.ops import GeometricOp, Grid, Pointwise, Resample, Resize, Zoom
from offgraph.targets.image import Image

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

SIZE = (53, 67)
KEY = og.Key(seed=7, epoch=3, index=1234)
PAD_MODES = st.sampled_from(["constant", "nearest", "reflect", "mirror", "grid-wrap"])
MODES = st.sampled_from(
    ["constant", "constant", "nearest", "reflect", "mirror", "grid-wrap", "grid-constant"]
)


# Chains


class Bend(og.GeometricStep):
    """A displacement of up to two pixels; not declared, so that no other test meets it."""

    def map(self, params, spec):
        field = 2 * np.sin(np.arange(2 * 4 * 5).reshape(2, 4, 5))
        return og.DisplacementMap(field, spec.size, spec.size)


class Tilt(og.GeometricStep):
    """A mild perspective."""

    def map(self, params, spec):
        rows, columns = spec.size
        corners = np.array([(0, 0), (0, columns - 1), (rows - 1, 0), (rows - 1, columns - 1)], float)
        moved = corners + np.array([(2, 3), (1, -2), (-3, 1), (-1, -2)])
        return og.ProjectiveMap.from_points(corners, moved, spec.size, spec.size)


def geometric(mode: st.SearchStrategy[str], order: st.SearchStrategy[int]) -> st.SearchStrategy[og.Step]:
    """Steps that keep an image of some tens of pixels per side, so that chains of eight of them stay one."""
    rule: dict[str, Any] = {"order": order, "mode": mode}
    angles = st.one_of(st.sampled_from([0.0, 30.0, -30.0, 45.0, 90.0, 180.0, 270.0]), st.floats(-180, 180))
    return st.one_of(
        st.builds(og.Flip, st.sampled_from("XY")),
        st.builds(og.Rotate, angles, **rule),
        st.builds(og.Rotate, st.sampled_from([10.0, -10.0, 90.0]), reshape=st.just(True), **rule),
        st.builds(
            og.Affine,
            scale=st.floats(0.8, 1.3),
            shear=st.floats(-0.2, 0.2),
            rotate=st.floats(-20, 20),
            **rule,
        ),
        st.builds(og.Affine, translate=st.tuples(st.floats(-4, 4), st.integers(-4, 4)), **rule),
        st.builds(og.CenterCrop, st.sampled_from(["80%", "95%", ("100%", "90%")])),
        st.builds(og.RandomCrop, st.sampled_from(["90%", ("70%", "100%")])),
        st.builds(og.Pad, st.integers(1, 5), mode=PAD_MODES),
        st.builds(og.Zoom, st.sampled_from([1.0, 1.2, 0.9]), **rule),
    )


def bent(order: st.SearchStrategy[int], mode: st.SearchStrategy[str]) -> st.SearchStrategy[og.Step]:
    """Maps of every kind; those that are not affine read linearly, with 0 outside."""
    return st.one_of(geometric(mode, order), geometric(mode, order), st.builds(Bend), st.builds(Tilt))


def chains(
    order: st.SearchStrategy[int], mode: st.SearchStrategy[str] = MODES
) -> st.SearchStrategy[list[og.Step]]:
    """One to eight steps, most of them of one mode, so that there is something to join."""
    own = mode.flatmap(lambda one: st.lists(geometric(st.just(one), order), min_size=1, max_size=8))
    return st.one_of(own, st.lists(geometric(mode, order), min_size=1, max_size=8))


def resized_chains() -> st.SearchStrategy[list[og.Step]]:
    """With a Resize among them, which weighs pixels and joins nothing but a crop."""
    resize = st.builds(og.Resize, scale=st.sampled_from([0.8, 1.2]))
    steps = st.one_of(
        geometric(st.just("constant"), st.just(1)), geometric(st.just("constant"), st.just(1)), resize
    )
    return st.lists(steps, min_size=2, max_size=8)


def planned(steps: list[og.Step], spec: ArraySpec) -> tuple[PlannedOp, ...]:
    placed = place((step, False) for step in steps)
    applied, specs = draw(placed, spec, KEY)
    return lower(placed, applied, specs)


def run(ops: tuple[PlannedOp, ...], array: np.ndarray, axes: str = "YX") -> np.ndarray:
    image = Image(array, axes)
    for each in ops:
        image = each.op.run(image)
        assert image.spec == each.after
    return image.array


def noise(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 250, shape).astype(dtype)


def groups(chain: tuple[PlannedOp, ...], fused: tuple[PlannedOp, ...]) -> list[list[PlannedOp]]:
    """The chain's operations that each fused operation does the work of."""
    left = list(chain)
    found = [[left.pop(0) for _ in each.steps] for each in fused]
    assert left == []
    return found


def composed(maps: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The product of affine maps in plain NumPy, in the order of the steps."""
    matrix, offset = np.eye(len(SIZE)), np.zeros(len(SIZE))
    for each in maps:
        affine = each.affine() if isinstance(each, GridMap) else each
        matrix, offset = matrix @ affine.matrix, matrix @ affine.offset + offset
    return matrix, offset


# A fused run is one exact resample by the composed map


@settings(max_examples=80, deadline=None)
@given(
    steps=chains(st.sampled_from([0, 1])) | resized_chains(),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
def test_a_group_is_one_exact_resample_by_the_composed_map(steps: list[og.Step], dtype: str):
    spec = ArraySpec((*SIZE, 2), dtype, "YXC")
    chain = planned(steps, spec)
    fused = fuse(chain)
    image = Image(noise(spec.shape, dtype), "YXC")
    for each, members in zip(fused, groups(chain, fused)):
        op, out = each.op, each.op.run(image)
        assert (each.before, each.after) == (members[0].before, members[-1].after) and out.spec == each.after
        if len(members) == 1:
            assert op is members[0].op
        elif isinstance(op, Resample):
            assert isinstance(op.map, AffineMap)
            np.testing.assert_array_equal(out.array, resampled(op, image.array))
            maps = [member.op.map for member in members]  # type: ignore[attr-defined]
            for found, wanted in zip((op.map.matrix, op.map.offset), composed(maps)):
                np.testing.assert_allclose(found, wanted, atol=1e-9)
            inner = {member.before.size: position for position, member in enumerate(members) if position}
            for clip in op.clips:
                assert clip.size in inner
        elif isinstance(op, Resize):
            alone = image
            for member in members:
                alone = member.op.run(alone)
            np.testing.assert_array_equal(out.array, alone.array)
        else:
            assert isinstance(op, Grid)
        image = out


def resampled(op: Resample, image: np.ndarray) -> np.ndarray:
    """SciPy's affine_transform of each channel, then the fill value outside each clip."""
    affine, rule = op.map, op.resampling
    assert isinstance(affine, AffineMap)
    options = {"order": rule.order, "mode": rule.mode, "cval": rule.cval}
    planes = [
        ndimage.affine_transform(
            image[..., channel], affine.matrix, affine.offset, affine.output_size, **options
        )
        for channel in range(image.shape[-1])
    ]
    out = np.stack(planes, axis=-1)
    rows, columns = np.ogrid[: affine.output_size[0], : affine.output_size[1]]
    for clip in op.clips:
        assert isinstance(clip.map, AffineMap) and rule.mode == "constant"
        for (down, right), first, n in zip(clip.map.matrix, clip.map.offset, clip.size):
            along = (first + down * rows) + right * columns
            out[(along < 0) | (along > n - 1)] = rule.cval
    return out


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.builds(og.Flip, st.sampled_from("XY")),
            st.builds(og.CenterCrop, st.integers(20, 70), pad=st.just(True), mode=PAD_MODES, cval=st.just(3)),
            st.builds(og.RandomCrop, st.sampled_from(["60%", "90%"])),
            st.builds(og.Pad, st.integers(0, 9), mode=PAD_MODES),
            st.builds(og.Zoom, st.just(1.0)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_chains_of_whole_pixels_keep_their_bytes(steps: list[og.Step]):
    chain = planned(steps, ArraySpec(SIZE, "uint8", "YX"))
    image = noise(SIZE, "uint8")
    np.testing.assert_array_equal(run(fuse(chain), image), run(chain, image))


# Fused against chain


REACH = 2
"""Pixels beyond the taps of a step of order 1 in which the ideal signal is looked at."""


def smooth(size: tuple[int, ...]) -> np.ndarray:
    down, right = np.indices(size).astype(float)
    return 120 + 60 * np.sin(down / 10) * np.cos(right / 11) + 30 * np.sin((down + 2 * right) / 25)


def local_range(chain: tuple[PlannedOp, ...], image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which values the ideal signal lies near each output pixel, and whether a border is near.

    The signal is followed step by step: near an output pixel lies whatever is near the pixels about the place that it is
    read from, and what the step's border rule puts outside.
    """
    low, high, border = image, image, np.zeros(image.shape)
    for each in chain:
        op = each.op
        assert isinstance(op, GeometricOp)
        points = op.map.coordinates()
        bases = np.floor(points)
        lows, highs, borders = [], [], []
        last = np.array(op.map.input_size).reshape(-1, 1, 1) - 1
        for shift in np.ndindex(2 * REACH + 2, 2 * REACH + 2):
            places = bases + (np.array(shift).reshape(-1, 1, 1) - REACH)
            rule = {"order": 0, "mode": op.resampling.mode, "cval": op.resampling.cval}
            lows.append(ndimage.map_coordinates(low, places, **rule))
            highs.append(ndimage.map_coordinates(high, places, **rule))
            outside = ((places < 0) | (places > last)).any(axis=0)
            inner = np.clip(places, 0, last).astype(int)
            borders.append(outside | (border[tuple(inner)] > 0))
        low, high, border = np.min(lows, axis=0), np.max(highs, axis=0), np.max(borders, axis=0)
    return low, high, border > 0


@settings(max_examples=60, deadline=None)
@given(
    steps=st.one_of(
        chains(st.just(1)), st.lists(bent(st.just(1), st.just("constant")), min_size=2, max_size=6)
    )
)
def test_fused_agrees_with_the_chain_within_the_interpolation_error(steps: list[og.Step]):
    chain = planned(steps, ArraySpec(SIZE, "float64", "YX"))
    image = smooth(SIZE)
    alone, fused = run(chain, image), run(fuse(chain), image)
    low, high, border = local_range(chain, image)
    for out in (alone, fused):
        assert ((out >= low - 1e-9) & (out <= high + 1e-9)).all()
    # Away from all borders the bound is that of linear interpolation: an eighth of the second derivative on each axis,
    # which is at most 1.5 here, and grows with the square of what shrinks the image, step by step.
    maps: list[Any] = [each.op.map for each in chain]  # type: ignore[attr-defined]
    places = np.array([(0, 0), (20, 25), (40, 30), (30, 5)])
    stretch = np.cumprod([max(1.0, np.abs(each.jacobian(places)).sum(axis=-1).max()) for each in maps])
    assert np.abs(alone - fused)[~border].max(initial=0) <= 2 * (1.5 / 8) * (stretch**2).sum()


def test_the_bound_can_fail():
    chain = planned([og.Rotate(20), og.Rotate(5), og.CenterCrop(30)], ArraySpec(SIZE, "float64", "YX"))
    image = smooth(SIZE)
    low, high, border = local_range(chain, image)
    assert not border.all() and np.median((high - low)[~border]) < 100  # of 240
    out = run(chain, image)
    shifted = run(chain, np.roll(image, 2, axis=0))
    assert (np.abs(out - shifted)[~border] > 2 * 1.5 / 8 * 3 * 1.5).mean() > 0.5


# What joins, and what does not


def kinds(*steps: og.Step, dtype: str = "uint8", size: tuple[int, ...] = SIZE, axes: str = "YX") -> list[str]:
    found = fuse(planned(list(steps), ArraySpec(size, dtype, axes)))
    return [type(each.op).__name__ + str(len(each.steps)) for each in found]


@pytest.mark.parametrize(
    ("steps", "kinds_", "reason"),
    [
        ([og.Rotate(10), og.Affine(scale=1.1), og.Flip()], ["Resample3"], ""),
        ([og.Rotate(10), og.Rotate(10, order=3)], ["Resample1", "Resample1"], "order=3 after order=1"),
        ([og.Rotate(10), og.Rotate(10, mode="nearest")], ["Resample1", "Resample1"], "mode='nearest' after"),
        ([og.Rotate(10), og.Rotate(10, cval=9)], ["Resample1", "Resample1"], "cval=9 after cval=0"),
        (
            [og.Rotate(10), og.Affine(scale=1.5, mode="nearest")],
            ["Resample2"],
            "",
        ),  # reads inside: no border rule
        (
            [og.Rotate(10, mode="nearest"), og.Rotate(5, mode="nearest")],
            ["Resample1", "Resample1"],
            "repeats",
        ),
        ([og.Flip(), og.Rotate(5, mode="nearest")], ["Resample2"], ""),
        (
            [og.CenterCrop(30), og.Rotate(5)],
            ["Grid1", "Resample1"],
            "the border of the cropped image is seen",
        ),
        ([og.CenterCrop(40), og.Affine(scale=2)], ["Resample2"], ""),
        ([og.Pad(4), og.Rotate(5)], ["Resample2"], ""),
        ([og.Pad(4), og.CenterCrop(20), og.Flip()], ["Grid3"], ""),
        ([og.CenterCrop(20), og.Pad(4)], ["Grid1", "Grid1"], "the border of the cropped image is seen"),
        ([og.Rotate(5), og.Pad(4)], ["Resample2"], ""),
        (
            [og.Rotate(5), og.MedianFilter(3), og.Rotate(5)],
            ["Resample1", "Filter1", "Resample1"],
            "MedianFilter mixes",
        ),
        (
            [og.Rotate(5), og.Gamma(0.5), og.Rotate(5)],
            ["Resample1", "Pointwise1", "Resample1"],
            "Gamma changes values",
        ),
        ([og.Rotate(5), og.Gamma(0.5), og.CenterCrop(20)], ["Resample2", "Pointwise1"], ""),
        (
            [og.Gamma(0.5), og.Flip(), og.Gamma(2), og.CenterCrop(9)],
            ["Grid2", "Pointwise1", "Pointwise1"],
            "",
        ),
        (
            [og.Rotate(5), og.Rescale(2), og.CenterCrop(20)],
            ["Resample1", "Grid1", "Pointwise1"],
            "dataset may store",
        ),
        ([og.Gamma(0.5), og.Pad(2)], ["Pointwise1", "Grid1"], ""),
        ([og.Rotate(5), Tilt(), og.Flip()], ["Resample3"], ""),
        ([og.Rotate(5), Bend(), og.CenterCrop(30)], ["Resample3"], ""),
        ([og.Rotate(5), Bend(), og.Rotate(5)], ["Resample2", "Resample1"], "a displacement is the last map"),
        ([Bend(), Bend()], ["Resample1", "Resample1"], "a displacement is the last map"),
        ([og.Resize((30, 30)), og.CenterCrop(20), og.Rotate(5)], ["Resize2", "Resample1"], ""),
        ([og.Resize((30, 30)), og.Rescale(2), og.RandomCrop(20)], ["Resize2", "Pointwise1"], ""),
        (
            [og.Rotate(5), og.Resize((30, 30)), og.Rotate(5)],
            ["Resample1", "Resize1", "Resample1"],
            "Resize weighs",
        ),
        ([og.Flip(), og.Zoom(1.5)], ["Grid1", "Zoom1"], "cheaper"),
        ([og.Zoom(1.5, order=1), og.Rotate(4)], ["Resample2"], ""),
        ([og.Rotate(30), og.Rotate(-30)], ["Resample2"], ""),
        ([og.Rotate(90), og.Flip()], ["Grid2"], ""),
    ],
    ids=lambda value: repr(value)[:90],
)
def test_what_joins(steps: list[og.Step], kinds_: list[str], reason: str):
    assert kinds(*steps) == kinds_
    reasons = [each.reason for each in fuse(planned(steps, ArraySpec(SIZE, "uint8", "YX")))]
    assert any(reason in each for each in reasons)


@pytest.mark.parametrize("last", [Bend, Tilt])
def test_maps_that_are_not_affine_are_read_at_their_composed_coordinates(last: type[og.Step]):
    steps = [og.Rotate(30), og.Affine(scale=0.7), last(), og.CenterCrop((40, 50))]
    chain = planned(steps, ArraySpec(SIZE, "uint8", "YX"))
    (op,) = (each.op for each in fuse(chain))
    assert isinstance(op, Resample)
    points = np.indices((40, 50)).astype(float)
    clipped = np.zeros((40, 50), bool)
    for each in reversed(chain):
        points = np.moveaxis(each.op.map(np.moveaxis(points, 0, -1)), -1, 0)  # type: ignore[attr-defined]
        if each is not chain[0]:
            last_pixel = np.array(each.before.size).reshape(-1, 1, 1) - 1
            clipped |= ((points < 0) | (points > last_pixel)).any(axis=0)
    image = noise(SIZE, "uint8")
    wanted = ndimage.map_coordinates(image, points, order=1)
    wanted[clipped] = 0
    out = op.run(Image(image, "YX")).array
    assert clipped.any() and np.abs(out.astype(int) - wanted).max() <= 1 and (out != wanted).mean() < 0.01
    exact = ndimage.map_coordinates(image, op.map.coordinates(), order=1)
    exact[clipped] = 0
    np.testing.assert_array_equal(out, exact)


def test_turns_that_cancel_give_the_image_back():
    """A composed map that moves whole pixels but for its rounding is a copy of them."""
    square = noise((40, 40), "uint8")
    turns = [og.Rotate(37.5), og.Affine(rotate=-30), og.Rotate(-7.5)]
    out = og.Compose([og.Pad(20), *turns, og.CenterCrop(40)])(image=square, mask=square)
    np.testing.assert_array_equal(out.image, square)
    np.testing.assert_array_equal(out.mask, square)
    chain = og.Compose([og.Pad(20), *turns, og.CenterCrop(40)], fuse=False)(image=square, mask=square)
    assert (chain.image != square).mean() > 0.5 and (chain.mask != square).mean() > 0.02
    four = [og.Rotate(90)] * 4
    assert kinds(*four, size=(40, 40)) == ["Grid4"]
    np.testing.assert_array_equal(og.Compose(four)(image=square).image, square)


@pytest.mark.parametrize("cval", [300.0, -3.0, 0.5, 2.6])
def test_fill_values_are_cast_as_scipy_casts_them(cval: float):
    """In clips, and where a composed map would be a copy, which takes only values that the dtype holds."""
    image = noise(SIZE, "uint8")
    for steps in (
        [og.Rotate(30, cval=cval), og.Rotate(25, cval=cval)],
        [og.Rotate(90, cval=cval), og.Flip()],
    ):
        chain = planned(steps, ArraySpec(SIZE, "uint8", "YX"))
        (each,) = fuse(chain)
        assert isinstance(each.op, Resample)
        out = run((each,), image)
        corner = ndimage.affine_transform(np.zeros((2, 2), np.uint8), np.eye(2), (9, 9), order=0, cval=cval)[
            0, 0
        ]
        assert out[0, 0] == corner == run(chain, image)[0, 0]
        np.testing.assert_array_equal(og.Compose(steps)(image=image).image, out)


def test_a_crop_makes_a_resize_smaller():
    image = noise((53, 67, 3), "uint8")
    steps = [og.Resize((30, 41), kernel="lanczos3"), og.Normalize(mean=0.5, std=0.2), og.RandomCrop((9, 20))]
    whole, part = og.Compose(steps, fuse=False), og.Compose(steps)
    out = part(image=image, key=KEY)
    np.testing.assert_array_equal(out.image, whole(image=image, key=KEY).image)
    (resized, pointwise) = fuse(planned(steps, ArraySpec(image.shape, "uint8", "YXC")))
    assert isinstance(resized.op, Resize) and isinstance(pointwise.op, Pointwise)
    (start, _), (left, _) = resized.op.window
    assert [start, left] == out.record["steps"][2]["params"]["start"]
    assert resized.after.shape == (9, 20, 3) and pointwise.before.dtype == "uint8"


@pytest.mark.parametrize("prepared", [1, 2, 3, 4])
def test_a_run_that_begins_with_stored_images_gives_the_same_bytes(prepared: int):
    """A dataset stores the integers before the first step that makes floats."""
    geometric = [og.Resize((40, 44)), og.Rotate((-9, 9)), og.Affine(scale=(0.9, 1.2)), og.CenterCrop(36)]
    recipe = og.Compose([*geometric[:prepared], og.Rescale(1 / 255), og.RandomCrop(30), og.Flip(p=0.5)])
    image = Image(noise((*SIZE, 3), "uint8"))
    assert recipe.stored(image.spec) == prepared
    for index in range(5):
        key = og.Key(1, 0, index)
        whole = recipe(image=image, key=key)
        stored = recipe.replay(part(whole.record, 0, prepared), image=image)
        rest = recipe.replay(part(whole.record, prepared, None), image=stored.image)
        np.testing.assert_array_equal(rest.image, whole.image)


def part(record: dict[str, Any], start: int, stop: int | None) -> dict[str, Any]:
    """The record of some of the steps."""
    return {**record, "start": start, "steps": record["steps"][start:stop]}


def test_volumes_keep_their_slices_apart():
    """A turn in the plane carries the slices along: what moves them does not join it."""
    size = (9, 20, 22)
    assert kinds(og.Rotate(5), og.Affine(scale=1.1), size=size, axes="ZYX") == ["Resample1", "Resample1"]
    assert kinds(og.Affine(rotate=5), og.Affine(scale=1.1), size=size, axes="ZYX") == ["Resample2"]
    assert kinds(og.Rotate(5), og.Rotate(5), size=size, axes="ZYX") == ["Resample2"]
    assert kinds(og.Rotate(5), og.Flip("Z"), size=size, axes="ZYX") == ["Resample1", "Grid1"]
    assert kinds(og.Rotate(5), og.Flip("X"), size=size, axes="ZYX") == ["Resample2"]
    volume = np.random.default_rng(2).normal(size=size)
    (op,) = fuse(planned([og.Rotate(5, order=3), og.Flip("X")], ArraySpec(size, "float64", "ZYX")))
    assert isinstance(op.op, Resample) and op.op.moved_axes == (1, 2)
    affine = op.op.map.on_axes((1, 2))
    wanted = [ndimage.affine_transform(z, affine.matrix, affine.offset, order=3) for z in volume]
    np.testing.assert_array_equal(op.op.run(Image(volume, "ZYX")).array, np.stack(wanted))


def test_one_operation_is_left_as_it_is():
    for step in (og.Rotate(5), og.Zoom(1.5), og.Resize((9, 9)), og.Flip(), og.MedianFilter(3), og.Rescale(2)):
        chain = planned([step], ArraySpec(SIZE, "uint8", "YX"))
        assert fuse(chain) == chain
    for factor, kind in ((1, Grid), (1.001, Zoom)):
        assert isinstance(planned([og.Zoom(factor)], ArraySpec(SIZE, "uint8", "YX"))[0].op, kind)
    assert fuse(()) == ()


@pytest.mark.parametrize("size", [(0, 7), (1, 1), (1, 7)])
def test_images_of_few_pixels(size: tuple[int, ...]):
    image = np.full(size, 7, np.uint8)
    steps = [og.Flip(), og.Rotate(90), og.Affine(translate=(1, 0)), og.Pad(2), og.Rotate(30)]
    for fused in (True, False):
        out = og.Compose(steps, fuse=fused)(image=image, mask=image)
        assert out.image.shape == out.mask.shape == tuple(n + 4 for n in size)
