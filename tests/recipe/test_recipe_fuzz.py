"""Whatever a recipe holds, it is refused by name or it runs: structures, values and texts drawn by hypothesis."""

from __future__ import annotations

import json
import os
import time
import warnings
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.recipe.schema import schema
from offgraph.steps.base import field_names

IMAGE = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
LIMIT = 4000
EXAMPLES = int(os.environ.get("OFFGRAPH_EXAMPLES", 60))
"""Set it higher for a longer hunt."""
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

EXTREMES = [
    0,
    -0.0,
    1,
    -1,
    2,
    3,
    0.5,
    5e-324,
    1e-308,
    1e-17,
    1e17,
    1e300,
    -1e308,
    1e308,
    2**31 - 1,
    2**31,
    2**63,
    10**30,
]
NUMBERS = st.sampled_from(EXTREMES) | st.floats(-1e3, 1e3) | st.integers(-5, 300)
WORDS = st.sampled_from(
    ["", "X", "YX", "ZYX", "constant", "wrap", "nearest", "reflect", "imagenet", "box", "pull", "push", "origin",
     "Augment", "10%", "-5%", "1e400%", ".nan", ".inf", "-.inf", "~", "1:30", "\x85", "é", "a" * 300, "<<", "=", "!x"]
) | st.text(max_size=6)  # fmt: skip
SCALARS = NUMBERS | WORDS | st.none() | st.booleans()
PAIRS = st.tuples(NUMBERS, NUMBERS).map(sorted)
VALUES = st.recursive(
    SCALARS | PAIRS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ZYXCT") | WORDS, inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def steps(draw: st.DrawFn) -> Any:
    """A step with fields of its own, each of a value that may fit or not."""
    name = draw(st.sampled_from(sorted(og.STEPS)))
    fields = draw(st.lists(st.sampled_from(field_names(og.STEPS[name])), unique=True, max_size=4))
    return {name: {field: draw(VALUES) for field in fields}}


ENTRIES = steps() | VALUES | st.builds(lambda group: {"Augment": group}, st.lists(steps(), max_size=3))
RECIPES = st.fixed_dictionaries({"offgraph": st.just(1), "steps": st.lists(ENTRIES, max_size=3)})


def run(read: Any) -> None:
    """Read and run on a small image: an OffgraphError says what is wrong, nothing else leaves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            recipe = read()
        except og.RecipeError as error:
            assert len(str(error)) < 20_000
            return
        assert og.Compose.from_yaml(recipe.to_yaml()).digest == recipe.digest
        assert og.Compose.from_dict(json.loads(json.dumps(recipe.to_dict()))).digest == recipe.digest
        mask = IMAGE[..., 0] % 3
        try:
            out = recipe(image=IMAGE, mask=mask, key=og.Key(1), max_pixels=LIMIT)
        except og.StepError as error:
            assert str(error)
            return
        assert out.image.nbytes <= 8 * max(LIMIT, IMAGE.size)
        try:
            out.frame.undo(mask=out.mask)
        except og.OffgraphError as error:
            assert str(error)


@given(RECIPES)
@QUICK
def test_structures_in_yaml(data):
    run(lambda: og.Compose.from_yaml(yaml.safe_dump(data, allow_unicode=True) + "\n"))


@given(RECIPES | VALUES)
@QUICK
def test_plain_values(data):
    run(lambda: og.Compose.from_dict(data))


@given(steps())
@settings(QUICK, max_examples=2 * EXAMPLES)
def test_one_step_of_any_fields(entry):
    run(lambda: og.Compose.from_dict({"offgraph": 1, "steps": [entry]}))


TEXT = og.Compose(
    [
        og.Resize((4, 4)),
        og.Augment(og.Rotate((-15, 15), id="tilt"), og.Affine(shear=0.1, translate=((1, 2), 3), p=0.5)),
        og.Normalize("imagenet"),
    ]
).to_yaml()


@given(st.data())
@QUICK
def test_texts_with_changed_characters(data):
    text = list(TEXT)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(
            st.sampled_from(list("0123456789-.:[]{}&*!|>'\"%@`\t\n #e\x00\ud800é")) | st.characters()
        )
    run(lambda: og.Compose.from_yaml("".join(text) + "\n"))


@given(VALUES, VALUES)
@QUICK
def test_records(params, key):
    """A record is data as well: replaying a changed one is refused, or done."""
    recipe = og.Compose([og.Affine(rotate=(-5, 5)), og.RandomCrop((3, 3))])
    record = json.loads(json.dumps(recipe(image=IMAGE, key=og.Key(1)).record))
    for change in (
        lambda: record["steps"][0]["params"].update(rotate=params),
        lambda: record["steps"][1].update(params=params),
        lambda: record["steps"][1].update(params={"start": params}),
        lambda: record.update(key=key),
        lambda: record.update(steps=key),
    ):
        change()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                recipe.replay(record, image=IMAGE, max_pixels=LIMIT)
            except og.OffgraphError as error:
                assert str(error)


@pytest.mark.parametrize("value", ["[-1e308, 1e308]", "[-1.7e308, 1.7e308]", "1e308", "[5e-324, 1e308]"])
def test_the_widest_ranges(value):
    for name, field in (("Rotate", "angle"), ("Gamma", "gamma"), ("Zoom", "factor"), ("Affine", "shear")):
        run(lambda: og.Compose.from_yaml(f"offgraph: 1\nsteps:\n  - {name}: {{{field}: {value}}}\n"))


def test_a_range_wider_than_a_float_is_drawn_evenly():
    draws = [og.Draw(og.Key(1, 0, i), "x").uniform(-1.7e308, 1.7e308) for i in range(400)]
    assert all(np.isfinite(draws)) and 150 < sum(value > 0 for value in draws) < 250
    assert min(draws) < -1.6e308 and max(draws) > 1.6e308


LONG = 1 << 20


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n" * (LONG // 4 - 10), "more than 20000 entries"),
        ("[" + "a," * (LONG // 2 - 10) + "]\n", "more than 20000 entries"),
        ("offgraph: 1\nsteps:\n" + "- Flip\n" * 100_000, "more than 20000 entries"),
        ("offgraph: 1\nsteps:\n" + "- Flipp\n" * 2_000, "and 1980 problems more"),
        ("!" * (LONG - 10) + "\n", "the tag"),
        ("offgraph: 1\nsteps: []\n" + "k" * 1000 + ": 1\n", "unknown key"),
        ("? " + "k" * (LONG // 2) + "\n", "a recipe has the keys"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_long_text_takes_no_minutes_and_no_long_message(text, says):
    start = time.perf_counter()
    with pytest.raises(og.RecipeError) as caught:
        og.Compose.from_yaml(text)
    assert says in str(caught.value) and len(str(caught.value)) < 4000
    assert time.perf_counter() - start < 20


def test_the_schema_is_json():
    json.dumps(schema(), allow_nan=False)


def deep(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (deep(900), "nested more than 20 deep"),
        (deep(100_000), "nested more than 20 deep"),
        (endless(), "nested more than 20 deep"),
        ([[0] * 100] * 1000, "more than 20000 entries"),
    ],
    ids=["900 deep", "100,000 deep", "endless", "many"],
)
def test_plain_values_without_end(value, says):
    """As a model's file may hold them: JSON is read to the depth of Python's stack, and said again there."""
    for data in (
        {"offgraph": 1, "steps": [{"Affine": {"matrix": value}}]},
        {"offgraph": 1, "steps": value},
        value,
    ):
        with pytest.raises(og.RecipeError, match=says):
            og.Compose.from_dict(data)
