"""A failure of the machine ends a pass, and is never an image that is left out."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, read_by_python

import offgraph as og
from offgraph.core import machine
from offgraph.formats import decoding
from offgraph.loading.samples import FileSamples


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return class_folder(tmp_path / "photos")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PAUSES", (0.01, 0.02))


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE, errno.ENOMEM])
def test_a_failing_machine_ends_the_pass_and_leaves_nothing_out(
    photos: Path, monkeypatch: pytest.MonkeyPatch, quick: None, on_error: Any, number: int
) -> None:
    read_by_python(monkeypatch)
    loader = og.Loader(photos, [og.Resize((8, 8))], on_error=on_error, batch_size=2, threads=2)
    passing = iter(loader)
    assert len(next(passing)) == 2
    opened = os.open

    def fail(path: object, *args: object) -> int:
        if str(path).startswith(str(photos)):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding.os, "open", fail)
    with pytest.raises(og.MachineError, match=os.strerror(number)):
        list(loader)
    assert loader.skipped == {}
    monkeypatch.undo()
    assert sum(len(batch) for batch in loader) == 15  # the next pass succeeds
    del passing
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("offgraph")]


@pytest.mark.parametrize("kept", [True, False])
def test_a_drive_that_goes_away_ends_the_pass(photos: Path, quick: None, kept: bool) -> None:
    loader = og.Loader(photos, [og.Resize((8, 8))], on_error="skip", batch_size=1, threads=1, prefetch=1)
    assert sum(len(batch) for batch in loader) == 15
    photos.rename(photos.with_name("gone"))
    if kept:
        photos.mkdir()  # an unmounted drive leaves its empty mount point
    with pytest.raises(og.MachineError):
        list(loader)
    assert loader.skipped == {}
    if kept:
        photos.rmdir()
    photos.with_name("gone").rename(photos)
    assert sum(len(batch) for batch in loader) == 15


def test_a_file_that_is_missing_is_left_out_and_tried_again(photos: Path) -> None:
    loader = og.Loader(photos, [og.Resize((8, 8))], on_error="skip")
    victim = photos / "bee" / "2.png"
    victim.rename(photos.with_name("elsewhere.png"))
    with pytest.warns(og.OffgraphWarning, match="1 of 15 images"):
        assert sum(len(batch) for batch in loader) == 14
    assert list(loader.skipped) == ["bee/2.png"]
    photos.with_name("elsewhere.png").rename(victim)
    assert sum(len(batch) for batch in loader) == 15


def test_a_failure_that_passes_is_not_noticed(
    photos: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    tries: list[str] = []
    plain = decoding.read_bytes

    def twice(path: object, *args: object) -> bytes:
        tries.append(str(path))
        if tries.count(str(path)) < 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))
        return plain(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "read_bytes", twice)
    assert sum(len(batch) for batch in og.Loader(photos, [og.Resize((8, 8))])) == 15
    tries.clear()
    assert not og.doctor(photos).bad and len(tries) == 3 * 15


def test_whoever_waits_to_try_again_is_not_waited_for(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = og.Loader(photos, [og.Resize((8, 8))], batch_size=1, threads=2)
    passing = iter(loader)
    next(passing)

    def fail(*args: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "a.png")

    monkeypatch.setattr(machine, "PAUSES", (60.0,))
    monkeypatch.setattr(decoding, "read_bytes", fail)
    next(passing)  # makes room for an image that cannot be read now
    time.sleep(0.3)
    started = time.monotonic()
    passing.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("format", "kept"), [("folder", False), ("folder", True), ("tfrecord", False)])
def test_a_dataset_out_of_reach_ends_the_pass(
    photos: Path, tmp_path: Path, quick: None, format: Any, kept: bool
) -> None:
    og.build(photos, tmp_path / "out", [og.Resize((8, 8))], format=format)
    loader = og.Loader(tmp_path / "out", on_error="skip")
    (tmp_path / "out").rename(tmp_path / "gone")
    if kept:
        (tmp_path / "out").mkdir()
    with pytest.raises(og.MachineError, match=r"out of reach|another folder"):
        list(loader)
    assert loader.skipped == {}
    if kept:
        (tmp_path / "out").rmdir()
    (tmp_path / "gone").rename(tmp_path / "out")
    assert sum(len(batch) for batch in loader) == 15


def test_handles_that_run_out_leave_no_example_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    og.build(photos, tmp_path / "out", [og.Resize((8, 8))])
    loader = og.Loader(tmp_path / "out", on_error="skip")

    plain = Path.open

    def fail(path: Path, *args: object, **options: object) -> object:
        if path.suffix == ".png":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))
        return plain(path, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(og.MachineError, match=os.strerror(errno.EMFILE)):
        list(loader)
    assert loader.skipped == {}
    monkeypatch.undo()
    assert sum(len(batch) for batch in loader) == 15


def test_want_of_memory_in_a_step_ends_the_pass(
    photos: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    def starve(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(og.Flip, "apply", starve)
    loader = og.Loader(photos, [og.Flip("X")], on_error="skip")
    with pytest.raises(og.MachineError, match=r"\.(png|jpg): .*not enough memory"):
        list(loader)
    assert loader.skipped == {}


def test_want_of_memory_for_a_batch_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a batch is asked for before its images are read: those are then made one by one."""
    loader = og.Loader(class_folder(tmp_path / "in"), [og.Resize((8, 8))], batch_size=4)
    wanted = list(loader.epoch(0))
    for names in ("rows", "lone"):
        real, failures = getattr(FileSamples, names), iter([True])

        def failing(self: FileSamples, *given: Any, real: Any = real, failures: Any = failures) -> Any:
            if next(failures, False):
                raise MemoryError
            return real(self, *given)

        monkeypatch.setattr(FileSamples, names, failing)
    for one, found in zip(wanted, loader.epoch(0), strict=True):
        assert np.array_equal(one.image, found.image) and one.records == found.records
    single = og.Loader(tmp_path / "in", [og.Resize((8, 8))], batch_size=1)
    assert sum(len(batch) for batch in single) == sum(map(len, wanted))
