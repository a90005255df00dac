"""A damaged record file is never taken for a shard's: the shard is made again, to the bytes of a fresh build."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import DATASETS, INSTALLED, class_folder, needs_pyarrow, recipe, rewrite, tree

import offgraph as og

FEW = ["folder", pytest.param("arrow", marks=needs_pyarrow)]
RECORDS = "samples/00000.jsonl"


def build(photos: Path, out: Path, format: str, **options: int) -> og.BuildReport:
    options = {"copies": 2, "shard_size": 7} | options
    return og.build(photos, out, recipe(), format=format, workers=1, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"), each=3, bad=True)


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    for format in INSTALLED:
        build(photos, root / format, format)
    return root


def without_digest(path: Path) -> bytes:
    """A record file as earlier versions wrote it."""
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    assert json.loads(lines[-1]) == {"sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest()}
    return b"".join(lines[:-1])


def earlier(new: Path, out: Path) -> None:
    """Make a dataset one of a version whose record files had no digest in them."""
    shutil.copytree(new, out)
    manifest = json.loads((out / "manifest.json").read_bytes())
    for shard in manifest["shards"]:
        path, entry = out / shard["records"]["file"], shard["records"]
        data = without_digest(path)
        path.write_bytes(data)
        entry["sha256"], entry["bytes"] = hashlib.sha256(data).hexdigest(), len(data)
    (out / "manifest.json").write_text(json.dumps(manifest, sort_keys=True, indent=1) + "\n")


def labels(batch: og.Batch) -> list[int]:
    assert isinstance(batch.label, np.ndarray)
    return batch.label.tolist()


def relabel(data: bytes) -> bytes:
    return data.replace(b'"label":0', b'"label":1', 1)


def redraw(data: bytes) -> bytes:
    """Change one digit of what was drawn."""
    at = data.index(b'"angle":') + len(b'"angle":-')
    return data[:at] + (b"2" if data[at : at + 1] == b"1" else b"1") + data[at + 1 :]


def other_digest(data: bytes) -> bytes:
    at = data.index(b'"source":"') + len(b'"source":"')
    return data[:at] + (b"b" if data[at : at + 1] == b"a" else b"a") + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "label": relabel,
    "record": redraw,
    "sha": other_digest,
    "space": lambda data: data.replace(b",", b", ", 1),
    "end": lambda data: data[:-1],
    "more": lambda data: data + b"\n",
    "own digest": lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:],
    "no digest": lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
    "relabelled without digest": lambda data: relabel(b"".join(data.splitlines(keepends=True)[:-1])),
}


@pytest.mark.parametrize("format", DATASETS)
@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_records_are_made_again(
    photos: Path, whole: Path, tmp_path: Path, format: str, what: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole / format, out)
    data = (out / RECORDS).read_bytes()
    changed = DAMAGE[what](data)
    assert changed != data
    (out / RECORDS).write_bytes(changed)
    report = build(photos, out, format)
    assert report.repaired == (f"{RECORDS} is missing or damaged",) and 0 < report.resumed < report.examples
    assert tree(out) == tree(whole / format)


@pytest.mark.parametrize("format", FEW)
def test_any_bit_that_flips_is_noticed(photos: Path, whole: Path, tmp_path: Path, format: str) -> None:
    out, chance, want = tmp_path / "out", random.Random(3), tree(whole / format)
    shutil.copytree(whole / format, out)
    for _ in range(40):
        name = chance.choice(sorted(name for name in want if name.startswith("samples")))
        data = bytearray(want[name])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (out / name).write_bytes(data)
        assert build(photos, out, format).repaired == (f"{name} is missing or damaged",)
        assert tree(out) == want


@pytest.mark.parametrize("format", FEW)
@pytest.mark.parametrize("what", DAMAGE)
def test_a_killed_build_takes_no_damaged_shard(
    photos: Path, whole: Path, tmp_path: Path, format: str, what: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole / format, out)
    for name in (
        "manifest.json",
        "samples/00001.jsonl",
        "quarantine.csv",
    ):  # as a kill in the second shard leaves it
        (out / name).unlink()
    (out / RECORDS).write_bytes(DAMAGE[what]((out / RECORDS).read_bytes()))
    report = build(photos, out, format)
    assert 0 < report.resumed <= report.examples - 12
    assert tree(out) == tree(whole / format)


def test_a_damaged_shard_alone_still_holds_its_folder(photos: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole / "folder", out)
    for path in sorted((out / "samples").iterdir())[1:]:
        path.unlink()
    (out / "manifest.json").unlink()
    (out / RECORDS).write_bytes(relabel((out / RECORDS).read_bytes()))
    with pytest.raises(og.BuildError, match="unfinished build of something else: copies was 2, now 3"):
        build(photos, out, "folder", copies=3)


@pytest.mark.parametrize("format", FEW)
def test_a_manifest_of_other_records_confirms_nothing(
    photos: Path, whole: Path, tmp_path: Path, format: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole / format, out)
    # The manifest fits a relabelled file, as an earlier version wrote it; the file's own digest does not.
    rewrite(out, relabel((out / RECORDS).read_bytes()))
    assert build(photos, out, format).repaired[0] == f"{RECORDS} is missing or damaged"
    assert tree(out) == tree(whole / format)
    # The file is whole; the manifest names another.
    manifest = (out / "manifest.json").read_bytes()
    digest = hashlib.sha256((out / RECORDS).read_bytes()).hexdigest().encode()
    (out / "manifest.json").write_bytes(manifest.replace(digest, b"0" * 64))
    build(photos, out, format)
    assert tree(out) == tree(whole / format)


@pytest.mark.parametrize("format", DATASETS)
def test_datasets_of_earlier_versions_load_and_are_repaired(
    photos: Path, whole: Path, tmp_path: Path, format: str
) -> None:
    out = tmp_path / "out"
    earlier(whole / format, out)
    before = tree(out)
    new, old = (og.Loader(path, batch_size=4, shuffle=False) for path in (whole / format, out))
    for a, b in zip(new, old, strict=True):
        assert a.image.tobytes() == b.image.tobytes() and labels(a) == labels(b)
        assert list(a.records) == list(b.records)
    report = build(photos, out, format)
    assert not report.repaired and report.resumed == report.examples and tree(out) == before

    (out / RECORDS).write_bytes(relabel((out / RECORDS).read_bytes()))
    report = build(photos, out, format)
    assert report.repaired == (f"{RECORDS} is missing or damaged",) and 0 < report.resumed < report.examples
    repaired, want = tree(out), tree(whole / format)
    assert repaired[RECORDS] == want[RECORDS]
    assert list(map(labels, og.Loader(out, batch_size=4, shuffle=False))) == list(map(labels, new))

    # Without a manifest nothing confirms them: all are made again.
    earlier(whole / format, tmp_path / "killed")
    (tmp_path / "killed" / "manifest.json").unlink()
    assert build(photos, tmp_path / "killed", format).resumed == 0
    assert tree(tmp_path / "killed") == want
