"""Threads of a pass: reads that never return, Ctrl-C, exceptions of every kind, forks; and none is left behind."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, recipe

import offgraph as og
from offgraph import ndimage
from offgraph.core.errors import FileAccessError
from offgraph.core.machine import Read, read_of
from offgraph.formats import decoding
from offgraph.pipeline import workers
from offgraph.pipeline.workers import ordered_map, read_ahead

ROOT = Path(__file__).parents[2]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos") / "in")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The end of a name; whoever opens such a file waits in the system, as for a dead mount."""
    ours, theirs = os.pipe()
    opened = os.open

    def hang(path: object, *args: object, **options: object) -> int:
        if str(path).endswith(request.param):
            os.read(ours, 1)
        return opened(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding.os, "open", hang)
    yield request.param
    os.close(theirs)  # lets go of all that wait
    for thread in threading.enumerate():
        if thread.name.startswith("offgraph"):
            thread.join(20)
    os.close(ours)


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("offgraph")]


def open_files() -> int:
    """Handles of this process, where that is known."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.is_dir() else 0


# ---- reads that do not return


@pytest.mark.parametrize(
    ("hanging", "threads", "on_error"),
    [("bee/2.png", 1, "raise"), ("cat/0.png", 3, "skip")],
    indirect=["hanging"],
)
def test_a_read_that_hangs_ends_the_pass_with_its_name(
    photos: Path, hanging: str, threads: int, on_error: Any
) -> None:
    loader = og.Loader(
        photos, recipe(), batch_size=1, shuffle=False, threads=threads, read_timeout=0.5, on_error=on_error
    )
    started, names = time.monotonic(), []
    with pytest.raises(og.MachineError, match=rf"{hanging}: not read within 0\.5 seconds") as caught:
        names.extend(int(batch.index[0]) for batch in loader)
    assert caught.value.errno == errno.ETIMEDOUT
    assert (
        time.monotonic() - started < 20
        and names == list(range(7 if hanging == "bee/2.png" else 10))
        and not loader.skipped
    )


def test_a_drive_that_goes_on_is_waited_for() -> None:
    def read(steps: int) -> int:
        with Read("slow.png") as read:
            for _ in range(steps):
                time.sleep(0.2)
                read.step()
        return steps

    assert list(ordered_map(read, [1, 6], threads=2, read_timeout=0.6)) == [1, 6]

    def hang(_: int) -> None:
        with Read("slow.png"):
            time.sleep(2)

    with pytest.raises(og.MachineError, match=r"slow\.png: not read within"):
        list(ordered_map(hang, [1], threads=1, read_timeout=0.4))


def test_calls_that_compute_have_no_limit() -> None:
    def work(seconds: float) -> float:
        with Read("a.png"):
            pass
        time.sleep(seconds)
        return seconds

    assert list(ordered_map(work, [0.9], threads=1, read_timeout=0.2)) == [0.9]


def test_a_suspended_process_has_not_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    patience, read = workers._Patience(5.0), Read("a.png")
    assert not patience.is_over(read)
    now[0] += 3600
    assert not patience.is_over(read)  # nobody looked for an hour
    looks = 0
    while not patience.is_over(read):
        now[0] += 0.1
        looks += 1
    assert 46 <= looks <= 51


def test_reads_are_marked_one_in_another() -> None:
    thread = threading.get_ident()
    with Read("outer") as outer:
        with Read("inner") as inner:
            assert read_of(thread) is inner
        assert read_of(thread) is outer
    assert read_of(thread) is None


def test_a_program_ends_though_a_read_hangs(photos: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import offgraph as og
from offgraph import ndimage
from offgraph.formats import decoding
from tests.support.made import recipe
ours, theirs = os.pipe()
opened = os.open
decoding.os.open = lambda path, *args, **kw: os.read(ours, 1) if str(path).endswith("ant/4.png") else opened(path, *args, **kw)
loader = og.Loader({str(photos)!r}, recipe(), batch_size=1, shuffle=False, threads=2, read_timeout=0.5)
try:
    for batch in loader:
        print(int(batch.index[0]), flush=True)
except og.MachineError as error:
    print(str(error).partition(": ")[0][-9:], flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "0\n1\n2\n3\nant/4.png\n"), done.stderr


def test_a_file_that_becomes_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    source = og.open_source(class_folder(tmp_path / "in"))
    for name, device in (("ant/0.png", None), ("bee/2.png", "/dev/zero")):
        path = source.root / name
        path.unlink()
        path.symlink_to(device) if device else os.mkfifo(path)
    loader = og.Loader(source, recipe(), on_error="skip")
    with pytest.warns(og.OffgraphWarning, match="2 of 15 images"):
        assert sum(len(batch) for batch in loader) == 13
    assert set(loader.skipped) == {"ant/0.png", "bee/2.png"}
    assert all("not a regular file" in reason for reason in loader.skipped.values())


@pytest.mark.parametrize("size", [3000, 3 << 20])
def test_a_file_that_is_written_to_meanwhile_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, size // 3), np.uint8))
    monkeypatch.setattr(decoding, "_PART", 1 << 20)
    assert og.imread(path).shape == (3, size // 3)
    known, looks = os.fstat, []

    def fstat(handle: int) -> os.stat_result:
        found = known(handle)
        if not looks:
            with path.open("ab") as more:
                more.write(b"more")
        looks.append(handle)
        return found

    monkeypatch.setattr(decoding.os, "fstat", fstat)
    with pytest.raises(
        FileAccessError, match=r"a\.npy: changed while it was read; write a file under another"
    ):
        og.imread(path)


# ---- exceptions


class Odd(BaseException):
    pass


class Unsayable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Demanding(og.OffgraphError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raising(kind: type[BaseException]) -> og.Compose:
    class Raising(og.Compose):
        def run(self, *args: object, **options: object) -> og.Result:
            raise kind(1, 2) if kind is Demanding else kind("a mistake")

    return Raising(recipe().items)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("kind", [LookupError, Unsayable, Odd, KeyboardInterrupt, SystemExit, Demanding])
def test_an_exception_arrives_as_it_was_raised_and_names_its_sample(
    photos: Path, kind: type[BaseException], on_error: Any
) -> None:
    before = set(threading.enumerate())
    loader = og.Loader(
        photos, raising(kind), batch_size=2, threads=2, shuffle=False, on_error=on_error, start_epoch=3
    )
    with pytest.raises(kind) as caught:
        next(iter(loader))
    assert type(caught.value) is kind
    assert any("ant/0.png" in note and "epoch 3, index 0" in note for note in caught.value.__notes__)
    assert "in run" in "".join(traceback.format_exception(caught.value)).replace("raising.<locals>.", "")
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, GeneratorExit])
def test_what_ends_generators_does_not_end_a_pass_unnoticed(photos: Path, kind: type[BaseException]) -> None:
    with pytest.raises(og.OffgraphError, match=rf"ant/0\.png: a step raised {kind.__name__}") as caught:
        list(og.Loader(photos, raising(kind), shuffle=False))
    assert type(caught.value.__cause__) is kind
    with (
        pytest.raises(RuntimeError, match=f"raised {kind.__name__}")
        if kind is not StopAsyncIteration
        else (pytest.raises(kind))
    ):
        list(ordered_map(lambda _: (_ for _ in ()).throw(kind()), [1], threads=1))


def test_an_error_of_offgraph_has_the_traceback_of_its_worker(photos: Path) -> None:
    with pytest.raises(og.StepError, match=r"^ant/0\.png: step 1, RandomCrop") as caught:
        list(og.Loader(photos, [og.RandomCrop((90, 90))], shuffle=False))
    said = "".join(traceback.format_exception(caught.value))
    assert "_window.py" in said and "epoch 0, index 0" in said  # where crops are refused


# ---- Ctrl-C


INTERRUPTED = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.path.insert(0, {root!r})
import offgraph as og
from offgraph import ndimage
from tests.support.made import recipe

class Slow(og.Compose):
    def run(self, *args, **options):
        time.sleep({seconds})
        return super().run(*args, **options)

def interrupt():
    print(time.time(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)

loader = og.Loader({photos!r}, Slow(recipe().items), batch_size=2, threads=2)
loader.specs()
threading.Timer(0.7, interrupt).start()
try:
    {consume}
except KeyboardInterrupt:
    print(time.time(), flush=True)
"""
CONSUMERS = {
    "waiting": (3, "list(loader)"),
    "at work": (0.05, "for batch in loader: time.sleep(30)"),
    "build": (3, "og.build({photos!r}, {out!r}, Slow(recipe().items), workers=2)"),
}


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_ctrl_c_ends_a_pass_within_a_second(photos: Path, tmp_path: Path, consumer: str) -> None:
    seconds, consume = CONSUMERS[consumer]
    consume = consume.format(photos=str(photos), out=str(tmp_path / "out"))
    code = INTERRUPTED.format(root=str(ROOT), photos=str(photos), seconds=seconds, consume=consume)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    asked, ended = map(float, done.stdout.split())
    assert ended - asked < 2.0  # a second on a machine that does nothing else


@pytest.mark.alone
def test_what_is_left_at_work_ends_by_itself() -> None:
    going = threading.Event()

    def work(_: int) -> None:
        going.set()
        time.sleep(1.2)

    made = ordered_map(work, range(9), threads=2, ahead=2)
    taker = threading.Thread(target=lambda: next(made, None))
    taker.start()
    going.wait(10)
    taker.join(20)
    started = time.monotonic()
    made.close()
    assert time.monotonic() - started < 1.0
    for thread in ours():
        thread.join(20)
    assert not ours()


@pytest.mark.alone
def test_a_stopped_reader_is_not_waited_for() -> None:
    stop = threading.Event()
    made = read_ahead(
        ordered_map(lambda n: time.sleep(n) or n, [0, 0, 3], threads=1, ahead=1, ended=stop), 1, stop
    )
    with closing(made):  # type: ignore[type-var]
        assert next(made) == 0
        started = time.monotonic()
    assert time.monotonic() - started < 1.5


# ---- forks, and nothing left behind


@needs_fork
def test_a_pass_does_not_go_on_in_a_forked_process(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=2, threads=2, seed=1)
    loader.specs()
    passing = iter(loader)
    next(passing)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:  # no assertion here: pytest's own end must not run twice
        signal.alarm(60)
        try:
            next(passing)
            said = b"it went on"
        except og.OffgraphError as error:
            said = str(error).encode()
        again = b"%d" % sum(len(batch) for batch in loader.epoch(0))
        os.write(theirs, said + b"|" + again)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        said, _, again = file.read().decode().partition("|")
    os.waitpid(child, 0)
    assert "begun before the process forked" in said and again == "15"
    assert sum(len(batch) for batch in passing) == 13


def test_no_thread_is_left_behind(photos: Path) -> None:
    handles = open_files()
    loader = og.Loader(photos, recipe(), batch_size=2, threads=3, on_error="skip")
    list(loader)
    for ends in range(8):
        passing = iter(loader)
        for _ in range(ends):
            next(passing)
        del passing
    list(loader)
    gc.collect()
    assert not ours() and not workers._teams and not workers._reading
    assert open_files() <= handles


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("offgraph-worker", {}),
        ("offgraph-worker", {"threads": 1}),
        ("offgraph-read-ahead", {"on_error": "skip"}),
    ],
)
def test_ctrl_c_while_a_thread_starts_leaves_none_behind(
    photos: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    loader, start = (
        og.Loader(photos, recipe(), batch_size=4, **{"threads": 2, **options}),
        threading.Thread.start,
    )
    want = [batch.image.tobytes() for batch in loader.epoch(0)]

    def interrupted(thread: threading.Thread) -> None:
        start(thread)  # it waits until the thread runs
        if thread.name == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(loader.epoch(0))
    until = time.monotonic() + 10
    while (
        left := [thread.name for thread in threading.enumerate() if thread.name == name]
    ) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left
    assert [batch.image.tobytes() for batch in loader.epoch(0)] == want


def test_batches_that_are_filled_where_they_lie_take_no_thread_but_workers(photos: Path) -> None:
    options: dict[str, Any] = {"batch_size": 4, "threads": 2, "shuffle": True, "seed": 3}
    filled, read_ahead_of = (
        og.Loader(photos, recipe(), **options),
        og.Loader(photos, recipe(), on_error="skip", **options),
    )
    for loader, names in (
        (filled, {"offgraph-worker"}),
        (read_ahead_of, {"offgraph-worker", "offgraph-read-ahead"}),
    ):
        passing = loader.epoch(0)
        next(passing)
        assert {thread.name for thread in ours()} <= names
        assert ("offgraph-read-ahead" in names) == any(
            thread.name == "offgraph-read-ahead" for thread in ours()
        )
        passing.close()  # type: ignore[attr-defined]
    for one, other in zip(filled.epoch(1), read_ahead_of.epoch(1), strict=True):
        assert one.image.tobytes() == other.image.tobytes() and one.index.tolist() == other.index.tolist()
    assert not ours()


def test_batches_are_made_ahead_as_far_as_asked(photos: Path) -> None:
    seen: list[int] = []

    class Noted(og.Compose):
        def run(self, *args: object, **options: object) -> og.Result:
            seen.append(1)
            return super().run(*args, **options)  # type: ignore[arg-type]

    loader = og.Loader(photos, Noted(recipe().items), batch_size=2, threads=1, prefetch=3, shuffle=False)
    passing = iter(loader)
    next(passing)
    until = time.monotonic() + 20
    while len(seen) < 8 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    assert 8 <= len(seen) <= 10  # the one that was taken, three that wait, and one at most that is being made
    assert sum(len(batch) for batch in passing) == 13 and len(seen) == 15


TAKEN_AT_THE_END = """
import sys, threading, time
sys.path.insert(0, {root!r})
import offgraph as og
from tests.support.made import recipe

class Slow(og.Compose):
    def run(self, *args, **options):
        time.sleep(0.3)
        return super().run(*args, **options)

loader = og.Loader({photos!r}, Slow(recipe().items), batch_size=3, threads=2, on_error={on_error!r})
{consume}
print("the end", flush=True)
"""
TAKERS = {
    "a thread": "threading.Thread(target=list, args=(loader,), daemon=True).start(); time.sleep(0.5)",
    "tensorflow": "waiting = iter(loader.tensorflow().repeat().map(lambda image, label: image).prefetch(2)); next(waiting)",
}


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("taker", TAKERS)
def test_a_program_ends_while_another_thread_waits_for_a_batch(
    photos: Path, taker: str, on_error: Any
) -> None:
    if taker == "tensorflow":
        pytest.importorskip("tensorflow")
    code = TAKEN_AT_THE_END.format(
        root=str(ROOT), photos=str(photos), consume=TAKERS[taker], on_error=on_error
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr


LONG = "ndimage.median_filter(np.random.default_rng(0).random((3000, 3000)), 101)"
"""Takes far longer than a test may."""


@pytest.mark.alone
def test_a_native_call_ends_with_its_pass() -> None:
    image, ended = np.random.default_rng(0).random((3000, 3000)), threading.Event()
    made = ordered_map(lambda size: ndimage.median_filter(image, size), [101], threads=1, ended=ended)
    timer = threading.Timer(0.3, ended.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Exception):  # whatever says that nobody waits
        next(made)
    while [thread for thread in threading.enumerate() if thread.name == "offgraph-worker"]:
        assert time.monotonic() - began < 2.0
        time.sleep(0.01)
    timer.join()


@pytest.mark.alone
def test_a_program_ends_while_a_worker_is_in_a_long_call() -> None:
    program = f"""
import threading, time
import numpy as np
from offgraph import ndimage
from offgraph.pipeline.workers import ordered_map, read_ahead
begun, stop = threading.Event(), threading.Event()
def call(_):
    begun.set()
    return {LONG}
passed = read_ahead(ordered_map(call, [0], threads=1, ended=stop), 1, stop)
threading.Thread(target=next, args=(passed,), daemon=True).start()
begun.wait()
time.sleep(0.3)
print(time.time(), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert time.time() - float(done.stdout) < 2.0
