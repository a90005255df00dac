"""A thread more works where others wait for the interpreter lock, and no more native calls run at a time for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder

import offgraph as og
from offgraph import ndimage
from offgraph.core.threads import CallLimit, Ending, keep_to_threads
from offgraph.pipeline.workers import ordered_map


@contextmanager
def busy_interpreter() -> Iterator[None]:
    """A thread that runs Python without end."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            for _ in range(100):
                pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def workers() -> int:
    return sum(thread.name == "offgraph-worker" for thread in threading.enumerate())


def in_thread(
    limit: CallLimit, ending: Ending, image: np.ndarray, size: int
) -> tuple[threading.Thread, list]:
    """Begin a filter on a thread that keeps to the limit; the list gets what came of it."""
    found: list[object] = []

    def work() -> None:
        ending.watch()
        limit.keep()
        keep_to_threads(1)
        try:
            found.append(ndimage.median_filter(image, size))
        except KeyboardInterrupt as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, found


def test_no_more_calls_run_at_a_time_than_are_allowed() -> None:
    endings, long, short = [Ending() for _ in range(3)], np.zeros((3000, 3000)), np.zeros((8, 8))
    limit = CallLimit(2)
    first, second = (in_thread(limit, ending, long, 101) for ending in endings[:2])
    time.sleep(0.5)
    third = in_thread(limit, endings[2], short, 3)
    third[0].join(0.5)
    assert not third[1], "it ran beside two others"
    endings[0].set()
    third[0].join(20)
    assert np.array_equal(third[1][0], short)
    assert not second[1], "it ran as long as the third one waited"
    endings[1].set()
    for thread, found in (first, second):
        thread.join(20)
        assert isinstance(found[0], KeyboardInterrupt)


def test_a_call_that_waits_for_its_turn_ends_when_it_is_told_to() -> None:
    limit, long, waiting = CallLimit(1), Ending(), Ending()
    first = in_thread(limit, long, np.zeros((3000, 3000)), 101)
    time.sleep(0.5)
    second = in_thread(limit, waiting, np.zeros((3000, 3000)), 101)
    time.sleep(0.5)
    waiting.set()
    second[0].join(2)
    assert isinstance(second[1][0], KeyboardInterrupt)
    assert not first[1]
    long.set()
    first[0].join(20)


def test_calls_of_one_thread_follow_one_another() -> None:
    limit, found = CallLimit(1), []

    def work() -> None:
        limit.keep()
        found.extend(ndimage.median_filter(np.zeros((8, 8)), 3) for _ in range(3))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert len(found) == 3


@pytest.mark.parametrize("spare", [False, True])
def test_a_thread_more_is_started_where_the_interpreter_is_busy(spare: bool) -> None:
    image, most = np.random.default_rng(0).random((200, 200)), 0
    with busy_interpreter():
        before = workers()
        for _ in ordered_map(
            lambda size: ndimage.median_filter(image, size), [7] * 60, threads=2, spare=spare
        ):
            most = max(most, workers() - before)
    assert most == (3 if spare else 2)


def test_batches_beside_a_busy_interpreter_are_the_same(tmp_path: Path) -> None:
    recipe = og.Compose([og.Resize((64, 64)), og.Augment(og.Rotate((-20, 20)), og.GaussianNoise(9))])
    folder = class_folder(tmp_path / "in", each=12)
    loader = og.Loader(folder, recipe, batch_size=8, threads=2, seed=3)
    alone = [batch.image.copy() for batch in loader.epoch(1)]
    with busy_interpreter():
        beside = [batch.image.copy() for batch in loader.epoch(1)]
    assert len(alone) == len(beside) > 0
    assert all(np.array_equal(one, other) for one, other in zip(alone, beside))
