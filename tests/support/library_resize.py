"""How far `Resize(like=…)` is from the libraries that are installed, on photographs: every kernel, as a table.

python -m tests.support.library_resize PHOTOS [--count 50]
"""

from __future__ import annotations

import argparse
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


def differences(photos: list[np.ndarray]) -> Iterator[Difference]:
    """Compare every kernel of every library that is installed, in five sizes each."""
    for like, kernel, antialias in CASES:
        if not is_comparable(like, kernel):
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
    """Print the table as Markdown; status 1 where a difference is above its bound."""
    parser = argparse.ArgumentParser(
        description="Resize photographs as other libraries do, beside the libraries."
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=50)
    given = parser.parse_args()
    photos = [og.imread(path, color="rgb") for path in sorted(given.photos.iterdir())[: given.count]]
    print("| library | kernel | antialiased | resizes | values that differ | largest difference | bound |")
    print("|---|---|---|---|---|---|---|")
    failed = False
    for one in differences(photos):
        name = LIBRARIES[one.like].kernels[one.kernel]
        print(
            f"| {LIBRARIES[one.like].title} | {name} | {'yes' if one.antialias else 'no'} | {one.resizes} | "
            f"{one.different:,} of {one.values:,} | {one.largest:.3g} | {one.allowed:.3g} |",
            flush=True,
        )
        failed |= one.largest > one.allowed
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
