"""Recipes of forty steps of the registry: files bring them back, and name the line, the step and the field of each mistake."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import examples
from tests.support.registry import CASES

import offgraph as og
from offgraph.steps.base import Step, field_names

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single cases

LENGTH = 40


SINGLE = [step for step, _ in CASES if step.kind != "result"]


def leaf(rng: random.Random) -> Step:
    """A step of the registry, or one that draws from a distribution."""
    made = (
        rng.choice(SINGLE)
        if rng.random() < 0.9
        else og.Rotate(og.Normal(rng.uniform(-9, 9), rng.uniform(1, 9)))
    )
    return dataclasses.replace(made, id=None)


def nested(rng: random.Random, depth: int = 0) -> Step:
    """A step, or one that is made of others, each with a probability of its own."""
    if depth == 3 or rng.random() < 0.8:
        return leaf(rng)
    inner = [nested(rng, depth + 1) for _ in range(rng.randint(1, 3))]
    p = rng.choice([1.0, rng.random(), 10.0 ** rng.randint(-12, 0)])
    if rng.random() < 0.5:
        return og.Sequence(inner, p=p)
    return og.OneOf([dataclasses.replace(step, p=max(step.p, 0.1)) for step in inner], p=p)


def recipe_of(rng: random.Random) -> og.Compose:
    """Forty steps, those from some place on inside Augment but the last ones, some with ids."""
    steps = [nested(rng) for _ in range(LENGTH)]
    for number in rng.sample(range(LENGTH), 4):
        steps[number] = dataclasses.replace(steps[number], id=f"step {number}: #é")
    begin, end = sorted((rng.randint(0, LENGTH), rng.randint(0, LENGTH)))
    return og.Compose([*steps[:begin], og.Augment(*steps[begin:end]), *steps[end:]], fuse=rng.random() < 0.5)


@examples(60)
@given(seed=st.integers(0, 1 << 40), by=st.sampled_from(["file", "text"]))
def test_forty_steps_come_back_from_files(seed: int, by: str, tmp_path_factory: pytest.TempPathFactory):
    recipe = recipe_of(random.Random(seed))
    assert len(recipe.steps) == LENGTH
    folder = Path(tmp_path_factory.getbasetemp())
    as_yaml, as_json = recipe.to_yaml(), json.dumps(recipe.to_dict(), indent=1)
    if by == "file":
        recipe.to_yaml(folder / "forty.yaml")
        (folder / "forty.json").write_text(as_json, encoding="utf-8")
        read_again = [og.Compose.from_yaml(folder / f"forty.{ending}") for ending in ("yaml", "json")]
    else:
        read_again = [og.Compose.from_yaml(as_yaml), og.Compose.from_yaml(as_json)]
    for read in (*read_again, og.Compose.from_dict(json.loads(as_json))):
        assert read.items == recipe.items and read.fuse == recipe.fuse
        assert [step.id for step in read.steps] == [step.id for step in recipe.steps]
        assert (read.digest, read.fingerprint) == (recipe.digest, recipe.fingerprint)
    assert read_again[0].to_yaml() == as_yaml


def written(steps: list[Step]) -> tuple[list[str], dict[tuple[int, str], int]]:
    """A file with a field on each line, and the number of each field's line, by its step's position."""
    lines, places = ["offgraph: 1", "steps:"], {}
    for number, step in enumerate(steps):
        lines.append(f"  - {step.name}:")
        for name, value in step.fields().items():
            lines.append(f"      {name}: {json.dumps(value)}")
            places[number, name] = len(lines)
    return lines, places


@examples(100)
@given(
    seed=st.integers(0, 1 << 40),
    spoiled=st.lists(st.tuples(st.integers(0, LENGTH - 1), st.integers(0, 99)), min_size=1, max_size=4),
    wrong=st.sampled_from(['{"no": "value"}', '[{"no": 1}, 2]', '{"normal": ["x"]}']),
)
def test_each_wrong_value_is_named_by_line_step_and_field(
    seed: int, spoiled: list[tuple[int, int]], wrong: str
):
    rng = random.Random(seed)
    steps = [leaf(rng) for _ in range(LENGTH)]
    lines, places = written(steps)
    og.Compose.from_yaml("\n".join(lines))
    expected = set()
    for number, place in spoiled:
        names = [name for name in field_names(type(steps[number])) if name != "steps"]
        name = names[place % len(names)]
        line = places[number, name]
        lines[line - 1] = f"      {name}: {wrong}"
        expected.add(f"recipe, line {line}: step {steps[number].name}, field {name}: ")
    with pytest.raises(og.RecipeError) as caught:
        og.Compose.from_yaml("\n".join(lines))
    said = str(caught.value).splitlines()
    assert len(said) == len(expected)
    assert all(any(message.startswith(begin) for message in said) for begin in expected)


@examples(60)
@given(
    seed=st.integers(0, 1 << 40),
    number=st.integers(0, LENGTH - 1),
    what=st.sampled_from(["field", "step", "missing"]),
)
def test_unknown_names_and_missing_fields_have_their_line(seed: int, number: int, what: str):
    rng = random.Random(seed)
    steps = [leaf(rng) for _ in range(LENGTH)]
    steps[number] = og.Rotate(3)
    lines, places = written(steps)
    line = places[number, "angle"]
    if what == "field":
        lines[line - 1] = "      angel: 3"
        says = f"recipe, line {line}: step Rotate, field angel: .*angle"
    elif what == "step":
        lines[line - 2] = "  - Rotat:"
        says = f"recipe, line {line - 1}: unknown step 'Rotat'; did you mean Rotate"
    else:
        del lines[line - 1]
        says = f"recipe, line {line - 1}: step Rotate, field angle: is needed"
    with pytest.raises(og.RecipeError, match=says):
        og.Compose.from_yaml("\n".join(lines))
