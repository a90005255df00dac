"""Want of memory is a MemoryError in every native function, and what is called next is right again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the limit is set by Linux's means", allow_module_level=True)

ROOT = Path(__file__).parents[2]

# What is freed goes back to the system at once, so that the next call has to ask for it.
GIVE_BACK = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "16384",
    "MALLOC_TRIM_THRESHOLD_": "16384",
    "MALLOC_TOP_PAD_": "0",
}

SCRIPT = """
import resource, sys
import numpy as np
import offgraph
from offgraph import ndimage
offgraph.set_num_threads(int(sys.argv[1]))
page = resource.getpagesize()
rng = np.random.default_rng(0)
image = rng.integers(0, 256, (3, 200_000)).astype("u1")
floats, tall = image.astype("f4"), np.ascontiguousarray(image.T).astype("f4")
gaps = rng.random((400, 3000))[:, ::2]
mask, cross = image > 100, np.ones((3, 3), bool)
run, long = np.ones((1, 50_001)), np.arange(50_001)[None] % 3 > 0
marked = image.astype("i4") // 40
marked_tall = np.ascontiguousarray(marked.T)
points = np.indices((3, 200_000)) * 0.99
CALLS = {
    "affine_transform": lambda: ndimage.affine_transform(floats, np.eye(2) * 0.9),
    "affine_transform, gaps": lambda: ndimage.affine_transform(gaps, np.eye(2) * 0.9, order=1),
    "binary_closing": lambda: ndimage.binary_closing(mask, cross, iterations=2),
    "binary_dilation": lambda: ndimage.binary_dilation(mask, cross, iterations=3, mask=image > 3),
    "binary_erosion": lambda: ndimage.binary_erosion(mask, long),
    "binary_fill_holes": lambda: ndimage.binary_fill_holes(mask),
    "binary_hit_or_miss": lambda: ndimage.binary_hit_or_miss(mask),
    "binary_opening": lambda: ndimage.binary_opening(mask),
    "binary_propagation": lambda: ndimage.binary_propagation(mask, mask=image > 3),
    "black_tophat": lambda: ndimage.black_tophat(image, (3, 5)),
    "convolve": lambda: ndimage.convolve(floats, cross),
    "convolve1d": lambda: ndimage.convolve1d(tall, [1, 2, 1], 0),
    "correlate": lambda: ndimage.correlate(tall, run[:, :1001].T),
    "correlate1d": lambda: ndimage.correlate1d(image, [1, 2, 1], 1),
    "gaussian_filter": lambda: ndimage.gaussian_filter(image, 2),
    "gaussian_filter1d": lambda: ndimage.gaussian_filter1d(floats, 300),
    "gaussian_gradient_magnitude": lambda: ndimage.gaussian_gradient_magnitude(floats, 1),
    "gaussian_laplace": lambda: ndimage.gaussian_laplace(tall, 1),
    "generic_gradient_magnitude": lambda: ndimage.generic_gradient_magnitude(floats, ndimage.sobel),
    "generic_laplace": lambda: ndimage.generic_laplace(
        floats, lambda i, axis, output, mode, cval: ndimage.correlate1d(i, [1, -2, 1], axis, output, mode, cval)
    ),
    "geometric_transform": lambda: ndimage.geometric_transform(floats[:, :3000], lambda at: at),
    "grey_closing": lambda: ndimage.grey_closing(tall, (5, 3)),
    "grey_dilation": lambda: ndimage.grey_dilation(image, structure=np.ones((3, 3))),
    "grey_erosion": lambda: ndimage.grey_erosion(floats[:, :3], structure=run),
    "grey_opening": lambda: ndimage.grey_opening(floats, (3, 3)),
    "iterate_structure": lambda: ndimage.iterate_structure(cross, 300),
    "laplace": lambda: ndimage.laplace(tall),
    "map_coordinates": lambda: ndimage.map_coordinates(image, points, order=1),
    "map_coordinates, splines": lambda: ndimage.map_coordinates(floats, points),
    "maximum_filter": lambda: ndimage.maximum_filter(floats[:, :50], footprint=long),
    "maximum_filter, a box in place": lambda: ndimage.maximum_filter(tall, (31, 3), output=tall.copy()),
    "maximum_filter1d": lambda: ndimage.maximum_filter1d(floats, 999),
    "median_filter": lambda: ndimage.median_filter(floats, (3, 3)),
    "median_filter, large": lambda: ndimage.median_filter(tall[:5000], (101, 3)),
    "minimum_filter": lambda: ndimage.minimum_filter(image, (3, 9)),
    "minimum_filter1d": lambda: ndimage.minimum_filter1d(tall, 5, 0),
    "morphological_gradient": lambda: ndimage.morphological_gradient(image, (3, 3)),
    "morphological_laplace": lambda: ndimage.morphological_laplace(floats, (3, 3)),
    "percentile_filter": lambda: ndimage.percentile_filter(image, 20, (3, 5)),
    "prewitt": lambda: ndimage.prewitt(floats),
    "rank_filter": lambda: ndimage.rank_filter(tall, 2, footprint=[[1, 0, 1], [0, 1, 1]]),
    "rotate": lambda: ndimage.rotate(gaps, 20, reshape=False),
    "shift": lambda: ndimage.shift(tall, (1.5, 0.5)),
    "sobel": lambda: ndimage.sobel(image, 0),
    "spline_filter": lambda: ndimage.spline_filter(tall),
    "spline_filter1d": lambda: ndimage.spline_filter1d(gaps, axis=0),
    "uniform_filter": lambda: ndimage.uniform_filter(floats, 7),
    "uniform_filter1d": lambda: ndimage.uniform_filter1d(tall, 9999, 0),
    **{
        name: lambda name=name: getattr(ndimage, name)(tall, 3)
        for name in ("fourier_gaussian", "fourier_uniform", "fourier_ellipsoid", "fourier_shift")
    },
    "watershed_ift": lambda: ndimage.watershed_ift(image, marked % 50 // 4),
    "median": lambda: np.array(ndimage.median(tall, marked_tall, range(9))),
    "histogram": lambda: np.array(repr(ndimage.histogram(tall, 0, 9, 3, marked_tall, range(9)))),
    "labeled_comprehension": lambda: ndimage.labeled_comprehension(tall, marked_tall, range(9), np.max, float, 0),
    "distance_transform_edt": lambda: ndimage.distance_transform_edt(mask),
    "distance_transform_edt, indices": lambda: ndimage.distance_transform_edt(mask, 0.3, False, True),
    "distance_transform_cdt": lambda: ndimage.distance_transform_cdt(mask),
    "distance_transform_cdt, indices": lambda: ndimage.distance_transform_cdt(mask.T, "taxicab", False, True),
    "distance_transform_bf": lambda: ndimage.distance_transform_bf(mask[:, :300], return_indices=True)[1],
    "label": lambda: ndimage.label(image > 200)[0],
    "find_objects": lambda: np.array(repr(ndimage.find_objects(marked))),
    "value_indices": lambda: np.concatenate(list(ndimage.value_indices(marked).values()), axis=1),
    **{
        name: lambda name=name: np.array(getattr(ndimage, name)(tall, marked_tall, range(9)))
        for name in ("sum", "sum_labels", "mean", "variance", "standard_deviation", "center_of_mass")
        + ("minimum", "maximum", "minimum_position", "maximum_position")
    },
    "extrema": lambda: np.array(ndimage.extrema(tall, marked_tall, range(9))[0]),
    "generic_filter": lambda: ndimage.generic_filter(image[:60], np.max, (3, 5)),
    "generic_filter1d": lambda: ndimage.generic_filter1d(tall, lambda line, out: np.copyto(out, line[2:]), 3, 0),
    "vectorized_filter": lambda: ndimage.vectorized_filter(image[:60], np.max, size=(3, 5), batch_memory=1 << 22),
    "white_tophat": lambda: ndimage.white_tophat(tall, (9, 3)),
    "zoom": lambda: ndimage.zoom(floats, (1, 1.01)),
    "zoom, order 1": lambda: ndimage.zoom(image, (2, 0.5), order=1),
}
known = {name.split(",")[0] for name in CALLS} | {"generate_binary_structure"}
assert known >= ndimage.NATIVE, f"no call of {sorted(ndimage.NATIVE - known)}"
refused = 0
for name, call in CALLS.items():
    expected = call()
    for kilobytes in (0, 40, 150, 400, 1100, 2000, 3500, 6000):
        used = int(open("/proc/self/statm").read().split()[0]) * page
        resource.setrlimit(resource.RLIMIT_AS, (used + (kilobytes << 10), resource.RLIM_INFINITY))
        print(name, kilobytes, "KB", file=sys.stderr)
        try:
            found = call()
        except MemoryError:
            found = None
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert found is None or found.tobytes() == expected.tobytes(), (name, kilobytes)
    assert call().tobytes() == expected.tobytes(), name
print(refused)
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_every_native_function_with_little_memory(threads):
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(threads)],
        env=os.environ | GIVE_BACK,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert told.returncode == 0, f"{told.returncode}\n{told.stderr[-1500:]}"
    assert int(told.stdout) > 20
