"""`og.ImageDataGenerator` beside the live one of Keras: the same files, classes, labels, parameters and pixels."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import offgraph as og

legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")
Keras = legacy.ImageDataGenerator
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras uses SciPy's old namespace
RNG = np.random.default_rng(5)


def smooth(height: int, width: int, shade: int) -> np.ndarray:
    """A colour image without noise, so that an error of position is seen and one of rounding is not."""
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack(
        [rows * 255 // height, columns * 255 // width, (rows + columns + shade) % 256 // 2 + 60], -1
    )
    return image.astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders as they are found: folders in folders, capitals, other files, numbers that sort as texts."""
    root = tmp_path_factory.mktemp("photos")
    names = [
        "b/2.png", "b/10.png", "b/deep/er/1.PNG", "b/deep/0.png", "a/x.jpg", "a/B.png", "a/a.bmp", "a/notes.txt", "a/image.gif",
        "C/1.png", "C/2.png", "C/3.png", "C/4.png", "C/5.png", "a/t.tif",
    ]  # fmt: skip
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image = smooth(41 + number, 37, 9 * number)
        match Path(name).suffix.lower():
            case ".txt":
                (root / name).write_text("no image")
            case ".png" | ".tif" | ".jpg":
                og.imwrite(root / name, image)
            case _:
                import PIL.Image

                PIL.Image.fromarray(image).save(root / name)
    (root / "empty").mkdir()
    (root / "loose.png").write_bytes((root / "b" / "2.png").read_bytes())
    (root / "C" / "linked").symlink_to(root / "b", target_is_directory=True)
    return root


ATTRIBUTES = (
    "filenames", "filepaths", "class_indices", "samples", "n", "batch_size", "class_mode", "target_size", "image_shape",
    "color_mode", "data_format", "interpolation", "keep_aspect_ratio", "split", "subset", "dtype", "shuffle", "seed",
    "batch_index", "total_batches_seen", "num_classes", "directory",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "flow"),
    [
        ({}, {}),
        ({}, {"classes": ["C", "b"], "class_mode": "binary"}),
        ({}, {"class_mode": "sparse", "follow_links": True}),
        ({}, {"class_mode": None, "target_size": (30, 20), "batch_size": 3}),
        ({}, {"class_mode": "input", "color_mode": "grayscale"}),
        ({"validation_split": 0.4}, {"subset": "training"}),
        ({"validation_split": 0.4}, {"subset": "validation", "seed": 3}),
        ({"data_format": "channels_first"}, {"class_mode": "input"}),
        ({"dtype": "float64"}, {"class_mode": "binary", "classes": ["C", "a"]}),
    ],
    ids=str,
)  # fmt: skip
def test_files_classes_and_labels_are_those_of_keras(photos, arguments, flow):
    theirs = Keras(**arguments).flow_from_directory(str(photos), shuffle=False, **flow)
    ours = og.ImageDataGenerator(**arguments).flow_from_directory(photos, shuffle=False, **flow)
    for name in ATTRIBUTES:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.classes.dtype == theirs.classes.dtype and ours.classes.tolist() == theirs.classes.tolist()
    assert len(ours) == len(theirs) and ours.labels.tolist() == theirs.labels.tolist()
    for number in range(len(ours)):
        mine: Any = ours[number]
        other: Any = theirs[number]
        assert type(mine) is type(other)
        if not isinstance(mine, tuple):
            mine, other = (mine,), (other,)
        assert [(each.shape, each.dtype) for each in mine] == [(each.shape, each.dtype) for each in other]
        if flow.get("class_mode", "categorical") not in ("input", None):
            assert np.array_equal(mine[1], other[1])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "box", "lanczos"])
def test_pixels_without_draws_are_those_of_keras(photos, interpolation, data_format):
    arguments = {"data_format": data_format, "rescale": 1 / 255}
    flow = {"shuffle": False, "target_size": (29, 31), "interpolation": interpolation, "class_mode": None}
    theirs = Keras(**arguments).flow_from_directory(str(photos), **flow)
    ours = og.ImageDataGenerator(**arguments).flow_from_directory(photos, **flow)
    assert np.abs(ours[0] - theirs[0]).max() <= 1.001 / 255


@pytest.mark.parametrize("aspect", [False, True])
def test_the_nearest_pixels_are_those_of_keras(photos, aspect):
    # Images of 37 columns at sizes without ties; with the aspect kept, of equal rows as well.
    flow = {"shuffle": False, "target_size": (40, 36), "class_mode": None, "keep_aspect_ratio": aspect}
    theirs = Keras().flow_from_directory(str(photos), classes=["C"], **flow)
    ours = og.ImageDataGenerator().flow_from_directory(photos, classes=["C"], **flow)
    far = np.abs(ours[0] - theirs[0]).reshape(len(ours[0]), -1).max(axis=1)
    assert (far <= (8 if aspect else 0)).all()


# ---- draws, for which pixels are Keras'


def as_keras(record: dict[str, Any]) -> dict[str, Any]:
    """What was drawn for an image, under the names of Keras."""
    drawn: dict[str, Any] = {}
    for entry in record["steps"]:
        values = entry["params"]
        match entry["step"]:
            case "Affine":
                down, right = values["translate"]
                scale = values["scale"]
                by_axis = scale if isinstance(scale, dict) else {"Y": scale, "X": scale}
                drawn |= {"theta": values["rotate"], "tx": -right, "ty": -down}
                drawn |= {"zx": 1 / by_axis["X"], "zy": 1 / by_axis["Y"]}
            case "Flip":
                name = "flip_horizontal" if entry["address"].endswith("X") else "flip_vertical"
                drawn[name] = entry["applied"]
            case "Brightness":
                if entry["address"].endswith("shift"):
                    drawn["channel_shift_intensity"] = 255 * values["shift"]
                else:
                    drawn["brightness"] = values["factor"]
            case _:
                pass
    return drawn


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"rotation_range": 30},
        {"rotation_range": 30, "fill_mode": "constant", "cval": 90, "interpolation_order": 0},
        {"width_shift_range": 0.2, "height_shift_range": 4.5, "fill_mode": "reflect"},
        {"zoom_range": (0.7, 1.3), "fill_mode": "wrap", "interpolation_order": 3},
        {"horizontal_flip": True, "vertical_flip": True},
        {"brightness_range": (0.5, 1.4)},
        {"rotation_range": 10, "horizontal_flip": True, "brightness_range": (0.8, 1.2), "rescale": 1 / 255},
    ],
    ids=str,
)
def test_pixels_of_the_same_draws_are_within_a_grey_level(arguments, dtype):
    images = np.stack([smooth(44, 44, 20 * number) for number in range(12)]).astype(dtype)
    theirs = Keras(**arguments)
    ours = og.ImageDataGenerator(**arguments).flow(images, batch_size=12, shuffle=False, seed=11)
    # A rounded value of uint8 before a factor up to 1.4, and rounded again.
    level = (2.4 if "brightness_range" in arguments and len(arguments) > 1 else 1.001) * arguments.get(
        "rescale", 1
    )
    for epoch in range(3):
        made, records = ours[0], ours.loader.batch(ours.epoch, 0).records
        for image, mine, record in zip(images, made, records, strict=True):
            other = theirs.standardize(theirs.apply_transform(image.astype(np.float32), as_keras(record)))
            if dtype == "uint8" and "rescale" not in arguments:
                other = np.clip(other, 0, 255)
            assert np.abs(mine - other).max() <= level
        ours.on_epoch_end()
        assert ours.epoch == epoch + 1


@settings(max_examples=60, deadline=None)
@example(
    turn=0.0, across=[0], down=0.0, shear=0.0, zoom=0.0, shift=0, bright=(0.5, 1.5), flips=(False, False), fill="nearest", order=0,
    seed=0,
)  # fmt: skip
@given(
    turn=st.floats(0, 180),
    across=st.one_of(
        st.floats(0, 0.5), st.floats(1, 9), st.integers(0, 6), st.lists(st.integers(0, 9), max_size=3)
    ),
    down=st.one_of(st.floats(0, 0.5), st.integers(0, 6)),
    shear=st.floats(0, 40),
    zoom=st.one_of(st.floats(0, 0.5), st.tuples(st.floats(0.5, 1), st.floats(1, 2))),
    shift=st.sampled_from([0, 30.0]),
    bright=st.sampled_from([None, (0.5, 1.5)]),
    flips=st.tuples(st.booleans(), st.booleans()),
    fill=st.sampled_from(["nearest", "constant", "reflect", "wrap"]),
    order=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_parameters_and_their_pixels_are_bit_for_bit_those_of_keras(
    turn, across, down, shear, zoom, shift, bright, flips, fill, order, seed
):
    arguments = {
        "rotation_range": turn, "width_shift_range": across, "height_shift_range": down, "shear_range": shear,
        "zoom_range": zoom, "channel_shift_range": shift, "brightness_range": bright, "horizontal_flip": flips[0],
        "vertical_flip": flips[1], "fill_mode": fill, "interpolation_order": order, "cval": 7.0,
    }  # fmt: skip
    theirs, ours = Keras(**arguments), og.ImageDataGenerator(**arguments)
    image = smooth(33, 33, seed % 256).astype(np.float32)
    expected = theirs.get_random_transform(image.shape, seed)
    drawn = ours.get_random_transform(image.shape, seed)
    assert drawn == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's old namespace, which Keras uses
        other = theirs.apply_transform(image, expected)
    mine = ours.apply_transform(image, drawn)
    assert mine.dtype == other.dtype and np.array_equal(mine, other)
    assert np.array_equal(ours.random_transform(image, seed), mine)


def test_an_image_that_is_not_square_is_turned_about_its_centre():
    image = np.zeros((21, 41, 1), np.float32)
    image[10, 20] = 1
    turned = og.ImageDataGenerator(fill_mode="constant").apply_transform(image, {"theta": 30})
    assert np.unravel_index(turned.argmax(), turned.shape) == (10, 20, 0)


# ---- values


VALUES = [
    {"rescale": 1 / 255},
    {"samplewise_center": True},
    {"samplewise_center": True, "samplewise_std_normalization": True, "rescale": 0.5},
    {"featurewise_center": True},
    {"featurewise_center": True, "featurewise_std_normalization": True},
    {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 1 / 127.5},
    {"featurewise_center": True, "zca_whitening": True},
    {"preprocessing_function": lambda x: x[..., ::-1] - 3.0, "rescale": 0.25, "samplewise_center": True},
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("arguments", VALUES, ids=range(len(VALUES)))
def test_values_are_bit_for_bit_those_of_keras(arguments, data_format):
    images = RNG.integers(0, 255, (9, 8, 8, 3)).astype(np.float32)
    if data_format == "channels_first":
        images = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    theirs, ours = (made(**arguments, data_format=data_format) for made in (Keras, og.ImageDataGenerator))
    theirs.fit(images)
    ours.fit(images)
    for name in ("mean", "std", "zca_whitening_matrix"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (mine is None) == (other is None) and (mine is None or np.allclose(mine, other, atol=1e-5))
    batch = ours.flow(images, batch_size=9, shuffle=False)[0]
    np.testing.assert_allclose(
        batch, theirs.flow(images, batch_size=9, shuffle=False)[0], rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        ours.standardize(images[0].copy()), theirs.standardize(images[0].copy()), atol=1e-4
    )


def test_fit_may_come_after_flow_and_with_augmentation():
    images = RNG.integers(0, 255, (6, 8, 8, 3)).astype(np.float32)
    ours = og.ImageDataGenerator(featurewise_center=True, rotation_range=40)
    theirs = Keras(featurewise_center=True, rotation_range=40)
    batches = ours.flow(images, batch_size=6, shuffle=False)
    with pytest.warns(og.OffgraphWarning, match="before fit"):
        assert batches[0].mean() > 50
    ours.fit(images, augment=True, rounds=2, seed=4)
    theirs.fit(images, augment=True, rounds=2, seed=4)
    assert ours.mean is not None and np.allclose(ours.mean, theirs.mean)
    assert abs(batches[0].mean()) < 20


def test_the_function_of_a_model_is_a_step_and_another_is_called():
    from keras.applications import mobilenet_v2, vgg16

    def darker(x: np.ndarray) -> np.ndarray:
        return x * np.float32(0.5)

    images = RNG.integers(0, 255, (4, 8, 8, 3), np.uint8)
    for function in (mobilenet_v2.preprocess_input, vgg16.preprocess_input, darker):
        ours = og.ImageDataGenerator(preprocessing_function=function).flow(images, shuffle=False)
        expected: Any = function(images.astype(np.float32))
        np.testing.assert_allclose(ours[0], expected, atol=1e-4)
        assert (ours.work.standardize is None) is (function is not darker)


def test_shears_are_drawn_in_degrees():
    images = np.stack([smooth(40, 40, 0)] * 4)
    flow = og.ImageDataGenerator(shear_range=20).flow(images, seed=1)
    slopes = [record["steps"][0]["params"]["shear"]["X"] for record in flow.loader.batch(0, 0).records]
    assert max(map(abs, slopes)) < math.sin(math.radians(20))


# ---- what `fit` and `predict` get


def flows(kind: Any, how: str, root: Path) -> Any:
    """An iterator without draws, in order, of one of the three kinds."""
    options: dict[str, Any] = {"target_size": (24, 20), "batch_size": 5, "shuffle": False}
    generator = kind(rescale=1 / 255)
    if how == "directory":
        return generator.flow_from_directory(str(root), **options)
    if how == "dataframe":
        pandas = pytest.importorskip("pandas")
        names = sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
        rows = pandas.DataFrame({"file": names, "kind": [Path(name).parts[0] for name in names]})
        return generator.flow_from_dataframe(rows.iloc[::-1], str(root), "file", "kind", **options)
    images = np.stack([smooth(24, 20, 11 * number) for number in range(13)])
    return generator.flow(images, np.arange(13) % 3, batch_size=5, shuffle=False)


@pytest.mark.parametrize("how", ["directory", "dataframe", "arrays"])
def test_predictions_come_in_the_order_of_keras_again_and_again(photos, how):
    import keras

    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((24, 20, 3)),
        keras.layers.Conv2D(4, 5, activation="tanh"),
        keras.layers.GlobalMaxPooling2D(),
    ]
    model = keras.Sequential([*layers, keras.layers.Dense(3)])
    theirs, ours = flows(Keras, how, photos), flows(og.ImageDataGenerator, how, photos)
    scores = []
    for flow in (theirs, ours):
        first = model.predict(flow, verbose=0)
        flow.reset()
        assert np.array_equal(model.predict(flow, verbose=0), first)
        next(flow)
        flow.reset()
        assert np.array_equal(model.predict(flow, verbose=0), first)
        one_by_one = np.concatenate(
            [model.predict(flow[number][0], verbose=0) for number in range(len(flow))]
        )
        np.testing.assert_allclose(one_by_one, first, atol=1e-5)
        scores.append(first)
    apart = np.abs(scores[0] - scores[1]).max()
    between = np.abs(scores[1][:, None] - scores[1][None]).max(-1)[~np.eye(len(scores[1]), dtype=bool)].min()
    assert apart < min(0.02, between / 2 or 0.02), (apart, between)
    if how != "arrays":
        assert (ours.filenames, ours.class_indices) == (theirs.filenames, theirs.class_indices)
        assert list(ours.classes) == list(theirs.classes)


@pytest.mark.parametrize("how", ["directory", "dataframe", "arrays"])
def test_a_model_learns_from_both_alike(photos, how):
    """The same batches in the same order: two models of equal weights end an epoch within rounding of each other."""
    import keras

    losses = []
    for kind in (Keras, og.ImageDataGenerator):
        keras.utils.set_random_seed(5)
        model = keras.Sequential(
            [keras.Input((24, 20, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
        )
        model.compile(keras.optimizers.SGD(0.05), "mse")
        flow = flows(kind, how, photos)
        if how != "arrays":
            flow.class_mode = "sparse"
        losses.append(model.fit(flow, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=5e-3)
    assert losses[0][-1] != losses[0][0]


def test_images_and_masks_by_two_generators_are_the_pairs_of_keras(photos, tmp_path):
    for path in sorted((photos / "C").glob("*.png")):
        (tmp_path / "C").mkdir(exist_ok=True)
        og.imwrite(tmp_path / "C" / path.name, (og.imread(path)[..., 0] > 90).astype(np.uint8) * 255)
    pairs = []
    for kind in (Keras, og.ImageDataGenerator):
        shared = {
            "classes": ["C"],
            "class_mode": None,
            "target_size": (45, 37),
            "batch_size": 2,
            "shuffle": False,
        }
        images = kind().flow_from_directory(str(photos), **shared)
        masks = kind().flow_from_directory(str(tmp_path), color_mode="grayscale", **shared)
        pairs.append([next(images), next(masks), next(images), next(masks)])
        assert images.filenames == masks.filenames
    for mine, other in zip(pairs[1], pairs[0], strict=True):
        assert mine.shape == other.shape and np.abs(mine - other).mean() < 2
