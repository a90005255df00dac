"""What each random step draws, over many images: the mean, the spread and the whole distribution of every drawn value.

Ranges that stand in the record under their parameter's name are found in the registry, and tried with a range. All else
that a step draws has its line in `DRAWS`; a step that draws something without one fails `test_every_drawn_value_is_tested`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.support.even import is_even, is_even_among
from tests.support.registry import MODULES, NAMES

import offgraph as og
from offgraph.core.random import Draw
from offgraph.plan.draw import draw
from offgraph.plan.placed import place
from offgraph.plan.target_view import view_of
from offgraph.steps.base import Step, _counted, _ranged
from offgraph.targets import Targets

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single cases

COUNT = 1500
SIZE = (40, 60)
SPEC = og.ArraySpec((*SIZE, 3), "uint8", "YXC")
VOLUME = og.ArraySpec((12, 40, 60), "uint8", "ZYX")
LABELS = np.zeros(SIZE, np.uint8)
LABELS[10:13, 20:24] = 1
LABELS[30, 50] = 2
TARGETS = {
    "mask": og.Mask(LABELS),
    "boxes": og.Boxes([[20, 10, 24, 13], [41, 25, 50, 31]], size=SIZE),
}
Params = dict[str, Any]
Check = Callable[[np.ndarray], bool]


def drawn(step: Step, count: int = COUNT, spec: og.ArraySpec = SPEC) -> list[Params]:
    """What is drawn for that many images, with a mask and boxes for a step that looks at them."""
    placed = place([(step, False)])
    image = og.Image(spec.stand_in(), spec.axes)
    view = view_of(placed, Targets({"image": image, **TARGETS})) if placed[0].draws_from else None
    return [draw(placed, spec, og.Key(seed=5, index=i), view=view)[0][0].params for i in range(count)]


# how values are spread


def even(low: float, high: float) -> Check:
    """Evenly: the mean and the standard deviation of it, and Kolmogorov's and Smirnov's distance."""

    def check(values: np.ndarray) -> bool:
        spread, n = (high - low) / math.sqrt(12), len(values)
        assert abs(values.mean() - (low + high) / 2) < 4 * spread / math.sqrt(n), "mean"
        assert abs(values.std() - spread) < 4 * spread * math.sqrt(0.2 / n), "spread"
        return is_even(values, low, high)

    return check


def among(*choices: Any) -> Check:
    """Evenly from some values: the mean and the spread of their numbers follow from their shares."""
    return lambda values: is_even_among(
        [tuple(v) if isinstance(v, np.ndarray) else v for v in values.tolist()]
        if values.dtype != object
        else list(values),
        choices,
    )


def share(of: float) -> Check:
    """True with a probability."""
    return lambda values: bool(abs(values.mean() - of) < 4 * math.sqrt(of * (1 - of) / len(values)))


def about(mean: float, sd: float, slack: float = 1.0) -> Check:
    """A mean and a standard deviation that are worked out; `slack` widens what is allowed of the spread."""

    def check(values: np.ndarray) -> bool:
        n = len(values)
        assert abs(values.mean() - mean) < 4 * sd / math.sqrt(n), "mean"
        return bool(abs(values.std() - sd) < slack * 4 * sd / math.sqrt(2 * n))

    return check


class Drawn(NamedTuple):
    """A value that a step draws.

    Parameters
    ----------
    step : Step
    keys : str
        What it covers of the record, apart by commas.
    value : callable
        Of the record.
    check : callable
    fixed : str
        What of the record follows from other values or from the target.
    spec : ArraySpec
    """

    step: Step
    keys: str
    value: Callable[[Params], Any]
    check: Check
    fixed: str = ""
    spec: og.ArraySpec = SPEC


def at(key: str, *places: int) -> Callable[[Params], Any]:
    """The entry of a list in the record."""

    def value(params: Params) -> Any:
        found = params[key]
        for number in places:
            found = found[number]
        return found

    return value


def chosen(params: Params) -> tuple[int, ...]:
    """Which members of a structure step were applied, in their order."""
    return tuple(part["number"] for part in params["steps"])


def orders(count: int) -> Iterable[tuple[int, ...]]:
    return itertools.permutations(range(1, count + 1))


def names_of(params: Params) -> str:
    """Of the one way that a policy took."""
    (part,) = params["steps"]
    return str(part["number"])


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image


A, B, C = og.Flip("X", p=0.25), og.Flip("Y", p=0.75), og.Identity(p=0.5)
WAYS = [str(number) for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15)]  # of images in colours
ELASTIC = og.Elastic(2.0, nodes=6)
SPLINE = (1 + 16 + 1) / 36  # root of the sum of squared weights, on two axes

DRAWS: list[Drawn] = [
    Drawn(og.Affine(translate=((-3, 3), ("-10%", "10%"))), "translate", at("translate", 0), even(-3, 3)),
    Drawn(og.Affine(translate=((-3, 3), ("-10%", "10%"))), "translate", at("translate", 1), even(-6, 6)),
    Drawn(og.AugMix(), "share", lambda p: p["share"], even(0, 1)),
    Drawn(og.AugMix(alpha=0.5), "share", lambda p: p["share"], about(0.5, math.sqrt(1 / 8), 1.2)),
    Drawn(og.AugMix(), "weights", lambda p: p["weights"][1], about(1 / 3, math.sqrt(2 / 36), 1.2)),
    Drawn(og.AugMix(), "weights", lambda p: p["weights"][2], about(1 / 3, math.sqrt(2 / 36), 1.2)),
    Drawn(og.AugMix(), "versions", lambda p: len(p["versions"][1]), among(1, 2, 3)),
    Drawn(og.AugMix(depth=1), "versions", lambda p: str(p["versions"][2][0]["number"]), among(*WAYS)),
    Drawn(og.BBoxSafeCrop(), "start", at("start", 0), among(*range(11)), "around"),
    Drawn(
        og.BBoxSafeCrop(), "window", lambda p: p["start"][1] + p["window"][1], among(*range(50, 61)), "around"
    ),
    Drawn(og.BiasField(0.4), "coefficients", at("coefficients", 3), even(-0.4, 0.4)),
    Drawn(og.BiasField((0.2, 0.4)), "coefficients", at("coefficients", 0), about(0, math.sqrt((0.4**3 - 0.2**3) / 0.6 / 3), 1.2)),
    Drawn(og.ChannelDrop((1, 2)), "channels", lambda p: len(p["channels"]), among(1, 2)),
    Drawn(og.ChannelDrop(2), "channels", lambda p: sum(p["channels"]), among(1, 2, 3)),
    Drawn(og.ChannelShuffle(), "order", lambda p: sum(n * 3**k for k, n in enumerate(p["order"])),
          among(*(a + 3 * b + 9 * c for a, b, c in itertools.permutations(range(3))))),
    Drawn(og.CoarseDropout((2, 4), size=5), "holes", lambda p: len(p["holes"]), among(2, 3, 4)),
    Drawn(og.CoarseDropout(1, size=5), "holes", lambda p: p["holes"][0][1][0], among(*range(56))),
    Drawn(og.ColorJitter((0.5, 1.5), (0.5, 1.5), (0.5, 1.5), (-9, 9)), "order",
          lambda p: "".join(name[0] for name in p["order"]), among(*map("".join, itertools.permutations("bcsh")))),
    Drawn(og.CropAroundMask(3, labels=1), "start,pixel", lambda p: p["pixel"][0] * 100 + p["pixel"][1],
          among(*(100 * y + x for y in (10, 11, 12) for x in (20, 21, 22, 23))), "labelled"),
    Drawn(og.CropAroundMask(3, labels=2), "start", lambda p: p["start"][0] - 28, among(0, 1, 2), "labelled"),
    Drawn(og.CropToAspect(1, position="random"), "start", at("start", 1), among(*range(21))),
    Drawn(og.D4(), "element", lambda p: p["element"], among("e", "r90", "r180", "r270", "h", "v", "t", "hvt")),
    # A node is a mean of nine control points with the weights of a cubic B-spline, (1, 4, 1) / 6 along each axis.
    Drawn(ELASTIC, "field", at("field", 0, 2, 3), about(0, 2 / math.sqrt(3) * SPLINE, 1.2)),
    Drawn(ELASTIC, "field", at("field", 1, 3, 2), about(0, 2 / math.sqrt(3) * SPLINE, 1.2)),
    # The first of two cells takes (1 + u) / (2 + u + v) of the axis.
    Drawn(og.GridDistortion(0.3, cells=2), "lines", lambda p: math.log(p["lines"][0][1] / (1 - p["lines"][0][1])),
          about(0, math.sqrt(2) * float(np.log1p(np.linspace(-0.3, 0.3, 200_001)).std()), 1.2)),
    Drawn(og.FancyPCA(0.5), "alphas", at("alphas", 2), about(0, 0.5, 1.2)),
    Drawn(og.GridDropout((4, 9)), "unit", lambda p: p["unit"], among(*range(4, 10))),
    Drawn(og.GridDropout(7), "offset", at("offset", 1), among(*range(7))),
    Drawn(og.GridShuffle({"X": 4}), "order", lambda p: "".join(map(str, p["order"])), among(*map("".join, itertools.permutations("0123")))),
    Drawn(og.LetterBox(50, "random"), "before", at("before", 0), among(*range(18))),
    Drawn(og.PadTo(64, position="random"), "before", at("before", 1), among(*range(5))),
    Drawn(og.Lambda(image=noisy, random=True), "seed", lambda p: p["seed"] / 2**64, even(0, 1)),
    Drawn(og.MaskDropout(1), "runs", lambda p: len(p["runs"]), among(2, 6), "found"),
    Drawn(og.MaskDropout((1, 2)), "runs", lambda p: len(p["runs"]) == 8, share(0.5), "found"),
    Drawn(og.Ndimage("gaussian_filter", sigma=(0.5, 2)), "sigma", lambda p: p["sigma"], even(0.5, 2)),
    Drawn(og.Ndimage("percentile_filter", percentile=(10, 90), size=3), "percentile", lambda p: p["percentile"], even(10, 90)),
    Drawn(og.OneOf([A, B]), "steps", lambda p: chosen(p) == (1,), share(0.25)),
    Drawn(og.Perspective(0.1), "corners", at("corners", 0, 1), even(-0.1, 0.1)),
    Drawn(og.Perspective(0.1, inwards=True), "corners", at("corners", 2, 0), even(0.9, 1)),
    Drawn(og.RandAugment((1, 3)), "steps", lambda p: len(p["steps"]), among(1, 2, 3)),
    Drawn(og.RandAugment(1), "steps", names_of, among(*WAYS)),
    Drawn(og.RandomCrop((30, 50)), "start", at("start", 0), among(*range(11))),
    Drawn(og.RandomOrder([og.Identity()] * 3), "steps", lambda p: "".join(map(str, chosen(p))), among("123", "132", "213", "231", "312", "321")),
    Drawn(og.RandomOrder([A, B]), "steps", lambda p: 1 in chosen(p), share(0.25)),
    Drawn(og.RandomResizedCrop(9, scale=(0.2, 0.4), ratio=1), "window", lambda p: p["window"][0] * p["window"][1] / 2400,
          about(0.3, 0.2 / math.sqrt(12), 1.5)),
    Drawn(og.RandomResizedCrop(9, scale=0.1, ratio=(0.5, 2)), "window", lambda p: math.log(p["window"][1] / p["window"][0]),
          about(0, math.log(4) / math.sqrt(12), 1.5)),
    Drawn(og.RandomResizedCrop(9, scale=0.24, ratio=1), "start", at("start", 1), among(*range(37))),
    Drawn(og.Resize(scale=(0.5, 1.5)), "scale", lambda p: p["scale"], even(0.5, 1.5)),
    Drawn(og.Rotate90(), "times", lambda p: p["times"], among(0, 1, 2, 3)),
    Drawn(og.Scale((0.5, 2)), "scale", lambda p: p["scale"], even(0.5, 2)),
    Drawn(og.Sequence([A, B]), "steps", lambda p: 2 in chosen(p), share(0.75)),
    Drawn(og.Shadow((1, 3)), "shadows", lambda p: len(p["shadows"]), among(1, 2, 3)),
    Drawn(og.Shadow(corners=(3, 5)), "shadows", lambda p: len(p["shadows"][0]["corners"]), among(3, 4, 5)),
    Drawn(og.Shadow(), "shadows", lambda p: p["shadows"][0]["strength"], even(0.3, 0.6)),
    Drawn(og.Shadow(), "shadows", lambda p: p["shadows"][-1]["corners"][4][0], even(0.5, 1)),
    Drawn(og.Shadow(), "shadows", lambda p: p["shadows"][-1]["corners"][0][1], even(0, 1)),
    Drawn(og.Shift(((-5, 5), ("-10%", "10%"))), "shift", at("shift", 0), even(-5, 5)),
    Drawn(og.Shift(((-5, 5), ("-10%", "10%"))), "shift", at("shift", 1), even(-6, 6)),
    Drawn(og.ShiftScaleRotate(((-5, 5), ("-10%", "10%"))), "shift", at("shift", 1), even(-6, 6)),
    Drawn(og.SomeOf([A, B, C], n=(1, 2)), "steps", lambda p: len(p["steps"]), among(1, 2)),
    Drawn(og.SomeOf([A, B, C]), "steps", lambda p: chosen(p) == (2,), share(0.5)),
    Drawn(og.SunFlare(), "radius", lambda p: p["radius"], even(18, 36)),
    Drawn(og.SunFlare(), "sun", at("sun", 0), even(0, 0.5)),
    Drawn(og.SunFlare(), "sun", at("sun", 1), even(0, 1)),
    Drawn(og.SunFlare(ghosts=(0, 3)), "ghosts", lambda p: len(p["ghosts"]), among(0, 1, 2, 3)),
    Drawn(og.SunFlare(), "ghosts", at("ghosts", 3, 0), even(0.2, 2)),
    Drawn(og.SunFlare(), "ghosts", at("ghosts", 3, 1), even(0.005, 0.05)),
    Drawn(og.SunFlare(), "ghosts", at("ghosts", 0, 2), even(0.05, 0.2)),
    Drawn(og.ThinPlateSpline(3.0), "shifts", at("shifts", 1, 5), even(-3, 3), "counts"),
    Drawn(og.TrivialAugment(), "steps", names_of, among(*WAYS)),
    Drawn(og.Zoom((0.5, 2)), "factor", lambda p: p["factor"], even(0.5, 2)),
]  # fmt: skip


# ranges of the registry

CANDIDATES = [(0.3, 0.8), (1.2, 3.7), (2.0, 9.0), (20.0, 60.0), (2500.0, 9000.0)]


class Ranged(NamedTuple):
    """A step with a range in one parameter, which stands in the record under its name."""

    step: Step
    name: str


def with_range(name: str, field: str) -> Ranged | None:
    """A step of that name whose field is a range; None where its record holds something else under that name."""
    for case in itertools.chain(*(MODULES[name].CASES[n] for n in sorted(MODULES[name].CASES))):
        step = dataclasses.replace(case, p=1.0)
        for ends in CANDIDATES:
            setting = tuple(map(round, ends)) if field in _counted(type(step)) else ends
            try:
                made = dataclasses.replace(step, **{field: setting})
                params = made.sample(Draw(og.Key(), "x"), spec_for(made))
            except (ValueError, og.OffgraphError):
                continue
            value = params.get(field)
            is_it = isinstance(value, int | float) and setting[0] <= value <= setting[1]
            return Ranged(made, field) if is_it else None
    return None


def spec_for(step: Step) -> og.ArraySpec:
    return SPEC if 2 in step.dimensions else VOLUME


with warnings.catch_warnings():
    warnings.simplefilter("ignore", og.OffgraphWarning)  # hints
    RANGED = [
        found
        for name in NAMES
        for field in _ranged(og.STEPS[name])
        if (found := with_range(name, field)) is not None
    ]


@pytest.mark.parametrize(("step", "name"), RANGED, ids=[f"{one.step.name}.{one.name}" for one in RANGED])
def test_a_range_is_drawn_from_evenly(step: Step, name: str):
    low, high = getattr(step, name)
    values = [params[name] for params in drawn(step, spec=spec_for(step))]
    if isinstance(low, int):
        assert among(*range(low, high + 1))(np.array(values))
    else:
        assert even(low, high)(np.array(values))


@pytest.mark.parametrize("one", DRAWS, ids=[f"{one.step!r}.{one.keys}" for one in DRAWS])
def test_what_else_is_drawn_is_spread_as_it_says(one: Drawn):
    values = np.array([one.value(params) for params in drawn(one.step, spec=one.spec)])
    assert one.check(values)


def test_seeds_are_spread_over_all_numbers():
    seeded = [name for name in NAMES if "seed" in sampled(name)]
    assert len(seeded) >= 6
    for name in seeded:
        step = dataclasses.replace(next(iter(next(iter(MODULES[name].CASES.values())))), p=1.0)
        if "seed" in step.sample(Draw(og.Key(), "x"), spec_for(step)):
            seeds = [params["seed"] / 2**53 for params in drawn(step, spec=spec_for(step))]
            assert even(0, 1)(np.array(seeds)), name


def sampled(name: str) -> set[str]:
    """All that a step's cases draw, by the names in the record."""
    found: set[str] = set()
    for n, cases in MODULES[name].CASES.items():
        spec = SPEC if n == 2 else VOLUME
        for step in cases:
            try:
                found |= dataclasses.replace(step, p=1.0).sample(Draw(og.Key(), "x"), spec).keys()
            except (ValueError, og.OffgraphError):
                found |= (
                    dataclasses.replace(step, p=1.0).sample(Draw(og.Key(), "x"), one_channel(spec)).keys()
                )
    return found


def one_channel(spec: og.ArraySpec) -> og.ArraySpec:
    """Without the channel axis, for steps that take no colours."""
    return og.ArraySpec(spec.size, spec.dtype, spec.spatial_names)


@pytest.mark.parametrize("name", NAMES)
def test_every_drawn_value_is_tested(name: str):
    """A step that draws something new needs a line in `DRAWS`."""
    covered = {one.name for one in RANGED if one.step.name == name} | {"seed"}
    for one in DRAWS:
        if one.step.name == name:
            covered |= {*one.keys.split(","), *one.fixed.split(",")}
    cls = og.STEPS[name]
    draws = any(step.varies for steps in MODULES[name].CASES.values() for step in steps)
    left = sampled(name) - covered if draws or _ranged(cls) or cls.draws_from else set()
    assert not left, f"{name} draws {', '.join(sorted(left))}: how it is spread is not tested"


def test_a_step_applies_with_its_probability():
    for p in (0.1, 0.5, 0.9):
        placed = place([(og.Flip("X", p=p), False)])
        applied = [draw(placed, SPEC, og.Key(index=i))[0][0].applied for i in range(4000)]
        assert share(p)(np.array(applied))


def test_values_at_different_addresses_are_independent():
    """Two steps of a recipe, two values of a step, and the chance of a step and its value."""
    step = og.Affine(scale=(0.5, 2), rotate=(-9, 9), p=0.5)
    placed = place([(step, False), (step, False)])
    rows = []
    for i in range(4000):
        (one, other), _ = draw(placed, SPEC, og.Key(seed=1, index=i))
        if one.applied and other.applied:
            rows.append(
                [one.params["scale"], one.params["rotate"], other.params["scale"], other.params["rotate"]]
            )
    assert abs(len(rows) / 4000 - 0.25) < 0.03
    found = np.corrcoef(np.array(rows).T) - np.eye(4)
    assert np.abs(found).max() < 4.5 / math.sqrt(len(rows))


def test_the_checks_can_fail():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, COUNT)
    assert even(0, 1)(values) and about(0.5, 1 / math.sqrt(12))(values)
    with pytest.raises(AssertionError, match="mean"):
        even(0, 1)(values**1.2)
    with pytest.raises(AssertionError, match="spread"):
        even(0, 1)(0.5 + (values - 0.5) * 0.9)
    assert not share(0.5)(rng.random(COUNT) < 0.56) and not among(0, 1)(np.array([0] * 800 + [1] * 700 + [2]))
    assert not about(0.5, 0.25)(values)
