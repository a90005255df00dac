"""Distributions beside ranges: what they draw, pinned to the bit; how it is spread; and every parameter that takes a range."""

from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.support.cases import examples
from tests.support.even import is_even, is_even_among
from tests.support.json_schema import holds
from tests.support.registry import CASES, KEY, always, expected, make_images, same_bytes, seen

import offgraph as og
from offgraph.core.distributions import Distribution
from offgraph.core.random import Draw
from offgraph.recipe.schema import schema
from offgraph.steps.base import Step, _counted, _ranged
from offgraph.steps.parameters import PerAxis

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single cases

PINNED: dict[Any, list[str]] = {
    (-15.0, 15.0): ["-0x1.3741e3b26cd49p+3", "0x1.c77c4b2c55320p-1", "0x1.211c55b608660p+3"],
    og.Integer(-3, 9): ["0x1.c000000000000p+2", "0x1.4000000000000p+2", "0x1.8000000000000p+1"],
    og.LogUniform(0.1, 10.0): ["0x1.cc20567666d3ap-3", "0x1.2575990dd4a9dp+0", "0x1.0026547735f14p+2"],
    og.Normal(2.0, 3.0): ["0x1.1ac1f0f085457p+1", "0x1.834932b3eb9ecp+1", "-0x1.c51f9d98146e8p+1"],
    og.Normal(2.0, 3.0, 1.0, 4.0): ["0x1.1ac1f0f085457p+1", "0x1.834932b3eb9ecp+1", "0x1.ca99e9895928bp+0"],
    og.Beta(2.0, 5.0): ["0x1.088f080000000p-3", "0x1.1c05540000000p-2", "0x1.b16d900000000p-2"],
    og.Beta(0.2, 0.2, -1.0, 3.0): ["-0x1.f782100000000p-1", "0x1.5e4e8c0000000p+0", "0x1.7c13820000000p+1"],
    og.Choice([1.0, 2.5, 7.0]): ["0x1.c000000000000p+2", "0x1.c000000000000p+2", "0x1.0000000000000p+0"],
    og.Choice([1.0, 2.5, 7.0], weights=[1.0, 0.0, 3.0]): [
        "0x1.0000000000000p+0",
        "0x1.c000000000000p+2",
        "0x1.c000000000000p+2",
    ],
}


def values(setting: Any, count: int) -> np.ndarray:
    return np.array([Draw(og.Key(seed=5, index=index), "step").value(setting) for index in range(count)])


@pytest.mark.parametrize("setting", PINNED, ids=repr)
def test_draws_are_pinned(setting: Any):
    assert [float(value).hex() for value in values(setting, 3)] == PINNED[setting]


def test_each_is_spread_as_it_says():
    n = 4000
    assert is_even(values(og.Uniform(-2, 5), n), -2, 5)
    assert is_even_among(values(og.Integer(-3, 9), n).tolist(), range(-3, 10))
    assert is_even(np.log(values(og.LogUniform(0.1, 10), n)), np.log(0.1), np.log(10))
    assert is_even_among(values(og.Choice([1, 2.5, 7, 9]), n).tolist(), [1, 2.5, 7, 9])
    weighted = values(og.Choice([1, 2.5, 7], weights=[1, 0, 3]), n).tolist()
    assert weighted.count(2.5) == 0 and abs(weighted.count(7) / n - 0.75) < 0.03
    for setting, known in (
        (og.Normal(2, 3), stats.norm(2, 3)),
        (og.Normal(2, 3, low=1, high=4), stats.truncnorm(-1 / 3, 2 / 3, 2, 3)),
        (og.Normal(0, 1, low=0), stats.truncnorm(0, 5)),
        (og.Beta(2, 5, 10, 20), stats.beta(2, 5, 10, 10)),
        (og.Beta(0.2, 0.3), stats.beta(0.2, 0.3)),
    ):
        assert is_even(known.cdf(values(setting, n)), 0, 1), setting


NUMBERS = st.floats(-1e6, 1e6)
ANY = st.one_of(
    st.builds(lambda a, b: og.Integer(min(a, b), max(a, b)), st.integers(-99, 99), st.integers(-99, 99)),
    st.builds(lambda a, b: og.LogUniform(min(a, b), max(a, b)), *[st.floats(1e-6, 1e6)] * 2),
    st.builds(og.Normal, NUMBERS, st.floats(1e-3, 1e3)),
    st.builds(lambda m, s: og.Normal(m, s, m - s / 2, m + 2 * s), NUMBERS, st.floats(1e-3, 1e3)),
    st.builds(lambda a, b, x, y: og.Beta(a, b, min(x, y), max(x, y)), *[st.floats(0.05, 50)] * 2, NUMBERS, NUMBERS),
    st.builds(og.Choice, st.lists(NUMBERS, min_size=1, max_size=5)),
)  # fmt: skip


@examples(200)
@given(setting=ANY, index=st.integers(0, 999))
def test_values_lie_between_the_ends_and_files_keep_it(setting: Any, index: int):
    low, high = setting
    value = Draw(og.Key(index=index), "step").value(setting)
    assert isinstance(value, float) and low <= value <= high
    assert pickle.loads(pickle.dumps(setting)) == setting and hash(setting) == hash(
        pickle.loads(pickle.dumps(setting))
    )
    recipe = og.Compose([og.Affine(rotate=setting, translate={"X": setting})])
    for read in (
        og.Compose.from_yaml(recipe.to_yaml()),
        og.Compose.from_dict(json.loads(json.dumps(recipe.to_dict()))),
    ):
        assert read == recipe and read.steps == recipe.steps and read.steps[0].rotate == setting
    assert setting != (low, high) and recipe != og.Compose(
        [og.Affine(rotate=(low, high), translate={"X": setting})]
    )


def test_what_files_may_say():
    text = """
    offgraph: 1
    steps:
      - Rotate: {angle: {normal: [0, 5]}}
      - Rotate: {angle: {normal: {mean: 0, sd: 5, high: 9}}}
      - Gamma: {gamma: {log_uniform: [0.5, 2]}}
      - Brightness: {factor: {uniform: [0.5, 1.5]}}
      - Rotate90: {times: {choice: [1, 3], weights: [1, 2]}}
      - CoarseDropout: {holes: {integer: [1, 4]}, size: {Y: {beta: [2, 2, 3, 9]}, X: 4}}
    """
    steps = og.Compose.from_yaml(text).steps
    assert steps == (
        og.Rotate(og.Normal(0, 5)),
        og.Rotate(og.Normal(0, 5, high=9)),
        og.Gamma(og.LogUniform(0.5, 2)),
        og.Brightness((0.5, 1.5)),
        og.Rotate90(og.Choice([1, 3], weights=[1, 2])),
        og.CoarseDropout((1, 4), size={"Y": og.Beta(2, 2, 3, 9), "X": 4}),
    )
    assert holds(schema(), yaml.safe_load(text))
    for wrong in ({"normal": [0]}, {"normal": [0, 5], "sd": 3}, {"poisson": [3]}, {"choice": []}):
        data = {"offgraph": 1, "steps": [{"Rotate": {"angle": wrong}}]}
        assert not holds(schema(), data)
        with pytest.raises(og.RecipeError, match="step 1: step Rotate, field angle: "):
            og.Compose.from_dict(data)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: og.Normal(0, -1), "Normal: sd=-1: give a number above 0"),
        (lambda: og.Normal(0, 1, low=2), "give limits on both sides of the mean"),
        (lambda: og.Normal(0, 1, -0.1, 0.1), "a narrower range is as good as even: write"),
        (lambda: og.Normal(float("nan"), 1), "mean=nan: give a finite number"),
        (lambda: og.LogUniform(0, 1), "LogUniform: low=0: give a number above 0"),
        (lambda: og.Integer(0.5, 2), r"Integer\(0.5, 2\): give whole numbers"),
        (lambda: og.Uniform(3, 2), "Uniform: low=3 is above high=2"),
        (lambda: og.Beta(0, 2), r"Beta\(0, 2\): give numbers above 0"),
        (lambda: og.Choice([]), "give a list of 1 to 1,000 numbers"),
        (lambda: og.Choice([1, 2], weights=[1]), "weights=.*: give 2 numbers from 0"),
        (lambda: og.Choice([1, 2], weights=[0, 0]), "give 2 numbers from 0"),
        (lambda: og.Gamma(og.Normal(1, 0.3)), r"gamma: expected a number above 0, and Normal\(1.0, 0.3\) may give -0.5"),
        (lambda: og.Rotate90(og.Normal(1, 0.3)), "times: expected whole numbers .*, from Integer or Choice"),
        (lambda: og.Rotate90(og.Choice([1, 1.5])), "times: expected a whole number .*may give 1.5"),
        (lambda: og.Normalize(og.Normal(1, 0.3)), "Normalize"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, says: str):
    with pytest.raises((og.ArgumentError, og.StepError), match=says):
        make()


# every parameter that takes a range


def instead(value: Any, is_count: bool) -> list[Any]:
    """Distributions between the ends of a setting."""
    low, high = value if isinstance(value, tuple) else (value, value)
    found: list[Any] = [og.Choice([low, high, low], weights=[1, 2, 0])]
    if is_count:
        return found
    found.append(og.Beta(2, 3, low, high))
    if low > 0:
        found.append(og.LogUniform(low, high))
    if high > low:
        middle, width = (low + high) / 2, (high - low) / 2
        found.append(og.Normal(middle, width, low, high))
    if low % 1 == high % 1 == 0:
        found.append(og.Integer(int(low), int(high)))
    return found


def with_distributions(step: Step) -> list[Step]:
    """The step with each of them in place of each range or number."""
    found = []
    for name in () if getattr(step, "matrix", None) else _ranged(type(step)):
        value = getattr(step, name)
        is_count = name in _counted(type(step))
        if isinstance(value, PerAxis):
            first = next(iter(value))
            ends = value[first] if isinstance(value[first], tuple) else (value[first],)
            if any(isinstance(end, str) for end in ends):  # shares
                continue
            options: list[Any] = [{**value, first: one} for one in instead(value[first], is_count)]
        elif (
            value is None
            or isinstance(value, str)
            or (isinstance(value, tuple) and isinstance(value[0], str))
        ):
            continue
        else:
            options = instead(value, is_count)
        found += [dataclasses.replace(step, **{name: option}) for option in options]
    return found


MADE = [(made, n) for step, n in CASES for made in with_distributions(step)]


def test_most_steps_have_such_parameters():
    assert len({step.name for step, _ in MADE}) >= 40


@pytest.mark.parametrize(("step", "n"), MADE, ids=[f"{n}D-{step!r}" for step, n in MADE])
def test_a_distribution_stands_wherever_a_range_does(step: Step, n: int):
    step = always(step)
    image = make_images(step, n)[0]
    recipe = og.Compose([step])
    out = recipe(image=image, key=KEY, **seen(step, n))
    params = out.record["steps"][0]["params"]
    assert params == json.loads(json.dumps(params))
    same_bytes(out.image, expected(step, image, params))
    if not step.draws_from and image.spec.axes in ("YX", "YXC"):
        # A bare array is drawn and run by the native plan, where there is one.
        same_bytes(recipe(image=image.array, key=KEY).image, out.image)
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe
    assert holds(SCHEMA, json.loads(json.dumps(recipe.to_dict())))
    for name in _ranged(type(step)):
        setting, value = getattr(step, name), params.get(name)
        if isinstance(setting, Distribution) and isinstance(value, int | float):
            assert setting[0] <= value <= setting[1] or step.name == "Rotate90"


SCHEMA = schema()
