"""Result steps on strips of an image on disk: the bytes that they give for the whole."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

import offgraph as og
from offgraph.core.random import Key
from offgraph.inference.tiling import result_steps
from offgraph.inference.tiling.components import find_components
from offgraph.inference.tiling.result_steps import leading_pointwise, run_stage, stages_of
from offgraph.inference.tiling.strips import DiskArray, strips
from offgraph.targets import Image, Targets

pytest.importorskip("skimage", reason="scikit-image is not installed")

STEPS: list[Any] = [
    og.Label(),
    og.Label(connectivity=2),
    og.RemoveSmall(5),
    og.RemoveSmall(9, connectivity=2),
    og.KeepLargest(2),
    og.ClearBorder(),
    og.ClearBorder(buffer=2, connectivity=2),
    og.FillHoles(),
    og.DistanceWatershed(),
    og.DistanceWatershed(h=0, min_distance=3, connectivity=2),
    og.DistanceWatershed(h=0.3, sigma=0.8),
    og.DistanceWatershed(sampling={"Y": 2, "X": 1}),  # pyright: ignore[reportArgumentType]
    og.Erode(),
    og.Dilate(2, connectivity=2),
    og.Open(2),
    og.Close(2),
]


def blobs(seed: int, shape: tuple[int, ...], labels: int, share: float, scale: float) -> np.ndarray:
    """Random objects of several labels, which touch, enclose one another and reach over any seam."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), scale, mode="wrap")
    inside = field > np.quantile(field, 1 - share)
    kinds = ndimage.gaussian_filter(rng.normal(size=(labels, *shape)), (0, *(2 * scale + 1,) * len(shape)))
    return np.where(inside, kinds.argmax(axis=0) + 1, 0).astype(np.uint8)


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    shape = draw(
        st.one_of(
            st.tuples(st.integers(1, 40), st.integers(1, 40)),
            st.tuples(st.integers(1, 12), st.integers(1, 14), st.integers(1, 14)),
        )
    )
    return blobs(
        draw(st.integers(0, 10**6)),
        shape,
        draw(st.integers(1, 3)),
        draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0])),
        draw(st.sampled_from([0.4, 1.0, 2.0])),
    )


def whole(steps: list[Any], image: np.ndarray) -> np.ndarray:
    axes = "ZYX"[-image.ndim :]
    return og.Compose(steps).run(Targets.of_image(Image(image, axes)), Key()).targets.image.array


def in_strips(steps: list[Any], image: np.ndarray, most: int) -> np.ndarray:
    axes = "ZYX"[-image.ndim :]
    with tempfile.TemporaryDirectory() as folder:
        array = DiskArray(Path(folder) / "0.npy", image.shape, image.dtype, new=True)
        array[tuple(slice(0, n) for n in image.shape)] = image
        stages = stages_of(steps, axes)
        for number, stage in enumerate(stages, 1):
            array, axes = run_stage(
                stage, array, axes, Path(folder) / f"{number}.npy", Path(folder) / "scratch", most=most
            )
        assert {path.name for path in Path(folder).iterdir()} == {f"{n}.npy" for n in range(len(stages) + 1)}
        return array[tuple(slice(0, n) for n in array.shape)]


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(images(), st.sampled_from(STEPS), st.integers(1, 300))
def test_a_step_in_strips_gives_the_bytes_of_the_whole(image: np.ndarray, step: Any, most: int) -> None:
    expected, found = whole([step], image), in_strips([step], image, most)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_each_step_on_many_objects_over_many_seams(step: Any) -> None:
    image = blobs(7, (90, 70), 2, 0.45, 1.3)
    assert np.array_equal(in_strips([step], image, 640), whole([step], image))
    if getattr(step, "sampling", 1.0) != 1.0:
        return
    volume = blobs(8, (14, 18, 16), 2, 0.35, 1.0)
    for most in (100, 600):  # strips of a slice each, and of several slices
        assert np.array_equal(in_strips([step], volume, most), whole([step], volume))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(images(), st.integers(1, 300), st.integers(1, 3))
def test_components_are_counted_measured_and_boxed(image: np.ndarray, most: int, connectivity: int) -> None:
    """Equal to the untiled ones up to numbering: SciPy's labels of each value, its areas, boxes and first pixels."""
    connectivity = min(connectivity, image.ndim)
    structure = ndimage.generate_binary_structure(image.ndim, connectivity)
    with tempfile.TemporaryDirectory() as folder:
        array = DiskArray(Path(folder) / "0.npy", image.shape, image.dtype, new=True)
        array[tuple(slice(0, n) for n in image.shape)] = image
        found = find_components(array, Path(folder) / "1.npy", connectivity, most=most)
        numbers = found.numbers[tuple(slice(0, n) for n in image.shape)]
    joined = found.table(np.arange(1, len(found.area) + 1), 0)[numbers]
    expected = []
    for value in np.unique(image[image > 0]):
        labelled, count = ndimage.label(image == value, structure)  # pyright: ignore[reportGeneralTypeIssues]
        for number, box in enumerate(ndimage.find_objects(labelled), 1):
            places = labelled == number
            expected.append(
                (
                    int(np.flatnonzero(places)[0]),
                    int(value),
                    int(places.sum()),
                    [(s.start, s.stop) for s in box],
                )
            )
            assert len(np.unique(joined[places])) == 1
        assert count == len(ndimage.find_objects(labelled))
    got = [
        (int(first), int(value), int(area), list(zip(low.tolist(), high.tolist())))
        for first, value, area, low, high in zip(found.first, found.value, found.area, found.low, found.high)
    ]
    assert sorted(got) == sorted(expected)


def test_a_chain_of_steps_from_probabilities() -> None:
    rng = np.random.default_rng(0)
    made = ndimage.gaussian_filter(rng.normal(size=(120, 90)), 3).astype(np.float32)
    image = (made - made.min()) / (made.max() - made.min())
    steps = [
        og.SmoothProbabilities(1), og.Threshold(0.5), og.FillHoles(), og.Open(), og.RemoveSmall(20),
        og.DistanceWatershed(), og.ClearBorder(), og.Erode(),
    ]  # fmt: skip
    assert len(stages_of(steps, "YX")) == 7
    expected = whole(steps, image)
    assert expected.max() > 5
    assert np.array_equal(in_strips(steps, image, 700), expected)


def test_steps_that_need_not_wait() -> None:
    assert leading_pointwise([og.Softmax(), og.ArgMax(), og.Label()], "YX") == 2
    assert leading_pointwise([og.SmoothProbabilities(1), og.Threshold(0.5)], "YX") == 0
    assert leading_pointwise([og.Threshold(0.5, method="otsu")], "YX") == 0


@pytest.mark.parametrize(
    "step",
    [og.Threshold(0.5, method="otsu"), og.Threshold(0.5, method="hysteresis", low=0.2), og.SeededWatershed()],
    ids=repr,
)
def test_steps_that_need_the_whole_image_are_refused(step: Any) -> None:
    with pytest.raises(
        og.StepError, match=f"{type(step).__name__}.*looks at the whole image.*predict into memory"
    ):
        stages_of([step], "YX")


def test_an_object_that_is_too_large_is_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_steps, "_LARGEST", 200)
    image = np.ones((40, 10), np.uint8)
    with pytest.raises(
        og.StepError, match=r"DistanceWatershed\(\): an object.* 400 pixels, more than the 200"
    ):
        in_strips([og.DistanceWatershed()], image, 50)
    assert np.array_equal(in_strips([og.Label()], image, 50), image)  # needs no window


@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.integers(1, 100))
def test_strips_follow_one_another_in_the_file(shape: list[int], most: int) -> None:
    size = tuple(shape)
    places = np.arange(np.prod(size)).reshape(size)
    found = [places[window].ravel() for window in strips(size, most)]
    assert np.array_equal(np.concatenate(found), places.ravel())
    assert all(len(one) <= max(most, size[-1]) for one in found)
