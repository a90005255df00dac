"""Scene 2, classify: images in class folders → a dataset → a CNN → predictions of images it has not seen."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import offgraph as og

SEED = 7
GOAL = 0.95
PHOTOGRAPHS = ("astronaut", "camera", "cat", "coffee", "rocket", "moon", "brick", "grass", "gravel")

RECIPE = og.Compose(
    [
        og.Resize((32, 32)),
        og.MedianFilter(3),
        og.Augment(
            og.Rotate((-12, 12), mode="nearest"),
            og.Affine(shear=(-0.15, 0.15), mode="nearest"),
        ),
        og.Rescale(1 / 255),
    ]
)


@dataclass(frozen=True)
class Classified:
    """What the scene produces for the report and the summary."""

    source: og.Source
    set_aside: list[tuple[str, str]]
    predictions: list[og.Prediction]
    accuracy: float
    history: dict[str, list[float]]
    class_names: tuple[str, ...]
    model: Path
    images: Path


def write_images(folder: Path) -> None:
    """Write 1,797 digits and crops of photographs as PNG and JPEG files in class folders, five of them spoiled."""
    from skimage import data
    from sklearn.datasets import load_digits

    digits = load_digits()
    for index, (grey, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        suffix = "png" if index % 2 else "jpg"
        _write(
            folder / str(label) / f"digit-{index:04d}.{suffix}", np.round(grey * (255 / 16)).astype(np.uint8)
        )
    for name in PHOTOGRAPHS:
        photograph = getattr(data, name)()
        for index in range(16):
            top, left = (np.array(photograph.shape[:2]) - 96) * (index // 4, index % 4) // 3
            _write(
                folder / "photograph" / f"{name}-{index:02d}.jpg",
                photograph[top : top + 96, left : left + 96],
            )

    whole = (folder / "3" / "digit-0003.png").read_bytes()
    (folder / "3" / "cut-off.png").write_bytes(whole[: len(whole) // 2])
    (folder / "3" / "empty.png").write_bytes(b"")
    (folder / "7" / "a-text.jpg").write_text("not an image\n")
    header = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + whole[24:29]
    lying = whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:]
    (folder / "7" / "says-50000-by-50000.png").write_bytes(lying)
    jpeg = (folder / "0" / "digit-0000.jpg").read_bytes()
    (folder / "0" / "torn.jpg").write_bytes(jpeg[: len(jpeg) - 60])


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    og.imwrite(path, np.ascontiguousarray(image))


def small_cnn(classes: int):
    """Three convolutions, a mean over the image, one dense layer."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((32, 32, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu", padding="same"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def run(out: Path) -> Classified:
    """Play the scene; every result lies below `out`."""
    import keras

    images = out / "digits"
    write_images(images)

    train, held_out = og.split(og.open_source(images, color="grey"), val=0.2, seed=SEED)
    dataset = og.build(train, out / "digits-dataset", RECIPE, format="tfrecord", copies=2, seed=SEED)

    loader = og.Loader(out / "digits-dataset", batch_size=64, seed=SEED)
    model = small_cnn(len(train.class_names))
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    checks = og.Loader(held_out, RECIPE.eval(), batch_size=64, on_error="skip")
    history = model.fit(
        loader.tensorflow(), validation_data=checks.tensorflow(), epochs=6, shuffle=False, verbose=2
    )

    saved = out / "digits.keras"
    og.save(model, RECIPE, saved, class_names=train.class_names)
    predicting = og.predict(saved, held_out)
    predictions = list(predicting)
    right = [p.label == p.item.label for p in predictions]
    return Classified(
        source=train,
        set_aside=[(bad.name, bad.reason) for bad in dataset.quarantined] + predicting.quarantined,
        predictions=predictions,
        accuracy=float(np.mean(right)),
        history=history.history,
        class_names=train.class_names,
        model=saved,
        images=images,
    )
