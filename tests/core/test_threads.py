"""Threads: how many are used, and a process that forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.ndimage

from offgraph import _native, ndimage
from offgraph.core.threads import get_num_threads, num_threads, set_num_threads

IMAGE = np.arange(1_000_000, dtype=np.float32).reshape(1000, 1000)


def test_numbers_are_kept_and_given_back():
    before = get_num_threads()
    assert set_num_threads(3) == before
    try:
        assert get_num_threads() == 3
        with num_threads(1):
            assert get_num_threads() == 1
            with num_threads(2):
                assert get_num_threads() == 2
            assert get_num_threads() == 1
        assert get_num_threads() == 3
    finally:
        set_num_threads(before)


def test_a_number_of_its_own_holds_for_one_thread():
    seen = []
    with num_threads(251):
        thread = threading.Thread(target=lambda: seen.append(get_num_threads()))
        thread.start()
        thread.join()
        assert get_num_threads() == 251
    assert seen != [251]


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_is_refused(count):
    with pytest.raises(ValueError, match="at least 1"):
        set_num_threads(count)
    with pytest.raises(ValueError, match="at least 1"), num_threads(count):
        pass


def test_the_environment_is_read():
    code = "from offgraph.core.threads import get_num_threads; from offgraph import _native; "
    code += "print(get_num_threads(), _native.build_info()['simd'])"
    environment = os.environ | {"OFFGRAPH_NUM_THREADS": "5", "OFFGRAPH_SIMD": "baseline"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["5", "baseline"]


def test_a_forked_process_makes_threads_of_its_own():
    """The parent's threads do not exist in the child: waiting for them would hang."""
    code = """
import os, numpy as np
from offgraph import ndimage
from offgraph.core.threads import set_num_threads
set_num_threads(2)
image = np.arange(1_000_000, dtype=np.float32).reshape(1000, 1000)
expected = ndimage.shift(image, 0.5, order=1)
child = os.fork()
if child == 0:
    same = np.array_equal(ndimage.shift(image, 0.5, order=1), expected)
    os._exit(0 if same else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_calls_from_many_threads_share_one_pool():
    expected = ndimage.shift(IMAGE, 0.5, order=1)
    results: list[bool] = []

    def work() -> None:
        for count in (1, 2, 3):
            with num_threads(count):
                results.append(np.array_equal(ndimage.shift(IMAGE, 0.5, order=1), expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 12


def test_the_lock_is_released_around_the_loop():
    ticks = 0
    done = threading.Event()

    def work() -> None:
        with num_threads(1):
            ndimage.zoom(IMAGE, 2, order=3)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.0005):
        ticks += 1
    thread.join()
    # Held for the whole call, the lock would let this loop run a handful of times.
    assert ticks > 5


def test_build_info_tells_what_runs():
    info = _native.build_info()
    assert info["profile"] in ("release", "debug")
    assert info["simd"] in ("baseline", "avx2", "avx512")
    with pytest.raises(ValueError, match="no SIMD level"):
        _native.set_simd_level("mmx")


@pytest.mark.parametrize(
    "call",
    [
        lambda ndi, image, output: ndi.zoom(image, 1.0, order=1, output=output),
        lambda ndi, image, output: ndi.rotate(image, 20, reshape=False, order=1, output=output),
        lambda ndi, image, output: ndi.binary_erosion(image > 500, output=output),
        lambda ndi, image, output: ndi.gaussian_filter(image, 1, output=output),
        lambda ndi, image, output: ndi.spline_filter1d(image, 3, 0, output=output),
    ],
)
@pytest.mark.parametrize("interleaved", [False, True])
def test_threads_may_write_parts_of_one_array_at_once(call, interleaved):
    """What lies between the rows of a tile, or between the samples of a channel, is another thread's."""
    image = IMAGE[:300, :300]
    whole = np.zeros((300, 1200), np.float32)
    part = slice if not interleaved else lambda start, _: slice(start // 300, None, 4)
    tiles = [whole[:, part(at, at + 300)] for at in range(0, 1200, 300)]
    errors: list[BaseException] = []

    def work(tile: np.ndarray) -> None:
        try:
            for _ in range(15):
                call(ndimage, image, tile)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(tile,)) for tile in tiles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    expected = np.zeros((300, 300), np.float32)
    call(scipy.ndimage, image, expected)
    for tile in tiles:
        np.testing.assert_array_equal(tile, expected)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is set by Linux's means")
def test_what_lies_in_the_gaps_of_an_input_may_be_written_meanwhile():
    base, row = np.zeros((400, 800), np.float32), np.ones((1, 400), np.float32)
    failures = []

    def work(call, stop):
        try:
            while not stop():
                call()
        except BaseException as failure:
            failures.append(failure)

    reads = iter(range(100))
    reader = threading.Thread(
        target=work,
        args=(lambda: ndimage.shift(base[:, :400], 0.5, order=1), lambda: next(reads, None) is None),
    )
    reader.start()
    work(lambda: ndimage.uniform_filter1d(row, 5, output=base[3:4, 400:]), lambda: not reader.is_alive())
    reader.join()
    assert not failures


def test_want_of_memory_on_several_threads_is_an_error():
    """Each thread takes a buffer of its own: all of them together are too much here, and none may end the process."""
    code = """
import resource, sys
import numpy as np
import offgraph
from offgraph import ndimage
image = np.zeros((4000, 200))
offgraph.set_num_threads(8)
ndimage.uniform_filter1d(image, 5, axis=0)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (120 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    ndimage.uniform_filter1d(image, 75000, axis=0)
except MemoryError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (told.returncode, told.stderr) == (0, "")
    # Threads that happen to run one after the other can do with what there is.
    assert told.stdout == "" or told.stdout.startswith("no memory for")
