"""Detection from VOC files to a trained model: files, boxes, padded batches, a Keras model of two outputs."""

from __future__ import annotations

import numpy as np
import pytest

import offgraph as og

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

SIZE = (96, 128)


def detector(rows: int, classes: int) -> keras.Model:
    """A fixed number of boxes, with a class each, of the whole image: enough to learn where cells lie on average."""
    layers = keras.layers
    image = keras.Input((*SIZE, 3))
    x = image
    for width in (8, 16, 32):
        x = layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    x = layers.Dense(64, activation="relu")(x)
    boxes = layers.Reshape((rows, 4), name="boxes")(layers.Dense(rows * 4, activation="sigmoid")(x))
    kinds = layers.Reshape((rows, classes), name="classes")(layers.Dense(rows * classes)(x))
    return keras.Model(image, {"boxes": boxes, "classes": kinds})


def box_loss(true, predicted):
    """Absolute differences of the rows that hold a box; the others are -1."""
    valid = tf.cast(true[..., 2:3] > 0, predicted.dtype)
    return tf.reduce_sum(tf.abs(true - predicted) * valid) / tf.maximum(4 * tf.reduce_sum(valid), 1)


def test_a_detector_trains_an_epoch_on_blood(shared_data):
    source = og.open_source(shared_data / "blood", bad_boxes="skip")
    assert source.skipped_boxes == {"box without area": 2}
    train, val = og.split(source, val=0.2, seed=3)
    recipe = og.Compose(
        [
            og.Resize(SIZE),
            og.Augment(og.Flip("X", p=0.5), og.Flip("Y", p=0.5), og.Rotate((-10, 10))),
            og.Normalize("imagenet"),
        ]
    )
    options = {"batch_size": 8, "max_boxes": source.most_objects, "box_format": "yolo"}
    loader = og.Loader(train, recipe, **options)
    fixed = og.Loader(val, recipe.eval(), **options).tensorflow()
    image, targets = loader.tensorflow().element_spec
    assert image.shape[1:] == (*SIZE, 3)
    assert targets["boxes"].shape[1:] == (source.most_objects, 4)
    keras.utils.set_random_seed(1)
    model = detector(source.most_objects, len(source.class_names))
    model.compile(
        keras.optimizers.Adam(3e-3),
        loss={
            "boxes": box_loss,
            "classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1),
        },
    )
    before = model.evaluate(fixed, verbose=0, return_dict=True)
    history = model.fit(loader.tensorflow(), epochs=1, verbose=0, shuffle=False).history
    after = model.evaluate(fixed, verbose=0, return_dict=True)
    assert all(np.isfinite(values).all() for values in history.values())
    for name in ("boxes_loss", "classes_loss"):
        assert after[name] < before[name]


def test_the_boxes_of_a_batch_lie_on_the_cells(shared_data):
    """Cells are darker than what lies around them; after the recipe they still lie in their boxes."""
    source = og.open_source(shared_data / "blood", bad_boxes="skip").subset(range(40))
    recipe = og.Compose([og.Resize((240, 320)), og.Augment(og.Flip("X"), og.Rotate((-90, 90), p=1.0))])
    inside, outside = [], []
    for batch in og.Loader(source, recipe, batch_size=8):
        for number, image in enumerate(batch.image):
            rows = batch.objects.boxes[number][batch.objects.valid[number]]
            covered = np.zeros(image.shape[:2], bool)
            for x0, y0, x1, y1 in np.rint(rows).astype(int):
                covered[y0:y1, x0:x1] = True
            seen = image.any(axis=2)  # not the corners that the rotation leaves black
            green = image[..., 1].astype(float)
            inside.append(green[covered & seen].mean())
            outside.append(green[~covered & seen].mean())
    assert np.mean(inside) < np.mean(outside) - 10
