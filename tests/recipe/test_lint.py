"""Rules about recipes: each fires where it should, is quiet where it should be, and its mended line mends."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from tests.support.registry import CASES

import offgraph as og
from offgraph.core.specs import OpenSpec
from offgraph.recipe.lint_rules import RULES
from offgraph.steps.base import field_names
from offgraph.steps.parameters import PerAxis

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

BYTES = og.ArraySpec((300, 200, 3), "uint8", "YXC")
WORDS = og.ArraySpec((300, 200), "uint16", "YX")
FLOATS = og.ArraySpec((300, 200, 3), "float32", "YXC")
LABELS = og.ArraySpec((300, 200), "int64", "YX")
HANDS = ("left hand", "right hand")
A = og.Augment

with warnings.catch_warnings():
    warnings.simplefilter("ignore", og.OffgraphWarning)  # hints of the steps
    FIRES = {
        "radians": [
            ([og.Rotate((-0.26, 0.26))], "angle"),
            ([og.Rotate(3.14159)], "angle"),
            ([og.Affine(rotate=(-0.1, 0.1))], "rotate"),
            ([og.MotionBlur(9, angle=(0, 3.14159))], "angle"),
            ([og.OneOf([og.Rotate(0.5), og.Flip()])], "angle"),
        ([og.Rotate(og.Normal(0, 0.2))], "angle"),
        ],
        "levels": [
            ([og.GaussianNoise((5, 25))], "sigma"),
            ([og.GaussianNoise(0.1, mean=10)], "mean"),
            ([og.Brightness(shift=(-20, 20))], "shift"),
            ([og.Speckle(15)], "sigma"),
        ([og.GaussianNoise(og.LogUniform(5, 50))], "sigma"),
        ],
        "hint": [
            ([og.HueSaturation(hue=(-0.1, 0.1))], "hue"),
            ([og.Affine(shear=10)], "shear"),
            ([og.Shift((-5, 5))], "shift"),
            ([og.Normalize(mean=120, std=60)], "mean"),
        ],
        "antialias": [
            ([og.Resize(100, antialias=False)], "antialias"),
            ([og.Resize(scale=0.5, antialias=False)], "antialias"),
            ([og.RandomResizedCrop(64, antialias=False)], "antialias"),
            ([og.ResizeShorter(64, kernel="nearest")], "kernel"),
        ([og.Zoom(0.5)], "factor"),
            ([og.Zoom(PerAxis({"Y": 0.5, "X": 1}))], "factor"),
            ([A(og.Scale((0.3, 1)))], "scale"),
            ([og.Affine(scale=0.25)], "scale"),
        ([og.Scale(og.LogUniform(0.2, 1))], "scale"),
            ([og.ShiftScaleRotate(scale=(0.2, 1))], "scale"),
        ],
        "crop-too-large": [
            ([og.CenterCrop(256)], "size"),
        ([og.CropAroundMask((301, 20))], "size"),
            ([og.Resize(128), A(og.RandomCrop((128, 160)))], "size"),
            ([og.RandomCrop(1000, pad=True)], "size"),
        ],
        "normalised-twice": [
            ([og.Normalize("imagenet"), og.Normalize("imagenet", range=1)], ""),
            ([og.Rescale(1 / 255), og.Rescale(1 / 255)], "scale"),
            ([og.Rescale(1 / 127.5, -1), og.Rescale(1 / 255)], "scale"),
            ([og.ZScore(), og.Normalize("imagenet", range=1)], ""),
            ([og.Normalize("imagenet"), A(og.Flip()), og.PercentileNormalize()], ""),
        ],
        "value-range": [
            ([og.Gamma(2, range=1)], "range"),
            ([og.Normalize("imagenet", range=1)], "range"),
            ([og.Rescale(1 / 255), og.Normalize("imagenet", range=255)], "range"),
            ([og.Rescale(1 / 255), og.Brightness(1.2, range=255)], "range"),
            ([og.Normalize("imagenet"), A(og.Gamma((0.8, 1.2), range=1))], "range"),
            ([og.Rescale(1 / 255), og.Clip(0, 255), og.Pad(4, cval=255)], "cval"),
            ([og.Normalize("imagenet"), og.CoarseDropout(fill=255)], "fill"),
            ([og.Clip(0, 1)], "high"),
            ([og.Rescale(1 / 255), og.Clip(20, 200)], "low"),
        ],
        "unsigned-derivative": [
            ([og.Ndimage("sobel")], "function"),
            ([og.Ndimage("gaussian_laplace", sigma=2)], "function"),
            ([og.Kernel(((-1, 0, 1),))], "weights"),
        ],
        "left-right": [
            ([og.Flip("X", p=0.5)], "axis"),
            ([og.Flip("Y")], "axis"),
            ([A(og.D4())], "element"),
            ([og.D4("h")], "element"),
            ([og.Transpose()], ""),
            ([og.Affine(matrix=((1, 0, 0), (0, -1, 199)))], "matrix"),
            ([og.SomeOf([og.Flip("X"), og.Gamma(2)])], "axis"),
        ],
        "resampled-again": [
            ([A(og.Rotate((-9, 9)), og.Gamma((0.8, 1.2)), og.Affine(scale=(0.9, 1.1)))], ""),
            ([og.Rotate(9), og.HueSaturation(9), og.Shift((0.5, 0.5))], ""),
        ],
        "heavy-before-crop": [
            ([og.MedianFilter(3), og.CenterCrop(100)], ""),
        ([og.Bilateral(9), og.Invert(), og.Crop(100)], ""),
            ([A(og.GaussianNoise(0.1), og.Gamma((0.8, 1.2)), og.RandomCrop("50%"))], ""),
        ],
        "labels-averaged": [],
        "refused": [
            ([og.Resize(64), og.Gamma(2), og.Spacing(PerAxis({"ZYX": 1}), given=PerAxis({"ZYX": 1}))], ""),
            ([og.Rescale(1 / 255), og.Gamma(2)], ""),
            ([og.OneOf([og.ToGrey(), og.Rescale(1)])], ""),
        ],
    }  # fmt: skip

QUIET = {
    "radians": [og.Rotate((-15, 15)), og.Rotate(og.Normal(0, 3)), og.Rotate(90), og.Affine(rotate=(-2, 2)), og.MotionBlur(9, angle=0.5)],
    "levels": [og.GaussianNoise((0, 0.1)), og.Brightness(shift=og.Normal(0, 0.3)), og.Brightness(1.5, shift=(-0.2, 0.2)), og.Speckle(0.3)],
    "hint": [og.HueSaturation(hue=(-20, 20)), og.Affine(shear=0.2), og.Shift(((-5, 5), (-5, 5)))],
    "antialias": [og.Resize(150, kernel="area", antialias=False), og.Downscale(0.5, kernel="nearest"), og.Resize(600, antialias=False), og.Zoom(2), A(og.Scale((0.7, 1)), og.Scale(og.Normal(1, 0.15)))],
    "crop-too-large": [og.CenterCrop(200), og.RandomCrop((210, 200), pad=True), og.CenterCrop("50%")],
    "normalised-twice": [og.Rescale(1 / 255), og.PercentileNormalize(clip=True), og.ZScore()],
    "value-range": [og.Rescale(1 / 255), A(og.Gamma((0.8, 1.2), range=1)), og.Clip(0.1, 0.9), og.Pad(2, cval=1)],
    "unsigned-derivative": [og.Kernel(((0, 1, 0), (1, -3, 2))), og.Laplacian(), og.Rescale(1), og.Ndimage("sobel")],
    "left-right": [og.Rotate((-15, 15)), og.Rotate90(), og.D4("r90"), og.Flip("X", p=0)],
    "resampled-again": [og.Resize(224), og.MedianFilter(3), A(og.Rotate((-9, 9)), og.Affine(scale=1.1), og.Gamma(2))],
    "heavy-before-crop": [og.MedianFilter(3), og.CenterCrop(190), og.Rotate(3), og.CenterCrop(50)],
    "labels-averaged": [og.Flip(), og.Rotate(30, order=0), og.MedianFilter(3), og.CenterCrop(50)],
    "refused": [og.Resize(64), og.Gamma(2), og.Normalize("imagenet")],
}  # fmt: skip


def lint(steps, spec=BYTES, **options):
    return og.Compose(steps).lint(spec, **options)


@pytest.mark.parametrize(
    ("rule", "steps", "field"),
    [(rule, steps, field) for rule, cases in FIRES.items() for steps, field in cases],
    ids=lambda value: repr(value)[:60],
)
def test_it_is_found_with_its_step_and_field(rule, steps, field):
    found = [one for one in lint(steps, class_names=HANDS) if one.rule == rule]
    assert field in [one.field for one in found]
    for one in found:
        assert one.said and one.mend and one.step in one.where and str(one.number) in one.where
        json.dumps(one.to_json())


@pytest.mark.parametrize("rule", QUIET)
def test_it_is_quiet_where_nothing_is_wrong(rule):
    spec = LABELS if rule == "labels-averaged" else BYTES
    assert [str(one) for one in lint(QUIET[rule], spec, class_names=HANDS) if one.rule == rule] == []


def test_every_rule_is_tested():
    assert FIRES.keys() == QUIET.keys() == RULES.keys()
    assert all(cases for rule, cases in FIRES.items() if rule != "labels-averaged")


@pytest.mark.parametrize(
    ("rule", "steps"),
    [(rule, steps) for rule, cases in FIRES.items() for steps, _ in cases],
    ids=lambda value: repr(value)[:60],
)
def test_the_line_that_it_gives_mends(rule, steps):
    """The line in place of the step, or before it where it makes floats, and nothing is found there any more."""
    for one in lint(steps, class_names=HANDS):
        if one.rule != rule or not one.line or " in " in one.step:
            continue
        flat = [step for item in steps for step in (item.steps if isinstance(item, og.Augment) else (item,))]
        (line,) = og.Compose.from_yaml(f"offgraph: 1\nsteps:\n{one.line}\n").steps
        at = one.number - 1
        keeps = isinstance(line, og.Rescale) and not isinstance(flat[at], og.Rescale)
        mended = [*flat[:at], line, *flat[at + (not keeps) :]]
        where = {one.number, one.number + 1} if keeps else {one.number}
        left = [other for other in lint(mended) if other.rule == rule and other.number in where]
        assert left == [] or {other.field for other in left}.isdisjoint({one.field})


def test_labels_as_an_image():
    for step, field in ((og.Rotate(30, order=3), "order"), (og.Resize(64), ""), (og.GaussianFilter(2), "")):
        (one,) = lint([step], LABELS)
        assert (one.rule, one.field) == ("labels-averaged", field) and "mask=" in one.mend
    assert lint([og.Rotate(30, order=3)], WORDS) == ()


def test_resamplings_that_are_kept_apart():
    steps = [og.Rotate(9), og.Affine(scale=1.1), og.Shift((2.5, 2)), og.Rotate(-4)]
    (one,) = og.Compose(steps, fuse=False).lint(BYTES)
    assert (one.rule, one.number, one.field, one.line) == ("resampled-again", 0, "fuse", "fuse: true")
    assert "4 times" in one.said and og.Compose(steps).lint(BYTES) == ()


def test_steps_of_two_layers_stay_where_they_are():
    """What is prepared once, and stored, is not moved behind what each epoch draws."""
    assert lint([og.MedianFilter(3), A(og.RandomCrop(64))]) == ()
    assert lint([og.Rotate(9), og.Gamma(2), A(og.Rotate((-9, 9)))]) == ()


def test_16_bits_may_be_12():
    assert lint([og.Gamma(2, range=4095), og.Rescale(1 / 4095), og.Brightness(1.1, range=1)], WORDS) == ()
    (one,) = lint([og.Gamma(2, range=1)], WORDS)
    assert one.rule == "value-range"


def test_what_floats_mean_is_not_guessed():
    assert lint([og.Gamma(2, range=1), og.Pad(2, cval=255)], FLOATS) == ()


def test_without_a_spec_what_depends_on_it_is_left_out():
    steps = [og.CenterCrop(1000), og.Rotate(0.1), og.MedianFilter(3), og.CenterCrop(10)]
    assert [one.rule for one in og.Compose(steps).lint()] == ["radians"]
    open_size = OpenSpec((None, None, 3), "uint8", "YXC")
    rules = [one.rule for one in og.Compose(steps).lint(open_size)]
    assert rules == ["radians", "heavy-before-crop"]


def test_a_failure_that_a_rule_explains_is_listed_once_and_what_follows_is_looked_at():
    found = lint([og.CenterCrop(256), og.Rescale(1 / 255), og.Normalize("imagenet", range=255)])
    assert [(one.rule, one.number, one.fails) for one in found] == [
        ("crop-too-large", 1, True),
        ("value-range", 3, False),
    ]
    with pytest.raises(og.StepError):
        og.Compose([og.CenterCrop(256)])(image=np.zeros(BYTES.shape, np.uint8))


@pytest.mark.parametrize(
    "names", [HANDS, ("leftHand", "rightHand"), ("L_lung", "R_lung"), ("turn cw", "turn ccw")]
)
def test_sides_in_names(names):
    assert [one.rule for one in lint([og.Flip()], class_names=names)] == ["left-right"]


@pytest.mark.parametrize(
    "names", [(), ("left",), ("left hand", "right foot"), ("bright", "leftover"), ("cat", "dog")]
)
def test_names_without_two_sides(names):
    assert lint([og.Flip()], class_names=names) == ()


def test_own_steps_are_no_obstacle():
    try:

        @og.register
        class Halved(og.PointwiseStep):
            """Half of it."""

            def reference(self, ndi, image, params, channel=0):
                return image // 2

        assert lint([Halved(), og.Rescale(1 / 255), og.Pad(2, cval=255)]) == ()
    finally:
        og.STEPS.pop("Halved", None)


def test_mending_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe = og.Compose([og.MedianFilter(3)])
        assert recipe.lint(BYTES) == ()


@pytest.mark.parametrize("bad", ["uint8", (3, 4), np.zeros(3)])
def test_a_spec_is_a_spec(bad):
    with pytest.raises(og.ArgumentError, match="spec="):
        og.Compose([]).lint(bad)
    with pytest.raises(og.ArgumentError, match="class_names="):
        og.Compose([]).lint(class_names=[1, 2])  # type: ignore[list-item]


def test_every_step_alone_and_beside_others_is_looked_at():
    """No step, number of axes or dtype ends in an error, and what a rule says of a step names a field that it has."""
    around = [og.Rescale(1 / 255)], [og.GaussianFilter(1)], [og.CenterCrop("40%")]
    for step, n in CASES:
        for dtype in ("uint8", "uint16", "float32", "int64", "bool"):
            spec = og.ArraySpec((*(20, 64, 72)[-n:], 3), dtype, "ZYX"[-n:] + "C")
            for before in ([], *around):
                recipe = og.Compose([*before, step, *before], fuse=dtype != "uint16")
                for one in (*recipe.lint(spec, class_names=HANDS), *recipe.lint()):
                    assert one.rule in RULES and one.said and one.mend and str(one)
                    name = one.step.split(" in ")[0]
                    assert not one.field or one.number == 0 or one.field in field_names(og.STEPS[name])
