"""Scene 3, objects: a U-Net says what is inside a nucleus, and result steps tell nuclei that touch apart.

Of the images, some are held out for the final scores, and never looked at before; of the others, some are not trained on: the
parameters of the watershed are chosen by them.

The scene draws its own images. On a folder of yours, with instance masks of the same names:

    python examples/demo/nuclei.py IMAGES MASKS OUT
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from unet import inside_loss, unet

import offgraph as og
from offgraph import ndimage as ndi
from offgraph.inspection.errors.instances import InstanceScores, match_objects
from offgraph.views.mask_errors import masks_beside

SEED = 7
SIZE = (176, 208)
TRAINING, VALIDATION, HELD_OUT = 28, 8, 12
GOAL = 0.05
"""By how much the watershed is to raise the average precision of connected components."""

INSIDE = [og.Threshold(0.5)]
PLAIN = [*INSIDE, og.Label()]
"""Connected components: nuclei that touch are one."""
DEPTHS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
SMOOTHING = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Candidates for `h` and `sigma` of the watershed."""


@dataclass(frozen=True)
class Split:
    """Parameters of the watershed, and the average precision at IoU 0.5 that they had on validation images."""

    h: float
    sigma: float
    precision: float
    images: int

    @property
    def steps(self) -> list[og.ResultStep]:
        """From the probability of being inside to objects."""
        return [
            *INSIDE,
            og.FillHoles(),
            og.RemoveSmall(20),
            og.DistanceWatershed(h=self.h, sigma=self.sigma),
        ]


@dataclass(frozen=True)
class Counted:
    """What the scene produces: `report` compares the objects of `split`, and of `PLAIN`, with the true ones."""

    report: og.ErrorReport
    held_out: og.Source
    split: Split
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


def precision(split: Split, images: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Average precision at IoU 0.5 of the objects that a split makes of probabilities, beside true masks."""
    steps, counted = og.Compose(split.steps), InstanceScores()
    for probabilities, true in images:
        counted.add(match_objects(true, steps(image=probabilities).image))
    return counted.at(0.5).average_precision or 0.0


def true_mask(prediction: og.Prediction) -> np.ndarray:
    """The labels of an image's true objects."""
    mask = prediction.sample().mask
    assert mask is not None
    return mask.array


def chosen_split(predictor: og.Predictor, validation: og.Source) -> Split:
    """The split with the highest average precision on validation images; of equal ones that which splits less."""
    images = [(one.probabilities, true_mask(one)) for one in predictor(validation)]
    tried = [Split(h, sigma, 0.0, len(images)) for h in reversed(DEPTHS) for sigma in reversed(SMOOTHING)]
    scored = [replace(one, precision=precision(one, images)) for one in tried]
    return max(scored, key=lambda one: one.precision)


def learn(
    source: og.Source,
    held_out: int,
    validation: int,
    out: Path,
    *,
    widths: Sequence[int],
    crop: int,
    epochs: int,
    batch_size: int,
) -> Counted:
    """Train on all but some images, choose the split by some of these, and report once on the others; all lies in `out`."""
    import keras

    rest, held = og.split(source, val=held_out, seed=SEED)
    train, unseen = og.split(rest, val=validation, seed=SEED)
    prepared = recipe(crop)
    loader = og.Loader(train, prepared, batch_size=batch_size, drop_last=True, seed=SEED).cache("memory")
    model = unet(widths)
    steps = epochs * (len(train) // batch_size)
    rate: Any = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), inside_loss)
    began = time.perf_counter()
    history = model.fit(loader.tensorflow(), epochs=epochs, shuffle=False, verbose=2)
    seconds = time.perf_counter() - began

    saved = out / "nuclei.keras"
    split = chosen_split(og.Predictor(model, recipe=prepared, task="segment", pad_to="auto"), unseen)
    og.save(model, prepared, saved, class_names=("nucleus",), postprocess=split.steps)
    report = og.report(saved, held, out / "nuclei-errors.html", against=PLAIN, pad_to="auto")
    return Counted(report, held, split, history.history, saved, seconds, model.count_params())


def run(out: Path) -> Counted:
    """Play the scene; every result lies below `out`."""
    images, masks = out / "nuclei" / "images", out / "nuclei" / "masks"
    write_images(images, masks, TRAINING + VALIDATION + HELD_OUT)
    source = og.open_source(images, masks=masks, color="grey")
    return learn(source, HELD_OUT, VALIDATION, out, widths=(8, 16, 24, 32), crop=128, epochs=36, batch_size=7)


def drawn(counted: Counted, count: int = 3) -> list[tuple[np.ndarray, str, str]]:
    """Held-out images beside their true masks, connected components, and what the result steps make; with two captions."""
    shown = []
    for prediction in og.predict(counted.model, counted.held_out, pad_to="auto"):
        assert prediction.mask is not None
        whole = og.Compose(PLAIN)(image=prediction.probabilities).image
        masks = [true_mask(prediction), whole, prediction.mask]
        objects = [len(np.unique(mask)) - 1 for mask in masks]
        shown.append(
            (
                masks_beside(prediction.image, masks, side=2 * max(SIZE)),
                f"{objects[0]} true nuclei; {objects[1]} connected components; {objects[2]} after the watershed",
                prediction.item.name,
            )
        )
        if len(shown) == count:
            break
    return shown


def main(
    images: Path,
    masks: Path,
    out: Path,
    held_out: Annotated[int, typer.Option(help="images for the final scores, used for nothing else")] = 30,
    validation: Annotated[int, typer.Option(help="images that choose how heaps are split")] = 12,
    epochs: int = 32,
) -> None:
    """Train a U-Net on a folder of images with instance masks, and report on those held out."""
    import keras

    keras.utils.set_random_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)
    source = og.open_source(images, masks=masks, color="grey")
    counted = learn(
        source, held_out, validation, out, widths=(16, 24, 32, 48, 64), crop=160, epochs=epochs, batch_size=6
    )
    scores, split = counted.report.masks, counted.split
    assert scores is not None and scores.gain is not None
    print(
        f"\n{counted.weights:,} weights, trained for {counted.seconds:.0f} s\n"
        f"DistanceWatershed(h={split.h}, sigma={split.sigma}) is the best of {len(DEPTHS) * len(SMOOTHING)} on {split.images} "
        f"validation images: AP@0.5 {split.precision:.3f}\n"
        f"on {held_out} held-out images it changes the AP@0.5 of connected components by {scores.gain:+.3f}\n\n"
        f"{counted.report.summary()}"
    )


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    typer.run(main)
