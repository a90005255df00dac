"""Steps made of other steps, nested at random: they do what the steps that were chosen do, alone and in that order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.registry import same_targets
from tests.support.step_chains import CONSTANT, KEYS, steps

import offgraph as og
from offgraph.plan.batch import run_pending
from offgraph.plan.placed import AppliedStep, place
from offgraph.plan.run import run
from offgraph.steps.base import Step
from offgraph.steps.structure import StructureStep

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")

CHANCES = st.sampled_from([1.0, 1.0, 0.5])
LEAVES = st.one_of(
    *steps(CONSTANT).values(),
    st.builds(og.GaussianFilter, st.sampled_from([0.5, (0.5, 1.0)]), p=CHANCES),
    st.builds(og.Solarize, st.sampled_from([0.5, (0.2, 0.8)]), p=CHANCES),
    st.builds(og.ColorJitter, saturation=st.just((0.5, 1.5)), p=CHANCES),
)


def _nested(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(og.Sequence, some, p=CHANCES),
        st.builds(og.OneOf, some, p=CHANCES),
        st.builds(og.RandomOrder, some, p=CHANCES),
        st.builds(og.SomeOf, some, n=st.just((0, 1)), shuffle=st.booleans(), p=CHANCES),
    )


RECIPES = st.lists(st.one_of(LEAVES, st.recursive(LEAVES, _nested, max_leaves=6)), min_size=1, max_size=3)
IMAGE = np.random.default_rng(3).integers(0, 256, (61, 70, 3)).astype(np.uint8)
LABELS = np.random.default_rng(4).integers(0, 5, (61, 70)).astype(np.uint8)


def sample() -> dict[str, Any]:
    return {
        "image": og.Image(IMAGE),
        "mask": og.Mask(LABELS),
        "boxes": og.Boxes([[5, 6, 30, 40]], size=(61, 70)),
        "points": og.Points([[10, 12], [50, 33]], size=(61, 70)),
    }


def flat(step: Step, params: dict[str, Any]) -> list[tuple[Step, dict[str, Any]]]:
    """The steps that were chosen, all the way down."""
    if not isinstance(step, StructureStep):
        return [(step, params)]
    return [leaf for part, values in step.parts(params) for leaf in flat(part, values)]


@settings(max_examples=60, deadline=None)
@given(chain=RECIPES, key=KEYS, fused=st.booleans())
def test_they_are_what_was_chosen(chain: list[Step], key: og.Key, fused: bool):
    recipe = og.Compose(chain, fuse=fused)
    out = recipe(**sample(), key=key)
    chosen = [
        leaf
        for step, entry in zip(chain, out.record["steps"])
        if entry["applied"]
        for leaf in flat(step, entry["params"])
    ]
    placed = place((step, False) for step, _ in chosen)
    applied = [AppliedStep(here.address, True, values) for here, (_, values) in zip(placed, chosen)]
    alone, _, history = run(placed, og.Targets(sample()), key, applied, fused=fused)
    same_targets(alone.items(), out)
    assert history.frame().to_json() == out.frame.to_json()


@settings(max_examples=60, deadline=None)
@given(chain=RECIPES, key=KEYS)
def test_files_records_and_promises(chain: list[Step], key: og.Key):
    recipe = og.Compose(chain)
    out = recipe(**sample(), key=key)
    assert json.loads(json.dumps(out.record)) == out.record
    same_targets(out.targets.items(), recipe.replay(json.loads(json.dumps(out.record)), **sample()))
    for read in (og.Compose.from_yaml(recipe.to_yaml()), og.Compose.from_dict(recipe.to_dict())):
        assert (read.steps, read.digest, read.fingerprint) == (
            recipe.steps,
            recipe.digest,
            recipe.fingerprint,
        )
    promised = recipe.output_spec(og.Image(IMAGE).spec)
    assert (promised.dtype, promised.axes) == (str(out.image.dtype), "YXC")
    for length, made in zip(promised.shape, out.image.shape):
        assert length in (None, made)
    if not recipe.draws:
        assert recipe(**sample()).record["steps"] == out.record["steps"]


class Memory:
    """A place for an image."""

    def __init__(self, like: np.ndarray) -> None:
        self.shape, self.dtype = like.shape, like.dtype
        self._array = np.empty(like.shape, like.dtype)

    def array(self) -> np.ndarray:
        return self._array


@settings(max_examples=40, deadline=None)
@given(chain=RECIPES, key=KEYS)
def test_prepared_samples_have_the_bytes_of_a_run(chain: list[Step], key: og.Key):
    recipe, targets = og.Compose(chain), og.Targets(sample())
    expected = recipe.run(targets, key)
    memory = Memory(expected.image)
    prepared = recipe.prepare(targets, key, memory)
    if prepared is None:
        return
    run_pending([prepared.pending])
    np.testing.assert_array_equal(memory.array(), expected.image)
    assert prepared.record() == expected.record
