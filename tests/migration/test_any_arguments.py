"""Whatever a file says of a step, a recipe comes of it or one `RecipeError` that names it: by hypothesis, for every row of every table."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.migration import generator
from offgraph.migration.albumentations import TABLE as ALBUMENTATIONS
from offgraph.migration.keras_layers import TABLE as KERAS
from offgraph.migration.tables import Table
from offgraph.migration.tfa_table import TABLE as TFA
from offgraph.migration.torchvision_table import TABLE as TORCHVISION

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single values

TABLES: dict[str, tuple[Table, Any]] = {
    "albumentations": (ALBUMENTATIONS, lambda name, values: og.from_albumentations([{"__class_fullname__": name, **values}])),
    "keras": (KERAS, lambda name, values: og.from_keras([{"class_name": name, "config": values}])),
    "torchvision": (TORCHVISION, lambda name, values: og.from_torchvision([{"_target_": name, **values}])),
    "tfa": (TFA, lambda name, values: og.from_tfa([(name, values)])),
}  # fmt: skip
WORDS = (
    "bilinear",
    "constant",
    "reflect",
    "nearest",
    "random",
    "cv",
    "min_max",
    "horizontal",
    "SYMMETRIC",
    "",
    "float32",
    "x" * 300,
)
NUMBERS = st.one_of(
    st.integers(-3, 300), st.floats(-2, 3), st.sampled_from([0, 1, 0.5, -1, 10**400, float("nan"), float("inf"), 2**31, 1e308])
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(NUMBERS, st.booleans(), st.none(), st.sampled_from(WORDS)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["x", "y", "mean", "std"]), inner, max_size=2)),
    max_leaves=5,
)  # fmt: skip


def arguments_of(convert: Any) -> list[str]:
    """What a converter asks for: all words in its source that may be the name of an argument, and what helpers read."""
    own = sorted(set(re.findall(r'"([a-z][a-z_0-9]{1,30})"', inspect.getsource(convert))))
    return [*own, "p", "fill", "interpolation", "border_mode", "fill_mode", "height", "width", "size"]


def read_or_refused(convert: Any) -> tuple[Any, str]:
    """What was made, and what was said instead."""
    try:
        return convert(), ""
    except (og.RecipeError, og.ArgumentError) as error:
        return None, str(error)


def check(made: Any) -> None:
    recipe, report = made
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe
    assert str(report) and report.to_json()


@pytest.mark.parametrize("library", TABLES)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_arguments_of_any_step(library: str, data: st.DataObject):
    table, convert = TABLES[library]
    row = table[data.draw(st.sampled_from(list(table)), label="step")]
    known = st.sampled_from(arguments_of(row.convert))
    values = data.draw(st.dictionaries(known, VALUES, max_size=5), label="arguments")
    made, said = read_or_refused(lambda: convert(row.name, dict(values)))
    assert made is not None or row.name in said or "step 1." in said or "layers: " in said
    if made is not None:
        check(made)
        assert [line.origin for line in made.report.steps[:1]] in ([row.name], [])


@settings(max_examples=60, deadline=None)
@given(
    values=st.dictionaries(
        st.sampled_from(sorted({n for g in generator.ARGUMENTS for n in (*g.names, *g.options)})), VALUES
    )
)
def test_any_arguments_of_a_generator(values: dict[str, Any]):
    made, said = read_or_refused(lambda: og.from_keras(values))
    assert made is not None or "ImageDataGenerator" in said
    if made is not None:
        check(made)


@settings(max_examples=60, deadline=None)
@given(values=VALUES, steps=st.lists(VALUES, max_size=3))
def test_any_values_instead_of_a_pipeline(values: Any, steps: Any):
    for read in (og.from_albumentations, og.from_torchvision, og.from_tfa, og.from_keras):
        for given_ in (
            values,
            steps,
            {"transform": values},
            {"transforms": steps},
            [{"__class_fullname__": "OneOf", "transforms": steps}],
        ):
            if given_ is None or isinstance(given_, str):
                continue
            made, said = read_or_refused(lambda: read(given_))
            assert made is not None or said
