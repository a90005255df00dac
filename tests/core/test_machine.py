"""Failures of the machine stop a run that can go on; only what a file holds sets it aside."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, paired_folder, read_by_python, recipe, tree

import offgraph as og
from offgraph.apps import cli
from offgraph.core import machine
from offgraph.core.machine import with_retries
from offgraph.dataset.allowed import MaxBad
from offgraph.dataset.folder import FolderFormat
from offgraph.formats import decoding
from offgraph.pipeline.failures import name_file
from offgraph.sources import Source


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos") / "in", each=4)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PAUSES", (0.01, 0.02))


class Hooked(og.Compose):
    """A recipe that does something else as well, the n-th time an image is run through it."""

    def __init__(self, made: og.Compose, at: int, act: Callable[[], object]) -> None:
        super().__init__(made.items)
        self.calls, self.at, self.act = 0, at, act

    def run(self, *args: object, **kwargs: object) -> og.Result:
        done = super().run(*args, **kwargs)  # type: ignore[arg-type]
        self.calls += 1
        if self.calls == self.at:
            self.act()
        return done


def build(
    src: Path | og.Source, out: Path, made: og.Compose | None = None, **options: object
) -> og.BuildReport:
    return og.build(src, out, made or recipe(), workers=1, shard_size=3, **options)  # type: ignore[arg-type]


# ---- which is which


@pytest.mark.parametrize(
    "number", ["EMFILE", "ENFILE", "ENOMEM", "EIO", "ESTALE", "ETIMEDOUT", "ENOTCONN", "EHOSTDOWN"]
)
def test_numbers_of_the_machine(photos: Path, monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    code = getattr(errno, number)

    def fail(*args: object) -> int:
        raise OSError(code, os.strerror(code), "a.png")

    monkeypatch.setattr(decoding.os, "open", fail)
    with pytest.raises(og.MachineError, match=rf"0\.png: {os.strerror(code)}") as caught:
        og.imread(photos / "ant" / "0.png")
    assert caught.value.errno == code and not isinstance(caught.value, og.DecodeError)


@pytest.mark.parametrize("number", ["ENOENT", "EACCES", "EPERM", "ELOOP", "ENAMETOOLONG", "ENOTDIR"])
def test_numbers_of_a_file_out_of_reach(photos: Path, monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    code = getattr(errno, number)

    def fail(*args: object) -> int:
        raise OSError(code, os.strerror(code), "a.png")

    monkeypatch.setattr(decoding.os, "open", fail)
    with pytest.raises(og.FileAccessError, match=rf"0\.png: {os.strerror(code)}"):
        og.imread(photos / "ant" / "0.png")


def test_content_is_neither(tmp_path: Path) -> None:
    with pytest.raises(og.ArgumentError, match="path=None: give a path"):
        og.imread(None)  # type: ignore[arg-type]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "b.png"))  # refused with ENXIO, as by a drive without its device
        for name in ("a.png", "b.png"):
            with pytest.raises(og.DecodeError) as caught:
                og.imread(tmp_path / name)
            assert type(caught.value) is og.DecodeError


def test_want_of_memory_is_the_machine_s_unless_the_file_asks_for_more_than_its_limit(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(*args: object) -> None:
        raise MemoryError

    def greedy(*args: object) -> None:
        np.empty((1 << 30, 1 << 30), np.uint8)

    for decoder, kind in ((starve, og.MachineError), (greedy, og.DecodeError)):
        monkeypatch.setattr(decoding, "recognise", decoder)
        with pytest.raises(kind):
            og.imread(photos / "ant" / "0.png")
    step = og.Compose([og.Flip("X")])
    monkeypatch.setattr(og.Flip, "apply", starve)
    with pytest.raises(og.MachineError, match=r"Flip.*not enough memory"):
        step(image=np.zeros((4, 4), np.uint8), key=og.Key(0))
    named = name_file(MemoryError(), "a.png")
    assert isinstance(named, og.MachineError) and str(named) == "a.png: not enough memory"
    again = name_file(named, "b.png")
    assert (
        isinstance(again, og.MachineError)
        and again.errno == errno.ENOMEM
        and str(again).startswith("b.png: a.png")
    )


@pytest.mark.alone
def test_tries_again_for_a_moment_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def third(good: int) -> str:
        tries.append(1)
        if len(tries) < good:
            raise og.MachineError("gone", OSError(errno.EIO, "gone"))
        return "made"

    assert with_retries(lambda: third(3)) == "made" and len(tries) == 3
    tries.clear()
    with pytest.raises(og.MachineError):
        with_retries(lambda: third(4))
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr(machine, "PAUSES", (60.0,))
    stop, started = threading.Event(), time.perf_counter()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(og.MachineError):
        with_retries(lambda: third(9), stop)
    assert len(tries) == 1 and time.perf_counter() - started < 5


# ---- builds


def gone(root: Path) -> None:
    root.rename(root.with_name("gone"))


def replaced(root: Path) -> None:
    """What unmounting leaves: the empty folder that the drive was mounted on."""
    gone(root)
    root.mkdir()


@pytest.mark.parametrize("away", [gone, replaced])
@pytest.mark.parametrize("format", ["folder", "tfrecord"])
def test_a_drive_that_goes_away_and_comes_back(
    tmp_path: Path, away: Callable[[Path], None], format: str
) -> None:
    root = class_folder(tmp_path / "in", each=4)
    build(root, tmp_path / "undisturbed", format=format)
    made = Hooked(recipe(), 7, lambda: away(root))
    with pytest.raises(
        og.MachineError, match=r"out: stopped, .*out of reach|another folder.*run the same build again"
    ):
        build(root, tmp_path / "out", made, format=format)
    assert not (tmp_path / "out" / "manifest.json").exists()
    if root.exists():
        root.rmdir()
    (tmp_path / "gone").rename(root)
    report = build(root, tmp_path / "out", format=format)
    assert not report.quarantined and report.resumed
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


def test_a_drive_that_fails_while_its_files_are_listed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = og.open_source(photos), os.stat

    def stat(path: str | Path, **options: Any) -> os.stat_result:
        if str(path).endswith("1.jpg"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(
        og.MachineError, match=r"out: stopped, .*1\.jpg: Input/output error\. .*run the same build again"
    ):
        build(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_masks_and_links_on_a_drive_that_goes_away(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path / "in")
    (tmp_path / "drive").mkdir()
    masks.rename(tmp_path / "drive" / "masks")
    (tmp_path / "links").mkdir()
    for path in images.iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    pairs = og.open_source(images, masks=tmp_path / "drive" / "masks")
    farm = og.open_source(tmp_path / "links")
    made = recipe()
    for number, (source, part) in enumerate(((farm, images), (pairs, tmp_path / "drive" / "masks"))):
        out = tmp_path / f"out{number}"
        with pytest.raises(og.MachineError, match=r"where it links to, is gone|masks is out of reach"):
            build(source, out, Hooked(made, 2, lambda part=part: gone(part)))
        part.with_name("gone").rename(part)
        again = build(source, out, made)
        assert not again.quarantined and again.examples == 6 and not again.repaired
        build(source, tmp_path / f"whole{number}", made)
        assert tree(out) == tree(tmp_path / f"whole{number}")


def test_a_missing_file_is_tried_again_and_the_rest_stays(photos: Path, tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", each=4)
    build(root, tmp_path / "undisturbed")
    target = root / "bee" / "1.jpg"

    made = Hooked(recipe(), 3, lambda: target.rename(tmp_path / "away.jpg"))
    report = build(root, tmp_path / "out", made)
    assert [(bad.name, bad.retry) for bad in report.quarantined] == [
        ("bee/1.jpg", True)
    ] and report.waiting == 1
    assert "run the same build again" in report.summary()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["quarantine"] == [
        {"copies": [0], "name": "bee/1.jpg", "reason": "No such file or directory", "retry": True}
    ]
    (tmp_path / "away.jpg").rename(target)
    again = build(root, tmp_path / "out")
    assert not again.quarantined and again.resumed == 9 and not again.repaired
    assert "written again" not in again.summary() and "finished and whole" not in again.summary()
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")
    assert "finished and whole" in build(root, tmp_path / "out").summary()


@pytest.mark.filterwarnings("ignore:.*not in the table's folder")
def test_a_file_that_stays_missing_costs_nothing_and_is_not_called_whole(tmp_path: Path) -> None:
    image_file(tmp_path / "in" / "a.png", np.zeros((30, 30, 3), np.uint8))
    (tmp_path / "in" / "t.csv").write_text("path\na.png\nb.png\n")
    for _ in range(2):
        report = build(tmp_path / "in" / "t.csv", tmp_path / "out")
        assert report.examples == 1 and report.waiting == 1 and not report.repaired
        assert "already finished and whole" not in report.summary()
    stamp = (tmp_path / "out" / "images" / "a__0.png").stat().st_mtime_ns
    build(tmp_path / "in" / "t.csv", tmp_path / "out")
    assert (tmp_path / "out" / "images" / "a__0.png").stat().st_mtime_ns == stamp


def test_what_is_said_of_a_mask_does_not_depend_on_where_it_lies(tmp_path: Path) -> None:
    for home in ("here", "there"):
        images, masks = paired_folder(tmp_path / home, 3)
        image_file(masks / "1.png", np.zeros((9, 9), np.uint8))
        (masks / "2.png").write_bytes(b"")
        build(og.open_source(images, masks=masks), tmp_path / home / "out", max_bad="100%")
    written = (tmp_path / "here" / "out" / "quarantine.csv").read_text()
    assert "mask 1.png: a mask of (9, 9)" in written and "mask 2.png: the file is empty" in written
    assert tree(tmp_path / "here" / "out") == tree(tmp_path / "there" / "out")


def test_records_of_an_older_build_stay_set_aside(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", each=2, bad=True)
    build(root, tmp_path / "out")
    before = tree(tmp_path / "out")
    assert not any(
        b'"retry"' in data for data in before.values()
    )  # refused for their content: no mark, as before
    assert "already finished and whole" in build(root, tmp_path / "out").summary()
    assert tree(tmp_path / "out") == before


def test_a_drive_below_the_source_is_unmounted(tmp_path: Path) -> None:
    """A class folder on its own drive, whose mount point remains, empty."""
    root = class_folder(tmp_path / "in", each=3)
    drive, mount = root / "dog", shutil.which("mount")
    drive.mkdir()
    command = [mount or "", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(drive)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    unmount = ["umount", "-l", str(drive)]
    try:
        for number in range(3):
            image_file(drive / f"{number}.png", np.full((30, 30, 3), number, np.uint8))
        build(root, tmp_path / "undisturbed")
        made = Hooked(
            recipe(), 10, lambda: subprocess.run(unmount, check=True)
        )  # the first image of the drive is made
        with pytest.raises(og.MachineError, match="in/dog is out of reach: it is another folder than it was"):
            build(root, tmp_path / "out", made)
        subprocess.run(command, check=True)
        for number in range(3):
            image_file(drive / f"{number}.png", np.full((30, 30, 3), number, np.uint8))
        assert not build(root, tmp_path / "out").quarantined
        assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")
    finally:
        subprocess.run(unmount, capture_output=True, check=False)


@pytest.mark.filterwarnings("ignore:.*not in the table's folder")
def test_a_file_that_comes_after_the_first_run_is_taken(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        image_file(tmp_path / "in" / name, np.full((30, 30, 3), ord(name[0]), np.uint8))
    (tmp_path / "in" / "t.csv").write_text("path\na.png\nb.png\nc.png\n")
    build(tmp_path / "in" / "t.csv", tmp_path / "undisturbed")
    (tmp_path / "in" / "b.png").rename(tmp_path / "away.png")
    assert build(tmp_path / "in" / "t.csv", tmp_path / "out").waiting == 1
    (tmp_path / "away.png").rename(tmp_path / "in" / "b.png")
    assert build(tmp_path / "in" / "t.csv", tmp_path / "out").examples == 3
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")
    (tmp_path / "in" / "b.png").write_bytes(b"another one")
    with pytest.raises(og.BuildError, match=r"1 file changed in size, label or mask \(b\.png\)"):
        build(tmp_path / "in" / "t.csv", tmp_path / "out")


def test_a_drive_written_to_that_does_not_answer_is_tried_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(photos, tmp_path / "undisturbed")
    real, left = Path.replace, [2]

    def replace(self: Path, target: Path) -> Path:
        if left[0] and target.suffix == ".png":
            left[0] -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    build(photos, tmp_path / "out")
    assert left == [0] and tree(tmp_path / "out") == tree(tmp_path / "undisturbed")
    left[0] = 10**6
    with pytest.raises(
        og.BuildError, match=r"cannot write images/.*: Stale file handle; fix that and run the same"
    ):
        build(photos, tmp_path / "other")
    left[0] = 0
    build(photos, tmp_path / "other")
    assert tree(tmp_path / "other") == tree(tmp_path / "undisturbed")


def test_no_more_threads_and_no_memory_where_it_is_written(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(
            og.MachineError, match=r"out: stopped, .*can't start new thread: use fewer than 1 threads"
        ):
            build(photos, tmp_path / "out")
        with pytest.raises(og.MachineError, match="can't start new thread"):
            list(og.Loader(photos, recipe(), threads=1))
    with monkeypatch.context() as patched:

        def starve(*args: object) -> None:
            raise MemoryError

        patched.setattr(FolderFormat, "write", starve)
        with pytest.raises(
            og.MachineError, match=r"out: stopped, .*not enough memory.*run the same build again"
        ):
            build(photos, tmp_path / "out")
    assert build(photos, tmp_path / "out").examples == 12


def test_a_pause_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = class_folder(tmp_path / "in", each=4)
    (tmp_path / "r.yaml").write_text(recipe().to_yaml())
    monkeypatch.setattr(machine, "PAUSES", (600.0,))
    read_by_python(monkeypatch)
    real, tries = Source.read, []

    def read(self: og.Source, index: int) -> object:
        if index == 0:  # the first of its piece: the file of one before it could be missed first
            tries.append(index)
            if len(tries) == 1:
                root.rename(tmp_path / "gone")
            else:
                threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        return real(self, index)

    monkeypatch.setattr(Source, "read", read)
    started = time.perf_counter()
    with pytest.raises(SystemExit) as left:
        cli.main(
            ["build", str(root), str(tmp_path / "out"), "-r", str(tmp_path / "r.yaml"), "--workers", "2"]
        )
    assert (
        left.value.code == 130 and time.perf_counter() - started < 30 and len(tries) == 2
    )  # with others, then alone
    assert "run the same command again" in capsys.readouterr().err


STARVED = """
import resource, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import offgraph as og
from tests.support.made import recipe
from offgraph.core import machine
from offgraph.dataset import build

machine.PAUSES = (0.01,)


class Starving(og.Compose):
    calls = 0

    def run(self, *args, **kwargs):
        done = super().run(*args, **kwargs)
        Starving.calls += 1
        if Starving.calls == 8:
            until = time.monotonic() + 20  # some examples are finished, however busy the machine is
            while not list(Path(sys.argv[3]).glob("samples/*.jsonl")) and time.monotonic() < until:
                time.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return done


try:
    og.build(sys.argv[2], sys.argv[3], Starving(recipe().items), workers=1, shard_size=3)
except og.OffgraphError as error:
    print(type(error).__name__, error)
"""


def test_file_handles_run_out(photos: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        STARVED,
        str(Path(__file__).parents[2]),
        str(photos),
        str(tmp_path / "out"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Too many open files" in said and "run the same build again" in said
    report = build(photos, tmp_path / "out")
    assert not report.quarantined and 0 < report.resumed < 12
    build(photos, tmp_path / "undisturbed")
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


def test_the_loader_does_not_skip_for_the_machine(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", each=2)
    loader = og.Loader(root, recipe(), batch_size=1, threads=1, on_error="skip", prefetch=1)
    loader.specs()
    gone(root)
    with pytest.raises(og.MachineError, match="out of reach"):
        list(loader)
    assert not loader.skipped


# ---- how many are too many


@pytest.mark.parametrize(
    ("given", "bad", "total", "exceeded"),
    [
        ("5%", 5, 100, False), ("5%", 6, 100, True), (0.05, 1, 19, True), ("0.5", 1, 2, False), (3, 3, 4, False),
        ("3", 4, 1000, True), (0, 1, 10, True), ("100%", 9, 9, False), (1.0, 9, 9, False), ("2.5 %", 1, 40, False),
        # In floats 0.29 * 100 is less than 29, and 33.3 / 100 less than 0.333.
        ("29%", 29, 100, False), (0.29, 30, 100, True), ("33.3%", 333, 1000, False), ("33.3%", 334, 1000, True),
    ],
)  # fmt: skip
def test_shares_and_numbers(given: object, bad: int, total: int, exceeded: bool) -> None:
    assert MaxBad.of(given).exceeded(bad, total) is exceeded


@pytest.mark.parametrize(
    "given", ["5 percent", "-1", -1, 1.5, "101%", True, None, float("nan"), "", "1.2.3%"]
)
def test_limits_that_are_none(photos: Path, tmp_path: Path, given: object) -> None:
    with pytest.raises(og.BuildError, match=r"max_bad=.*'5%'"):
        build(photos, tmp_path / "out", max_bad=given)


def test_too_many_bad_files_end_the_build_and_more_patience_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = class_folder(tmp_path / "in", each=4, bad=True)
    (tmp_path / "recipe.yaml").write_text(recipe().to_yaml())
    out = tmp_path / "out"
    command = ["build", str(root), str(out), "--recipe", str(tmp_path / "recipe.yaml"), "--max-bad"]
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "10%"])
    said = capsys.readouterr().err
    assert (
        left.value.code == 1
        and f"2 of 14 images are bad (all so far in {out / 'quarantine.csv'}), more than --max-bad=10 %"
        in said
    )
    assert "cat/text.jpg: " in said and not (out / "manifest.json").exists()
    with (out / "quarantine.csv").open(encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)] == ["ant/cut.png", "cat/text.jpg"]
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "15%"])
    assert left.value.code == 0
    assert "2 images could not be used, 14.3% of them; up to 15 % are allowed" in capsys.readouterr().out
    with (out / "quarantine.csv").open(encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)] == ["ant/cut.png", "cat/text.jpg"]
    with pytest.raises(og.BuildError, match="max_bad=1 allows"):
        og.build(root, out, recipe(), max_bad=1)
    assert (out / "manifest.json").exists()  # a finished dataset is not taken back
