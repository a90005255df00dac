"""Scene 3, objects: a U-Net says what is inside a nucleus, and result steps tell nuclei that touch apart.

The scene draws its own images. On a folder of yours, with instance masks of the same names:

    python examples/demo/nuclei.py IMAGES MASKS OUT
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from unet import inside_loss, unet

import offgraph as og
from offgraph import ndimage as ndi
from offgraph.views.mask_errors import masks_beside

SEED = 7
SIZE = (176, 208)
TRAINING, HELD_OUT = 28, 12
GOAL = 0.05
"""By how much the watershed is to raise the average precision of connected components."""

INSIDE = [og.Threshold(0.5)]
PLAIN = [*INSIDE, og.Label()]
"""Connected components: nuclei that touch are one."""
RESULT = [*INSIDE, og.FillHoles(), og.RemoveSmall(20), og.DistanceWatershed(h=0.75, sigma=1)]


@dataclass(frozen=True)
class Counted:
    """What the scene produces: `report` compares the objects of `RESULT`, and of `PLAIN`, with the true ones."""

    report: og.ErrorReport
    held_out: og.Source
    history: dict[str, list[float]]
    model: Path
    seconds: float
    weights: int


def recipe(crop: int) -> og.Compose:
    """Nearly all of an image's values between 0 and 1, then for training a turned and mirrored part, brighter or darker."""
    return og.Compose(
        [
            og.PercentileNormalize(0.5, 99.8, clip=True),
            og.Augment(
                og.RandomCrop((crop, crop)),
                og.D4("hvt"),
                og.Rotate((-45, 45), mode="mirror", p=0.5),
                og.Gamma((0.7, 1.4), range=1),
                og.Invert(p=0.1, range=1),  # a few stains are dark on bright
            ),
        ]
    )


def nuclei(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw an image as a fluorescence microscope gives it, and its instance mask.

    Nuclei are ellipses with a chromatin texture, half of them beside another one. The light falls off towards a
    corner, the optics blur, photons are counted and the camera adds noise: values from 0 to 255.
    """
    rows, columns = np.indices(SIZE)
    mask, light = np.zeros(SIZE, np.uint16), np.zeros(SIZE)
    texture = ndi.gaussian_filter(rng.normal(size=SIZE), 2)
    texture /= texture.std()
    places: list[tuple[float, float, float]] = []
    for label in range(1, int(rng.integers(20, 40))):
        radius = rng.uniform(7, 13)
        row, column = rng.uniform(0, SIZE[0]), rng.uniform(0, SIZE[1])
        if places and rng.random() < 0.5:
            near, angle = places[rng.integers(len(places))], rng.uniform(0, 2 * np.pi)
            away = rng.uniform(0.85, 1.05) * (near[2] + radius)
            row, column = near[0] + away * np.sin(angle), near[1] + away * np.cos(angle)
        angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.35)
        along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        whole = (along / stretch) ** 2 + (across * stretch) ** 2 < radius**2
        inside = whole & (mask == 0)
        if np.count_nonzero(inside) < max(60, 0.8 * np.count_nonzero(whole)):
            continue  # hidden by others, or outside
        places.append((row, column, radius))
        mask[inside] = label
        light[inside] = rng.uniform(45, 140) * (1 + 0.18 * texture[inside])
    glow = 8 + 10 * (rows / SIZE[0]) * (columns / SIZE[1])
    photons = ndi.gaussian_filter(light, 1.1) + 0.12 * ndi.gaussian_filter(light, 12) + glow
    seen = rng.poisson(photons.clip(0) * 0.6) / 0.6 + rng.normal(0, 2.5, SIZE)
    return seen.clip(0, 255).astype(np.uint8), mask


def write_images(images: Path, masks: Path, count: int) -> None:
    """Write drawn images and their masks as PNG files."""
    rng = np.random.default_rng(SEED)
    for folder in (images, masks):
        folder.mkdir(parents=True)
    for number in range(count):
        image, mask = nuclei(rng)
        og.imwrite(images / f"{number:02d}.png", image)
        og.imwrite(masks / f"{number:02d}.png", mask)


def learn(
    source: og.Source,
    held_out: int,
    out: Path,
    *,
    widths: Sequence[int],
    crop: int,
    epochs: int,
    batch_size: int,
) -> Counted:
    """Train on all but some images, and report on these; the model and the report's page lie in `out`."""
    import keras

    train, held = og.split(source, val=held_out, seed=SEED)
    prepared = recipe(crop)
    loader = og.Loader(train, prepared, batch_size=batch_size, drop_last=True, seed=SEED).cache("memory")
    model = unet(widths)
    steps = epochs * (len(train) // batch_size)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)), inside_loss)
    began = time.perf_counter()
    history = model.fit(loader.tensorflow(), epochs=epochs, shuffle=False, verbose=2)
    seconds = time.perf_counter() - began

    saved = out / "nuclei.keras"
    og.save(model, prepared, saved, class_names=("nucleus",), postprocess=RESULT)
    report = og.report(saved, held, out / "nuclei-errors.html", against=PLAIN, pad_to="auto")
    return Counted(report, held, history.history, saved, seconds, model.count_params())


def run(out: Path) -> Counted:
    """Play the scene; every result lies below `out`."""
    images, masks = out / "nuclei" / "images", out / "nuclei" / "masks"
    write_images(images, masks, TRAINING + HELD_OUT)
    source = og.open_source(images, masks=masks, color="grey")
    return learn(source, HELD_OUT, out, widths=(8, 16, 24, 32), crop=128, epochs=36, batch_size=7)


def drawn(counted: Counted, count: int = 3) -> list[tuple[np.ndarray, str, str]]:
    """Held-out images beside their true masks, connected components, and what the result steps make; with two captions."""
    shown = []
    for prediction in og.predict(counted.model, counted.held_out, pad_to="auto"):
        true = prediction.sample().mask
        assert true is not None
        whole = og.Compose(PLAIN)(image=prediction.probabilities).image
        objects = [len(np.unique(mask)) - 1 for mask in (true.array, whole, prediction.mask)]
        shown.append(
            (
                masks_beside(prediction.image, [true.array, whole, prediction.mask], side=2 * max(SIZE)),
                f"{objects[0]} true nuclei; {objects[1]} connected components; {objects[2]} after the watershed",
                prediction.item.name,
            )
        )
        if len(shown) == count:
            break
    return shown


def main() -> None:
    """Train and report on a folder of images with instance masks."""
    parser = argparse.ArgumentParser(description="Train a U-Net on a folder of images with instance masks.")
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", type=int, default=30, help="images that are not trained on")
    parser.add_argument("--epochs", type=int, default=150)
    given = parser.parse_args()

    import keras

    keras.utils.set_random_seed(SEED)
    given.out.mkdir(parents=True, exist_ok=True)
    source = og.open_source(given.images, masks=given.masks, color="grey")
    widths = (16, 24, 32, 48, 64)
    counted = learn(
        source, given.held_out, given.out, widths=widths, crop=160, epochs=given.epochs, batch_size=6
    )
    print(f"\n{counted.weights:,} weights, trained for {counted.seconds:.0f} s\n{counted.report.summary()}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
