"""Runs that go on from a kept image: the bytes, the targets and the records of a run from the start, or a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.step_chains import MODES, step_chains

import offgraph as og
from offgraph.plan.batch import unread
from offgraph.recipe.prepared import run_prepared
from offgraph.recipe.resumed import ResumedRecipe
from offgraph.targets import Image, Targets

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

SIZE = (41, 48)


def sample(channels: int = 3, seed: int = 0) -> Targets:
    rng = np.random.default_rng(seed)
    shape = (*SIZE, channels) if channels else SIZE
    mask = np.zeros(SIZE, np.uint8)
    mask[5:20, 10:30], mask[22:36, 3:21] = 1, 2
    return Targets.parse(
        {
            "image": rng.integers(0, 256, shape).astype(np.uint8),
            "mask": mask,
            "boxes": og.Boxes([[10, 5, 30, 20], [3, 22, 21, 36]], size=SIZE, labels=[0, 1]),
            "points": og.Points([[6.5, 12.0], [30.0, 9.25]], size=SIZE),
        }
    )


class _Place:
    def __init__(self, array: np.ndarray) -> None:
        self._array, self.shape, self.dtype = array, array.shape, array.dtype

    def array(self) -> np.ndarray:
        return self._array


def same(one: Any, other: Any) -> bool:
    if isinstance(one, og.Boxes):
        return np.array_equal(one.array, other.array) and np.array_equal(one.ids, other.ids)
    if isinstance(one, og.Points):
        return np.array_equal(one.places, other.places, equal_nan=True)
    return one.array.dtype == other.array.dtype and np.array_equal(one.array, other.array)


def check(recipe: og.Compose, done: int, key: og.Key, targets: Targets) -> bool:
    """Compare a resumed run with a whole one; whether there was an image to go on from."""
    whole = recipe.run(targets, key)
    resumed = ResumedRecipe(recipe, done)
    kept = resumed.keep(targets.image)
    begun = targets.replaced(image=unread(targets.image.spec))
    result = resumed.run(begun, kept, key)
    if result is None:
        assert recipe.fuse and "joined" in resumed._resumer.plan(targets.image.spec, key).reason
        return False
    assert list(result.targets) == list(whole.targets) and result.record == whole.record
    for name, target in whole.targets.items():
        assert same(target, result.targets[name]), name
    assert result.frame.to_json() == whole.frame.to_json()
    output = np.zeros_like(whole.image)
    prepared = resumed.prepare(begun, kept, key, _Place(output))
    if prepared is not None:
        run_prepared([prepared])
        assert np.array_equal(output, whole.image)
        made = prepared.targets()
        assert all(same(target, made[name]) for name, target in whole.targets.items())
        assert prepared.record() == whole.record
    return True


POINTWISE = st.one_of(
    st.builds(og.Gamma, st.sampled_from([0.7, 1.4])),
    st.builds(og.Gamma, st.just((0.7, 1.4)), p=st.sampled_from([1.0, 0.5])),
    st.builds(og.MedianFilter, st.just(3)),
    st.builds(og.Rescale, st.just(1 / 255)),
)


def recipes() -> st.SearchStrategy[list[og.Step]]:
    """Geometric steps, with others in between."""
    return st.builds(
        _mixed,
        step_chains(MODES, names=NAMES, most=5),
        st.lists(st.tuples(st.integers(0, 5), POINTWISE), max_size=3),
    )


def _mixed(steps: list[og.Step], others: list[tuple[int, og.Step]]) -> list[og.Step]:
    for place, step in others:
        steps.insert(place, step)
    return steps


NAMES = ("Affine", "CenterCrop", "Flip", "Pad", "Perspective", "RandomCrop", "Resize", "Rotate", "Zoom")


@settings(max_examples=80, deadline=None)
@given(recipes(), st.booleans(), st.integers(0, 10**6), st.sampled_from([0, 3]))
def test_every_point_gives_the_run_from_the_start(
    steps: list[og.Step], fuse: bool, index: int, channels: int
) -> None:
    recipe = og.Compose(steps, fuse=fuse)
    targets, key = sample(channels), og.Key(3, 1, index)
    try:
        recipe.run(targets, key)
    except og.OffgraphError:
        return
    for done in range(len(steps) + 1):
        if any(placed.draws for placed in recipe._placed[:done]):
            break
        found = check(recipe, done, key, targets)
        assert found or (fuse and done > 0)


CLEAN = {
    "resize": ([og.Resize((20, 24)), og.Rotate((-15, 15)), og.Affine(shear=(-0.2, 0.2))], 1),
    "crop of a resize": ([og.Resize((30, 34)), og.RandomCrop((20, 24)), og.Rotate((-15, 15))], 1),
    "crop over a fixed gamma": ([og.Resize((30, 34)), og.Gamma(0.7), og.RandomCrop((20, 24)), og.Flip("X", p=0.5)], 2),
    "crops and flips": ([og.CenterCrop((30, 34)), og.Flip("Y", p=0.5), og.RandomCrop((9, 9))], 1),
    "a turn of a crop, whose border is seen": ([og.CenterCrop((30, 34)), og.Rotate((-40, 40))], 1),
    "a filter in between": ([og.Rotate(20), og.MedianFilter(3), og.RandomCrop((20, 24)), og.Rotate((-9, 9))], 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CLEAN)
def test_images_can_be_kept(name: str) -> None:
    steps, done = CLEAN[name]
    recipe = og.Compose([*steps, og.Normalize("imagenet")])
    assert ResumedRecipe(recipe, done).refusal(sample().image.spec) == ""
    assert all(check(recipe, done, og.Key(0, 0, index), sample()) for index in range(40))


REFUSED = {
    "two turns": ([og.Rotate(20), og.Rotate((-9, 9))], 1, "step 1, Rotate, and step 2, Rotate, are joined"),
    "a crop of a turn": ([og.Rotate(20), og.RandomCrop((20, 24))], 1, "step 1, Rotate, and step 2, RandomCrop"),
    "the same over a gamma": ([og.Rotate(20), og.Gamma(0.7), og.RandomCrop((9, 9))], 2, "step 1, Rotate, and step 3"),
    "draws": ([og.Rotate((-9, 9)), og.Resize((9, 9))], 2, "step 1, Rotate draws"),
    "floats": ([og.Rescale(1 / 255), og.Rotate((-9, 9))], 1, "step 1, Rescale is followed by float32"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_keeps_images_from_being_kept_is_said(name: str) -> None:
    steps, done, message = REFUSED[name]
    assert message in ResumedRecipe(og.Compose(steps), done).refusal(sample().image.spec)


def test_a_chain_can_be_cut_anywhere() -> None:
    recipe = og.Compose([og.Rotate(20), og.Rotate((-9, 9))], fuse=False)
    assert ResumedRecipe(recipe, 1).refusal(sample().image.spec) == ""


class Double(og.PointwiseStep):
    """Python code of one's own, which splits the plan."""

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        return image.with_array(image.array // 2 + 3)


def test_python_steps_before_and_after() -> None:
    recipe = og.Compose([og.Resize((20, 24)), Double(), og.Rotate((-9, 9)), Double()])
    assert all(check(recipe, done, og.Key(0, 0, 5), sample()) for done in (0, 1, 2))


def test_kept_images_are_memory_of_their_own() -> None:
    image = Image(np.zeros((8, 9, 3), np.uint8))
    kept = ResumedRecipe(og.Compose([]), 0).keep(image)
    assert kept.array is image.array  # nobody else holds it
    part = Image(np.zeros((80, 9, 3), np.uint8)[::2])
    assert ResumedRecipe(og.Compose([]), 0).keep(part).array.base is None
