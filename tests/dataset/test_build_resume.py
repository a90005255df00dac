"""A build that is killed, starved of disk or damaged ends with the bytes of an undisturbed one, or says why not."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import DATASETS, INSTALLED, class_folder, needs_pyarrow, recipe, tree

import offgraph as og

BUILD = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import offgraph as og
from tests.support.made import recipe

src, out, format, *moments = sys.argv[2:]
real, left = os.fsync, 0


def fsync(handle):
    # Killed just before file number `left` is brought onto the disk: a moment between any two writes.
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.002)  # as slow as a disk is, so that a kill at any time finds the build at work
    real(handle)


def build():
    og.build(src, out, recipe(), format=format, copies=3, workers=2, shard_size=9)


os.fsync = fsync
if not moments:
    build()
elif format == "tfrecord":
    import tensorflow
for moment in moments:
    # Each build is a process of its own, which does not import everything again.
    left = int(moment)
    child = os.fork()
    if child == 0:
        build()
        os._exit(0)
    print(os.waitpid(child, 0)[1], os.path.exists(os.path.join(out, "manifest.json")), flush=True)
"""


def command(photos: Path, out: Path, format: str, moments: Sequence[int] = ()) -> list[str]:
    here = str(Path(__file__).parents[2])
    return [sys.executable, "-c", BUILD, here, str(photos), str(out), format, *map(str, moments)]


def start(photos: Path, out: Path, format: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(photos, out, format), stderr=subprocess.PIPE)


def kill_at(moments: Sequence[int], photos: Path, out: Path, format: str) -> None:
    """One build after the other, each killed at its moment and going on where the one before it was."""
    run = subprocess.run(
        command(photos, out, format, moments), capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout.splitlines() == [f"{int(signal.SIGKILL)} False"] * len(moments), run.stdout + run.stderr


def finish(photos: Path, out: Path, format: str) -> og.BuildReport:
    return og.build(photos, out, recipe(), format=format, copies=3, workers=1, shard_size=9)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"), each=30, bad=True)


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    root = tmp_path_factory.mktemp("undisturbed")
    for format in INSTALLED:
        finish(photos, root / format, format)
    return {format: tree(root / format) for format in INSTALLED}


def test_killed_at_any_time_it_goes_on(
    photos: Path, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    out, chance = tmp_path / "out", random.Random(20)
    for _ in range(5):
        done = len(list((out / "samples").glob("*.jsonl"))) if out.exists() else 0
        process = start(photos, out, "folder")
        # The start takes most of the time, so the clock runs from the first sign of work.
        while process.poll() is None and len(list(out.glob("samples/*.jsonl"))) <= done:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.006))  # the whole takes some 60 ms
        process.kill()
        assert process.wait() == -signal.SIGKILL, process.stderr and process.stderr.read()
        assert not (out / "manifest.json").exists()
    report = finish(photos, out, "folder")
    assert 0 < report.resumed < report.examples == 270
    assert tree(out) == undisturbed["folder"]


@pytest.mark.parametrize(
    ("format", "moments"),
    [
        ("folder", (1, 2, 40)),
        ("tfrecord", (2, 3)),
        ("webdataset", (2, 3, 5)),
        pytest.param("arrow", (2, 3), marks=needs_pyarrow),
    ],
)
def test_killed_between_two_writes_it_goes_on(
    photos: Path,
    tmp_path: Path,
    undisturbed: dict[str, dict[str, bytes]],
    format: str,
    moments: tuple[int, ...],
) -> None:
    out = tmp_path / "out"
    kill_at(moments, photos, out, format)
    assert finish(photos, out, format).examples == 270
    assert tree(out) == undisturbed[format]


def test_a_run_without_a_kill_finishes_in_its_own_process(
    photos: Path, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    process = start(photos, tmp_path / "out", "folder")
    assert process.wait() == 0
    assert tree(tmp_path / "out") == undisturbed["folder"]


@pytest.mark.parametrize("format", DATASETS)
def test_what_is_damaged_is_written_again(
    photos: Path, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]], format: str
) -> None:
    out = tmp_path / "out"
    finish(photos, out, format)
    victim = out / "images/bee/4__1.png" if format == "folder" else next(out.glob("*00003-of*"))
    victim.write_bytes(victim.read_bytes()[:-1])
    (out / "samples" / "00001.jsonl").write_text("{}\n")
    report = finish(photos, out, format)
    assert len(report.repaired) == 2 and any(victim.name in what for what in report.repaired)
    assert report.resumed >= report.examples - 18
    assert tree(out) == undisturbed[format]


@pytest.mark.parametrize(
    ("format", "names"),
    [
        ("folder", ["labels.csv", "quarantine.csv", "manifest.json"]),
        ("tfrecord", ["features.json", "quarantine.csv", "manifest.json"]),
    ],
)
def test_what_stands_beside_the_examples_is_mended(
    photos: Path, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]], format: str, names: list[str]
) -> None:
    out = tmp_path / "out"
    finish(photos, out, format)
    (out / names[0]).unlink()
    (out / names[1]).write_bytes(b"path,reason\n")
    (out / names[2]).write_bytes(b"")
    with pytest.raises(
        og.BuildError, match=r"manifest\.json: cannot be read.*run the build again to repair it"
    ):
        og.Loader(out)
    report = finish(photos, out, format)
    assert [what.split()[0] for what in report.repaired] == names and report.resumed == report.examples
    assert "written again: manifest.json" in report.summary()
    assert tree(out) == undisturbed[format]
    assert "already finished and whole" in finish(photos, out, format).summary()


def test_a_kill_costs_few_files_unless_more_are_asked_for(photos: Path, tmp_path: Path) -> None:
    made = recipe()
    stop_at = og.Key(0, 1, 80)

    class Killed(og.Compose):
        def run(self, *args: object, **kwargs: object) -> og.Result:
            if args[1] == stop_at:
                raise KeyboardInterrupt
            return made.run(*args, **kwargs)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        og.build(photos, tmp_path / "out", Killed(made.items), copies=2, workers=1)
    assert og.build(photos, tmp_path / "out", made, copies=2, workers=1).resumed >= 120


@pytest.mark.parametrize("format", DATASETS)
def test_a_build_that_finished_nothing_leaves_its_folder_free(
    photos: Path, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]], format: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(og.BuildError, match=r"could be used|takes none of"):  # Arrow asks for one shape first
        og.build(photos, out, og.Compose([og.CenterCrop((500, 500))]), format=format)
    assert finish(photos, out, format).resumed == 0
    assert tree(out) == undisturbed[format]


def test_a_build_stopped_in_its_first_block_leaves_its_folder_free(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(og.BuildError, match="on_error='stop'"):
        og.build(photos, out, og.Compose([og.Flip("Y")]), on_error="stop", workers=1)
    assert len(list(out.glob("images/ant/*.png"))) > 3
    (out / "images" / "mine.txt").write_text("kept")
    og.build(photos, out, og.Compose([og.Rescale(0.5)]), store="final", workers=1)
    assert not list(out.rglob("*.png")) and (out / "images" / "mine.txt").read_text() == "kept"


def test_half_of_a_dataset_is_not_taken_for_one(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kill_at([40], photos, out, "folder")
    with pytest.raises(og.BuildError, match="its build is not finished: run it again"):
        og.Loader(out)
    with pytest.raises(og.BuildError, match="unfinished build of something else: seed was 0, now 4"):
        og.build(photos, out, recipe(), copies=3, seed=4, shard_size=9)


def test_other_libraries_are_refused_while_unfinished(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    finish(photos, out, "folder")
    job = (out / "build.json").read_text()
    (out / "build.json").write_text(job.replace(f'"numpy":"{np.__version__}"', '"numpy":"1.0"'))
    assert finish(photos, out, "folder").resumed == 270  # finished: its bytes are there, whoever made them
    (out / "manifest.json").unlink()
    with pytest.raises(og.BuildError, match=r"numpy was 1\.0, now "):
        finish(photos, out, "folder")


def test_a_file_that_changes_while_the_build_runs_is_noticed(tmp_path: Path) -> None:
    photos = class_folder(tmp_path / "in", each=2)
    made = recipe()
    target = photos / "bee" / "0.png"

    class Meddling(og.Compose):
        def run(self, *args: object, **kwargs: object) -> og.Result:
            done = made.run(*args, **kwargs)  # type: ignore[arg-type]
            if args[1] == og.Key(0, 1, 2):  # the second copy of bee/0.png, after the first was written
                data = bytearray(target.read_bytes())
                data[-5] ^= 1
                target.write_bytes(data)
            return done

    with pytest.raises(og.BuildError, match=r"bee/0\.png changed while the build ran"):
        og.build(photos, tmp_path / "out", Meddling(made.items), copies=2, workers=1)


# ---- the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB; mounting one needs rights that a test run may not have."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"mounting a small file system is not allowed here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("format", DATASETS)
def test_full_disk(
    photos: Path, small_disk: Path, undisturbed: dict[str, dict[str, bytes]], format: str
) -> None:
    ballast, out = small_disk / "ballast", small_disk / "out"
    ballast.write_bytes(bytes(300_000))
    with pytest.raises(og.BuildError, match=r"out: cannot write .*No space left.*free some space") as caught:
        finish(photos, out, format)
    assert "\n" not in str(caught.value) and str(caught.value).count(str(out)) == 1
    assert not (out / "manifest.json").exists()
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    assert finish(photos, out, format).examples == 270
    assert tree(out) == undisturbed[format]


def test_dry_run_knows_the_free_space(photos: Path, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(380_000))
    with pytest.raises(og.BuildError, match=r"needs about \d+ bytes, but only \d+ are free"):
        og.build(photos, small_disk / "out", recipe(), copies=3, dry_run=True)


def test_read_only_disk(photos: Path, small_disk: Path) -> None:
    (small_disk / "there").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for name in ("new", "there"):
        with pytest.raises(
            og.BuildError, match=rf"{name}: cannot write .*Read-only file system; choose a folder"
        ):
            og.build(photos, small_disk / name, recipe())


def test_manifest_is_json_with_sorted_keys(undisturbed: dict[str, dict[str, bytes]]) -> None:
    for files in undisturbed.values():
        manifest = json.loads(files["manifest.json"])
        assert list(manifest) == sorted(manifest)
