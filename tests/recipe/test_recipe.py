"""Recipe files: written and read, hostile ones refused, two of them compared."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.json_schema import holds

import offgraph as og
from offgraph.recipe.identity import explain_mismatch
from offgraph.recipe.schema import example, schema

FUSED_FINGERPRINT = "aed8bfe79d874928886d273c19688a99a4a8052c937022b43ae68d3db469a91f"
FINGERPRINT = "fbb56cd14ee2426ba79b419be3209f9389366127d301a15222bd05e4e1477099"

TEXT = """\
offgraph: 1
steps:
  - Resize: {size: [224, 224]}
  - Flip
  - Augment:
      - Rotate: {angle: [-15, 15], id: tilt}
      - Affine:
          shear: 0.1
          p: 0.5
  - Normalize: {stats: imagenet}
"""


def recipe() -> og.Compose:
    return og.Compose(
        [
            og.Resize((224, 224)),
            og.Flip(),
            og.Augment(og.Rotate((-15, 15), id="tilt"), og.Affine(shear=0.1, p=0.5)),
            og.Normalize("imagenet"),
        ]
    )


def read(steps: str) -> og.Compose:
    return og.Compose.from_yaml(f"offgraph: 1\nsteps:\n{steps}\n")


def test_the_file_form(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text(TEXT)
    for source in (TEXT, path, str(path)):
        assert og.Compose.from_yaml(source).digest == recipe().digest
    written = recipe().to_yaml(tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == written
    assert og.Compose.from_yaml(tmp_path / "again.yaml").steps == recipe().steps
    assert "cval" not in written and "Rotate" in written


def test_json_files_are_read(tmp_path: Path):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe().to_dict(), indent=2))
    assert og.Compose.from_yaml(path).digest == recipe().digest


@pytest.mark.parametrize(
    "text", ["1e-3", "no", "1:30", "null", "~", "true", "0x10", " x ", "ü: [#", "-", "1_000", "", "'"]
)
def test_texts_and_numbers_are_not_mixed_up(text):
    if text:
        one = og.Compose([og.Flip(id=text)])
        assert og.Compose.from_yaml(one.to_yaml()).steps == one.steps
    assert read("  - Rescale: {scale: 1e-3, offset: -.5}").steps[0] == og.Rescale(0.001, -0.5)


NUMBERS = st.floats(-1e300, 1e300, allow_nan=False)


@pytest.mark.filterwarnings("ignore:.*degrees:offgraph.core.errors.OffgraphWarning")
@given(low=NUMBERS, high=NUMBERS, cval=NUMBERS, p=st.floats(0, 1), name=st.text(min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_values_round_trip(low, high, cval, p, name):
    if "\x00" in name or not name.isprintable():
        name = "plain"
    one = og.Compose([og.Affine(shear=(min(low, high), max(low, high)), cval=cval, p=p, id=name)])
    assert og.Compose.from_yaml(one.to_yaml()).digest == one.digest
    assert og.Compose.from_dict(json.loads(json.dumps(one.to_dict()))).digest == one.digest


def test_the_first_parameter_alone():
    """`Resize: 224` is Resize(224); what is written back has its name."""
    short = read(
        "  - Resize: 224\n  - Resize: [256, null]\n  - Pad: [1, [2, 3]]\n  - Flip: Y\n"
        "  - Augment:\n      - Rotate: [-15, 15]\n      - RandomCrop: 80%\n  - Normalize: imagenet"
    )
    long = og.Compose(
        [
            og.Resize(224), og.Resize((256, None)), og.Pad((1, (2, 3))), og.Flip("Y"),
            og.Augment(og.Rotate((-15, 15)), og.RandomCrop("80%")), og.Normalize("imagenet"),
        ]
    )  # fmt: skip
    assert short == long and short.to_yaml() == long.to_yaml()
    assert "Resize: {size: 224}" in short.to_yaml()
    steps = {"offgraph": 1, "steps": [{"Resize": 224}]}
    assert og.Compose.from_dict(steps) == og.Compose([og.Resize(224)], fuse=False)


# what is refused, with line, step and field


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("  - Rotat: {angle: 3}", "line 3: unknown step 'Rotat'; did you mean Rotate?"),
        ("  - Flip\n  - Nonsense", "line 4: unknown step 'Nonsense'; known are Affine"),
        ("  - rotate: {angle: 3}", "did you mean Rotate?"),
        ("  - Rotate:\n      angle: x", "line 4: step Rotate, field angle: expected a number, or a pair"),
        ("  - Rotate:\n      angle: 3\n      mode: cosntant", "line 5: step Rotate, field mode: "),
        ("  - Rotate: {angel: 3}", "step Rotate, field angel: is not a parameter; did you mean angle?"),
        ("  - Rotate", "line 3: step Rotate, field angle: is needed"),
        (
            "  - FillHoles: 3",
            "line 3: step FillHoles, field argument 1: is one too many; without names it takes",
        ),
        ("  - Flip\n  - Resize: 0", "line 4: step Resize, field size: expected one length for all axes"),
        ("  - Rotate: [1, 2, 3]", "line 3: step Rotate, field angle: expected a number, or a pair"),
        ("  - Rotate:\n    - angle: 3", "line 3: step Rotate, field angle: expected a number, or a pair"),
        ("  - Zoom: {Z: 2}", "step Zoom, field Z: is not a parameter"),
        ("  - Resize: {size: 0}", "field size: expected one length for all axes, or (height, width)"),
        ("  - Resize: {}", "step Resize: expected either size="),
        ("  - Augment: {Flip: {}}", "Augment takes a list of steps"),
        ("  - Augment:\n      - Augment: []", "line 4: Augment stands in the list of steps"),
        (
            "  - Augment:\n      - Flip\n      - Rotate:\n          angle: .nan",
            "line 6: step Rotate, field angle: expected",
        ),
        ("  - {Flip: {}, Rotate: {angle: 3}}", "a step is written 'Name: {field: value}'"),
        ("  - 3", "a step is written 'Name: {field: value}'"),
        ("  - Flip: {p: 2}", "step Flip, field p: input should be less than or equal to 1, got 2"),
        ("  - Flip: {id: a}\n  - Pad: {padding: 1, id: a}", "id='a' is given to more than one step"),
    ],
)
def test_an_error_names_line_step_and_field(steps, says):
    with pytest.raises(og.RecipeError) as caught:
        read(steps)
    assert says in str(caught.value) and str(caught.value).startswith("recipe")


def test_every_error_is_named_at_once():
    with pytest.raises(og.RecipeError) as caught:
        read("  - Rotat: {}\n  - Rotate: {angle: x}\n  - Augment:\n      - Flipp")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        f"recipe, line {n}" for n in (3, 4, 6)
    ]


def test_errors_of_plain_values_name_the_step():
    with pytest.raises(og.RecipeError, match=r"recipe, step 2: step Rotate, field angle: is needed"):
        og.Compose.from_dict({"offgraph": 1, "steps": ["Flip", {"Rotate": {}}]})
    with pytest.raises(og.RecipeError, match=r"recipe, step 1\.2: unknown step"):
        og.Compose.from_dict({"offgraph": 1, "steps": [{"Augment": ["Flip", "What"]}]})


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "steps: !!python/object/apply:os.system ['true']\n",
            "line 1: the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("offgraph: 1\nsteps:\n  - !!python/name:os.system x\n", "line 3: the tag"),
        (bomb(), "anchors and aliases"),
        ("steps: &a [*a]\n", "anchors and aliases"),
        ("offgraph: 1\nsteps: " + "[" * 5000 + "\n", "nested more than"),
        ("offgraph: 1\noffgraph: 1\nsteps: []\n", "line 2: 'offgraph' is given twice"),
        ("offgraph: 1\nsteps:\n  - Rotate: {angle: 3, angle: 4}\n", "'angle' is given twice"),
        ("offgraph: 1\nsteps:\n  - [a: {]\n", "not YAML"),
        ("offgraph: 1\n\tsteps: []\n", "not YAML"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("offgraph: 2\nsteps: []\n", "this Offgraph reads 'offgraph: 1', the recipe says 2"),
        ("steps: []\n", "'offgraph: 1', which is missing"),
        ("offgraph: 1\nsteps: []\nstep: 3\n", "line 3: unknown key 'step'; did you mean steps?"),
        ("offgraph: 1\nsteps: {Flip: {}}\n", "a recipe has the keys"),
        ("\n", "a recipe has the keys"),
        ("just words\n", "a recipe has the keys"),
        ("? [a, b]\n: 1\n", "a key must be a plain word"),
        ("<<: {a: 1}\nsteps: []\noffgraph: 1\n", "unknown key '<<'"),
        ("offgraph: 1\nsteps:\n  - Rescale: {scale: 1/255}\n", "got '1/255'; write 0.00392156862745098"),
        ("offgraph: 1\nsteps:\n  - Gamma: {gamma: [1/2, 2]}\n", "got ['1/2', 2]"),
        ("offgraph: 1\nsteps:\n  - Rescale: {scale: 1/0}\n", "expected a number, got '1/0'"),
        ("offgraph: 1\nsteps:\n  - Rescale: {scale: " + "9" * 5000 + "}\n", "field scale: expected a number"),
        ("offgraph: 1\nsteps:\n  - Pad: {padding: 99999999999}\n", "field padding: expected pixels"),
        ("offgraph: 1\nsteps: [\x00]\n", "not YAML"),
        ("# " + "x" * (1 << 20) + "\n", "this is not a recipe"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_hostile_texts(text, says):
    with pytest.raises(og.RecipeError) as caught:
        og.Compose.from_yaml(text)
    assert says in str(caught.value) and len(str(caught.value)) < 2000


def test_files_that_are_no_recipes(tmp_path: Path):
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"offgraph: 1\n# caf\xe9\nsteps: []\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * ((1 << 20) + 1))
    for path, says in (
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "not a file"),
        (Path("/dev/zero"), "not a file"),
        (latin, "not a text in UTF-8"),
        (large, "larger than"),
    ):
        with pytest.raises(og.RecipeError, match=says) as caught:
            og.Compose.from_yaml(path)
        assert str(path) in str(caught.value)


def test_a_text_of_one_line_is_read_as_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = og.Compose.from_yaml("{offgraph: 1, steps: [{Flip: X}]}")
    assert recipe.digest == og.Compose.from_yaml("offgraph: 1\nsteps: [{Flip: X}]").digest
    for text in ("offgraph: 1", "- Flip: X", "- Flip", " - Flip", "x: " + 5000 * "a"):
        with pytest.raises(og.RecipeError, match=r"^recipe.*the keys 'offgraph: 1' and 'steps:'"):
            og.Compose.from_yaml(text)
    for path in ("nowhere", "run: 1/recipe.yaml", "- recipe.json"):
        with pytest.raises(og.RecipeError, match=f"^{path}: no such file$"):
            og.Compose.from_yaml(path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps: 1").write_text("offgraph: 1\nsteps: [{Flip: Y}]\n")
    assert og.Compose.from_yaml("steps: 1").steps == (og.Flip("Y"),)


@pytest.mark.parametrize("text", ["", " ", "\t "])
def test_an_empty_text_is_no_recipe(text: str):
    for read_it in (og.Compose.from_yaml, lambda text: og.build("photos", "out", text)):
        with pytest.raises(og.RecipeError, match=r"path_or_text=.*the recipe is empty; give the path"):
            read_it(text)


def test_unit_mistakes_in_files_are_noticed():
    with pytest.warns(og.OffgraphWarning, match=r"recipe: Rotate: angle=0.785 is in degrees"):
        read("  - Rotate: {angle: 0.785}")


# identity


def test_the_fingerprint_is_of_what_every_image_gets():
    def changed(**fields) -> og.Compose:
        data = copy.deepcopy(recipe().to_dict())
        data["steps"][0]["Resize"].update(fields)
        return og.Compose.from_dict(data)

    base = recipe()
    assert (
        changed().fingerprint
        == base.fingerprint
        == og.Compose.from_yaml(TEXT).fingerprint
        == base.eval().fingerprint
    )
    assert changed(kernel="cubic").fingerprint != base.fingerprint
    assert changed(p=0.5).fingerprint != base.fingerprint
    assert changed(id="first").fingerprint == base.fingerprint
    assert changed(id="first").digest != base.digest
    other = og.Compose([*base.items[:2], og.Augment(og.Flip()), base.items[3]])
    assert other.fingerprint == base.fingerprint and other.digest != base.digest
    assert og.Compose([base.items[1], base.items[0]]).fingerprint != og.Compose(base.items[:2]).fingerprint


def test_equal_values_have_one_fingerprint():
    one = read("  - Rescale: {scale: 1, offset: 0}")
    assert one.fingerprint == read("  - Rescale: {offset: -0.0, scale: 1.0}").fingerprint
    assert one.digest == og.Compose([og.Rescale(1)]).digest


def test_the_fingerprint_is_pinned():
    """It stands in models and datasets: it changes only with a step's version or the file form."""
    assert og.Compose([og.Flip()], fuse=False).fingerprint == FINGERPRINT  # as before there was fusion
    assert og.Compose([og.Flip()]).fingerprint == FUSED_FINGERPRINT


def test_fusion_stands_in_files_and_identity():
    """What is written always says it; what was written before there was fusion is the chain, a file by hand is fused."""
    fused, chain = og.Compose([og.Flip()]), og.Compose([og.Flip()], fuse=False)
    assert fused != chain and fused.fingerprint != chain.fingerprint and repr(chain).endswith(", fuse=False)")
    assert fused.eval().fuse and not chain.eval().fuse
    for each in (fused, chain):
        assert each.to_dict()["fuse"] is each.fuse
        assert og.Compose.from_dict(each.to_dict()) == og.Compose.from_yaml(each.to_yaml()) == each
    assert "fuse" not in fused.to_yaml() and "fuse: false" in chain.to_yaml()
    before = {"offgraph": 1, "steps": ["Flip"]}
    assert og.Compose.from_dict(before) == chain and og.Compose.from_yaml(json.dumps(before) + "\n") == fused
    assert explain_mismatch(fused, chain) == "fuse is True in the first and False in the second"
    with pytest.raises(og.RecipeError, match="line 2: fuse is true or false, got 3"):
        og.Compose.from_yaml("offgraph: 1\nfuse: 3\nsteps: [Flip]\n")
    with pytest.raises(og.RecipeError, match="unknown key 'fused'; did you mean fuse"):
        og.Compose.from_dict({"offgraph": 1, "fused": True, "steps": []})
    with pytest.raises(og.StepError, match="fuse='no': write fuse=True"):
        og.Compose([], fuse="no")


def test_a_record_is_replayed_as_it_was_made():
    """Draws do not depend on fusion: a record from before there was any gives its bytes on the fused recipe too."""
    steps = [og.Rotate((-20, 20)), og.Affine(scale=(0.8, 1.2)), og.Flip(p=0.5)]
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    fused, chain = og.Compose(steps), og.Compose(steps, fuse=False)
    key = og.Key(3, 1, 4)
    made, alone = (
        fused(image=image, mask=image[..., 0], key=key),
        chain(image=image, mask=image[..., 0], key=key),
    )
    assert made.record["steps"] == alone.record["steps"] and made.record["recipe"] != alone.record["recipe"]
    assert not np.array_equal(made.image, alone.image) and not np.array_equal(made.mask, alone.mask)
    for recipe in (fused, chain):
        for out in (made, alone):
            again = recipe.replay(json.loads(json.dumps(out.record)), image=image, mask=image[..., 0])
            np.testing.assert_array_equal(again.image, out.image)
            np.testing.assert_array_equal(again.mask, out.mask)
            assert again.record == out.record


def test_mismatches_are_explained():
    base = recipe()
    assert explain_mismatch(base, base.eval()) == ""
    other = og.Compose(
        [og.Resize((224, 200), kernel="box"), og.Flip(), og.Normalize(mean=0.5, std=0.5), og.Pad(1)]
    )
    text = explain_mismatch(base, other, names=("the model's recipe", "yours"))
    assert "step 1, Resize: size is [224, 224] in the model's recipe and [224, 200] in yours" in text
    assert (
        "step 1, Resize: kernel is 'triangle'" in text
        and "step 5 (3 in yours), Normalize: stats is 'imagenet'" in text
    )
    assert text.endswith("step 4, Pad, is only in yours")
    assert (
        explain_mismatch(base, og.Compose([og.Flip()]))
        == "step 1 is Resize in the first and Flip in the second"
    )


# schema


def test_the_schema_describes_every_step():
    made = schema()
    json.dumps(made)
    named = {
        next(iter(entry["properties"])) for entry in made["$defs"]["step"]["anyOf"] if "properties" in entry
    }
    assert named == set(og.STEPS)
    assert made["properties"]["offgraph"] == {"const": 1}


def test_the_schema_of_a_step():
    steps = {next(iter(e["properties"])): e for e in schema()["$defs"]["step"]["anyOf"] if "properties" in e}
    rotate, alone = steps["Rotate"]["properties"]["Rotate"]["anyOf"]
    assert alone["allOf"] == [rotate["properties"]["angle"], {"not": {"type": ["object", "null"]}}]
    assert len(steps["FillHoles"]["properties"]["FillHoles"]["anyOf"]) == 2  # by name, or nothing
    assert rotate["required"] == ["angle"] and rotate["additionalProperties"] is False
    assert list(rotate["properties"]) == [
        "angle",
        "reshape",
        "plane",
        "order",
        "mode",
        "cval",
        "mask_cval",
        "p",
        "id",
    ]
    assert rotate["properties"]["order"]["maximum"] == 5 and rotate["properties"]["angle"]["description"]
    flip, alone, nothing = steps["Flip"]["properties"]["Flip"]["anyOf"]
    assert nothing == {"type": "null"}
    assert flip.get("required") is None and "default" not in alone["allOf"][0]
    bare = next(e["enum"] for e in schema()["$defs"]["step"]["anyOf"] if "enum" in e)
    assert "Flip" in bare and "Rotate" not in bare


@pytest.mark.parametrize(
    ("step", "taken"),
    [
        ({"Resize": 224}, True), ({"Resize": [256, None]}, True), ({"Resize": 0}, False), ({"Resize": [1, 2, 3, 4]}, False),
        ({"Zoom": 2}, True), ({"Zoom": [1, 2]}, True), ({"Zoom": {"Z": 2}}, False), ({"Zoom": None}, False),
        ({"FillHoles": None}, True), ({"FillHoles": 3}, False), ({"Flip": None}, True), ({"Flip": "Y"}, True),
        ({"Flip": "A"}, False), ({"Flip": True}, False), ({"Normalize": "imagenet"}, True), ({"RandomCrop": "80%"}, True),
    ],
)  # fmt: skip
def test_the_schema_takes_what_is_read(step, taken):
    data = {"offgraph": 1, "steps": [step, {"Augment": [step]}]}
    assert holds(schema(), data) is taken
    if taken:
        assert len(og.Compose.from_dict(data).steps) == 2
    else:
        with pytest.raises(og.RecipeError):
            og.Compose.from_dict(data)


def test_a_missing_file_is_named_once(tmp_path: Path):
    with pytest.raises(og.RecipeError) as caught:
        og.Compose.from_yaml(tmp_path / "nope.yaml")
    assert str(caught.value) == f"{tmp_path / 'nope.yaml'}: no such file"


def test_a_recipe_written_to_a_folder(tmp_path: Path):
    with pytest.raises(og.RecipeError, match="the recipe cannot be written"):
        recipe().to_yaml(tmp_path)


@pytest.mark.parametrize("name", sorted(og.STEPS))
def test_every_step_has_an_example_for_recipe_files(name):
    assert [step.name for step in og.Compose.from_yaml(example(og.STEPS[name])).steps] == [name]
