"""A mosaic of images, predicted as a whole and by tiles: the same probabilities, the same nuclei.

    python examples/demo/nuclei.py IMAGES MASKS OUT
    python examples/demo/mosaic.py OUT/nuclei.keras IMAGES OUT [--side 6000] [--tiles 1024]

Each image is prepared by the model's recipe, and laid beside others until the mosaic is full; images are mirrored in turn, so that
no two parts are alike. What the recipe measures on a whole image (percentiles) is thereby that of each part, and the mosaic, of bytes,
can be read by tiles. A U-Net of 16 channels at full size takes some 600 bytes of memory per pixel for
the whole; ``--no-whole`` leaves it out, and compares tiles with tiles of twice the size.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import offgraph as og
from offgraph.frameworks.receptive_field import receptive_field

SEED = 7


@dataclass(frozen=True)
class Agreement:
    """How two predictions of one image agree.

    Parameters
    ----------
    objects : int
        In the first.
    others : int
        In the second.
    same_objects : bool
        Whether each object of one is one of the other, pixel by pixel, whatever its number.
    equal_labels : bool
        Whether the numbers are the same, too.
    different : int
        Pixels whose probabilities are not the same bits.
    largest : float
        Largest difference of a probability.
    nearest : float
        How near the nearest probability is to the threshold, 0.5: where differences are smaller, no pixel changes sides.
    """

    objects: int
    others: int
    same_objects: bool
    equal_labels: bool
    different: int
    largest: float
    nearest: float


def mosaic(images: Sequence[Path], recipe: og.Compose, side: int) -> np.ndarray:
    """Images as the recipe prepares them, as bytes, in rows of one height until a square is full."""
    rng = np.random.default_rng(SEED)
    made, row = np.zeros((side, side), np.uint8), 0
    parts = [
        np.clip(np.rint(recipe(image=og.imread(path, color="grey")).image * 255), 0, 255).astype(np.uint8)
        for path in images
    ]
    parts = [part[..., 0] if part.ndim == 3 else part for part in parts]
    while row < side:
        column, height = 0, 256
        while column < side:
            part = parts[rng.integers(len(parts))]
            part = og.Compose([og.D4(str(rng.choice(["e", "r180", "v", "h"])))])(image=part).image[:height]  # type: ignore[arg-type]
            part = part[: side - row, : side - column]
            made[row : row + len(part), column : column + part.shape[1]] = part
            column += part.shape[1]
        row += height
    return made


def agreement(first: Any, second: Any) -> Agreement:
    """Compare two predictions of one image."""
    a, b = first.probabilities, second.probabilities
    one, other = first.mask, second.mask
    return Agreement(
        int(one.max()),
        int(other.max()),
        same_up_to_numbers(one, other),
        bool(np.array_equal(one, other)),
        int(np.count_nonzero(a.view(np.uint32) != b.view(np.uint32))),
        float(np.abs(a - b).max()),
        float(np.abs(a - 0.5).min()),
    )


def same_up_to_numbers(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two label images show the same objects: each number of one goes with one number of the other."""
    if not np.array_equal(one != 0, other != 0):
        return False
    pairs = np.unique(one.astype(np.int64) << 32 | other.astype(np.int64))
    first, second = pairs >> 32, pairs & 0xFFFFFFFF
    return len(np.unique(first)) == len(pairs) == len(np.unique(second))


def compare(
    model: Path, images: Sequence[Path], side: int, tiles: int, *, whole: bool = True
) -> dict[str, Any]:
    """Predict a mosaic as a whole, or by larger tiles, and by tiles with each blend; how they agree, as plain JSON."""
    saved = og.load(model)
    field = receptive_field(saved.main)
    image = mosaic(images, saved.recipe.eval(), side)
    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "other_recipe": True, "batch_size": 1}
    began = time.perf_counter()
    first_tiles = None if whole else 2 * tiles
    first = og.Predictor(saved, pad_to="auto" if whole else None, tiles=first_tiles, **options)(image)
    told: dict[str, Any] = {
        "mosaic": list(image.shape),
        "looks pixels to each side": list(field.reach) if field else None,
        "first": "whole" if whole else f"tiles of {first_tiles}",
        "first seconds": round(time.perf_counter() - began, 1),
    }
    for blend in ("none", "gaussian"):
        began = time.perf_counter()
        second = og.Predictor(saved, tiles=tiles, blend=blend, **options)(image)
        told[f"tiles of {tiles}, blend {blend}"] = asdict(agreement(first, second)) | {
            "seconds": round(time.perf_counter() - began, 1)
        }
    return told


def main(
    model: Path,
    images: Path,
    out: Path,
    side: Annotated[int, typer.Option(help="of the mosaic, in pixels")] = 6000,
    tiles: int = 1024,
    whole: Annotated[bool, typer.Option(help="or compare with tiles of twice the size instead")] = True,
) -> None:
    """Predict a mosaic as a whole and by tiles, compare, and write the numbers to OUT/mosaic.json."""
    told = compare(model, sorted(images.iterdir()), side, tiles, whole=whole)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, indent=1)
    (out / "mosaic.json").write_text(text + "\n")
    print(text)
    compared = [one for one in told.values() if isinstance(one, dict)]
    if not all(one["same_objects"] for one in compared):
        raise SystemExit("the nuclei are not the same")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    typer.run(main)
