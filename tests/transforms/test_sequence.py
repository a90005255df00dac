import json
from typing import Any

import numpy as np
import PIL.Image
import pytest

import offgraph as og

CASES = {
    2: [
        og.Sequence([og.Rotate((-20, 20)), og.Flip("Y", p=0.5), og.GaussianFilter((0.5, 1))]),
        og.Sequence([og.Resize((12, 14)), og.Sequence([og.Rescale(0.5), og.RandomCrop(9, p=0.5)])], p=0.5),
        og.Sequence([og.Transpose()]),
    ],
    3: [og.Sequence([og.Flip("Z"), og.Affine(rotate=(-9, 9), mode="nearest"), og.MedianFilter(3)])],
}


def test_it_is_its_steps_alone():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    steps: list[Any] = [
        og.Rotate((-9, 9), id="a"),
        og.Flip("Y", p=0.5, id="b"),
        og.GaussianFilter((1, 2), id="c"),
    ]
    targets: dict[str, Any] = {"mask": image[..., 0], "boxes": [[3, 4, 20, 20]], "points": [[5, 6]]}
    for index in range(8):
        key = og.Key(index=index)
        one = og.Compose([og.Sequence(steps)])(image=image, key=key, **targets)
        same = og.Compose(steps)(image=image, key=key, **targets)
        np.testing.assert_array_equal(one.image, same.image)
        np.testing.assert_array_equal(one.mask, same.mask)
        assert (one.boxes is not None and one.boxes == same.boxes) or np.array_equal(
            one.boxes.array, same.boxes.array
        )
        assert one.frame.map == same.frame.map


def test_its_p_is_for_all_of_them():
    step = og.Sequence([og.Flip("X"), og.Flip("Y", p=0.25)], p=0.5)
    records = [
        og.Compose([step])(image=np.zeros((2, 2)), key=og.Key(index=index)).record["steps"][0]
        for index in range(2000)
    ]
    applied = [len(record["params"]["steps"]) for record in records if record["applied"]]
    assert 900 < len(applied) < 1100 and set(applied) == {1, 2}
    assert 0.2 < applied.count(2) / len(applied) < 0.3


def test_inside_it_steps_keep_their_draws_when_others_come_before():
    image = np.zeros((20, 20), np.uint8)

    def angles(*steps: og.Step) -> list[float]:
        record = og.Compose([og.Sequence(steps)])(image=image, key=og.Key(seed=3)).record
        parts = record["steps"][0]["params"]["steps"]
        return [part["params"]["angle"] for part in parts if part["step"] == "Rotate"]

    turn, other = og.Rotate((-9, 9)), og.Rotate((-9, 9), id="other")
    assert angles(turn) == angles(og.Flip(), turn)
    assert angles(other, turn) == angles(turn, other)[::-1]
    assert len(set(angles(turn, turn, other))) == 3


def test_an_id_names_one_step_wherever_it_stands():
    with pytest.raises(og.StepError, match="id='a' is given to more than one step"):
        og.Compose(
            [og.Flip(id="a"), og.Sequence([og.Identity(), og.OneOf([og.Flip("Y", id="a"), og.Flip()])])]
        )


def test_errors_name_the_step_inside():
    volume = og.Sequence([og.Flip("X"), og.Flip("Z")])
    with pytest.raises(og.StepError, match="step 1, Sequence: Flip: axis='Z': the image has axes YX"):
        og.Compose([volume])(image=np.zeros((4, 4), np.uint8))
    far = og.Sequence([og.Identity(), og.Shift((0, 0), cval=300), og.Pad(1, cval=300)])
    with pytest.raises(og.StepError, match=r"step 2, Pad in Sequence: .*300"):
        og.Compose([og.Flip(), far], fuse=False)(image=np.zeros((4, 4), np.uint8))


def test_limits_hold_in_the_middle():
    with pytest.raises(og.StepError, match=r"step 1, Sequence: Resize.* would make 100000 x 100000 pixels"):
        og.Compose([og.Sequence([og.Resize(100_000), og.CenterCrop(4)])])(image=np.zeros((4, 4), np.uint8))
    wide = og.Sequence([og.Resize(2000), og.MedianFilter(1999), og.CenterCrop(4)])
    with pytest.raises(og.StepError, match="has a window of"):
        og.Compose([wide])(image=np.zeros((4, 4), np.uint8))


def test_files():
    recipe = og.Compose(
        [og.Sequence([og.Rotate(5), og.Sequence([og.Flip()])], p=0.5), og.Augment(og.Sequence([og.Flip()]))]
    )
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe
    assert og.Compose.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    short = og.Compose.from_yaml("offgraph: 1\nsteps:\n- Sequence:\n  - Rotate: 5\n  - Flip\n")
    assert short == og.Compose([og.Sequence([og.Rotate(5), og.Flip()])])


def test_every_problem_of_a_file_has_its_line():
    text = """offgraph: 1
steps:
- Sequence:
    steps:
    - Rotate: {angel: 5}
    - Flap
    - Sequence: [{Flip: W}, Augment]
    - FillHoles
- Sequence: 5
- Sequence: []
"""
    with pytest.raises(og.RecipeError) as caught:
        og.Compose.from_yaml(text)
    lines = str(caught.value).splitlines()
    wanted = [
        "recipe, line 5: step Rotate, field angle: is needed",
        "recipe, line 5: step Rotate, field angel: is not a parameter",
        "recipe, line 6: unknown step 'Flap'",
        "recipe, line 7: step Flip, field axis: input should be 'X', 'Y' or 'Z'",
        "recipe, line 7: Augment stands in the list of steps, not inside Sequence",
        "recipe, line 9: step Sequence, field steps: expected a list of steps",
        "recipe, line 10: step Sequence, field steps: expected at least one step",
    ]
    for want in wanted:
        assert any(line.startswith(want) for line in lines), (want, lines)


@pytest.mark.parametrize(
    "steps", [[], og.Flip(), [og.Flip], "Flip", [og.FillHoles()], 3, [og.Augment(og.Flip())]]
)
def test_what_is_no_list_of_steps(steps):
    with pytest.raises(og.StepError, match="Sequence: steps: expected"):
        og.Sequence(steps)


def test_fingerprints_have_the_steps_inside():
    def of(*steps: og.Step) -> str:
        return og.Compose([og.Sequence(steps)]).fingerprint

    assert of(og.Flip("X")) != of(og.Flip("Y")) and of(og.Flip("X")) == of(og.Flip("X", id="named"))


def test_a_new_version_of_a_step_inside_is_another_recipe(monkeypatch):
    recipe = og.Compose([og.Sequence([og.Flip()])])
    before = og.Compose(recipe.items).fingerprint
    monkeypatch.setattr(og.Flip, "version", 2)
    assert og.Compose(recipe.items).fingerprint != before


def test_the_spec_after_it():
    def after(*steps: og.Step) -> og.OpenSpec:
        return og.Compose([og.Sequence(steps)]).output_spec(og.ArraySpec((30, 40, 3), "uint8", "YXC"))

    assert after(og.Resize((12, 14)), og.Rescale(0.5)) == og.ArraySpec((12, 14, 3), "float32", "YXC")
    assert after(og.Resize((12, 14), p=0.5)).shape == (None, None, 3)
    with pytest.raises(og.StepError, match="a step that changes the dtype needs p=1"):
        after(og.Rescale(0.5, p=0.5))


def test_a_loader_gives_what_the_recipe_gives(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 20, 30, 3)).astype(np.uint8)
    for number, image in enumerate(images):
        folder = tmp_path / "ab"[number // 6]
        folder.mkdir(exist_ok=True)
        PIL.Image.fromarray(image).save(folder / f"{number:02}.png")
    nested = og.Sequence([og.Rotate((-9, 9)), og.OneOf([og.Flip(), og.Gamma((0.5, 2)), og.MedianFilter(3)])])
    recipe = og.Compose([og.Resize(16), og.Augment(nested)])
    chosen = set()
    for batch in og.Loader(tmp_path, recipe, batch_size=4, seed=1).epoch(0):
        for row, index, record in zip(batch.image, batch.index, batch.records):
            out = recipe(image=images[index], key=og.Key(seed=1, epoch=0, index=int(index)))
            np.testing.assert_array_equal(row, out.image)
            assert record == out.record
            chosen.add(record["steps"][1]["params"]["steps"][1]["params"]["steps"][0]["step"])
    assert chosen == {"Flip", "Gamma", "MedianFilter"}
