"""Several samples in one native call: each has the bytes that it has alone, and one that fails leaves the others alone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.test_native import AXES, DTYPES, VALUES, assert_same, chain, geometric, image_of
from tests.plan.test_native_filters import FILTERS
from tests.support import native_samples
from tests.support.native_samples import SamplePlan, run_images

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.engine.filter_passes import Correlate1d, FilterPass
from offgraph.engine.native import core
from offgraph.plan import native
from offgraph.plan.lower import PlannedOp
from offgraph.plan.run import run_image
from offgraph.steps.kinds import FilterStep
from offgraph.targets.mask import Mask

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")


class InPython(FilterStep):
    """A filter that only Python can run."""

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        return ndi.maximum_filter(image, 3)


class Raising(InPython):
    """A filter with a mistake in its Python code."""

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        raise KeyError("a mistake")


class Refused(InPython):
    """A filter that the native core refuses."""

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        return (Correlate1d("reflect", 0.0, 7, (1.0,)),)


@st.composite
def samples(draw: st.DrawFn) -> tuple[Sequence[PlannedOp], og.Image]:
    step = st.one_of(geometric(st.integers(0, 3)), VALUES, FILTERS, st.builds(InPython), st.builds(Refused))
    steps, seed = draw(st.lists(step, max_size=5)), draw(st.integers(0, 1 << 20))
    axes = draw(st.sampled_from(sorted(AXES)))
    image = image_of(draw(st.sampled_from(DTYPES)), AXES[axes], axes, seed)
    try:
        return chain(steps, image.spec, seed), image
    except og.OffgraphError:
        return (), image


def alone(ops: Sequence[PlannedOp], image: og.Image) -> og.Image | Exception:
    try:
        return native.run_image(ops, image)
    except Exception as error:
        return error


def same_result(found: og.Image | Exception, expected: og.Image | Exception) -> None:
    if isinstance(expected, Exception):
        assert type(found) is type(expected)
        assert str(expected).split(": ", 1)[-1].split(" [")[0] in str(found)
    else:
        assert isinstance(found, og.Image), found
        assert_same(og.Image(np.ascontiguousarray(found.array), found.axes), expected.contiguous())


@settings(max_examples=40, deadline=None)
@given(
    plans=st.lists(samples(), max_size=8),
    threads=st.sampled_from([1, 2, 5]),
    kinds=st.lists(st.sampled_from(["made", "own", "strided"]), min_size=8, max_size=8),
)
def test_a_batch_has_the_bytes_of_its_samples(
    plans: list[tuple[Sequence[PlannedOp], og.Image]], threads: int, kinds: list[str]
) -> None:
    with np.errstate(all="ignore"):
        expected = [alone(*plan) for plan in plans]
        given_outputs: list[np.ndarray | None] = []
        for (ops, image), kind in zip(plans, kinds):
            made = ops[-1].after if ops else image.spec
            if kind == "strided":
                whole = np.zeros((*made.shape[::-1], 2), made.dtype)
                given_outputs.append(whole[..., 1].T)
            else:
                given_outputs.append(None if kind == "made" else np.zeros(made.shape, made.dtype))
        before = [image.array.copy() for _, image in plans]
        with og.num_threads(threads):
            found = run_images(
                [SamplePlan(*plan, output=output) for plan, output in zip(plans, given_outputs)]
            )
    for result, wanted, output in zip(found, expected, given_outputs):
        same_result(result, wanted)
        if output is not None and isinstance(result, og.Image):
            assert result.array is output
    for (_, image), array in zip(plans, before):
        assert image.array.tobytes() == array.tobytes()


def batch_of(
    count: int, steps: list[og.Step]
) -> tuple[list[tuple[Sequence[PlannedOp], og.Image]], np.ndarray]:
    images = [image_of("uint8", (60 + n, 70 - n, 3), "YXC", n) for n in range(count)]
    plans = [(chain(steps, image.spec, n), image) for n, image in enumerate(images)]
    return plans, np.zeros((count, 32, 32, 3), np.float32)


TRAIN = [og.Resize((40, 40)), og.Rotate((-20, 20)), og.RandomCrop((32, 32)), og.Normalize("imagenet")]


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_are_written_into_slices_of_a_batch(threads: int, layout: str) -> None:
    plans, batch = batch_of(9, TRAIN)
    if layout == "NCHW":
        batch = np.zeros((9, 3, 32, 32), np.float32).transpose(0, 2, 3, 1)
    with og.num_threads(threads):
        results = run_images([SamplePlan(*plan, output=out) for plan, out in zip(plans, batch)])
    for plan, out, result in zip(plans, batch, results):
        assert isinstance(result, og.Image)
        assert out.tobytes() == run_image(*plan).array.tobytes()
        assert np.shares_memory(result.array, batch)


def test_all_native_operations_of_all_samples_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    run_plans = native_samples.run_plans
    monkeypatch.setattr(native_samples, "run_plans", lambda all: (calls.append(len(all)), run_plans(all))[1])
    plans, batch = batch_of(5, TRAIN)
    run_images([SamplePlan(*plan, output=out) for plan, out in zip(plans, batch)])
    assert calls == [5]
    split, _ = batch_of(2, [*TRAIN[:2], InPython(), *TRAIN[2:]])
    calls.clear()
    run_images([SamplePlan(*plan) for plan in (*plans, *split)])
    assert calls == [7, 2]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_errors_name_the_operation_and_the_others_finish(threads: int) -> None:
    plans, batch = batch_of(8, TRAIN)
    steps = {
        1: [og.Flip("X"), og.MedianFilter(3), Refused(), og.Flip("X")],
        3: [og.Flip("X"), Raising(), og.Flip("X")],
        5: [og.Flip("X"), og.Pad(1, cval=300), og.Flip("X")],
    }
    outputs: list[np.ndarray | None] = list(batch)
    for number, wrong in steps.items():
        plans[number] = (chain(wrong, plans[number][1].spec, 0), plans[number][1])
        outputs[number] = None
    outputs[6] = np.zeros((32, 31, 3), np.float32)
    with og.num_threads(threads):
        results = run_images([SamplePlan(*plan, output=out) for plan, out in zip(plans, outputs)])
    assert isinstance(results[1], og.StepError) and isinstance(results[5], og.StepError)
    assert str(results[1]).startswith("step 3 of Augment, Refused: no axis 7 [image of shape (61, 69, 3)")
    assert type(results[3]) is KeyError and "Raising" in results[3].__notes__[0]
    assert "cval=300" in str(results[5]) and "step 2 of Augment, Pad" in str(results[5])
    assert isinstance(results[6], og.StepError) and "(32, 31, 3)" in str(results[6])
    for number in (0, 2, 4, 7):
        assert batch[number].tobytes() == run_image(*plans[number]).array.tobytes()


def test_masks_move_in_the_call_of_their_image() -> None:
    plans, batch = batch_of(4, TRAIN)
    moved, companions = [], []
    for ops, image in plans:
        legs = [planned.op.leg for planned in ops if hasattr(planned.op, "leg")]
        mask = Mask(image.array[..., 0].copy(), "YX")
        companions.append(native.companion(mask, legs))
        moved.append(mask.moved(legs))
    assert None not in companions
    run_images(
        [SamplePlan(*plan, (beside,), out) for plan, beside, out in zip(plans, companions, batch) if beside]
    )
    for beside, mask in zip(companions, moved):
        assert beside is not None
        assert beside.finished().array.tobytes() == np.ascontiguousarray(mask.array).tobytes()
    (only,) = run_images([SamplePlan((), plans[0][1], companions[:1])])  # type: ignore[arg-type]
    assert only is plans[0][1]


def test_outputs_that_overlap_are_refused() -> None:
    plans, batch = batch_of(2, TRAIN)
    results = run_images([SamplePlan(*plan, output=batch[0]) for plan in plans])
    assert isinstance(results[0], og.Image)
    assert isinstance(results[1], TypeError) and "already borrowed" in str(results[1])


def test_nothing_and_what_is_no_sample() -> None:
    assert run_images([]) == []
    image = image_of("uint8", (4, 5), "YX", 0)
    assert run_images([SamplePlan((), image)])[0] is image
    assert core.run_plans(()) == []
    (failure,) = core.run_plans((((image.array, image.array.copy(), 0, 2, ((99,),)),),))
    assert failure is not None and failure[:2] == (None, None) and "not known" in str(failure[2])


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_can_be_interrupted(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of("uint16", (300, 300), "YX", 0)
    ops = chain([og.MedianFilter(41)], image.spec, 0)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))

    run_plans = native_samples.run_plans

    def run(samples: Any) -> Any:
        timer.start()  # before this call it could end a callback of the garbage collector instead, which says nothing
        return run_plans(samples)

    monkeypatch.setattr(native_samples, "run_plans", run)
    before = time.monotonic()
    with og.num_threads(threads), pytest.raises(KeyboardInterrupt):
        run_images([SamplePlan(ops, image)] * 3000)
    assert time.monotonic() - before < 30
    monkeypatch.undo()
    result = run_images([SamplePlan(chain([og.Flip("X")], image.spec, 0), image)])[0]
    assert isinstance(result, og.Image) and (result.array == image.array[:, ::-1]).all()
