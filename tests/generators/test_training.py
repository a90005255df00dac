"""Keras' documented examples of `ImageDataGenerator`, with a real `fit` on small images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import image_file

import offgraph as og

keras = pytest.importorskip("keras")

SIZE = (16, 16)


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that a small model tells apart by their colour; masks of the light part of each image."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(4)
    for part, count in (("train", 24), ("validation", 8)):
        for number in range(count):
            for name, tint in (("cats", (200, 60, 40)), ("dogs", (40, 60, 200))):
                noise = rng.integers(0, 40, (20, 24, 3))
                light = np.zeros((20, 24), bool)
                light[:, number % 12 : number % 12 + 10] = True
                image = np.where(light[..., None], np.array(tint), 10) + noise
                image_file(root / part / name / f"{number}.png", image.astype(np.uint8))
                image_file(root / f"{part}_masks" / name / f"{number}.png", light.astype(np.uint8))
    return root


def classifier(outputs: int = 1, activation: str = "sigmoid", loss: str = "binary_crossentropy") -> Any:
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(outputs, activation=activation),
        ]
    )
    model.compile(keras.optimizers.Adam(0.2), loss, metrics=["accuracy"])
    return model


def segmenter() -> Any:
    model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.2), "binary_crossentropy", metrics=["accuracy"])
    return model


def test_flow_from_directory(data):
    train_datagen = og.ImageDataGenerator(
        rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True
    )
    test_datagen = og.ImageDataGenerator(rescale=1.0 / 255)
    train = train_datagen.flow_from_directory(
        data / "train", target_size=SIZE, batch_size=8, class_mode="binary"
    )
    validation = test_datagen.flow_from_directory(
        data / "validation", target_size=SIZE, batch_size=8, class_mode="binary"
    )
    assert isinstance(train, keras.utils.PyDataset)
    model = classifier()
    history = model.fit(train, epochs=4, validation_data=validation, verbose=0)
    assert history.history["val_accuracy"][-1] == 1
    model.fit(train, steps_per_epoch=3, epochs=2, validation_data=validation, validation_steps=1, verbose=0)


def test_flow_of_arrays(data):
    x = np.stack([og.imread(path)[:16, :16] for path in sorted((data / "train").rglob("*.png"))])
    y = keras.utils.to_categorical(np.repeat([0, 1], 24), 2)
    datagen = og.ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True, rotation_range=20, width_shift_range=0.2,
        height_shift_range=0.2, horizontal_flip=True, validation_split=0.2,
    )  # fmt: skip
    datagen.fit(x)
    order = np.random.default_rng(1).permutation(48)
    x, y = x[order], y[order]
    model = classifier(2, "softmax", "categorical_crossentropy")
    history = model.fit(
        datagen.flow(x, y, batch_size=8, subset="training"),
        validation_data=datagen.flow(x, y, batch_size=8, subset="validation"),
        epochs=4,
        verbose=0,
    )
    assert history.history["val_accuracy"][-1] == 1
    # The loop of Keras' documentation
    flow, batches = datagen.flow(x, y, batch_size=32), 0
    for x_batch, y_batch in flow:
        model.train_on_batch(x_batch, y_batch)
        batches += 1
        if batches >= len(x) / 32:
            break
    assert batches == 2


def test_images_and_masks_by_two_generators(data):
    arguments: dict[str, Any] = {"rotation_range": 90, "width_shift_range": 0.1, "zoom_range": 0.2}
    image_datagen, mask_datagen = (
        og.ImageDataGenerator(**arguments, rescale=1 / 255),
        og.ImageDataGenerator(**arguments),
    )
    options: dict[str, Any] = {"target_size": SIZE, "class_mode": None, "seed": 1, "batch_size": 8}
    image_generator = image_datagen.flow_from_directory(data / "train", **options)
    mask_generator = mask_datagen.flow_from_directory(data / "train_masks", color_mode="grayscale", **options)
    train_generator = ((image, mask) for image, mask in zip(image_generator, mask_generator))
    model = segmenter()
    history = model.fit(train_generator, steps_per_epoch=6, epochs=8, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    image_generator.reset()  # TensorFlow keeps what it was given
    mask_generator.reset()


def test_images_and_masks_together(data):
    datagen = og.ImageDataGenerator(rotation_range=90, width_shift_range=0.1, zoom_range=0.2, rescale=1 / 255)
    train = datagen.flow_from_directory(
        data / "train", SIZE, masks=data / "train_masks", batch_size=8, seed=1
    )
    model = segmenter()
    history = model.fit(train, epochs=8, verbose=0)
    assert history.history["accuracy"][-1] > 0.9


def test_flow_from_dataframe_with_predictions_in_order(data):
    names = [str(path.relative_to(data)) for path in sorted((data / "train").rglob("*.png"))]
    table = {"file": names, "label": [Path(name).parts[1] for name in names]}
    datagen = og.ImageDataGenerator(rescale=1 / 255, validation_split=0.25)
    options: dict[str, Any] = {"x_col": "file", "y_col": "label", "target_size": SIZE, "batch_size": 5}
    train = datagen.flow_from_dataframe(table, data, **options)
    assert train.class_indices == {"cats": 0, "dogs": 1}
    model = classifier(2, "softmax", "categorical_crossentropy")
    model.fit(train, epochs=4, verbose=0)

    options["y_col"] = None
    test = datagen.flow_from_dataframe(table, data, class_mode=None, shuffle=False, **options)
    test.reset()
    scores = model.predict(test, verbose=0)
    labels = {number: name for name, number in train.class_indices.items()}
    predicted = [labels[number] for number in scores.argmax(axis=1)]
    assert predicted == [Path(name).parts[1] for name in test.filenames]
    one_by_one = [model.predict(test[number], verbose=0) for number in range(len(test))]
    np.testing.assert_allclose(np.concatenate(one_by_one), scores, atol=1e-6)
    assert model.evaluate(train, verbose=0)[1] == 1


def test_several_outputs_of_a_table(data):
    names = [str(path) for path in sorted((data / "train").rglob("*.png"))]
    table = {"file": names, "red": [float("cats" in name) for name in names], "one": [1.0] * len(names)}
    train = og.ImageDataGenerator(rescale=1 / 255).flow_from_dataframe(
        table, x_col="file", y_col=["red", "one"], class_mode="multi_output", target_size=SIZE, batch_size=8
    )
    given = keras.Input((*SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(given)
    model = keras.Model(given, [keras.layers.Dense(1)(pooled), keras.layers.Dense(1)(pooled)])
    model.compile("adam", ["mse", "mse"])
    assert np.isfinite(model.fit(train, epochs=2, verbose=0).history["loss"]).all()


def test_several_inputs_of_arrays():
    rng = np.random.default_rng(2)
    x, more, y = (
        rng.integers(0, 255, (12, *SIZE, 3), np.uint8),
        rng.normal(size=(12, 4)),
        rng.normal(size=(12, 1)),
    )
    image, numbers = keras.Input((*SIZE, 3)), keras.Input((4,))
    joined = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(image), numbers])
    model = keras.Model([image, numbers], keras.layers.Dense(1)(joined))
    model.compile("adam", "mse")
    datagen = og.ImageDataGenerator(rotation_range=20, rescale=1 / 255)
    assert np.isfinite(model.fit(datagen.flow((x, more), y, batch_size=5), verbose=0).history["loss"]).all()
    assert model.predict(datagen.flow((x, more), batch_size=5, shuffle=False), verbose=0).shape == (12, 1)


def test_the_settings_of_keras_are_the_defaults(monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    monkeypatch.setattr(keras.config, "floatx", lambda: "float64")
    generator = og.ImageDataGenerator()
    assert (generator.data_format, generator.dtype, generator.channel_axis) == (
        "channels_first",
        "float64",
        1,
    )


def test_an_autoencoder_learns_its_input(data):
    train = og.ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        data / "train", SIZE, class_mode="input"
    )
    model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Conv2D(3, 1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    losses = model.fit(train, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_each_epoch_of_a_training_is_drawn_anew(data):
    train = og.ImageDataGenerator(rotation_range=40).flow_from_directory(
        data / "train", SIZE, batch_size=24, seed=1
    )
    seen: list[int] = []

    class Noted(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append(train.epoch)

    classifier(2, "softmax", "categorical_crossentropy").fit(train, epochs=3, verbose=0, callbacks=[Noted()])
    assert seen[1] == seen[0] + 1 and seen[2] == seen[1] + 1
