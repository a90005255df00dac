import pickle

import numpy as np
import pytest
from tests.support.even import drawn

import offgraph as og
from offgraph.steps.functions import FUNCTIONS


def halved(array):
    return array.astype(np.float64) / 2


def upside_down_labels(mask):
    return mask[::-1]


def dark(array):
    return (array / 3).astype(array.dtype)


def noisy(array, rng):
    return array + rng.normal(size=array.shape)


CASES = {
    2: [
        og.Lambda(og.function("cases:third", dark)),
        og.Lambda(og.function("cases:half", halved), dtype="float64", p=0.5),
        og.Lambda(mask=og.function("cases:same", lambda mask: mask)),
    ],
    3: [og.Lambda(og.function("cases:third", dark), mask=og.function("cases:same", lambda mask: mask))],
}


def named(name, call):
    return og.function(f"test:{name}", call)


def test_the_functions_get_image_and_mask():
    seen = []
    look = named("look", lambda array: seen.append((array.shape, array.dtype.name)) or array + 1)
    image, mask = np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), np.int64)
    out = og.Compose([og.Lambda(look, mask=named("flip", upside_down_labels))])(
        image=image, mask=mask, boxes=[[0, 0, 2, 2]]
    )
    assert seen == [((4, 5, 3), "uint8")] and (out.image == 1).all()
    assert out.boxes is not None and out.boxes.array.tolist() == [[0, 0, 2, 2]]
    assert out.frame.map.is_identity


def test_a_module_function_needs_no_name():
    import statistics

    step = og.Lambda(np.negative) if hasattr(np.negative, "__module__") else og.Lambda(statistics.mean)
    assert step.fields()["image"] == "numpy:negative" and FUNCTIONS["numpy:negative"].call is np.negative
    recipe = og.Compose.from_yaml("offgraph: 1\nsteps:\n- Lambda: numpy:negative\n")
    assert recipe.steps == (step,)
    np.testing.assert_array_equal(recipe(image=np.array([[1.0, -2.0]])).image, [[-1.0, 2.0]])


def test_files_hold_names_and_no_code():
    recipe = og.Compose([og.Lambda(named("halved", halved), dtype="float64")])
    assert recipe.to_yaml() == "offgraph: 1\nsteps:\n- Lambda: {image: 'test:halved', dtype: float64}\n"
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe
    with pytest.raises(
        og.RecipeError, match="line 3: step Lambda, field image: no function 'os:system' is known"
    ):
        og.Compose.from_yaml("offgraph: 1\nsteps:\n- Lambda: {image: 'os:system'}\n")
    with pytest.raises(og.RecipeError, match="did you mean test:halved"):
        og.Compose.from_yaml("offgraph: 1\nsteps:\n- Lambda: {image: 'test:halvd'}\n")


def test_fingerprints_go_by_the_name():
    one, other = named("one", lambda array: array), named("other", lambda array: array)
    fingerprints = [og.Compose([og.Lambda(call)]).fingerprint for call in (one, other, one)]
    assert fingerprints[0] == fingerprints[2] != fingerprints[1]


def test_random_functions_have_a_recorded_seed():
    step = og.Lambda(named("noisy", noisy), random=True)
    image = np.zeros((4, 5))
    out = og.Compose([step])(image=image, key=og.Key(seed=1))
    seed = out.record["steps"][0]["params"]["seed"]
    np.testing.assert_array_equal(out.image, np.random.default_rng(seed).normal(size=(4, 5)))
    again = og.Compose([step]).replay(out.record, image=image)
    np.testing.assert_array_equal(again.image, out.image)
    seeds = drawn(step, lambda params: params["seed"], count=1000)
    assert step.draws and len(set(seeds)) == 1000
    assert (
        0.46 < np.mean(seeds.astype(float)) / 2**64 < 0.54
        and 0.26 < np.std(seeds.astype(float)) / 2**64 < 0.32
    )


def test_what_a_function_gets_cannot_be_changed():
    def spoil(array):
        array[0] = 9
        return array

    image = np.zeros((4, 5), np.uint8)
    with pytest.raises(og.StepError, match="read-only"):
        og.Compose([og.Lambda(named("spoil", spoil))])(image=image)
    assert not image.any()
    out = og.Compose([og.Lambda(named("itself", lambda array: array))])(image=image)
    out.image[:] = 7
    assert not image.any()


def test_a_mask_without_a_function_is_still_read_once():
    steps = [og.Rotate(20), og.Lambda(named("unchanged", lambda array: array)), og.Rotate(-20)]
    mask = np.random.default_rng(0).integers(0, 9, (40, 40)).astype(np.uint8)
    out = og.Compose(steps)(image=mask, mask=mask)
    same = og.Compose([steps[0], steps[2]])(image=mask, mask=mask)
    np.testing.assert_array_equal(out.mask, same.mask)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda array: array[1:], "made .*output_spec promised"),
        (lambda array: array.astype(float), "made .*float64.*promise"),
        (lambda array: array.tolist(), "test:wrong returned list, not an array"),
    ],
)
def test_what_functions_return_is_checked(call, says):
    FUNCTIONS.pop("test:wrong", None)
    with pytest.raises(og.StepError, match=says):
        og.Compose([og.Lambda(named("wrong", call))])(image=np.zeros((4, 5), np.uint8))


def test_masks_keep_their_dtype():
    step = og.Lambda(mask=named("float", lambda mask: mask * 1.0))
    with pytest.raises(og.StepError, match=r"test:float made a mask of .*float64 of one of"):
        og.Compose([step])(image=np.zeros((4, 5)), mask=np.zeros((4, 5), np.uint8))


def test_functions_travel_with_pickles():
    step = pickle.loads(pickle.dumps(og.Lambda(np.negative)))
    assert step == og.Lambda(np.negative) and step.image(3) == -3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "expected image=function, mask=function, or both"),
        ({"image": lambda array: array}, "cannot be found again by that name; write og.function"),
        ({"image": 3}, "image: expected a function, or the name of one"),
        ({"image": np.negative, "dtype": "float16"}, "dtype: input should be 'bool'"),
    ],
)
def test_what_is_refused(arguments, says):
    with pytest.raises(og.StepError, match=says):
        og.Lambda(**arguments)


@pytest.mark.parametrize(
    ("name", "call", "says"),
    [("a b", len, "give letters"), ("", len, "give letters"), ("a", 3, "is not a function")],
)
def test_names_that_are_refused(name, call, says):
    with pytest.raises(og.ArgumentError, match=says):
        og.function(name, call)


def test_a_name_belongs_to_one_function():
    named("taken", halved)
    with pytest.raises(og.ArgumentError, match=r"halved has this name; choose another one"):
        named("taken", dark)
