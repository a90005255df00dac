"""Memory of many passes: buffers that are kept, and what threads have freed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.support.odd_files import gradient, saved

import offgraph as og
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.freed import _Giving, give_back_freed

ROOT = Path(__file__).parents[2]

needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
needs_trim = pytest.mark.skipif(give_back_freed.trim is None, reason="the C library has no malloc_trim")


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def places(buffers: Buffers, size: int, count: int) -> set[int]:
    """Addresses of buffers that are taken at the same time, and let go of."""
    return {array.ctypes.data for array in [buffers.empty((size,), np.dtype(np.uint8)) for _ in range(count)]}


def test_as_many_buffers_of_one_size_are_kept_as_allowed() -> None:
    buffers = Buffers(6, alike=2)
    of_images, of_masks = places(buffers, 5000, 4), places(buffers, 100, 2)
    assert len(of_images & places(buffers, 5000, 2)) == 2
    assert sorted(memory.size for memory in buffers._free) == [100, 100, 5000, 5000]
    assert places(buffers, 100, 2) == of_masks


def test_the_buffer_of_a_last_batch_is_not_kept_for_the_next_pass() -> None:
    buffers = Buffers(6)
    for _ in range(3):
        whole = places(buffers, 5000, 3)
        places(buffers, 1500, 1)
        buffers.end_pass()
        assert [memory.size for memory in buffers._free] == [5000] * 3
        assert places(buffers, 5000, 3) == whole


VIEWS: dict[str, Callable[[np.ndarray], Any]] = {
    "part": lambda array: array[1:],
    "part of a part": lambda array: array[1:][:, 2:],
    "turned": lambda array: array.T,
    "other type": lambda array: array.view(np.int32).reshape(-1),
    "memoryview": lambda array: array.data[1:],
    "dlpack": np.from_dlpack,
    "buffer": lambda array: np.frombuffer(array, np.uint8),
    "array": lambda array: np.ndarray(3, np.uint8, array),
    "interface": lambda array: np.asarray(
        SimpleNamespace(__array_interface__=array.__array_interface__, of=array)
    ),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_buffer_is_in_use_while_anything_of_it_lives(name: str, dtype: type) -> None:
    buffers = Buffers(6)
    for shape in ((40, 30), (400, 500)):  # in the heap, and in a mapping of its own
        whole = buffers.empty(shape, np.dtype(dtype))
        assert type(whole) is np.ndarray and whole.flags.c_contiguous and whole.flags.writeable
        made = VIEWS[name](whole)
        kept = VIEWS["part"](np.asarray(made)) if name != "interface" else made
        del whole, made
        assert not buffers._free
        del kept
        assert len(buffers._free) == 1
        buffers._free.clear()


def test_a_buffer_may_hold_nothing() -> None:
    assert Buffers(1).empty((0, 3), np.dtype(np.float32)).shape == (0, 3)
    assert Buffers(1).empty((), np.dtype(np.float32)).shape == ()


@needs_proc
def test_a_large_buffer_goes_back_to_the_system_at_once() -> None:
    buffers = Buffers(0)
    array = buffers.empty((5, 1 << 20), np.dtype(np.float64))
    assert array.ctypes.data % 64 == 0
    array[:] = 1
    before = resident()
    del array
    assert before - resident() > 0.9 * (40 << 20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_write_into_its_parents_buffers() -> None:
    array = Buffers(1).empty((2 << 20,), np.dtype(np.uint8))
    array[:] = 1
    child = os.fork()
    if child == 0:
        array[:] = 2
        os._exit(0)
    os.waitpid(child, 0)
    assert (array == 1).all()


@needs_proc
@needs_trim
def test_what_threads_freed_goes_back_to_the_system() -> None:
    held: list[bytes] = []

    def work() -> None:
        made = [b"x" * size for size in range(30_000, 32_000)]
        held.extend(
            made[::200]
        )  # among free memory, so that the C library cannot shorten the arena by itself

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    before = resident()
    give_back_freed.not_before = 0.0
    give_back_freed()
    assert before - resident() > 40e6
    assert all(set(part) == {ord("x")} for part in held)


def test_giving_back_takes_a_hundredth_of_the_time_at_most() -> None:
    times, works, calls = iter([10.0, 12.0, 30.0, 62.4, 62.6]), iter([0.5, 1.0, 1.0, 1.1]), []

    def trim(padding: int) -> int:
        calls.append(padding)
        return 1

    give_back = _Giving(trim, lambda: next(times), lambda: next(works))
    give_back()
    give_back()  # 18 seconds after half a second of work
    assert calls == [0]
    give_back()
    assert calls == [0, 0]
    _Giving(None)()


SCRIPT = """
import gc, os, sys, tempfile
from pathlib import Path
import numpy as np
import offgraph as og

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    for number in range(36):
        size = 300 + 10 * number, 500, 3
        image = rng.integers(0, 256, (1 + size[0] // 40, 13, 3), np.uint8).repeat(40, 0).repeat(40, 1)[: size[0], :500]
        og.imwrite(f"{folder}/{number}.jpg", image)
    recipe = [og.Resize((128, 128)), og.Augment(og.Rotate((-15, 15))), og.Normalize("imagenet")]
    loader = og.Loader(folder, recipe, batch_size=8, threads=2)
    for epoch in range(60):
        for number, batch in enumerate(loader):
            if epoch >= 40 and number == 1:
                break
        if epoch == 2:
            before = resident()
    print(resident() / before)
"""


@needs_proc
@needs_trim
def test_sixty_passes_take_no_more_memory_than_three() -> None:
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert told.returncode == 0, told.stderr[-1500:]
    assert float(told.stdout) < 1.04  # 2 % of a small process is one arena more or less


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("stored", ["JPEG", "PNG", "dataset"])
def test_a_batch_keeps_no_memory_of_what_it_was_made_of(tmp_path: Path, stored: str, batch_size: int) -> None:
    recipe, kind = [og.Resize((120, 120)), og.Normalize("imagenet")], "PNG" if stored == "PNG" else "JPEG"
    source = tmp_path / "images"
    source.mkdir()
    for number in range(8):
        (source / f"{number}.{kind.lower()}").write_bytes(saved(gradient(60, 50), kind))
    if stored == "dataset":
        pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'offgraph[arrow]'")
        source = og.build(source, tmp_path / "out", recipe, format="arrow").path
    given = None if stored == "dataset" else recipe

    loader = og.Loader(source, given, batch_size=batch_size, dtype="float16", threads=1)
    for epoch in range(2):  # what is kept for later batches, and the digests of a dataset
        list(loader.epoch(epoch))
    tracemalloc.start()
    try:
        batches = [batch for epoch in range(6) for batch in loader.epoch(epoch)]
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 1.5 * sum(batch.image.nbytes for batch in batches)
    assert batches[0].records[0]["steps"]  # they are made when they are asked for
