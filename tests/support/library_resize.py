"""How far `Resize(like=…)` is from the libraries that are installed, on photographs: every kernel, as a table.

python -m tests.support.library_resize PHOTOS [--count 50] [--like pillow]

Each library is loaded in a process of its own: builds of TensorFlow and PyTorch may end a process that holds both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tests.engine.test_library_resize import CASES, LIVE, SIZES, bound, is_comparable

import offgraph as og
from offgraph.engine.library_resize import LIBRARIES, resize_like

__all__ = ["Difference", "differences"]


class Difference(NamedTuple):
    """A kernel of a library, over all photographs and sizes; values of pixels are from 0 to 255."""

    like: str
    kernel: str
    antialias: bool
    resizes: int
    values: int
    """Values that are compared."""
    different: int
    largest: float
    allowed: float


def differences(photos: list[np.ndarray], library: str) -> Iterator[Difference]:
    """Compare every kernel of a library, in five sizes each; none where it is not installed."""
    for like, kernel, antialias in CASES:
        if like != library or not is_comparable(like, kernel):
            continue
        values = different = 0
        largest = 0.0
        for photo in photos:
            for size in SIZES:
                made = resize_like(
                    photo, size, axes=(0, 1), like=like, kernel=kernel, antialias=antialias  # type: ignore[arg-type]
                )  # fmt: skip
                away = np.abs(
                    made.astype(np.float64) - LIVE[like](photo, size, kernel, antialias).astype(np.float64)
                )
                values += away.size
                different += int(np.count_nonzero(away))
                largest = max(largest, float(away.max()))
        yield Difference(
            like, kernel, antialias, len(photos) * len(SIZES), values, different, largest,
            bound(like, kernel, "uint8", 255.0),
        )  # fmt: skip


def main() -> None:
    """Print the table as Markdown; status 1 where a difference is above its bound, or a library's process failed."""
    parser = argparse.ArgumentParser(
        description="Resize photographs as other libraries do, beside the libraries."
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--like", choices=sorted(LIVE), help="one library, in this process; by default all")
    given = parser.parse_args()
    if given.like is not None:
        raise SystemExit(int(not rows(given.photos, given.count, given.like)))
    print("| library | kernel | antialiased | resizes | values that differ | largest difference | bound |")
    print("|---|---|---|---|---|---|---|", flush=True)
    options = [str(given.photos), "--count", str(given.count)]
    failed = [
        like
        for like in LIVE
        if subprocess.run(
            [sys.executable, "-m", __spec__.name, *options, "--like", like], check=False
        ).returncode
    ]
    raise SystemExit(int(bool(failed)))


def rows(folder: Path, count: int, like: str) -> bool:
    """Print the rows of a library; whether all are within their bounds."""
    photos = [og.imread(path, color="rgb") for path in sorted(folder.iterdir())[:count]]
    fit = True
    for one in differences(photos, like):
        name = LIBRARIES[one.like].kernels[one.kernel]
        print(
            f"| {LIBRARIES[one.like].title} | {name} | {'yes' if one.antialias else 'no'} | {one.resizes} | "
            f"{one.different:,} of {one.values:,} | {one.largest:.3g} | {one.allowed:.3g} |",
            flush=True,
        )
        fit &= one.largest <= one.allowed
    return fit


if __name__ == "__main__":
    main()
