"""Filters in the native runner: the bytes of the Python runner, which calls `offgraph.ndimage`."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.dataclasses import dataclass as pydantic_dataclass
from tests.plan.test_native import DTYPES, LEVELS, assert_same, chain, image_of, restored_settings

import offgraph as og
from offgraph import ndimage
from offgraph.core.specs import ArraySpec
from offgraph.engine import filter_passes
from offgraph.engine.filter_passes import Correlate, Correlate1d, FilterPass, Rank, Uniform1d
from offgraph.engine.native import core
from offgraph.ndimage.filters.passes import extremum_passes, rank_passes
from offgraph.plan import native
from offgraph.plan.run import run_image
from offgraph.steps.base import CONFIG
from offgraph.steps.kinds import FilterStep

__all__ = ["restored_settings"]

MODES = ["reflect", "nearest", "mirror", "constant", "wrap", "grid-wrap", "grid-constant", "grid-mirror"]
AXES = {
    "YX": (21, 33),
    "YXC": (19, 17, 3),
    "CYX": (4, 15, 23),
    "YCX": (13, 2, 21),
    "TYXC": (2, 19, 17, 1),
    "ZYX": (5, 9, 11),
    "ZYXC": (4, 11, 9, 2),
    "CZYX": (2, 1, 9, 11),
}


@pydantic_dataclass(frozen=True, repr=False, config=CONFIG)
class Passes(FilterStep):
    """One of the passes that no step of the package has, beside the function that defines it."""

    name_of: str = "uniform"
    mode: str = "reflect"
    cval: float = 0.0

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        rule = {"mode": self.mode, "cval": self.cval}
        match self.name_of:
            case "uniform":
                return ndi.uniform_filter(image, [3, 4, 5][-image.ndim :], origin=-1, **rule)
            case "correlate":
                return ndi.correlate(image, self._weights(image.ndim), origin=-1, **rule)
            case "footprint":
                return ndi.rank_filter(image, 2, footprint=self._weights(image.ndim) > 0.3, origin=-1, **rule)
            case "smallest":
                return ndi.minimum_filter(image, [1, 3, 4][-image.ndim :], **rule)
            case "largest":
                return ndi.maximum_filter(image, [2, 3, 1][-image.ndim :], **rule)
            case "both":
                return ndi.maximum_filter1d(ndi.uniform_filter1d(image, 3, **rule), 3, axis=0, **rule)
        raise AssertionError

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        n = len(spec.size)
        rule, back, shape = (self.mode, float(self.cval)), (-1,) * n, (3,) * n
        weights = self._weights(n)
        extremum = {"dtype": spec.dtype, "mode": self.mode, "cval": self.cval}
        match self.name_of:
            case "uniform":
                return tuple(Uniform1d(*rule, axis, size, -1) for axis, size in enumerate([3, 4, 5][-n:]))
            case "correlate":
                return (Correlate(*rule, shape, back, tuple(weights.ravel().tolist())),)
            case "footprint":
                return (Rank(*rule, shape, back, 2, tuple((weights > 0.3).ravel().tolist())),)
            case "smallest":
                return extremum_passes([1, 3, 4][-n:], largest=False, **extremum)
            case "largest":
                sizes = [2, 3, 1][-n:]
                return rank_passes(sizes, int(np.prod(sizes)) - 1, **extremum)
        along = tuple(3 if axis == 0 else 1 for axis in range(n))
        return (Uniform1d(*rule, n - 1, 3), *extremum_passes(along, largest=True, **extremum))

    def _weights(self, n: int) -> np.ndarray:
        return np.random.default_rng(n).random((3,) * n)


FILTERS = st.one_of(
    st.builds(
        og.GaussianFilter,
        st.sampled_from([0, 0.3, 0.8, (0.5, 2.0), {"Y": 1.2}, {"YX": (0.2, 0.9)}]),
        mode=st.sampled_from(MODES),
        cval=st.sampled_from([0.0, 7.5, -3]),
        truncate=st.sampled_from([4.0, 2.0]),
    ),
    st.builds(
        og.MedianFilter,
        st.sampled_from([1, 2, 3, 4, 5, 7, {"Y": 3}, {"X": 2}, {"Y": 2, "X": 1}]),
        mode=st.sampled_from(MODES),
        cval=st.sampled_from([0.0, 9, 300.5]),
    ),
    st.builds(
        Passes,
        name_of=st.sampled_from(["uniform", "correlate", "footprint", "smallest", "largest", "both"]),
        mode=st.sampled_from(MODES),
        cval=st.sampled_from([0.0, 9, 300.5, -1]),
    ),
)


@settings(max_examples=250, deadline=None)
@given(
    filters=st.lists(FILTERS, min_size=1, max_size=3),
    dtype=st.sampled_from(DTYPES),
    axes=st.sampled_from(sorted(AXES)),
    seed=st.integers(0, 1 << 30),
)
def test_filters_have_the_bytes_of_the_python_runner(
    filters: list[og.Step], dtype: str, axes: str, seed: int
) -> None:
    image = image_of(dtype, AXES[axes], axes, seed)
    ops = chain(filters, image.spec, seed)
    assert all(native.native_op(planned.op, planned.before) for planned in ops)
    with np.errstate(all="ignore"):
        assert_same(native.run_image(ops, image), run_image(ops, image))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_simd_level_and_thread_count_has_the_same_bytes(
    level: str, threads: int, dtype: str, restored_settings: None
) -> None:
    filters = [og.MedianFilter(3), og.Rotate(10), og.GaussianFilter(1.5), og.Rescale(0.5), og.MedianFilter(5)]
    image = image_of(dtype, (210, 190, 3), "YXC", 5)
    ops = chain(filters, image.spec, 3)
    expected = run_image(ops, image)
    core.set_simd_level(level)
    with og.num_threads(threads):
        assert_same(native.run_image(ops, image), expected)


def test_a_filter_is_one_native_call_with_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    run_plan = native.run_plan
    monkeypatch.setattr(native, "run_plan", lambda targets: (calls.append(1), run_plan(targets)))
    image = image_of("uint8", (40, 50, 3), "YXC", 1)
    filters = [og.Flip("X"), og.MedianFilter(3), og.Rotate(10), og.GaussianFilter(1), og.Rescale(1 / 255)]
    ops = chain(filters, image.spec, 0)
    assert_same(native.run_image(ops, image), run_image(ops, image))
    assert calls == [1]


def test_arrays_of_any_layout_are_filtered() -> None:
    whole = image_of("uint16", (60, 70, 3), "YXC", 2).array
    for array in (whole[::2, ::-1], whole.transpose(1, 0, 2), whole.astype(">u2"), np.asfortranarray(whole)):
        image = og.Image(array, "YXC")
        ops = chain([og.MedianFilter(3), og.GaussianFilter(1)], image.spec, 0)
        assert_same(native.run_image(ops, image), run_image(ops, image))


def test_bool_images_have_a_median() -> None:
    image = og.Image(np.random.default_rng(0).random((30, 40)) > 0.5, "YX")
    ops = chain([og.MedianFilter(3), og.MedianFilter(2)], image.spec, 0)
    assert_same(native.run_image(ops, image), run_image(ops, image))


class Sharpened(FilterStep):
    """A filter of a user's: no `passes`."""

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        return image + (image - ndi.uniform_filter(image, 3))


def test_a_filter_without_passes_splits_the_plan_and_says_so() -> None:
    image = image_of("float32", (40, 50, 3), "YXC", 1)
    filters = [og.Flip("X"), Sharpened(), og.MedianFilter(3), og.Rescale(1 / 255)]
    ops = chain(filters, image.spec, 0)
    splits = [native.native_op(planned.op, planned.before) is None for planned in ops]
    assert splits == [False, True, False, False]
    assert_same(native.run_image(ops, image), run_image(ops, image))
    lines = og.Compose(filters).explain(image.spec).splitlines()
    told = [line for line, later in zip(lines, lines[2:]) if "splits the native call" in later]
    assert len(told) == 1 and "filter: Sharpened" in told[0]


@pytest.mark.parametrize("method", ["reference", "filter"])
def test_a_class_with_another_definition_does_not_inherit_passes(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {
        "reference": lambda self, ndi, image, params, channel=0: ndi.median_filter(image, 5),
        "filter": lambda self, array, axes, params: ndimage.median_filter(array, (5, 5, 1)),
    }
    wider = type("Wider", (og.MedianFilter,), {method: other[method]})
    image = image_of("uint8", (20, 30, 3), "YXC", 0)
    ops = chain([wider(3)], image.spec, 0)
    assert native.native_op(ops[0].op, image.spec) is None
    assert_same(native.run_image(ops, image), run_image(ops, image))


def test_weights_are_made_once_per_sigma_and_large_filters_are_not_kept() -> None:
    spec = ArraySpec((20, 30), "uint8", "YX")
    (planned,) = chain([og.GaussianFilter(1.25)], spec, 0)
    first, again = (native.native_op(planned.op, spec) for _ in range(2))
    assert first is not None and again is not None and first[1] is again[1]
    (planned,) = chain([og.GaussianFilter(2000)], spec, 0)
    first, again = (native.native_op(planned.op, spec) for _ in range(2))
    assert first is not None and again is not None and first[1] is not again[1]


def test_numbers_that_do_not_fit_are_refused() -> None:
    line = Correlate1d("reflect", 0.0, 0, (1.0,))
    for wrong, says in (
        (dataclasses.replace(line, axis=2), "no axis 2"),
        (Rank("reflect", 0.0, (3,), (0,), 1), "does not fit"),
        (dataclasses.replace(line, origin=4), "origin"),
    ):
        op = native.filter_op((wrong,))
        array = np.zeros((5, 6), np.uint8)
        with pytest.raises(ValueError, match=says):
            native.run_plan([native.native_target(array, np.empty_like(array), (0, 1), [op])])
    with pytest.raises(RuntimeError, match="mode"):
        filter_passes.native_passes((dataclasses.replace(line, mode="none"),))


@pytest.mark.parametrize("axes", ["TYXC", "YXCT", "CTYX", "TYX"])
def test_frames_and_channels_are_filtered_each_by_itself(axes: str) -> None:
    class Numbered(FilterStep):
        def reference(
            self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0
        ) -> np.ndarray:
            return ndi.uniform_filter(image, 3) + channel

    image = image_of("float32", tuple({"T": 2, "Y": 9, "X": 8, "C": 3}[name] for name in axes), axes, 0)
    found = Numbered().filter(image.array, axes, {})
    planes, results = (
        np.moveaxis(array, [axes.index(name) for name in axes if name in "TC"], range(len(axes) - 2))
        for array in (image.array, found)
    )
    others = [name for name in axes if name in "TC"]
    for place in np.ndindex(planes.shape[:-2]):
        channel = place[others.index("C")] if "C" in others else 0
        assert np.array_equal(results[place], ndimage.uniform_filter(planes[place], 3) + channel)
