"""Folders of cached images that are damaged, cut short, forged, full, or used by processes that die."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.loading.test_rows import same
from tests.support.made import paired_folder

import offgraph as og
from offgraph.core import machine
from offgraph.loading import cache_folder
from offgraph.loading.cache_folder import CacheFolder

STEPS = [og.Resize((12, 10)), og.Augment(og.Flip("X", p=0.5))]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> og.Source:
    images, masks = paired_folder(tmp_path_factory.mktemp("pairs"), 5)
    return og.open_source(images, masks=masks)


@pytest.fixture(scope="module")
def want(source: og.Source) -> list[og.Batch]:
    return list(og.Loader(source, STEPS, batch_size=2).epoch(1))


@pytest.fixture(scope="module")
def whole(source: og.Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all images, in one pair of files."""
    where = tmp_path_factory.mktemp("whole") / "c"
    list(og.Loader(source, STEPS, batch_size=2, threads=1).cache(where))
    return where


def loader(source: og.Source, where: Path, **options: Any) -> og.Loader:
    return og.Loader(source, STEPS, batch_size=2, threads=1).cache(where, **options)


def check(source: og.Source, where: Path, want: list[og.Batch]) -> og.Loader:
    """A loader over the folder gives the right batches, now and after it made again what was damaged."""
    cached = loader(source, where)
    for _ in range(2):
        assert all(same(a, b) for a, b in zip(want, cached.epoch(1), strict=True))
        info = cached.cache_info()
        assert info is not None and info.images == 5
        cached = loader(source, where)
    list(cached)
    return cached


def files(where: Path) -> tuple[Path, Path]:
    (data,), (index,) = sorted(where.glob("*/*.data")), sorted(where.glob("*/*.index"))
    return data, index


def test_the_files_are_as_they_are_described(whole: Path) -> None:
    data, index = files(whole)
    records = index.read_bytes()
    assert len(records) == 5 * 80 and data.stem == index.stem
    end = 0
    for start in range(0, len(records), 80):
        _, _, offset, length, head, digest = struct.unpack("<16s16sQQI4x16s", records[start : start + 72])
        assert offset == end
        end = offset + length
        stored = data.read_bytes()[offset:end]
        assert hashlib.blake2b(stored, digest_size=16).digest() == digest
        said = json.loads(stored[:head])
        assert said["image"] == [[12, 10, 3], "uint8", "YXC"] and said["start"] == [
            [32, 40, 3],
            "uint8",
            "YXC",
        ]
        assert said["mask"] == [[32, 40], "uint16", "YX"] and said["size"] == [32, 40]
    assert end == data.stat().st_size


def test_cut_files(source: og.Source, want: list[og.Batch], whole: Path, tmp_path: Path) -> None:
    data, index = files(whole)
    for number, share in enumerate((0.0, 0.1, 0.37, 0.8, 0.999)):
        for name in (data, index):
            where = tmp_path / f"{number}{name.suffix}"
            shutil.copytree(whole, where)
            cut = where / name.relative_to(whole)
            os.truncate(cut, int(cut.stat().st_size * share))
            check(source, where, want)


def test_a_missing_file_of_two(source: og.Source, want: list[og.Batch], whole: Path, tmp_path: Path) -> None:
    for name in files(whole):
        where = tmp_path / name.suffix
        shutil.copytree(whole, where)
        (where / name.relative_to(whole)).unlink()
        check(source, where, want)


def test_changed_bytes(source: og.Source, want: list[og.Batch], whole: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    where = tmp_path / "c"
    found = set()
    for trial in range(40):
        shutil.copytree(whole, where)
        name = files(where)[trial % 2]
        stored = bytearray(name.read_bytes())
        for place in rng.integers(0, len(stored), 1 + trial % 3):
            stored[place] ^= 1 << int(rng.integers(8))
        name.write_bytes(stored)
        cached = loader(source, where)
        assert all(same(a, b) for a, b in zip(want, cached.epoch(1), strict=True))
        info = cached.cache_info()
        assert info is not None and info.images == 5
        found.add(info.damaged)
        shutil.rmtree(where)
    assert found >= {0, 1}  # a record is not believed; an image is found to be another, and made again


def forged(
    where: Path, change: Callable[[dict[str, Any]], object], field: tuple[int, int] | None = None
) -> None:
    """Give the first image another description, or its record another number, with digests that fit."""
    data, index = files(where)
    records, stored = bytearray(index.read_bytes()), bytearray(data.read_bytes())
    values: list[Any] = list(struct.unpack("<16s16sQQI4x16s", records[:72]))
    if field is None:
        length, head = values[3], values[4]
        said = json.loads(stored[:head])
        said = change(said) or said
        text = json.dumps(said).encode()
        padded = text.ljust(-(-len(text) // 64) * 64, b"\0")
        pixels = stored[-(-head // 64) * 64 : length]
        values[2], values[3], values[4] = len(stored), len(padded) + len(pixels), len(text)
        stored += padded + pixels
        values[5] = hashlib.blake2b(stored[values[2] :], digest_size=16).digest()
    else:
        values[field[0]] = field[1]
    record = struct.pack("<16s16sQQI4x16s", *values)
    records[:80] = record + hashlib.blake2b(record, digest_size=8).digest()
    data.write_bytes(stored)
    index.write_bytes(records)


def put(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda said: said.update(values)


FORGED = {
    "another shape": (put(image=[[10, 12, 3], "uint8", "YXC"]), None),
    "a shape that is larger than the file": (put(image=[[12, 10**6, 3], "uint8", "YXC"]), None),
    "a negative length": (put(image=[[-12, -10, 3], "uint8", "YXC"]), None),
    "a length that is no number": (put(image=[["12", 10, 3], "uint8", "YXC"]), None),
    "a length that is true": (put(start=[[True, 40, 3], "uint8", "YXC"]), None),
    "objects": (put(image=[[12, 10, 3], "object", "YXC"]), None),
    "a dtype that is no text": (put(image=[[12, 10, 3], ["u1"], "YXC"]), None),
    "floats": (put(image=[[12, 10, 3], "float32", "YXC"]), None),
    "axes twice": (put(image=[[12, 10, 3], "uint8", "YYC"]), None),
    "axes that are none": (put(image=[[12, 10, 3], "uint8", "YXQ"]), None),
    "no spec": (put(image=7), None),
    "no image": (put(image=None), None),
    "a start of another kind": (put(start=[[32, 40], "uint8", "YX"]), None),
    "a start that is too large": (put(start=[[10**6, 10**6, 3], "uint8", "YXC"]), None),
    "a mask of another size": (put(mask=[[40, 32], "uint16", "YX"]), None),
    "a size that is none": (put(size=[1.5, "x"]), None),
    "a conversion that is none": (put(converted=[1]), None),
    "more fields": (put(more=1), None),
    "a list": (lambda said: [said], None),
    "deep": (lambda said: "x", None),
    "an offset beyond the file": (put(), (2, 1 << 60)),
    "an offset whose end wraps": (put(), (2, (1 << 64) - 1)),
    "a length beyond memory": (put(), (3, 1 << 62)),
    "a length of nothing": (put(), (3, 0)),
    "a description that is longer than all": (put(), (4, 1 << 31)),
    "a description of nothing": (put(), (4, 0)),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_records(
    source: og.Source, want: list[og.Batch], whole: Path, tmp_path: Path, name: str
) -> None:
    where = tmp_path / "c"
    shutil.copytree(whole, where)
    forged(where, *FORGED[name])
    cached = loader(source, where)
    assert all(same(a, b) for a, b in zip(want, cached.epoch(1), strict=True))
    assert all(same(a, b) for a, b in zip(want, loader(source, where).epoch(1), strict=True))


def test_a_forged_record_that_fits_is_read(source: og.Source, whole: Path, tmp_path: Path) -> None:
    """The forgery of these tests is refused for what it says, and not for how it is written."""
    where = tmp_path / "c"
    shutil.copytree(whole, where)
    forged(where, put())
    cached = loader(source, where)
    list(cached)
    info = cached.cache_info()
    assert info is not None and info.damaged == 0 and len(list(where.glob("*/*.data"))) == 1


def test_what_is_no_file_is_left_alone(
    source: og.Source, want: list[og.Batch], whole: Path, tmp_path: Path
) -> None:
    where = tmp_path / "c"
    shutil.copytree(whole, where)
    data, index = files(where)
    os.mkfifo(index.with_name("0123456789abcdef.index"))
    (data.with_name("fedcba9876543210.index")).symlink_to(index)
    index.with_name("1111111111111111.index").mkdir()
    shutil.copy(index, index.with_name("2222222222222222.index"))
    os.mkfifo(index.with_name("2222222222222222.data"))
    (data.parent / "notes.txt").write_text("mine")
    check(source, where, want)


def test_a_full_disk(source: og.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PAUSES", (0.01,))
    write = os.pwrite
    room = [3000]

    def short(handle: int, data: Any, offset: int) -> int:
        count = min(len(data), room[0])
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= count
        return write(handle, data[:count], offset)

    monkeypatch.setattr(os, "pwrite", short)
    cached = loader(source, tmp_path / "c")
    with pytest.raises(
        og.MachineError, match=r"c: the disk is full, .* bytes of cached images .*limit="
    ) as raised:
        list(cached)
    assert raised.value.errno == errno.ENOSPC
    room[0] = 10**9
    assert sum(len(batch) for batch in cached) == 5
    again = loader(source, tmp_path / "c")
    assert sum(len(batch) for batch in again) == 5
    info = again.cache_info()
    assert info is not None and info.images == 5 and info.damaged == 0


def test_a_folder_that_cannot_be_written_is_read(
    source: og.Source, want: list[og.Batch], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "c"
    shutil.copytree(whole, where)
    data, index = files(where)
    os.truncate(index, 3 * 80)
    monkeypatch.setattr(cache_folder.os, "access", lambda *_: False)
    cached = loader(source, where)
    assert all(same(a, b) for a, b in zip(want, cached.epoch(1), strict=True))
    info = cached.cache_info()
    assert info is not None and info.images == 3 and info.passed == 2
    assert sorted(where.glob("*/*")) == sorted((data, index))


def test_what_another_process_adds_is_found(
    source: og.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = loader(source, tmp_path / "c"), loader(source, tmp_path / "c")
    list(one)
    monkeypatch.setattr(cache_folder, "_PAUSE", 0.0)
    list(other)
    assert len(list(tmp_path.glob("c/*/*.data"))) == 1  # nothing was made twice


def test_the_limit_counts_what_others_wrote(source: og.Source, whole: Path, tmp_path: Path) -> None:
    where = tmp_path / "c"
    shutil.copytree(whole, where)
    data, index = files(where)
    os.truncate(index, 80)
    cached = loader(source, where, limit=data.stat().st_size + 100)
    list(cached)
    info = cached.cache_info()
    assert info is not None and info.full and info.images == 1 and info.nbytes == data.stat().st_size


def test_each_way_of_making_images_has_its_own(source: og.Source, tmp_path: Path) -> None:
    images, masks = source.root, Path(source[0].mask or "").parent
    where = tmp_path / "c"

    def kept(steps: list[Any], **options: Any) -> int:
        opened = og.open_source(images, masks=masks, **options)
        list(og.Loader(opened, steps, batch_size=2).cache(where))
        return len([folder for folder in where.iterdir() if folder.is_dir()])

    assert kept(STEPS) == 1
    assert (
        kept([og.Resize((12, 10), id="small"), og.Augment(og.Flip("Y", p=0.1))]) == 1
    )  # ids and later steps
    assert kept([og.Resize((12, 11)), *STEPS[1:]]) == 2
    assert kept(STEPS, color="grey") == 3
    assert kept(STEPS, mask_values={1000: 1, 1001: 2, 1002: 3, 1003: 4, 1004: 5}) == 4
    assert kept([]) == 5
    assert kept(STEPS) == 5


def test_names_alone_are_not_the_same_file(tmp_path: Path) -> None:
    """Two sources with files of the same name and size in one cache."""
    for root, value in (("a", 10), ("b", 20)):
        (tmp_path / root).mkdir()
        np.save(tmp_path / root / "0.npy", np.full((6, 6, 3), value, np.uint8))
    os.link(tmp_path / "a" / "0.npy", tmp_path / "a" / "1.npy")
    for root, value in (("a", 10), ("b", 20), ("a", 10)):
        (batch,) = og.Loader(tmp_path / root, []).cache(tmp_path / "c")
        assert (batch.image == value).all()


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05])
def test_a_process_that_is_killed(
    source: og.Source, want: list[og.Batch], tmp_path: Path, seconds: float
) -> None:
    where = tmp_path / "c"
    program = textwrap.dedent(f"""
        import time
        import offgraph as og
        from offgraph.loading.cache_files import ShardWriter
        note = ShardWriter._note
        def slow(writer, record):
            time.sleep(0.02)
            note(writer, record)
            print("kept", flush=True)
        ShardWriter._note = slow
        images, masks = {str(source.root)!r}, {str(Path(source[0].mask or "").parent)!r}
        source = og.open_source(images, masks=masks)
        steps = [og.Resize((12, 10)), og.Augment(og.Flip("X", p=0.5))]
        list(og.Loader(source, steps, batch_size=2, threads=1).cache({str(where)!r}))
        time.sleep(60)
        """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"kept\n"
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    process.stdout.close()
    assert len(list(where.glob("*/*.index"))) == 1
    cached = check(source, where, want)
    info = cached.cache_info()
    assert info is not None and info.damaged == 0


def test_wide_and_odd_arrays_come_back(tmp_path: Path) -> None:
    """Every dtype, also one whose length is no multiple of anything."""
    for number, dtype in enumerate(("uint8", "int16", "uint16", "int32", "float32", "float64")):
        (tmp_path / dtype).mkdir()
        values = np.random.default_rng(number).integers(-100 if dtype[0] != "u" else 0, 100, (5, 7, 3))
        np.save(tmp_path / dtype / "0.npy", values.astype(dtype))
        source = og.open_source(tmp_path / dtype, color="keep")
        plain = og.Loader(source, [])
        for _ in range(2):
            (found,) = og.Loader(source, []).cache(tmp_path / "c")
            (want,) = plain.epoch(0)
            assert found.image.dtype == np.dtype(dtype) and np.array_equal(found.image, want.image)


def test_a_cache_is_pickled_without_what_it_holds_open(source: og.Source, whole: Path) -> None:
    cached = loader(source, whole)
    list(cached)
    folder = cached._samples.cache  # type: ignore[attr-defined]
    assert isinstance(folder, CacheFolder)
    assert set(folder.__getstate__()) == {"folder", "limit", "_own", "_source", "_resumed", "_limits"}
