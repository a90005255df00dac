"""Train a small centre-point detector on annotated images, save it with its recipe, and report it on those held out.

    python examples/detect_cells.py BLOOD OUT [--epochs 60] [--size 144 192]

BLOOD is a folder with VOC, COCO or YOLO annotations, such as blood smears with boxes around their cells. OUT takes the model, the
error reports without and with test-time augmentation, and the predictions. The network is asked at every fourth pixel whether a
cell of each class has its centre there, and how wide and high it is (X. Zhou, D. Wang, P. Krähenbühl, "Objects as points",
2019). The seed decides everything but the order in which threads add.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import typer
from keras import layers, ops

import offgraph as og

STRIDE = 4
UNIT = 16.0
"""Pixels that a predicted length of 1 is."""
WIDTHS = (16, 32, 48, 64)


def main(images: Path, out: Path, epochs: int = 60, size: tuple[int, int] = (144, 192)) -> None:
    """Train on two thirds of the images, and report on the rest."""
    source = og.open_source(images, bad_boxes="skip")
    path, held_out = train(source, out, size, epochs)
    for name, tta in (("plain", None), ("mirrored", "mirrored"), ("flips", "flips")):
        found = og.report(og.Predictor(path, tta=tta), held_out, out / f"{name}.html")
        print(f"--- {name}\n{found.summary()}")
    print(og.save_predictions(og.predict(path, held_out), out / "predictions").summary())


def train(source: Any, out: Path, size: tuple[int, int], epochs: int, seed: int = 7) -> tuple[Path, Any]:
    """Train on two thirds of a source, and return the saved model and the images that it has not seen."""
    keras.utils.set_random_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(seed).permutation(len(source))
    part = len(source) * 2 // 3
    train_part, held_out = source.subset(sorted(order[:part])), source.subset(sorted(order[part:]))
    recipe = og.Compose(
        [
            og.LetterBox(size),
            og.Augment(
                og.Flip("X", p=0.5),
                og.Flip("Y", p=0.5),
                og.Affine(scale=(0.8, 1.25), rotate=(-8, 8), mode="reflect"),
                og.ColorJitter((0.85, 1.15), (0.85, 1.15), (0.85, 1.15)),
            ),
            og.Rescale(1 / 255),
        ]
    )
    heads, detector = network(size, len(source.class_names))
    loader = og.Loader(train_part, recipe, batch_size=8, seed=seed)
    steps = epochs * -(-part // 8)
    rate: Any = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    optimizer = keras.optimizers.Adam(rate)
    heads.compile(optimizer, loss={"heat": focal_loss, "shape": shape_loss})
    begun, used = time.perf_counter(), time.process_time()
    for epoch in range(epochs):
        losses = []
        for batch in loader:
            heat, shape = targets(batch.objects, size, len(source.class_names))
            losses.append(heads.train_on_batch(batch.image, {"heat": heat, "shape": shape})[0])
        if epoch % 10 == 9 or epoch == epochs - 1:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}", flush=True)
    print(
        f"{heads.count_params():,} parameters, {part} images, {epochs} epochs: {time.perf_counter() - begun:.0f} s, "
        f"{time.process_time() - used:.0f} s of CPU time"
    )
    path = og.save(
        detector,
        recipe,
        out / "cells.keras",
        detection=og.DetectionOutputs(format="cxcywh"),
        class_names=source.class_names,
        postprocess=[og.NonMaximumSuppression(0.4, min_score=0.02)],
    )
    return path, held_out


def network(size: tuple[int, int], classes: int) -> tuple[Any, Any]:
    """Return the model that is trained, and the detector around it, which gives boxes; weights are shared."""

    def block(x: Any, width: int, stride: int = 1) -> Any:
        x = layers.Conv2D(width, 3, stride, "same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = keras.Input((*size, 3))
    x = block(image, WIDTHS[0], 2)
    fine = block(block(x, WIDTHS[1], 2), WIDTHS[1])
    middle = block(block(fine, WIDTHS[2], 2), WIDTHS[2])
    coarse = block(block(middle, WIDTHS[3], 2), WIDTHS[3])
    x = block(layers.Concatenate()([layers.UpSampling2D()(coarse), middle]), WIDTHS[2])
    x = block(layers.Concatenate()([layers.UpSampling2D()(x), fine]), WIDTHS[2])
    rare: Any = keras.initializers.Constant(-3.0)
    heat: Any = layers.Conv2D(classes, 1, bias_initializer=rare, activation="sigmoid", name="heat")(x)
    shape: Any = layers.Conv2D(4, 1, name="shape")(x)
    heads = keras.Model(image, {"heat": heat, "shape": shape})
    highest: Any = layers.MaxPooling2D(3, 1, "same")(heat)
    peaks = heat * ops.cast(ops.equal(heat, highest), "float32")
    rows, columns = (n // STRIDE for n in size)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
    # Where the centre of each cell lies, from the image's edge.
    places = (STRIDE * (grid + 0.5)).astype(np.float32)[np.newaxis]
    lengths: Any = ops.exp(shape[..., 2:])
    boxes = ops.concatenate([STRIDE * shape[..., :2] + places, UNIT * lengths], axis=-1)
    outputs = {
        "boxes": ops.reshape(boxes, (-1, rows * columns, 4)),
        "scores": ops.reshape(peaks, (-1, rows * columns, classes)),
    }
    return heads, keras.Model(image, outputs)


def targets(objects: Any, size: tuple[int, int], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the heads are to say of a batch: heat (B, h, w, classes), and shape (B, h, w, 5), the last its weight."""
    rows, columns = (n // STRIDE for n in size)
    heat = np.zeros((len(objects.boxes), rows, columns, classes), np.float32)
    shape = np.zeros((len(objects.boxes), rows, columns, 5), np.float32)
    down, along = np.mgrid[:rows, :columns] + 0.5
    for number, (boxes, kinds, valid) in enumerate(zip(objects.boxes, objects.classes, objects.valid)):
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        for row in np.argsort(-areas):  # small boxes last: where two meet, the cell is theirs
            if not valid[row]:
                continue
            left, upper, right, lower = boxes[row] / STRIDE
            x, y, w, h = (left + right) / 2, (upper + lower) / 2, right - left, lower - upper
            near = np.exp(-(((along - x) / (w / 6 + 0.3)) ** 2 + ((down - y) / (h / 6 + 0.3)) ** 2) / 2)
            centre = min(int(y), rows - 1), min(int(x), columns - 1)
            near[centre] = 1.0
            here = heat[number, ..., kinds[row]]
            np.maximum(here, near, out=here)
            inner = near > 0.6
            lengths = np.log([w * STRIDE / UNIT, h * STRIDE / UNIT])
            shape[number, inner] = np.stack(
                [x - along[inner], y - down[inner], *(np.full(inner.sum(), n) for n in lengths), near[inner]],
                axis=-1,
            )
    return heat, shape


def focal_loss(true: Any, heat: Any) -> Any:
    """The focal loss of centre points: cells near a centre are punished less, sure ones hardly."""
    heat = tf.clip_by_value(heat, 1e-4, 1 - 1e-4)
    centre = tf.cast(true >= 1, tf.float32)
    loss = centre * (1 - heat) ** 2 * tf.math.log(heat)
    loss += (1 - centre) * (1 - true) ** 4 * heat**2 * tf.math.log(1 - heat)
    return -tf.reduce_sum(loss) / tf.maximum(tf.reduce_sum(centre), 1)


def shape_loss(true: Any, shape: Any) -> Any:
    """The mean distance of offsets and logarithms of lengths, where there is a box."""
    weight = true[..., 4:]
    return tf.reduce_sum(tf.abs(true[..., :4] - shape) * weight) / tf.maximum(tf.reduce_sum(weight), 1)


if __name__ == "__main__":
    typer.run(main)
