"""Steps that move nothing are drawn by the core, or asked for one by one; in both ways they are operations of one call."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from tests.support.compiled_plans import by_python, equals, looked_up, planned, ranges

import offgraph as og
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.loading.samples import FileSamples
from offgraph.plan.compiled import RecipePlanner
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import lower
from offgraph.plan.native import native_op
from offgraph.plan.run import run_image
from offgraph.steps.base import Step

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")

CHANCES = st.sampled_from([1.0, 1.0, 0.5])
TOPS = st.sampled_from([None, None, 255.0, 200.5, 1.0])


def curves() -> st.SearchStrategy[Step]:
    """Steps that look up each byte."""
    return st.one_of(
        st.builds(og.Brightness, ranges(0, 3), shift=ranges(-1, 1), range=TOPS, p=CHANCES),
        st.builds(og.Contrast, ranges(0, 3), centre=st.floats(0, 1), range=TOPS, p=CHANCES),
        st.builds(og.Gamma, ranges(0.05, 9), range=TOPS, p=CHANCES),
        st.builds(og.Solarize, ranges(0, 1), range=TOPS, p=CHANCES),
        st.builds(og.Posterize, st.sampled_from([3, (1, 8), (2, 2), (9, 400)]), range=TOPS, p=CHANCES),
        st.builds(og.Brightness, st.sampled_from([og.Normal(1, 0.2), og.Choice((0.5, 2.0))])),
    )


def drawn_by_the_core() -> st.SearchStrategy[Step]:
    """Steps on whole images whose draws the core knows."""
    lengths = st.sampled_from([1, 3.5, "10%", "33.3%", (1, 9), ("5%", "40%"), (2, 20), {"X": "50%"}])
    fills = st.sampled_from([0.0, 7.0, (1.0, 2.0, 3.0), 300.0])
    return st.one_of(
        st.builds(
            og.ColorJitter, ranges(0, 2), contrast=ranges(0, 2), saturation=ranges(0, 2), hue=ranges(-90, 90), range=TOPS
        ),
        st.builds(og.ColorJitter, st.sampled_from([1.0, 1.5]), contrast=ranges(0.5, 2), p=CHANCES),
        st.builds(og.HueSaturation, ranges(-90, 90), saturation=ranges(0, 2), value=ranges(0, 2), range=TOPS),
        st.builds(
            og.HueSaturation, st.just(5.0), saturation_shift=ranges(-1, 1), value_shift=ranges(-1, 1), range=TOPS, p=CHANCES
        ),
        st.builds(og.GaussianNoise, ranges(0, 0.3), mean=ranges(-0.1, 0.1), per_channel=st.booleans(), range=TOPS),
        st.builds(og.Speckle, ranges(0, 0.3), per_channel=st.booleans(), clip=st.booleans(), range=TOPS),
        st.builds(og.ISONoise, ranges(0, 0.1), intensity=ranges(0, 0.2), range=TOPS),
        st.builds(og.CoarseDropout, st.sampled_from([1, 4, (1, 8)]), size=lengths, fill=fills, p=CHANCES),
        st.just(og.ChannelShuffle()),
        st.builds(
            og.Perspective, ranges(0, 0.24), inwards=st.booleans(), order=st.sampled_from([1, 0, 3]),
            mode=st.sampled_from(["constant", "constant", "reflect"]), cval=st.sampled_from([0.0, 9.0]), p=CHANCES,
        ),
    )  # fmt: skip


def asked_for() -> st.SearchStrategy[Step]:
    """Steps whose draws only Python knows."""
    return st.one_of(
        st.builds(og.GaussianFilter, ranges(0, 2), p=CHANCES),
        st.builds(og.MotionBlur, ranges(0, 9), angle=ranges(0, 180), mode=st.sampled_from(["reflect", "constant"])),
        st.builds(og.PlanckianJitter, st.just((4000, 9000))),
        st.just(og.ToGrey(p=0.5)),
    )  # fmt: skip


STEPS = st.one_of(
    curves(),
    drawn_by_the_core(),
    drawn_by_the_core(),
    asked_for(),
    st.builds(og.Affine, scale=ranges(0.8, 1.2), rotate=ranges(-20, 20)),
    st.builds(og.Rotate, ranges(-20, 20)),
    st.builds(og.Flip, st.sampled_from("XY"), p=CHANCES),
    st.builds(og.CenterCrop, st.just("80%")),
    st.builds(og.Resize, st.just((30, 41)), antialias=st.booleans()),
)
SPECS = st.builds(
    lambda rows, columns, channels, axes, dtype: ArraySpec(
        tuple({"Y": rows, "X": columns, "C": channels, "T": 2}[name] for name in axes), dtype, axes
    ),
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([1, 3, 3, 3]),
    st.sampled_from(["YXC", "YXC", "YXC", "YX", "CYX", "TYXC"]),
    st.sampled_from(["uint8", "uint8", "uint8", "uint16", "float32", "int16", "bool", "float64"]),
)
KEYS = st.builds(Key, st.integers(0, 2**64 - 1), st.integers(0, 9), st.integers(0, 10**6))


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5), st.booleans(), SPECS, KEYS)
def test_operations_have_every_bit_of_those_of_python(
    steps: list[Step], fused: bool, spec: ArraySpec, key: Key
) -> None:
    recipe = og.Compose(steps, fuse=fused)
    planner = RecipePlanner(recipe._placed, fused=fused)
    expected, found = by_python(recipe, spec, key), planned(planner, spec, key)
    assert planner.core is not None
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert equals(found.native.ops, expected[0]), f"{found.native.ops}\n{expected[0]}"
    assert found.after == expected[1]


@settings(max_examples=300, deadline=None)
@given(curves(), st.integers(1, 4), st.integers(257, 999), KEYS)
def test_a_drawn_table_is_that_of_python(step: Step, channels: int, columns: int, key: Key) -> None:
    recipe = og.Compose([step])
    spec = ArraySpec((1, columns, channels), "uint8", "YXC")
    found = planned(RecipePlanner(recipe._placed, fused=True), spec, key)
    expected = by_python(recipe, spec, key)
    assert (found is None) == (expected is None)
    if found is None or expected is None or not expected[0]:
        return
    one, other = (looked_up(ops[0], spec, "uint8") for ops in (found.native.ops, expected[0]))
    assert one.tobytes() == other.tobytes()


def test_a_gamma_that_ends_between_two_bytes_is_left_to_numpy() -> None:
    """The square of 0.5 in a range of 2: 0.5, which no other power function may round."""
    spec = ArraySpec((20, 30), "uint8", "YX")
    recipe = og.Compose([og.Gamma((2.0, np.nextafter(2.0, 3)), range=2.0)])
    planner = RecipePlanner(recipe._placed, fused=True)
    asked = planner.core.plan(1, 0, 0, spec.shape, spec.dtype, spec.axes)  # type: ignore[union-attr]
    assert asked is not None and asked[0] == "drawn"
    found, expected = planned(planner, spec, Key(1)), by_python(recipe, spec, Key(1))
    assert found is not None and expected is not None
    one, other = (looked_up(ops[0], spec, "uint8") for ops in (found.native.ops, expected[0]))
    assert one.tobytes() == other.tobytes()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            STEPS,
            st.builds(og.SaltAndPepper, ranges(0, 1), salt=st.floats(0, 1), per_channel=st.booleans(), range=TOPS),
            st.builds(og.PixelDropout, ranges(0, 1), per_channel=st.booleans(), fill=st.sampled_from([0.0, 9.0])),
        ),
        min_size=1, max_size=5,
    ),
    SPECS, KEYS, st.booleans(),
)  # fmt: skip
def test_a_bare_image_has_the_bytes_of_the_python_runner(
    steps: list[Step], spec: ArraySpec, key: Key, fused: bool
) -> None:
    recipe = og.Compose(steps, fuse=fused)
    random = np.random.default_rng(key.index)
    array = (
        (random.random(spec.shape) * 300 - 20)
        .clip(0 if spec.dtype[0] in "ub" else -9, 255)
        .astype(spec.dtype)
    )
    image = og.Image(array, spec.axes)
    try:
        applied, specs = draw(recipe._placed, image.spec, key)
        chain = lower(recipe._placed, applied, specs)
        expected = run_image(fuse(chain) if fused else chain, image).array
    except og.OffgraphError:
        with pytest.raises(og.OffgraphError):
            recipe(image=array, axes=spec.axes, key=key)
        return
    for _ in range(2):
        found = recipe(image=array, axes=spec.axes, key=key).image
        assert found.dtype == expected.dtype and found.tobytes() == np.ascontiguousarray(expected).tobytes()


TRAINING = [
    og.RandomResizedCrop((40, 40), scale=(0.3, 1.0)),
    og.Flip("X", p=0.5),
    og.Affine(scale=(0.9, 1.1), rotate=(-15, 15)),
    og.Perspective((0.02, 0.05)),
    og.ColorJitter((0.8, 1.2), contrast=(0.8, 1.2)),
    og.HueSaturation((-20, 20), saturation=(0.8, 1.2)),
    og.Gamma((0.8, 1.2)),
    og.MotionBlur((1, 5), p=0.5),
    og.GaussianFilter((0.5, 1.0)),
    og.GaussianNoise((0.02, 0.05)),
    og.SaltAndPepper((0.0, 0.05)),
    og.CoarseDropout((1, 8), size=("5%", "15%")),
    og.ChannelShuffle(p=0.2),
    og.ToGrey(p=0.2),
    og.Normalize("imagenet"),
]
"""A training recipe of which each step draws, all of them run by the core."""


def test_a_training_recipe_is_one_call_and_explain_says_so() -> None:
    text = og.Compose(TRAINING).explain(ArraySpec((64, 80, 3), "uint8", "YXC"), Key(1))
    assert "splits the native call" not in text and "Python" not in text
    assert "change the image: ColorJitter" in text


def test_rows_of_a_loader_stay_native_across_colours_and_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        image = np.random.default_rng(number).integers(0, 256, (64, 80, 3), dtype=np.uint8)
        Pillow.fromarray(image).save(tmp_path / f"{number:02}.jpg")
    recipe = og.Compose([og.Augment(*TRAINING)])
    loader = og.Loader(tmp_path, recipe, batch_size=4, shuffle=False, threads=2, seed=3)
    loader.specs()
    with monkeypatch.context() as patch:
        patch.setattr(FileSamples, "sample", _never)
        batches = list(loader.epoch(1))
    images = itertools.chain.from_iterable(batch.image for batch in batches)
    records = itertools.chain.from_iterable(batch.records for batch in batches)
    count = 0
    for number, (image, record) in enumerate(zip(images, records)):
        stored = og.imread(tmp_path / f"{number:02}.jpg")
        result = recipe(image=stored, key=Key(3, 1, number))
        assert image.tobytes() == result.image.tobytes()
        assert record["steps"] == result.record["steps"]
        count += 1
    assert count == 12


def _never(*arguments: Any) -> Any:
    raise AssertionError("a sample was read by itself")


def test_a_subclass_with_its_own_definition_does_not_inherit_work() -> None:
    class Own(og.HueSaturation):
        """Only the reference is its own."""

        def reference(
            self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0
        ) -> np.ndarray:
            return 255 - image

    image = np.arange(900, dtype=np.uint8).reshape(15, 20, 3)
    recipe = og.Compose([Own((-9, 9))])
    applied, specs = draw(recipe._placed, og.Image(image).spec, Key())
    (one,) = lower(recipe._placed, applied, specs)
    assert native_op(one.op, one.before) is None
    assert np.array_equal(recipe(image=image, key=Key()).image, 255 - image)
