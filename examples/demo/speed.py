"""How many images per second come from files and from a stored dataset, beside decoding the files and nothing else."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import offgraph as og

RECIPE = og.Compose([og.Resize((224, 224)), og.Normalize("imagenet")])
SIZE = (300, 400)
COUNT = 96
ROUNDS = 3


@dataclass(frozen=True)
class Speed:
    """Images per second.

    Parameters
    ----------
    files, stored, decoder : float
        Of a loader over JPEG files, of one over the dataset built from them, and of the decoder alone.
    threads : int
    """

    files: float
    stored: float
    decoder: float
    threads: int

    def __str__(self) -> str:
        high, wide = SIZE
        return (
            f"images/s: {self.files:,.0f} from files, {self.stored:,.0f} from the stored dataset, {self.decoder:,.0f} by the "
            f"decoder alone ({wide} × {high} JPEG to 224 × 224 float32, {self.threads} threads)"
        )


def write_photographs(folder: Path) -> None:
    """Write crops of photographs as JPEG files."""
    from skimage import data

    photographs = [getattr(data, name)() for name in ("astronaut", "coffee", "cat", "rocket")]
    folder.mkdir()
    for index in range(COUNT):
        photograph = photographs[index % len(photographs)]
        top, left = (np.array(photograph.shape[:2]) - SIZE) * (index // 4 % 5, index // 4 // 5) // 5
        og.imwrite(
            folder / f"{index:03d}.jpg",
            np.ascontiguousarray(photograph[top : top + SIZE[0], left : left + SIZE[1]]),
        )


def measure(out: Path) -> Speed:
    """Build a dataset of photographs, and pass over files, dataset and decoder in turn; medians."""
    import simplejpeg

    folder = out / "photographs"
    write_photographs(folder)
    og.build(folder, out / "photographs-dataset", RECIPE, format="arrow", progress=False)
    from_files = og.Loader(folder, RECIPE)
    stored = og.Loader(out / "photographs-dataset")
    files = sorted(folder.iterdir())

    def decode() -> None:
        with ThreadPoolExecutor(from_files.threads) as pool:
            list(pool.map(lambda path: simplejpeg.decode_jpeg(path.read_bytes(), "RGB").shape, files))

    calls: list[Callable[[], object]] = [
        lambda: [len(batch) for batch in from_files],
        lambda: [len(batch) for batch in stored],
        decode,
    ]
    rounds = [[_per_second(call) for call in calls] for _ in range(ROUNDS + 1)][1:]
    return Speed(*map(statistics.median, zip(*rounds)), threads=from_files.threads)


def _per_second(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return COUNT / (time.perf_counter() - began)
