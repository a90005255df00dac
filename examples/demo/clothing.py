"""Test-time augmentation that training knows: a small CNN for photographs of clothing, trained with all symmetries of a square.

    python examples/demo/clothing.py TRAIN TEST OUT [--epochs 100] [--seed 1]

TRAIN and TEST are folders with a folder per class. A quarter of TRAIN is not trained on: these images choose the variants
that the model is asked about (`offgraph.choose_tta`). TEST is predicted once, for the accuracy that is reported. Then the
trained model is given the images of TEST by other resizes (`offgraph.skew`), one of which is planted: that of `scipy.ndimage.zoom`, which
keeps the centres of the corner pixels where they are, and skips pixels.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import typer
from rich.console import Console

import offgraph as og

VALIDATION = 0.25
BATCH = 30
STORED = 384
PLANTED = "corner grid"


@dataclass(frozen=True)
class Trained:
    """What `learn` produces: a saved model, and what it did with images that it had not seen."""

    model: Path
    choice: og.TtaChoice
    held_out: og.TtaChoice
    resized: og.SkewReport
    seconds: float
    cpu_seconds: float
    weights: int

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain JSON."""
        return {
            "seconds of training": round(self.seconds, 1),
            "processor seconds of training": round(self.cpu_seconds, 1),
            "weights": self.weights,
            "chosen by validation images": self.choice.to_json(),
            "held out": self.held_out.to_json(),
            "other resizes": self.resized.to_json(),
        }


def recipe(side: int) -> og.Compose:
    """Images of one size; for training any symmetry of a square, a little larger or smaller, and in other light."""
    return og.Compose(
        [
            og.Resize((side, side)),
            og.Augment(
                og.D4(),
                og.Affine(scale=(0.8, 1.25), rotate=(-15, 15), shear=(-0.15, 0.15), mode="nearest", p=0.8),
                og.ColorJitter((0.75, 1.3), (0.75, 1.3), (0.75, 1.3), 0.0, p=0.8),
            ),
            og.Normalize("imagenet"),
        ]
    )


def network(side: int, classes: int, widths: tuple[int, ...] = (24, 32, 48, 64, 96)) -> keras.Model:
    """Convolutions and poolings, then a mean over what is left of the image."""
    layers = keras.layers
    given = values = layers.Input((side, side, 3))
    for channels in widths:
        values = layers.Conv2D(channels, 3, padding="same", use_bias=False)(values)
        values = layers.BatchNormalization(momentum=0.9)(values)
        values = layers.MaxPooling2D()(layers.Activation("relu")(values))
    values = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(values))
    return keras.Model(given, layers.Dense(classes, activation="softmax")(values))


def other_resizes(model: Path, test: og.Source, out: Path, side: int) -> og.SkewReport:
    """Compare the model's own resize with others, on images that are first brought to one size: `ndimage.zoom` has factors."""
    first = og.Compose([og.Resize((STORED, STORED))])
    for index, item in enumerate(test):
        path = (out / "one-size" / item.name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        og.imwrite(path, first(image=test.read(index).image.array).image)
    saved = og.load(model)
    corner_grid = [og.Zoom(side / STORED, order=1, mode="mirror"), *saved.recipe.eval().steps[1:]]
    return og.skew(
        saved,
        out / "one-size",
        vary=["Resize.kernel=triangle,box,cubic,area", "Resize.antialias=false"],
        against="pillow,opencv,tf,torch",
        recipes={PLANTED: corner_grid},
    )


def learn(
    train: Path, test: Path, out: Path, *, epochs: int, seed: int, side: int = 64, verbose: int = 2
) -> Trained:
    """Train on three quarters of `train`, choose variants by the rest, and report on `test`; all lies in `out`."""
    keras.utils.set_random_seed(seed)
    learned, validation = og.split(og.open_source(train), val=VALIDATION, seed=0)
    prepared = recipe(side)
    loader = og.Loader(learned, prepared, batch_size=BATCH, drop_last=True, seed=seed).cache("memory")
    model = network(side, len(loader.class_names))
    rate: Any = keras.optimizers.schedules.CosineDecay(4e-3, epochs * (len(learned) // BATCH))
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-2), "sparse_categorical_crossentropy")
    began, worked = time.perf_counter(), time.process_time()
    model.fit(loader.tensorflow(), epochs=epochs, shuffle=False, verbose=verbose)  # type: ignore[arg-type]
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    saved = out / "clothing.keras"
    og.save(model, prepared, saved, class_names=loader.class_names)
    return Trained(
        saved,
        og.choose_tta(saved, validation),
        og.choose_tta(saved, og.open_source(test)),
        other_resizes(saved, og.open_source(test), out, side),
        seconds,
        cpu_seconds,
        model.count_params(),
    )


def main(train: Path, test: Path, out: Path, epochs: int = 100, seed: int = 1) -> None:
    """Train a classifier with all symmetries, choose its variants, and report; the numbers lie in OUT/clothing.json."""
    out.mkdir(parents=True, exist_ok=True)
    trained = learn(train, test, out, epochs=epochs, seed=seed)
    console = Console()
    console.print(
        f"\n{trained.weights:,} weights, trained for {trained.seconds:.0f} s, {trained.cpu_seconds:.0f} s of processors"
    )
    console.print("\nValidation images, which choose:")
    trained.choice.render(console)
    console.print("\nHeld-out images, predicted once with each:")
    trained.held_out.render(console)
    rows = {row.name: row for row in trained.held_out.rows}
    chosen = rows[trained.choice.chosen]
    console.print(
        f"\nchosen: {chosen.name}; on held-out images {chosen.score.text()}, {chosen.change.text('+')} by the variants"
    )
    console.print("\nHeld-out images, resized in other ways:")
    trained.resized.render(console)
    (out / "clothing.json").write_text(json.dumps(trained.to_json(), indent=1) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    typer.run(main)
