"""One predictor: arrays, paths, lists and sources; files, functions and ensembles; the same logits by every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data
from tests.support.models import bright_model, keras, mask_model, og_keras

import offgraph as og
from offgraph.apps import cli
from offgraph.errors import ArgumentError, RecipeMismatch

layers = keras.layers

RECIPE = [og.Resize((24, 32)), og.Rescale(1 / 255)]


def trained_by_chance(kind: str) -> tuple[Any, dict[str, Any]]:
    """A model of random weights, with what `og.save` has to know."""
    keras.utils.set_random_seed(5)
    given = keras.Input((24, 32, 3))
    inner = layers.Conv2D(8, 3, padding="same", activation="relu")(given)
    classes = layers.Dense(3, name="kind")(layers.GlobalAveragePooling2D()(inner))
    mask = layers.Conv2D(2, 1, name="where")(inner)
    names = {"class_names": ["a", "b", "c"], "task": "classify"}
    if kind == "class":
        return keras.Model(given, classes), names
    if kind == "mask":
        return keras.Model(given, mask), {}
    if kind == "two":
        return keras.Model(given, [classes, mask]), {**names, "output": "kind"}
    return keras.Model(given, {"where": mask, "kind": classes}), {"output": "where"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Real photographs of several sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        image = getattr(data, name)()
        og.imwrite(folder / f"{name}.png", image[::3, ::3])
    return folder


@pytest.mark.parametrize("kind", ["class", "mask", "two", "two, of a dictionary"])
def test_the_same_logits_by_every_way(kind: str, photos: Path, tmp_path: Path) -> None:
    model, described = trained_by_chance(kind)
    path = og.save(model, RECIPE, tmp_path / "model.keras", outputs="logits", **described)
    files = sorted(photos.glob("*.png"))
    arrays = [og.imread(file) for file in files]
    prepared = np.stack([og.Compose(RECIPE)(image=array).image for array in arrays])
    expected = og.load(path).model.predict(prepared, verbose=0)
    if isinstance(expected, list | tuple):
        expected = dict(zip(("kind", "where"), expected))
    elif not isinstance(expected, dict):
        expected = {"output": expected}
    assert set(expected) == ({"kind", "where"} if kind.startswith("two") else {"output"})

    predictor = og.Predictor(path)
    ways = {
        "a folder": predictor(photos),
        "a source": predictor(og.open_source(photos)),
        "paths": predictor(files),
        "arrays": predictor(arrays),
        "predict": og.predict(path, photos),
        "predict arrays": og.predict(predictor.saved, arrays),
        "a model in memory": og.Predictor(model, recipe=RECIPE, outputs="logits", **described)(photos),
    }
    for way, run in ways.items():
        found = list(run)
        assert len(found) == len(files), way
        for name, values in expected.items():
            made = np.stack([one.raw[name] for one in found])
            assert made.tobytes() == values.tobytes(), (way, name)
        assert not run.quarantined
    with pytest.raises(SystemExit) as ended:
        cli.main(["predict", str(path), str(photos), "-o", str(tmp_path / "out"), "--raw"])
    assert not ended.value.code
    for number, file in enumerate(files):
        with np.load(tmp_path / "out" / "raw" / f"{file.name}.npz") as stored:
            assert set(stored) == set(expected)
            assert all(stored[name].tobytes() == expected[name][number].tobytes() for name in stored)


def test_a_further_output_comes_back_by_the_frame(photos: Path, tmp_path: Path) -> None:
    model, described = trained_by_chance("two")
    path = og.save(model, RECIPE, tmp_path / "model.keras", outputs="logits", **described)
    (one, *_) = og.Predictor(path)(photos)
    assert one.frame is not None
    back = one.frame.undo(heatmap=one.raw["where"])
    assert back.shape == (*one.image.shape[:2], 2)
    again = og.Compose(RECIPE)(image=one.image).frame.undo(heatmap=one.raw["where"])
    assert np.array_equal(back, again)


def test_one_array_and_batches_of_them() -> None:
    predictor = og.Predictor(bright_model(), recipe=[og.Rescale(1 / 255)], class_names=["dark", "light"])
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3)).astype(np.uint8)
    one = predictor(images[1])
    assert isinstance(one, og.Prediction) and np.array_equal(one.image, images[1])
    many = list(predictor(images))
    assert [p.item.name for p in many] == ["0", "1", "2"]
    np.testing.assert_allclose(many[1].probabilities, one.probabilities, rtol=1e-6)
    with pytest.raises(
        ArgumentError,
        match=r"the array has the shape \(2, 7\).*axis more.*np\.stack\(\[image\] \* 3, axis=-1\)",
    ):
        predictor(images[0, :2, :, 0])
    with pytest.raises(ArgumentError, match=r"array 1 has the shape \(9, 7\).*axis more"):
        predictor([images[0], images[1, ..., 0]])
    with pytest.raises(ArgumentError, match="not empty"):
        predictor([])
    with pytest.raises(og.OffgraphError, match=r"masks=: only where the images are a path"):
        predictor(images, masks="somewhere")
    broken = images[0].astype(np.float32)
    broken[0, 0, 0] = np.nan
    with pytest.raises(og.StepError, match="NaN or infinite"):
        predictor(broken)


def test_iterators_of_files_and_of_arrays(tmp_path: Path) -> None:
    predictor = og.Predictor(bright_model(), recipe=[og.Rescale(1 / 255)], class_names=["dark", "light"])
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3)).astype(np.uint8)
    for number, image in enumerate(images):
        og.imwrite(tmp_path / f"{number}.png", image)
    expected = [p.probabilities.tolist() for p in predictor(images)]
    for given in (
        (image for image in images),
        iter(images),
        sorted(tmp_path.glob("*.png")),
        map(np.asarray, images),
    ):
        assert [p.probabilities.tolist() for p in predictor(given)] == expected
    found = {p.item.path: p.probabilities.tolist() for p in predictor(tmp_path.glob("*.png"))}
    assert [found[tmp_path / f"{number}.png"] for number in range(3)] == expected
    with pytest.raises(ArgumentError, match="not empty"):
        predictor(tmp_path.glob("*.jpg"))
    with (tmp_path / "0.png").open("rb") as file, pytest.raises(ArgumentError, match="give a path"):
        predictor(file)


def test_a_grey_image_with_and_without_its_channel_axis() -> None:
    predictor = og.Predictor(mask_model(), recipe=[og.Rescale(1 / 255)])
    coins = data.coins()[:60, :80]
    plain, with_axis = predictor(coins), predictor(coins[..., None])
    assert np.array_equal(plain.mask, coins > 0.45 * 255)
    assert np.array_equal(plain.mask, with_axis.mask)


def test_paths_are_named_once(photos: Path) -> None:
    predictor = og.Predictor(bright_model(), recipe=[og.Rescale(1 / 255)], class_names=["dark", "light"])
    file = photos / "coffee.png"
    with pytest.raises(ArgumentError, match="twice"):
        predictor([file, file])


def brightness(batch: np.ndarray) -> np.ndarray:
    light = batch.mean(axis=(1, 2, 3), dtype=np.float64)
    return np.stack([1 - light, light], axis=1)


def test_a_function_of_a_batch() -> None:
    predictor = og.Predictor(brightness, recipe=[og.Rescale(1 / 255)], class_names=["dark", "light"])
    assert predictor.saved.task == "classify"
    assert predictor(np.full((5, 6, 3), 204, np.uint8)).summary == "light 80.0%"
    several = og.Predictor(
        lambda batch: {"kind": brightness(batch), "where": batch[..., :1]},
        recipe=[og.Rescale(1 / 255)],
        output="where",
    )
    one = several(np.full((5, 6, 3), 204, np.uint8))
    assert several.saved.task == "segment" and one.mask is not None and one.mask.all()
    assert one.raw["kind"] == pytest.approx([0.2, 0.8])
    pair = og.Predictor(
        lambda batch: (brightness(batch), batch), recipe=[og.Rescale(1 / 255)], output="0", task="classify"
    )
    assert set(pair(np.zeros((5, 6, 3), np.uint8)).raw) == {"0", "1"}


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (brightness, {}, "needs the recipe"),
        (brightness, {"recipe": []}, "task is in doubt"),
        (lambda batch: batch.mean(), {"recipe": []}, r"'output' has the shape \(\)"),
        (
            lambda batch: batch[:, 0, 0, 5],
            {"recipe": []},
            "raised IndexError for a batch of one image of zeros",
        ),
        (lambda batch: (brightness(batch), batch), {"recipe": []}, "2 outputs.*output='0'"),
        (brightness, {"recipe": [], "output": "kind"}, "output='kind': the model has one output"),
        (brightness, {"recipe": [og.Resize((8, 8))], "input_shape": (9, 9, 3)}, r"makes images of \(8, 8\)"),
        ([], {}, "at least one model"),
        (5, {}, "a model is given as the path of a .keras file"),
        (brightness, {"recipe": [], "task": "classify", "merge": "sum"}, "choose 'mean'"),
    ],
)
def test_what_is_no_model(model: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(og.OffgraphError, match=said):
        og.Predictor(model, **options)


def test_a_saved_model_says_itself_what_it_is(tmp_path: Path) -> None:
    path = og_keras.save(bright_model(), [og.Rescale(1 / 255)], tmp_path / "model.keras")
    with pytest.raises(og.OffgraphError, match="class_names=: a saved model says it itself"):
        og.Predictor(path, class_names=["dark", "light"])
    with pytest.raises(RecipeMismatch, match="Rescale"):
        og.Predictor(path, recipe=[og.Rescale(1 / 127)])


def test_outputs_of_another_length_than_the_batch_are_refused() -> None:
    predictor = og.Predictor(
        lambda batch: brightness(batch)[:1], recipe=[og.Rescale(1 / 255)], class_names=["dark", "light"]
    )
    with pytest.raises(og.OffgraphError, match=r"'output' has the shape \(1, 2\) for a batch of 2 images"):
        list(predictor(np.zeros((2, 5, 6, 3), np.uint8)))


def test_an_ensemble_is_the_mean_of_its_models(photos: Path) -> None:
    def dimmer(batch: np.ndarray) -> np.ndarray:
        return brightness(batch / 2)

    names = ["dark", "light"]
    alone = [
        list(og.Predictor(one, recipe=[og.Rescale(1 / 255)], class_names=names)(photos))
        for one in (brightness, dimmer)
    ]
    both = list(og.Predictor([brightness, dimmer], recipe=[og.Rescale(1 / 255)], class_names=names)(photos))
    for one, two, merged in zip(*alone, both):
        expected = (one.probabilities.astype(np.float64) + two.probabilities) / 2
        assert np.array_equal(merged.probabilities, expected.astype(np.float32))
        assert np.array_equal(merged.raw["output"], one.raw["output"])


def test_each_model_of_an_ensemble_has_its_own_recipe(tmp_path: Path) -> None:
    coins = data.coins()[:96, :128]
    paths = [
        og.save(mask_model(), [og.Resize(size), og.Rescale(1 / 255)], tmp_path / f"{size[0]}.keras")
        for size in ((48, 64), (96, 128))
    ]
    alone = [og.Predictor(path)(coins).probabilities for path in paths]
    both = og.Predictor(paths)(coins)
    expected = (alone[0].astype(np.float64) + alone[1]) / 2
    assert np.array_equal(both.probabilities, expected.astype(np.float32))
    assert np.array_equal(both.mask, both.probabilities > 0.5)


def test_models_that_predict_different_things_are_refused(tmp_path: Path) -> None:
    one = og.save(bright_model(), [], tmp_path / "one.keras", class_names=["dark", "light"])
    two = og.save(bright_model(), [], tmp_path / "two.keras", class_names=["light", "dark"])
    with pytest.raises(og.OffgraphError, match=r"one\.keras and .*two\.keras: the class names"):
        og.Predictor([one, two])


@pytest.mark.parametrize("kind", ["class", "mask", "two, of a dictionary"])
def test_a_saved_model_folder_is_the_model_that_was_exported(kind: str, photos: Path, tmp_path: Path) -> None:
    model, described = trained_by_chance(kind)
    model.export(tmp_path / "exported", verbose=False)
    options: dict[str, Any] = {"recipe": RECIPE, "outputs": "logits", **described}
    expected = list(og.Predictor(model, **options)(photos))
    found = list(og.Predictor(tmp_path / "exported", **options)(photos))
    for one, other in zip(expected, found, strict=True):
        assert set(one.raw) == set(other.raw)
        for name, values in one.raw.items():
            np.testing.assert_allclose(other.raw[name], values, rtol=1e-5, atol=1e-6)
        assert one.label == other.label


def test_a_saved_model_folder_needs_a_recipe_and_is_checked(tmp_path: Path) -> None:
    bright_model().export(tmp_path / "exported", verbose=False)
    with pytest.raises(og.OffgraphError, match=r"exported: a SavedModel holds no recipe"):
        og.Predictor(tmp_path / "exported")
    with pytest.raises(og.OffgraphError, match=r"makes images of \(8, 8\)"):
        og.Predictor(
            tmp_path / "exported", recipe=[og.Resize((8, 8))], input_shape=(9, 9, 3), task="classify"
        )
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"nothing of the kind")
    with pytest.raises(og.OffgraphError, match=r"damaged: TensorFlow cannot load it"):
        og.Predictor(tmp_path / "damaged", recipe=[])


def test_images_of_several_sizes_through_layers_that_are_compiled_for_one(tmp_path: Path) -> None:
    """Keras cannot compile a bilinear `UpSampling2D` for any size, which it tries when a second one comes."""
    keras.utils.set_random_seed(3)
    given = keras.Input((None, None, 1))
    coarse = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", activation="relu")(given))
    fine = layers.UpSampling2D(interpolation="bilinear")(coarse)
    model = keras.Model(given, layers.Conv2D(1, 1, activation="sigmoid")(fine))
    sizes = [(16, 20), (24, 12), (16, 20), (30, 30)]
    arrays = [np.random.default_rng(n).integers(0, 256, size, np.uint8) for n, size in enumerate(sizes)]
    expected = [np.asarray(model((array / np.float32(255))[None, ..., None]))[0] for array in arrays]
    found = og.Predictor(model, recipe=[og.Rescale(1 / 255)])(arrays)
    made = [one.raw["output"] for one in found]
    assert found.quarantined == [] and [one.shape for one in made] == [(*size, 1) for size in sizes]
    for one, other in zip(made, expected):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    (odd,) = [og.Predictor(model, recipe=[og.Rescale(1 / 255)])([*arrays, np.zeros((15, 20), np.uint8)])]
    assert len(list(odd)) == 4 and "multiples of 2" in odd.quarantined[0][1]


def test_what_a_function_takes_was_assumed():
    """A refusal of grey images says how to say that the function takes them."""

    def same(batch: np.ndarray) -> np.ndarray:
        return batch[..., :1]

    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "task": "segment"}
    grey = np.zeros((8, 8), np.uint8)
    for image in (grey, grey[..., None]):
        with pytest.raises(og.OffgraphError, match=r"colour images were assumed: say .* input_shape="):
            og.Predictor(same, **options)(image)
    with pytest.raises(og.OffgraphError, match="input_shape="):
        og.Predictor(same, recipe=[og.Resize((4, 4, 4))], task="segment")
    assert og.Predictor(same, input_shape=(None, None, 1), **options)(grey).mask.shape == (8, 8)
    with pytest.raises(og.OffgraphError) as said:
        og.Predictor(same, input_shape=(None, None, 3), **options)(grey[..., None])
    assert "assumed" not in str(said.value)
