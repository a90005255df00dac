"""How much memory a call takes beside its image and its result: ours and SciPy's, each in a process of its own.

    python -m tests.support.memory            a table of every case
    python -m tests.support.memory --only zoom

The peak of the process is set back before the call (`/proc/self/clear_refs`) and read after it, so that Rust's and C's
allocations count as NumPy's do. A call may take 1.25 times what SciPy takes and 8 MB a thread.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
FACTOR, A_THREAD = 1.25, 8 << 20
RESET = Path("/proc/self/clear_refs")

Case = tuple[tuple[int, ...], str, Callable[[Any, np.ndarray], np.ndarray]]

PICTURE, VOLUME = (1500, 1400, 3), (150, 160, 140)
LINE, ROWS, PLANES, WIDE = (3_000_000,), (3, 1_000_000), (12, 700, 700), (20, 300, 9000)
CASES: dict[str, Case] = {
    "zoom order 1": (PICTURE, "u1", lambda ndi, im: ndi.zoom(im, (0.7, 1.3, 1), order=1)),
    "zoom order 3": (PICTURE, "f4", lambda ndi, im: ndi.zoom(im, (0.5, 0.5, 1), order=3)),
    "zoom order 3, nearest": (
        PICTURE,
        "u1",
        lambda ndi, im: ndi.zoom(im, (0.5, 0.5, 1), order=3, mode="nearest"),
    ),
    "shift order 3": (PICTURE, "f8", lambda ndi, im: ndi.shift(im, (1.5, 2.5, 0), order=3)),
    "rotate order 1": (PICTURE, "u1", lambda ndi, im: ndi.rotate(im, 33, order=1)),
    "rotate order 3": (PICTURE, "u1", lambda ndi, im: ndi.rotate(im, 33, order=3)),
    "rotate a volume": (
        VOLUME,
        "f4",
        lambda ndi, im: ndi.rotate(im, 20, axes=(1, 2), reshape=False, order=1),
    ),
    "affine order 1": (PICTURE, "f4", lambda ndi, im: ndi.affine_transform(im, np.eye(3) * 0.9, order=1)),
    "affine a volume, order 3": (
        VOLUME,
        "f4",
        lambda ndi, im: ndi.affine_transform(im, np.eye(3) * 0.9, order=3),
    ),
    "map_coordinates order 1": (
        (1500, 1400),
        "f4",
        lambda ndi, im: ndi.map_coordinates(im, POINTS, order=1),
    ),
    "map_coordinates order 3": (
        (1500, 1400),
        "u1",
        lambda ndi, im: ndi.map_coordinates(im, POINTS, order=3),
    ),
    "spline_filter": (PICTURE, "u1", lambda ndi, im: ndi.spline_filter(im)),
    "spline_filter1d": (PICTURE, "f4", lambda ndi, im: ndi.spline_filter1d(im, axis=0)),
    "correlate 5×5": (PICTURE, "f4", lambda ndi, im: ndi.correlate(im, np.ones((5, 5, 1)))),
    "correlate1d": (PICTURE, "u1", lambda ndi, im: ndi.correlate1d(im, [1, 2, 1], 0)),
    "gaussian": (PICTURE, "f4", lambda ndi, im: ndi.gaussian_filter(im, (2, 2, 0))),
    "gaussian, wide": (PICTURE, "u1", lambda ndi, im: ndi.gaussian_filter(im, (20, 20, 0))),
    "uniform 7×7": (PICTURE, "f4", lambda ndi, im: ndi.uniform_filter(im, (7, 7, 1))),
    "sobel": (PICTURE, "u1", lambda ndi, im: ndi.sobel(im, 0)),
    "laplace": (PICTURE, "f4", lambda ndi, im: ndi.laplace(im)),
    "gaussian_gradient_magnitude": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.gaussian_gradient_magnitude(im, (1, 1, 0)),
    ),
    "median 3×3": (PICTURE, "u1", lambda ndi, im: ndi.median_filter(im, (3, 3, 1))),
    "median 15×15": ((700, 700), "f4", lambda ndi, im: ndi.median_filter(im, 15)),
    "rank, a footprint": ((700, 700), "u2", lambda ndi, im: ndi.rank_filter(im, 9, footprint=np.eye(15))),
    "maximum 15×15": (PICTURE, "f4", lambda ndi, im: ndi.maximum_filter(im, (15, 15, 1))),
    "maximum, a footprint": (
        PICTURE,
        "u1",
        lambda ndi, im: ndi.maximum_filter(im, footprint=DISK[..., None]),
    ),
    "minimum_filter1d": (PICTURE, "f8", lambda ndi, im: ndi.minimum_filter1d(im, 31, 0)),
    "grey_dilation, heights": (
        (1000, 1000),
        "f4",
        lambda ndi, im: ndi.grey_dilation(im, structure=DISK * 2.0),
    ),
    "white_tophat": (PICTURE, "u1", lambda ndi, im: ndi.white_tophat(im, (7, 7, 1))),
    "binary_erosion, 5 passes": ((3000, 2800), "?", lambda ndi, im: ndi.binary_erosion(im, iterations=5)),
    "binary_dilation, a disk": ((3000, 2800), "?", lambda ndi, im: ndi.binary_dilation(im, DISK)),
    "binary_opening, u8": ((3000, 2800), "u1", lambda ndi, im: ndi.binary_opening(im, np.ones((3, 3)))),
    "binary_fill_holes": ((3000, 2800), "?", lambda ndi, im: ndi.binary_fill_holes(im)),
    "binary_propagation": (
        (3000, 2800),
        "?",
        lambda ndi, im: ndi.binary_propagation(im, mask=np.ones(im.shape, bool)),
    ),
    "binary_hit_or_miss": ((3000, 2800), "?", lambda ndi, im: ndi.binary_hit_or_miss(im)),
    # Into arrays with gaps between their elements.
    "gaps, zoom": (PICTURE, "f4", lambda ndi, im: ndi.zoom(im, 1.0, OUTPUT, order=1)),
    "gaps, rotate": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.rotate(im, 20, reshape=False, output=OUTPUT, order=1),
    ),
    "gaps, affine order 3": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.affine_transform(im, np.eye(3) * 0.9, output=OUTPUT, order=3),
    ),
    "gaps, map_coordinates": (
        (1500, 1400),
        "f8",
        lambda ndi, im: ndi.map_coordinates(im, POINTS, OUTPUT, order=1),
    ),
    "gaps, spline_filter1d": (PICTURE, "f8", lambda ndi, im: ndi.spline_filter1d(im, 3, 0, OUTPUT)),
    "gaps, correlate1d": (PICTURE, "f4", lambda ndi, im: ndi.correlate1d(im, [1, 2, 1], 0, OUTPUT)),
    "gaps, gaussian": (PICTURE, "f4", lambda ndi, im: ndi.gaussian_filter(im, (2, 2, 0), output=OUTPUT)),
    "gaps, uniform 7×7": (PICTURE, "f4", lambda ndi, im: ndi.uniform_filter(im, (7, 7, 1), OUTPUT)),
    "gaps, correlate 5×5": (PICTURE, "f4", lambda ndi, im: ndi.correlate(im, np.ones((5, 5, 1)), OUTPUT)),
    "gaps, median 3×3": (PICTURE, "f4", lambda ndi, im: ndi.median_filter(im, (3, 3, 1), output=OUTPUT)),
    "gaps, maximum 15×15": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.maximum_filter(im, (15, 15, 1), output=OUTPUT),
    ),
    "gaps, grey_dilation, heights": (
        (1500, 1400),
        "f8",
        lambda ndi, im: ndi.grey_dilation(im, structure=np.ones((3, 3)), output=OUTPUT),
    ),
    "gaps in the input, gaussian": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.gaussian_filter(OUTPUT, (2, 2, 0)),
    ),
    "gaps in the input, median 3×3": (PICTURE, "f4", lambda ndi, im: ndi.median_filter(OUTPUT, (3, 3, 1))),
    "gaps in the input, zoom": (PICTURE, "f4", lambda ndi, im: ndi.zoom(OUTPUT, (0.7, 0.7, 1), order=1)),
    "gaps in the input, zoom order 3": (
        PICTURE,
        "u1",
        lambda ndi, im: ndi.zoom(OUTPUT, (0.7, 0.7, 1), order=3, prefilter=False),
    ),
    "gaps in the input, rotate": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.rotate(OUTPUT, 20, reshape=False, order=1, mode="reflect"),
    ),
    "gaps in the input, affine order 3": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.affine_transform(OUTPUT, np.eye(3) * 0.9, order=3, prefilter=False),
    ),
    "gaps in the input, a few points": (
        PICTURE,
        "f4",
        lambda ndi, im: ndi.map_coordinates(OUTPUT, [[5, 1400], [5, 1300], [0, 1]], order=1),
    ),
    "whole numbers of 64 bits, rotate": (PICTURE, "i8", lambda ndi, im: ndi.rotate(im, 20, order=0)),
    "whole numbers of 64 bits, map_coordinates": (
        (1500, 1400),
        "i8",
        lambda ndi, im: ndi.map_coordinates(im, POINTS, order=1),
    ),
    "gaps, binary_erosion": ((5000, 4000), "?", lambda ndi, im: ndi.binary_erosion(im, output=OUTPUT)),
    # Rows of many samples, and one alone.
    "a line, zoom": (LINE, "f4", lambda ndi, im: ndi.zoom(im, 0.1, order=1)),
    "a line, zoom order 3": (LINE, "f4", lambda ndi, im: ndi.zoom(im, 0.7, order=3)),
    "a line, shift": (LINE, "f4", lambda ndi, im: ndi.shift(im, 0.5, order=0)),
    "a line, affine": (LINE, "f4", lambda ndi, im: ndi.affine_transform(im, [[0.9]], order=1)),
    "a line, map_coordinates": (LINE, "f4", lambda ndi, im: ndi.map_coordinates(im, POINTS, order=1)),
    "a line, correlate": (LINE, "u1", lambda ndi, im: ndi.correlate(im, [1.0, 2, 1])),
    "a line, rank, a footprint": (LINE, "f4", lambda ndi, im: ndi.rank_filter(im, 2, footprint=[1, 0, 1, 1])),
    "long rows, shift": (ROWS, "f4", lambda ndi, im: ndi.shift(im, 0.5, order=1)),
    "long rows, affine": (
        ROWS,
        "f4",
        lambda ndi, im: ndi.affine_transform(im, np.eye(2) * 1.1, order=1, mode="reflect"),
    ),
    "long rows, correlate": (ROWS, "f4", lambda ndi, im: ndi.correlate(im, np.ones((3, 3)))),
    "long rows, median": (ROWS, "f4", lambda ndi, im: ndi.median_filter(im, 3)),
    "long rows, maximum": (ROWS, "f4", lambda ndi, im: ndi.maximum_filter(im, footprint=np.eye(3))),
    "long rows, grey_dilation": (
        ROWS,
        "u1",
        lambda ndi, im: ndi.grey_dilation(im, structure=np.ones((3, 3))),
    ),
    "large planes, zoom order 0": (PLANES, "f4", lambda ndi, im: ndi.zoom(im, (0.5, 1, 1), order=0)),
    "large planes, zoom order 1": (PLANES, "f4", lambda ndi, im: ndi.zoom(im, (0.5, 1, 1), order=1)),
    "wide planes, zoom": (WIDE, "f8", lambda ndi, im: ndi.zoom(im, (0.5, 0.5, 1), order=0)),
    "wide planes, rotate": (
        WIDE,
        "f8",
        lambda ndi, im: ndi.rotate(im, 20, axes=(0, 1), reshape=False, order=1),
    ),
    "large planes, correlate": (PLANES, "f4", lambda ndi, im: ndi.correlate(im, np.ones((3, 3, 3)))),
    "large planes, median": (PLANES, "f4", lambda ndi, im: ndi.median_filter(im, 3)),
    "gaps, a line": ((4_000_000,), "f8", lambda ndi, im: ndi.correlate1d(im, [1, 2, 1], 0, OUTPUT)),
}
DISK = np.hypot(*np.mgrid[-7:8, -7:8]) < 7.4
POINTS, OUTPUT = np.empty((2, 0)), np.empty(0)


def make_image(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (
        np.random.default_rng(0).integers(0, 256, shape, np.uint8) // (1 if dtype != "?" else 128)
    ).astype(dtype)


def with_gaps(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Memory in use, so that writing to it takes no more: the channels of an image but one, or every other sample."""
    step = 2 if len(shape) == 1 else 1
    more = (*shape[:-1], shape[-1] * step + 1)
    return np.full(more, 1, dtype)[..., : shape[-1] * step : step]


def peak(module: str, name: str) -> int:
    """Bytes that the call takes beside its image and result, in this very process; a call on less goes before it."""
    import importlib

    global POINTS, OUTPUT
    ndi = importlib.import_module(module)
    shape, dtype, call = CASES[name]
    small = tuple(max(3, n // 20) if n > 40 else n for n in shape)
    POINTS = np.indices(small, dtype=float)
    POINTS = POINTS if len(small) < 3 else POINTS[:2]
    OUTPUT = with_gaps(small, dtype)
    call(ndi, make_image(small, dtype))
    image = make_image(shape, dtype)
    OUTPUT = with_gaps(shape, dtype)
    if len(shape) < 3:
        POINTS = np.indices(shape, dtype=float) + 0.3
    before = status("VmRSS")
    RESET.write_text("5")
    result = call(ndi, image)
    return max(0, status("VmHWM") - before - (0 if result is OUTPUT else result.nbytes))


def status(line: str) -> int:
    text = Path("/proc/self/status").read_text()
    return next(int(row.split()[1]) << 10 for row in text.splitlines() if row.startswith(line + ":"))


def measured(name: str, threads: int = 1) -> tuple[int, int]:
    """Bytes of ours and of SciPy's."""
    return bytes_taken("offgraph.ndimage", name, threads), scipys_bytes(name)


@functools.cache
def scipys_bytes(name: str) -> int:
    """Bytes of SciPy's, which has no threads: they are the same beside any number of ours."""
    return bytes_taken("scipy.ndimage", name, 1)


def bytes_taken(module: str, name: str, threads: int) -> int:
    """What a case takes in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.memory", "--measure", module, name],
        cwd=ROOT,
        env=os.environ | {"OFFGRAPH_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        raise RuntimeError(f"{name} on {module}:\n{told.stderr}")
    return json.loads(told.stdout)


def allowed(scipys: int, threads: int) -> int:
    return round(FACTOR * scipys) + threads * A_THREAD


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.memory", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--measure", nargs=2, metavar=("MODULE", "CASE"), help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.measure:
        print(peak(*options.measure))
        return 0
    beyond = 0
    print(f"{'MB beside image and result':32s} {'offgraph':>9s} {'SciPy':>9s} {'allowed':>9s}")
    for name in (name for name in CASES if options.only in name):
        ours, scipys = measured(name, options.threads)
        limit = allowed(scipys, options.threads)
        beyond += ours > limit
        row = " ".join(f"{count / 2**20:9.1f}" for count in (ours, scipys, limit))
        print(f"{name:32s} {row}{'  BEYOND' if ours > limit else ''}", flush=True)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
