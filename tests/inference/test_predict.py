"""From a model file and files to predictions on the original pixels, with real Keras models and real images."""

from __future__ import annotations

import io
import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data
from tests.support.models import (
    HOSTILE,
    bright,
    bright_model,
    coins,
    keras,
    mask_model,
    og_keras,
    segmenter,
    shades,
)
from tests.support.pages import Page, self_contained

import offgraph as og
from offgraph.core.errors import DecodeError, OffgraphError, OffgraphWarning, RecipeMismatch
from offgraph.formats.encoding import imwrite
from offgraph.inference.predictor import predict
from offgraph.inference.results import objects, save_predictions


def test_classes(bright, shades):
    run = predict(bright, shades)
    found = {p.item.name: p for p in run}
    assert [name for name, _ in run.quarantined] == ["dark/broken.png"]
    assert {name: p.class_name for name, p in found.items()} == {
        "dark/a.png": "dark",
        f"dark/{HOSTILE}": "dark",
        "dark/wrong.png": "light",
        "light/写真 🙂.png": "light",
        f"light/{'n' * 200}.png": "light",
    }
    one = found["dark/a.png"]
    expected = 1 / (1 + np.exp(-(20 * 20 / 255 - 10)))
    assert one.probabilities == pytest.approx([1 - expected, expected], rel=1e-4)
    assert one.probability == one.probabilities.max() and one.mask is None
    assert np.array_equal(one.image, np.full((20, 30, 3), 20, np.uint8))
    assert one.true_class == "dark" and found["dark/wrong.png"].true_class == "dark"
    assert one.draw().dtype == np.uint8


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_batches_change_nothing_and_keep_the_order(bright, shades, batch_size):
    names = [item.name for item in og.open_source(shades) if "broken" not in item.name]
    run = list(predict(bright, shades, batch_size=batch_size, threads=2))
    assert [p.item.name for p in run] == names
    alone = list(predict(bright, shades, batch_size=3, threads=1))
    np.testing.assert_allclose([p.probabilities for p in run], [p.probabilities for p in alone], rtol=1e-5)


def test_stop_names_the_file(bright, shades):
    with pytest.raises(DecodeError, match=r"dark/broken\.png"):
        list(predict(bright, shades, on_error="stop"))


def test_another_recipe_is_an_error_unless_chosen(bright, shades):
    other = og.Compose([og.Resize((16, 16), kernel="box"), og.Rescale(1 / 255)])
    with pytest.raises(RecipeMismatch, match=r"Resize.*kernel is 'triangle'.*'box'.*other-recipe"):
        predict(bright, shades, recipe=other)
    assert len(list(predict(bright, shades, recipe=other, other_recipe=True))) == 5
    # What only training draws may change freely.
    augmented = og.Compose([og.Resize((16, 16)), og.Rescale(1 / 255), og.Augment(og.Flip("X", p=0.5))])
    assert len(list(predict(bright, shades, recipe=augmented))) == 5


def test_logits_are_said_and_not_guessed(tmp_path, shades):
    recipe = og.Compose([og.Resize((16, 16)), og.Rescale(1 / 255)])
    path = og_keras.save(bright_model(None), recipe, tmp_path / "logits.keras", class_names=["dark", "light"])
    with pytest.warns(OffgraphWarning, match=r"'score', has no activation.*logits"):
        guessed = list(predict(path, shades))
    said = list(predict(path, shades, outputs="logits"))
    for a, b in zip(guessed, said):
        assert np.array_equal(a.probabilities, b.probabilities)
        assert a.probabilities.sum() == pytest.approx(1)
    with pytest.raises(OffgraphError, match="not probabilities; say outputs='logits'"):
        list(predict(path, shades, outputs="probabilities"))
    odd = og_keras.save(bright_model("relu"), recipe, tmp_path / "relu.keras", task="classify")
    with pytest.raises(OffgraphError, match=r"relu\.keras: its outputs lie from"):
        list(predict(odd, shades))


def test_images_of_many_channels_are_predicted_and_shown(tmp_path):
    model = keras.Sequential(
        [
            keras.layers.Input((None, None, 6)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    imwrite(tmp_path / "six.tif", np.arange(6 * 8 * 9, dtype=np.uint16).reshape(6, 8, 9), axes="CYX")
    path = og_keras.save(model, og.Compose([og.Rescale(1 / 65535)]), tmp_path / "six.keras")
    first = og.imread(tmp_path / "six.tif")
    imwrite(tmp_path / "last.tif", np.moveaxis(first, 0, -1), axes="YXC")
    one, other = (next(iter(predict(path, tmp_path / name))) for name in ("six.tif", "last.tif"))
    assert np.array_equal(one.raw["output"], other.raw["output"])  # channels stand where the model has them
    assert one.axes == "CYX" and np.array_equal(one.image, first)
    imwrite(tmp_path / "few.tif", first[:5], axes="CYX")
    with pytest.raises(OffgraphError, match=r"\(8, 9, 5\)"):
        save_predictions(predict(path, og.open_source(tmp_path / "few.tif", color="keep")), tmp_path / "out")
    report = save_predictions(predict(path, tmp_path / "last.tif"), tmp_path / "last")
    assert report.count == 1, report.quarantined
    assert len(self_contained(tmp_path / "last" / "report.html").images) == 1


def test_one_output_is_two_classes(tmp_path, shades):
    recipe = og.Compose([og.Resize((16, 16)), og.Rescale(1 / 255)])
    path = og_keras.save(
        bright_model("sigmoid", 1), recipe, tmp_path / "one.keras", class_names=["dark", "light"]
    )
    found = {p.item.name: p for p in predict(path, shades)}
    assert found["dark/a.png"].class_name == "dark" and found["dark/wrong.png"].class_name == "light"
    assert found["dark/a.png"].probabilities.sum() == pytest.approx(1)


def test_an_image_without_a_finite_output_is_set_aside(tmp_path, shades):
    model = bright_model()
    weights, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([weights, np.full_like(bias, np.nan)])
    path = og_keras.save(
        model, og.Compose([og.Resize((16, 16)), og.Rescale(1 / 255)]), tmp_path / "nan.keras"
    )
    run = predict(path, shades)
    with pytest.raises(OffgraphError, match="none of the source's images"):
        list(run)
    assert len(run.quarantined) == 6
    assert sum("NaN" in reason for _, reason in run.quarantined) == 5


def test_an_image_with_nan_is_set_aside_by_what_its_file_holds(tmp_path):
    path = og_keras.save(bright_model(), og.Compose([og.Resize((16, 16))]), tmp_path / "model.keras")
    for name in "ab":
        array = np.full((20, 20, 3), 0.5, np.float32)
        array[3, 4, 1] = np.nan if name == "b" else 0.5
        (tmp_path / "in").mkdir(exist_ok=True)
        og.imwrite(tmp_path / "in" / f"{name}.tif", array)
    run = predict(path, tmp_path / "in")
    assert [p.item.name for p in run] == ["a.tif"]
    ((_, said),) = run.quarantined
    assert said.startswith(
        "the file holds 1 of 1,200 values that are NaN or infinite, the first, nan, at Y 3, X 4, C 1"
    )


def test_what_does_not_fit_the_model_is_told_for_each_file(tmp_path, shades):
    fixed = keras.Sequential(
        [keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    path = og_keras.save(fixed, og.Compose([og.Rescale(1 / 255)]), tmp_path / "fixed.keras")
    run = predict(path, shades)
    with pytest.raises(OffgraphError, match="none of the source's images"):
        list(run)
    assert sum(r"(20, 30, 3)" in reason and "(8, 8, 3)" in reason for _, reason in run.quarantined) == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"threads": 0}, "threads=0"),
        ({"on_error": "skip"}, "'quarantine' or 'stop'"),
        ({"outputs": "softmax"}, "'probabilities' or 'logits'"),
        ({"postprocess": [og.Threshold()]}, "predicts classes"),
    ],
)
def test_mistakes_are_told_before_anything_runs(bright, shades, arguments, says):
    with pytest.raises(OffgraphError, match=says):
        predict(bright, shades, **arguments)


def test_a_model_is_a_path_or_a_loaded_one(bright, shades):
    loaded = og_keras.load(bright)
    assert len(list(predict(loaded, shades))) == 5
    with pytest.raises(OffgraphError, match="Sequential"):
        predict(loaded.model, shades)


def test_stopping_early_leaves_no_thread(bright, shades):
    import threading

    run = predict(bright, shades, batch_size=1, threads=2)
    next(run)
    run.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("offgraph")]


# masks


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def _truth(image: np.ndarray) -> np.ndarray:
    return image / 255 > 0.45


def test_masks_lie_on_the_original_grid(segmenter, coins):
    [found] = predict(segmenter, coins)
    image = data.coins()
    assert found.mask.shape == image.shape and found.mask.dtype == np.int32
    assert found.probabilities.shape == image.shape and found.probabilities.dtype == np.float32
    assert 20 <= found.mask.max() <= 30
    assert all(entry["area"] >= 400 for entry in objects(found.mask))
    assert _iou(found.mask > 0, _truth(image)) > 0.8
    assert found.draw().shape == (*image.shape, 3)


def test_undoing_probabilities_beats_undoing_masks(segmenter, coins):
    """The reason for the order in which a mask is made: probability first to the original grid, then the threshold."""
    [found] = predict(segmenter, coins, postprocess=[og.Threshold(0.5)])
    recipe = og_keras.load(segmenter).recipe.eval()
    result = recipe(image=data.coins())
    coarse = result.image > 0.45
    blocks = result.frame.undo(mask=coarse.astype(np.uint8))
    smooth = np.zeros_like(data.coins(), bool)  # coins against their own smooth outline
    import scipy.ndimage

    smooth = scipy.ndimage.gaussian_filter(data.coins() / 255, 1.3) > 0.45
    assert _iou(found.mask > 0, smooth) > _iou(blocks > 0, smooth) + 0.005


def test_the_border_is_predicted_like_the_inside(segmenter, tmp_path):
    imwrite(tmp_path / "white.png", np.full((301, 403), 255, np.uint8))
    [found] = predict(segmenter, tmp_path / "white.png", postprocess=[og.Threshold(0.5)])
    assert (found.mask == 1).all() and found.probabilities.min() > 0.99


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_orientation_is_handled(segmenter, tmp_path, orientation):
    """The mask fits the upright image, however the camera was held."""
    upright = np.zeros((60, 80), np.uint8)
    upright[5:25, 10:30] = 255
    turned = PILImage.fromarray(upright)
    # How the file stores it, so that applying the orientation gives the upright image.
    inverse = {
        2: PILImage.Transpose.FLIP_LEFT_RIGHT,
        3: PILImage.Transpose.ROTATE_180,
        4: PILImage.Transpose.FLIP_TOP_BOTTOM,
        5: PILImage.Transpose.TRANSPOSE,
        6: PILImage.Transpose.ROTATE_90,
        7: PILImage.Transpose.TRANSVERSE,
        8: PILImage.Transpose.ROTATE_270,
    }
    if orientation > 1:
        turned = turned.transpose(inverse[orientation])
    exif = PILImage.Exif()
    exif[0x0112] = orientation
    turned.save(tmp_path / "photo.png", exif=exif)
    [found] = predict(segmenter, tmp_path / "photo.png", postprocess=[og.Threshold(0.5)])
    assert found.orientation == orientation
    assert found.mask.shape == (60, 80)
    assert _iou(found.mask > 0, upright > 0) > 0.95
    assert np.array_equal(found.image, upright)


def test_what_the_recipe_cut_off_is_background(tmp_path, coins):
    recipe = og.Compose([og.CenterCrop((100, 120)), og.Rescale(1 / 255)])
    path = og_keras.save(mask_model(channels=3), recipe, tmp_path / "crop.keras")
    [found] = predict(path, coins)
    seen = np.zeros(data.coins().shape, bool)
    top, left = (303 - 100) // 2, (384 - 120) // 2
    seen[top : top + 100, left : left + 120] = True
    assert found.probabilities.shape == (303, 384, 3)
    assert (found.probabilities[~seen] == 0).all() and (found.mask[~seen] == 0).all()
    # A crop moves no pixel, so inside the mask is the very decision of the model.
    assert np.array_equal(found.mask[seen] == 2, _truth(data.coins())[seen])


def test_several_classes_take_the_likeliest(tmp_path, coins):
    path = og_keras.save(mask_model(channels=2), og.Compose([og.Rescale(1 / 255)]), tmp_path / "two.keras")
    [found] = predict(path, coins)
    assert found.mask.dtype == np.uint8
    assert np.array_equal(found.mask == 1, _truth(data.coins()))


def test_a_coarser_output_grid_has_its_place(tmp_path):
    image = np.zeros((64, 64), np.uint8)
    image[16:40, 8:32] = 255
    imwrite(tmp_path / "square.png", image)
    path = og_keras.save(mask_model(stride=4), og.Compose([og.Rescale(1 / 255)]), tmp_path / "stride.keras")
    [found] = predict(path, tmp_path / "square.png", postprocess=[og.Threshold(0.5)])
    rows, columns = np.nonzero(found.mask)
    assert (rows.mean(), columns.mean()) == pytest.approx((27.5, 19.5), abs=0.01)


def test_images_of_different_sizes_in_one_run(tmp_path):
    root = tmp_path / "mixed"
    root.mkdir()
    for number, size in enumerate([(40, 50), (40, 50), (31, 20), (40, 50)]):
        imwrite(root / f"{number}.png", np.full(size, 255, np.uint8))
    path = og_keras.save(mask_model(), og.Compose([og.Rescale(1 / 255)]), tmp_path / "any.keras")
    found = list(predict(path, root, batch_size=8))
    assert [p.mask.shape for p in found] == [(40, 50), (40, 50), (31, 20), (40, 50)]
    assert [p.item.name for p in found] == [f"{n}.png" for n in range(4)]


def test_result_steps_must_make_a_mask_and_this_is_told_at_once(segmenter, coins):
    with pytest.raises(OffgraphError, match=r"postprocess: .*FillHoles.*put Threshold before"):
        predict(segmenter, coins, postprocess=[og.FillHoles()])
    with pytest.raises(OffgraphError, match="begin with Threshold"):
        predict(segmenter, coins, postprocess=[])
    with pytest.raises(OffgraphError, match="MedianFilter is not a result step"):
        predict(segmenter, coins, postprocess=[og.MedianFilter(3)])


def test_volumes_come_back_as_volumes(tmp_path):
    model = keras.Sequential(
        [keras.layers.Input((None, None, None, 1)), keras.layers.Conv3D(1, 1, activation="sigmoid")]
    )
    model.layers[-1].set_weights([np.full((1, 1, 1, 1, 1), 40.0), np.array([-18.0])])
    volume = np.zeros((6, 20, 30), np.uint8)
    volume[1:5, 4:12, 6:26] = 255
    imwrite(tmp_path / "volume.tif", volume, axes="ZYX")
    recipe = og.Compose([og.Flip("Z"), og.Rescale(1 / 255)])
    path = og_keras.save(model, recipe, tmp_path / "volume.keras")
    report = save_predictions(predict(path, tmp_path / "volume.tif"), tmp_path / "out")
    assert report.count == 1, report.quarantined
    [entry] = json.loads((tmp_path / "out" / "predictions.json").read_text())["predictions"]
    assert entry["objects"][0]["bbox"] == [1, 4, 6, 5, 12, 26]
    mask = og.imread(tmp_path / "out" / entry["mask"])
    assert np.array_equal(mask > 0, volume > 0)


def test_memory_does_not_grow_with_the_number_of_images(segmenter, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    buffer = io.BytesIO()
    PILImage.fromarray(np.tile(data.coins(), (3, 3))).save(buffer, "PNG")  # 1 MB of pixels
    for number in range(40):
        (root / f"{number}.png").write_bytes(buffer.getvalue())
    run = predict(segmenter, root, batch_size=2, threads=1, postprocess=[og.Threshold(0.5)])
    next(run)
    tracemalloc.start()
    for _ in range(4):
        next(run)
    tracemalloc.reset_peak()
    _, early = tracemalloc.get_traced_memory()
    for _ in run:
        pass
    _, late = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One prediction holds a float32 map and a mask, 5 MB; forty of them would be 200 MB.
    assert late < early + 60e6


def test_trained_digits(tmp_path):
    """The whole way with a trained network: digits as PNG files, recipe inside the model, classes out."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 255 / 16).astype(np.uint8)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((16, 16, 1)),
            keras.layers.Conv2D(12, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    recipe = og.Compose([og.Resize((16, 16)), og.Rescale(1 / 255)])
    ready = np.stack([recipe(image=image).image for image in images])[..., None]
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(ready[:1500], digits.target[:1500], epochs=6, batch_size=64, verbose=0)
    names = [f"digit {n}" for n in range(10)]
    path = og_keras.save(model, recipe, tmp_path / "digits.keras", class_names=names)
    for number in range(1500, 1797):
        folder = tmp_path / "held-out" / names[digits.target[number]]
        folder.mkdir(parents=True, exist_ok=True)
        imwrite(folder / f"{number}.png", images[number])
    report = save_predictions(predict(path, tmp_path / "held-out"), tmp_path / "out")
    assert report.count == 297 and report.accuracy > 0.88
    straight = model.predict(ready[1500:], verbose=0).argmax(axis=1)
    assert report.accuracy == pytest.approx((straight == digits.target[1500:]).mean())


def test_arguments_of_the_wrong_kind_are_named(bright, shades, tmp_path):
    for options, says in (
        ({"recipe": 3}, "recipe=3: give a Compose"),
        ({"recipe": "nowhere.yaml"}, r"nowhere\.yaml"),
        ({"batch_size": 2.0}, "batch_size=2.0"),
        ({"threads": 0}, "threads=0"),
    ):
        with pytest.raises(OffgraphError, match=says):
            predict(bright, shades, **options)
    og.load(bright).recipe.to_yaml(tmp_path / "recipe.yaml")
    run = predict(bright, shades, recipe=str(tmp_path / "recipe.yaml"), batch_size=np.int64(2))
    assert len(list(run)) == 5


def test_a_notebook_shows_the_prediction(bright, shades, segmenter, coins, tmp_path):
    for number, (model, source) in enumerate(((bright, shades), (segmenter, coins))):
        one = next(predict(model, source))
        cell = tmp_path / f"{number}.html"
        cell.write_text(one._repr_html_(), "utf-8")
        page = Page(cell)
        assert len(page.images) == 1 and one.item.name in page.words and "array(" not in page.words
