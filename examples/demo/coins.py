"""Scene 1, segment: a network learns the coins of the upper half of a photograph and finds those of the lower half."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import offgraph as og
from offgraph.views import draw

SEED = 7
HALF = 152
"""The row that divides the photograph between its second and third row of coins."""

# Row, column and radius of every coin, measured by eye on the photograph.
UPPER = [
    (54, 44, 22), (56, 100, 19), (51, 155, 23), (51, 215, 23), (53, 275, 20), (44, 335, 29),
    (124, 45, 20), (126, 103, 19), (127, 154, 19), (124, 206, 20), (119, 270, 25), (125, 336, 19),
]  # fmt: skip
LOWER = [
    (197, 44, 19), (196, 102, 22), (198, 154, 19), (193, 212, 23), (194, 273, 22), (187, 347, 32),
    (260, 46, 28), (265, 114, 21), (261, 172, 28), (263, 244, 24), (263, 301, 25), (268, 358, 22),
]  # fmt: skip

RECIPE = og.Compose(
    [
        og.Augment(
            og.RandomCrop((112, 112)),
            og.Flip("X", p=0.5),
            og.Flip("Y", p=0.5),
            og.Rotate((-20, 20), mode="mirror"),
            og.Gamma((0.6, 1.7)),
        ),
        og.GaussianFilter(1.0),
        og.Rescale(1 / 255),
    ]
)
RESULT = [og.Threshold(0.5), og.FillHoles(), og.RemoveSmall(300), og.Label()]


@dataclass(frozen=True)
class Segmented:
    """What the scene produces: `found` objects, of which `right` hold exactly one of the `typed` centres."""

    prediction: og.Prediction
    typed: int
    found: int
    right: int
    history: dict[str, list[float]]
    model: Path
    tables: Path


def discs(shape: tuple[int, int], circles: list[tuple[int, int, int]]) -> np.ndarray:
    """A mask with 1 inside every circle."""
    rows, columns = np.indices(shape)
    mask = np.zeros(shape, np.uint8)
    for row, column, radius in circles:
        mask[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    return mask


def write_images(out: Path) -> None:
    """Both halves as PNG files, and the mask of the upper one."""
    from skimage.data import coins

    photograph = coins()
    for folder in ("upper", "upper-masks", "lower"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    og.imwrite(out / "upper" / "coins.png", photograph[:HALF])
    og.imwrite(out / "upper-masks" / "coins.png", discs(photograph.shape, UPPER)[:HALF])
    og.imwrite(out / "lower" / "coins.png", photograph[HALF:])


def drawn(prediction: og.Prediction) -> np.ndarray:
    """The coins on the photograph, numbered, at twice its size."""
    twice = np.ones((2, 2), np.uint8)
    return draw.overlay(np.kron(prediction.image, twice), np.kron(prediction.mask, twice), numbers=True)


def small_fcn():
    """Dilated convolutions that see 63 pixels, for an image of any size."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((None, None, 1)),
            *(
                layers.Conv2D(16, 3, dilation_rate=d, activation="relu", padding="same")
                for d in (1, 2, 4, 8, 16)
            ),
            layers.Conv2D(16, 1, activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )


def run(out: Path) -> Segmented:
    """Play the scene; every result lies below `out`."""
    import keras

    images = out / "coins"
    write_images(images)

    upper = og.open_source(images / "upper", masks=images / "upper-masks", color="grey")
    og.build(upper, out / "coins-dataset", RECIPE, format="tfrecord", copies=160, seed=SEED)

    loader = og.Loader(out / "coins-dataset", batch_size=8, seed=SEED)
    model = small_fcn()
    model.compile(keras.optimizers.Adam(4e-3), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(loader.tensorflow(), epochs=6, shuffle=False, verbose=2)

    saved = out / "coins.keras"
    og.save(model, RECIPE, saved, class_names=("coin",), postprocess=RESULT)
    (prediction,) = og.predict(saved, og.open_source(images / "lower", color="grey"))
    og.save_predictions([prediction], out / "coins-predicted")

    labels = prediction.mask
    at_centres = Counter(int(labels[row - HALF, column]) for row, column, _ in LOWER)
    return Segmented(
        prediction=prediction,
        typed=len(LOWER),
        found=int(labels.max()),
        right=sum(label > 0 and centres == 1 for label, centres in at_centres.items()),
        history=history.history,
        model=saved,
        tables=out / "coins-predicted",
    )
