"""The compiled recipe plans what Python plans: the same operations in every bit, and nothing that Python refuses."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import cosdg, sindg
from tests.support.compiled_plans import by_python, equals, looked_up, planned, ranges

import offgraph as og
from offgraph.core.random import Draw, Key, hash64
from offgraph.core.specs import ArraySpec
from offgraph.engine.native import core
from offgraph.plan.compiled import RecipePlanner
from offgraph.recipe.prepared import run_prepared
from offgraph.steps.base import Step
from offgraph.steps.compiled import product_roundings

MODES = st.sampled_from(
    ["constant", "nearest", "reflect", "mirror", "grid-wrap", "grid-constant", "grid-mirror", "wrap"]
)
WINDOW_MODES = st.sampled_from(["constant", "nearest", "reflect", "mirror", "grid-wrap"])
CVALS = st.sampled_from([0.0, 0.0, 7.0, -1.0, 300.0, 0.5])
CHANCES = st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.0])


def per_axis(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value for all axes, or by the names of axes."""
    named = st.sampled_from([("Y",), ("X",), ("YX",), ("X", "Y"), ("Z",)])
    return st.one_of(one, one, named.flatmap(lambda keys: st.fixed_dictionaries(dict.fromkeys(keys, one))))


def sorted_pairs(texts: list[str]) -> st.SearchStrategy[Any]:
    """A share, or a pair of shares."""
    pairs = st.tuples(st.sampled_from(texts), st.sampled_from(texts))
    return st.one_of(
        st.sampled_from(texts), pairs.map(lambda pair: tuple(sorted(pair, key=lambda t: float(t[:-1]))))
    )


LENGTHS = st.one_of(st.integers(1, 60), st.sampled_from(["100%", "33.3%", "80%", "0.5%", "120%"]))
SHIFTS = st.one_of(ranges(-9, 9), sorted_pairs(["-12.5%", "0%", "3%", "10%"]))


def steps() -> st.SearchStrategy[Step]:
    """Any step that the core knows, with any of its parameters."""
    resampled: dict[str, Any] = {
        "order": st.sampled_from([1, 1, 1, 0, 3, 5]), "mode": st.one_of(st.just("constant"), MODES), "cval": CVALS, "p": CHANCES,
    }  # fmt: skip
    window: dict[str, Any] = {
        "mode": st.one_of(st.just("constant"), WINDOW_MODES),
        "cval": CVALS,
        "p": CHANCES,
    }
    kernel: dict[str, Any] = {
        "kernel": st.sampled_from(["triangle", "box", "cubic", "lanczos3"]), "antialias": st.booleans(), "p": CHANCES,
    }  # fmt: skip
    sides = st.one_of(st.integers(1, 60), st.tuples(st.integers(1, 60), st.integers(1, 60)))
    aspect = st.sampled_from([(24, None), (None, 7), (1, None)])
    angle = st.one_of(st.sampled_from([0.0, 90.0, 180.0, -270.0, 30.0, 45.0, 1e15]), ranges(-200, 200))
    number = st.floats(-3, 3)
    return st.one_of(
        st.builds(og.Resize, st.one_of(sides, aspect), **kernel),
        st.builds(og.Resize, scale=per_axis(ranges(0.02, 3)), **kernel),
        st.builds(
            og.RandomResizedCrop, st.one_of(sides, aspect), scale=ranges(0.01, 1), ratio=ranges(0.1, 4), **kernel
        ),
        st.builds(og.Rotate, angle, reshape=st.booleans(), **resampled),
        st.builds(
            og.Affine, scale=per_axis(ranges(0.3, 3)), shear=per_axis(ranges(-1, 1)), rotate=angle,
            translate=st.one_of(st.none(), st.tuples(SHIFTS, SHIFTS), per_axis(SHIFTS).filter(lambda v: isinstance(v, dict))),
            anchor=st.sampled_from(["centre", "origin"]), **resampled,
        ),
        st.builds(
            og.Affine,
            matrix=st.one_of(
                st.tuples(st.tuples(st.just(1.25), number), st.tuples(st.just(0.0), st.just(-0.8))),
                st.tuples(st.tuples(st.just(1.0), number, number), st.tuples(st.just(0.0), st.just(1.0), number)),
                st.just(((0, 1, 2), (-1, 0, 5))),
            ),
            direction=st.sampled_from(["pull", "push"]), anchor=st.sampled_from(["centre", "origin"]), **resampled,
        ),
        st.builds(og.Scale, per_axis(ranges(0.3, 3)), anchor=st.sampled_from(["centre", "origin"]), **resampled),
        st.builds(
            og.Shift, st.one_of(st.tuples(SHIFTS, SHIFTS), per_axis(SHIFTS).filter(lambda v: isinstance(v, dict))), **resampled
        ),
        st.builds(
            og.ShiftScaleRotate, st.one_of(st.none(), st.tuples(SHIFTS, SHIFTS), per_axis(SHIFTS).filter(lambda v: isinstance(v, dict))),
            scale=per_axis(ranges(0.3, 3)), rotate=angle, **resampled,
        ),
        st.builds(og.Zoom, per_axis(st.one_of(st.just(1.0), ranges(0.02, 3))), grid=st.sampled_from(["corners", "pixels"]), **resampled),
        st.builds(og.Flip, st.sampled_from(["X", "Y", "X", "Y", "Z"]), p=CHANCES),
        st.builds(og.CenterCrop, st.one_of(LENGTHS, st.tuples(LENGTHS, LENGTHS)), pad=st.booleans(), **window),
        st.builds(og.RandomCrop, st.one_of(LENGTHS, st.tuples(LENGTHS, LENGTHS)), pad=st.booleans(), **window),
        st.builds(
            og.Pad,
            st.one_of(
                st.integers(0, 9), st.just("10%"), st.tuples(st.integers(0, 9), st.just((0, "3.7%"))), st.just((1, 1, 1))
            ),
            **window,
        ),
        st.builds(og.Normalize, mean=st.just(0.5), std=st.sampled_from([0.25, 1.0]), range=st.sampled_from([None, 255.0]), p=CHANCES),
        st.builds(og.Normalize, stats=st.just("imagenet")),
        st.builds(og.Rescale, st.just(1 / 255), offset=number),
        st.builds(og.Gamma, st.sampled_from([0.5, 2.0, 1.0]), range=st.sampled_from([None, 255.0]), p=CHANCES),
        st.builds(og.MedianFilter, st.integers(1, 5), p=CHANCES),
        st.builds(og.Brightness, st.sampled_from([0.5, 1.2]), range=st.sampled_from([None, 255.0]), p=CHANCES),
        st.builds(og.Solarize, st.sampled_from([0.5, 0.2]), range=st.sampled_from([None, 255.0]), p=CHANCES),
        st.builds(og.Clip, st.sampled_from([0.0, -1.0, 9.0]), p=CHANCES),
        st.builds(og.UniformFilter, st.integers(1, 5), p=CHANCES),
        st.builds(og.MinFilter, st.integers(1, 5), p=CHANCES),
        st.builds(og.MaxFilter, st.integers(1, 5), p=CHANCES),
        st.builds(og.GaussianFilter, st.sampled_from([0.0, 0.8, 2.0]), p=CHANCES),
    )  # fmt: skip


def joining_steps() -> st.SearchStrategy[Step]:
    """Small movements with one border rule, as training has them: they join."""
    rule: dict[str, Any] = {"mode": st.just("constant"), "cval": st.sampled_from([0.0, 0.0, 0.0, 7.0])}
    turns = st.one_of(ranges(-20, 20), st.sampled_from([90.0, 0.0, -90.0]))
    return st.one_of(
        st.builds(og.Rotate, turns, reshape=st.booleans(), **rule),
        st.builds(
            og.Affine,
            scale=ranges(0.85, 1.3),
            shear=ranges(-0.2, 0.2),
            translate=st.tuples(SHIFTS, SHIFTS),
            **rule,
        ),
        st.builds(og.Zoom, ranges(0.8, 1.25), grid=st.just("pixels"), order=st.just(1), **rule),
        st.builds(og.Flip, st.sampled_from(["X", "Y"]), p=st.sampled_from([1.0, 0.5])),
        st.builds(og.Pad, st.integers(0, 9), **rule),
        st.builds(og.CenterCrop, st.just("90%"), **rule),
        st.builds(og.RandomCrop, st.sampled_from(["80%", ("100%", "70%")]), **rule),
        st.builds(og.Resize, st.just((30, 40))),
        st.just(og.Rescale(1 / 255)),
    )


def recipes() -> st.SearchStrategy[og.Compose]:
    """Steps, some of them inside `Augment`."""
    chains = st.one_of(
        st.lists(steps(), min_size=1, max_size=6), st.lists(joining_steps(), min_size=2, max_size=6)
    )
    return st.builds(
        lambda chain, where, fused: og.Compose(
            [og.Augment(step) if inside else step for step, inside in zip(chain, where)], fuse=fused
        ),
        chains,
        st.lists(st.booleans(), min_size=6, max_size=6),
        st.sampled_from([True, True, False]),
    )


def specs() -> st.SearchStrategy[ArraySpec]:
    """Images of every kind, tiny ones among them."""
    length = st.one_of(st.integers(1, 3), st.integers(4, 70), st.sampled_from([223, 375, 500]))
    kind = st.sampled_from(["YX", "YXC", "YXC", "CYX", "TYXC", "YCX"])
    dtype = st.sampled_from(
        [
            "uint8",
            "uint8",
            "uint8",
            "float32",
            "uint16",
            "int16",
            "bool",
            "float64",
            "int8",
            "uint64",
            "int32",
        ]
    )

    def made(rows: int, columns: int, channels: int, axes: str, dtype: str) -> ArraySpec:
        lengths = {"Y": rows, "X": columns, "C": channels, "T": 2}
        return ArraySpec(tuple(lengths[name] for name in axes), dtype, axes)

    return st.builds(made, length, length, st.sampled_from([1, 3, 3, 4]), kind, dtype)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)
        yield


@settings(max_examples=700, deadline=None)
@given(
    recipes(), specs(), st.builds(Key, st.integers(0, 2**64 - 1), st.integers(0, 9), st.integers(0, 10**6))
)
def test_operations_have_every_bit_of_those_of_python(recipe: og.Compose, spec: ArraySpec, key: Key) -> None:
    planner = RecipePlanner(recipe._placed, fused=recipe.fuse)
    expected = by_python(recipe, spec, key)
    found = planned(planner, spec, key)
    if expected is None:
        assert found is None
        return
    ops, after = expected
    if planner.core is None:  # a parameter for volumes, in a step that does not apply
        return
    assert found is not None
    assert equals(found.native.ops, ops), f"{found.native.ops}\n{ops}"
    assert found.after == after


def test_a_table_that_is_kept_is_that_of_python() -> None:
    for step in (og.Normalize(stats="imagenet"), og.Gamma(0.5), og.Rescale(0.1)):
        recipe = og.Compose([step])
        planner = RecipePlanner(recipe._placed, fused=True)
        for shape, dtype, axes in (((40, 50, 3), "uint8", "YXC"), ((3, 400, 300), "uint16", "CYX")):
            spec = ArraySpec(shape, dtype, axes)
            found, expected = planner.plan(spec, Key()), by_python(recipe, spec, Key())
            assert found is not None and expected is not None
            one, other = (
                looked_up(ops[0], spec, found.after.dtype) for ops in (found.native.ops, expected[0])
            )
            assert one.tobytes() == other.tobytes()
            assert found.finite == (not step.sample(Draw(Key(), ""), spec) or found.after.dtype[0] == "u")


class Memory:
    """A place for an image."""

    def __init__(self, like: np.ndarray) -> None:
        self.shape, self.dtype = like.shape, like.dtype
        self._array = np.empty(like.shape, like.dtype)

    def array(self) -> np.ndarray:
        return self._array


@settings(max_examples=150, deadline=None)
@given(recipes(), st.integers(4, 40), st.integers(4, 40), st.integers(0, 10**6))
def test_a_prepared_sample_has_the_bytes_and_the_record_of_a_run(
    recipe: og.Compose, rows: int, columns: int, index: int
) -> None:
    image = np.random.default_rng(index).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    targets, key = og.Targets({"image": og.Image(image, "YXC")}), Key(3, 1, index)
    try:
        expected = recipe.run(targets, key)
    except og.OffgraphError:
        return
    place = Memory(expected.image)
    prepared = None
    for _ in range(8):  # it lets Python say each hint once
        prepared = recipe.prepare(targets, key, place)
    if prepared is None:
        return
    run_prepared([prepared])
    assert place.array().tobytes() == expected.image.tobytes()
    released = prepared.released()
    assert released.record() == expected.record
    assert released.targets().image.axes == "YXC"
    history = prepared.pending.finished()[1]
    assert history.frame().to_json() == expected.frame.to_json()


words = st.integers(0, 2**64 - 1)


@settings(max_examples=100, deadline=None)
@given(
    words, words, words, st.text(max_size=30),
    st.lists(
        st.one_of(
            st.tuples(st.just("uniform"), st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False)),
            st.tuples(st.just("integer"), st.integers(-(2**40), 2**40), st.integers(0, 2**62)).map(lambda t: (t[0], t[1], t[1] + t[2])),
            st.tuples(st.just("chance"), st.floats(0, 1), st.just(0.0)),
        ),
        min_size=1, max_size=9,
    ),
)  # fmt: skip
def test_draws_have_every_bit_of_those_of_python(
    seed: int, epoch: int, index: int, address: str, calls: list[Any]
) -> None:
    draws = Draw(Key(seed, epoch, index), address)
    expected = []
    for kind, low, high in calls:
        expected.append(draws.chance(low) if kind == "chance" else getattr(draws, kind)(low, high))
    found = core.drawn_values(seed, epoch, index, hash64(address), tuple(calls))
    assert [repr(value) for value in found] == [repr(value) for value in expected]


def test_sine_and_cosine_of_degrees_are_those_of_scipy() -> None:
    random = np.random.default_rng(5)
    whole = np.arange(-1500, 1501) * 0.5
    far = [1e14, 1.0000001e14, -1e14, 1e300, 0.0, -0.0, 5e-324, 1e-300, 44.99999999999999, 45.00000000000001]
    angles = np.concatenate(
        [
            random.uniform(-360, 360, 10**6),
            random.uniform(-1e9, 1e9, 10**5),
            whole,
            np.nextafter(whole, 1e9),
            far,
        ]
    )
    found = np.array(core.cos_sin_degrees(angles.tolist()))
    assert found[:, 0].tobytes() == cosdg(angles).tobytes()
    assert found[:, 1].tobytes() == sindg(angles).tobytes()


def test_products_of_matrices_are_those_of_numpy() -> None:
    roundings = product_roundings()
    assert roundings is not None, "rotations are planned in Python on this machine"
    random = np.random.default_rng(6)
    for _ in range(2000):
        one, other, vector = (
            random.normal(size=(2, 2)),
            random.normal(size=(2, 2)),
            random.normal(size=2) * 300,
        )
        (a, b), _ = one.tolist()
        x, y = vector.tolist()
        assert core.rounded_dot(roundings[0], a, b, x, y) == (one @ vector)[0]
        (x, _), (y, _) = other.tolist()
        assert core.rounded_dot(roundings[1], a, b, x, y) == (one @ other)[0, 0]


def test_what_only_python_can_run_is_left_to_it() -> None:
    class Own(og.Rotate):
        """Inherits the numbers of another step."""

        def map(self, params: dict[str, Any], spec: ArraySpec) -> Any:
            return og.GridMap.identity(spec.size)

    spec = ArraySpec((20, 30, 3), "uint8", "YXC")
    for recipe in (og.Compose([Own(5)]), og.Compose([og.Elastic("5%")]), og.Compose([og.FancyPCA()])):
        assert RecipePlanner(recipe._placed, fused=True).core is None
    planner = RecipePlanner(og.Compose([og.Rotate(5)])._placed, fused=True)
    assert planner.plan(spec, Key()) is not None
    assert planner.plan(ArraySpec((9, 20, 30), "uint8", "ZYX"), Key()) is None
    assert planner.plan(ArraySpec((20, 30, 3), "float16", "YXC"), Key()) is None
    assert planner.plan(ArraySpec((0, 30, 3), "uint8", "YXC"), Key()) is None
