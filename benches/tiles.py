"""Masks of images that do not fit into memory: how much memory they take, and whether they are those of the run in memory.

    python -m benches.tiles volume [--gigabytes 4]        a synthetic uint16 volume through an identity model
    python -m benches.tiles mosaic IMAGES [--side 6000]   a mosaic of a folder of images: objects from disk to disk and in memory

Each prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import offgraph as og

_SELF = [sys.executable, "-m", "benches.tiles"]


def peak() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def identity(batch: np.ndarray) -> np.ndarray:
    return batch


def volume(folder: Path, gigabytes: float) -> dict[str, Any]:
    """Predict a volume in a process of its own, and look at its mask slice by slice."""
    side = round((gigabytes * 1e9 / 2) ** (1 / 3) / 16) * 16
    image: Any = np.lib.format.open_memmap(folder / "volume.npy", "w+", np.uint16, (side, side, side))
    rng = np.random.default_rng(0)
    for _ in range(400):  # the rest of the file is a hole
        at = rng.integers(0, side - 24, 3)
        image[tuple(slice(n, n + 24) for n in at)] = rng.integers(0, 65536, (24, 24, 24), np.uint16)
    del image
    start = time.perf_counter()
    run = subprocess.run([*_SELF, "run-volume", str(folder)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    stored, mask = (np.load(folder / name, mmap_mode="r") for name in ("volume.npy", "mask.npy"))
    equal = all(np.array_equal(mask[z], stored[z] / np.float32(65535) > np.float32(0.5)) for z in range(side))
    seconds = round(time.perf_counter() - start, 1)
    return {"volume": [side] * 3, "bytes": 2 * side**3, "seconds": seconds, "equal": equal, **found}


def run_volume(folder: Path) -> dict[str, Any]:
    """The prediction itself."""
    predictor = og.Predictor(
        identity,
        recipe=[og.Rescale(1 / 65535)],
        task="segment",
        outputs="probabilities",
        input_shape=(None, None, None, 1),
        postprocess=[og.Threshold(0.5)],
        tiles=(64, 256, 256),
        overlap=(8, 32, 32),
        batch_size=2,
    )
    before = peak()
    made = predictor.to_file(folder / "volume.npy", folder / "mask.npy", axes="ZYX")
    return {"tiles": made.tiles, "peak MB": round(peak()), "before it MB": round(before)}


def smoothed(batch: np.ndarray) -> np.ndarray:
    """A stand-in for a network: it looks 2 pixels far, in sums of whole numbers."""
    values = np.rint(batch[..., 0] * 255).astype(np.int64)
    for axis in (1, 2):
        values = og.ndimage.correlate1d(values, np.ones(5), axis, mode="constant")
    return (values / np.float64(25 * 255)).astype(np.float32)[..., None]


def mosaic(folder: Path, images: Path, side: int) -> dict[str, Any]:
    """Objects of a mosaic, from disk to disk and in memory."""
    made = np.zeros((side, side), np.uint8)
    files = sorted(images.glob("*.png"))
    row, tall, column, number = 0, 0, 0, 0
    while row < side:
        one = og.imread(files[number % len(files)], color="grey")
        one = one if one.mean() < 100 else 255 - one  # some are stained, dark on bright
        part = one[: side - row, : side - column]
        made[row : row + part.shape[0], column : column + part.shape[1]] = part
        tall, column, number = max(tall, part.shape[0]), column + part.shape[1], number + 1
        if column >= side:
            row, column, tall = row + tall, 0, 0
    og.imwrite(folder / "mosaic.tif", made)
    options: dict[str, Any] = {
        "recipe": [og.Rescale(1 / 255)],
        "task": "segment",
        "outputs": "probabilities",
        "input_shape": (None, None, 1),
        "postprocess": [og.Threshold(0.2), og.FillHoles(), og.RemoveSmall(30), og.DistanceWatershed()],
    }
    start = time.perf_counter()
    found = og.Predictor(
        smoothed, tiles=(1024, 1024), overlap=16, blend="none", batch_size=1, **options
    ).to_file(folder / "mosaic.tif", folder / "mask.npy")
    tiled, start = time.perf_counter() - start, time.perf_counter()
    whole: Any = og.Predictor(smoothed, **options)(made)
    return {
        "mosaic": [side, side],
        "tiles": found.tiles,
        "objects": int(found.highest),
        "objects in memory": int(whole.mask.max()),
        "labels equal": bool(np.array_equal(np.load(folder / "mask.npy"), whole.mask)),
        "seconds from disk to disk": round(tiled, 1),
        "seconds in memory": round(time.perf_counter() - start, 1),
    }


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["volume", "mosaic", "run-volume"])
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--side", type=int, default=6000)
    given = parser.parse_args()
    if given.what == "run-volume":
        print(json.dumps(run_volume(given.path)))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = (
            volume(Path(folder), given.gigabytes)
            if given.what == "volume"
            else mosaic(Path(folder), given.path, given.side)
        )
    print(json.dumps(made))


if __name__ == "__main__":
    main()
