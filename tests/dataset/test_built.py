"""Built datasets: what there is to learn comes back as it was, and a stranger's dataset is refused by name."""

from __future__ import annotations

import csv
import gc
import hashlib
import json
import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import (
    DATASETS,
    INSTALLED,
    class_folder,
    forge,
    image_file,
    paired_folder,
    recipe,
    rewrite,
)

import offgraph as og
from offgraph.dataset import BuiltDataset, output
from offgraph.dataset.example import decode_array, encode_array

SMALL = og.Compose([og.Resize((6, 5))])


def table(root: Path, rows: list[str]) -> Path:
    """A CSV of three images, ``0.png`` to ``2.png``; the rows go on after the path."""
    for number in range(3):
        image_file(root / f"{number}.png", np.full((8, 8, 3), 40 * number, np.uint8))
    lines = [rows[0], *(f"{number}.png,{row}" for number, row in enumerate(rows[1:]))]
    (root / "t.csv").write_text("path," + "\n".join(lines) + "\n", encoding="utf-8")
    return root / "t.csv"


# ---- what there is to learn


@pytest.mark.parametrize("format", DATASETS)
def test_several_labels_come_back(tmp_path: Path, format: str) -> None:
    source = og.open_source(table(tmp_path / "in", ["label", "cat|dog", "", "dog"]), task="multilabel")
    report = og.build(source, tmp_path / "out", SMALL, format=format)
    assert report.classes == {"cat": 1, "dog": 2}
    dataset = BuiltDataset(tmp_path / "out")
    assert (dataset.task, dataset.class_names, dataset.has_masks) == ("multilabel", ("cat", "dog"), False)
    stored = {dataset.read(i).name: dataset.read(i).label for i in range(3)}
    assert stored == {"0.png": (0, 1), "1.png": (), "2.png": (1,)}
    assert dataset.labels is not None and dataset.labels.dtype == np.float32
    by_name = {dataset.line(i)["name"]: dataset.labels[i].tolist() for i in range(3)}
    assert by_name == {"0.png": [1, 1], "1.png": [0, 0], "2.png": [0, 1]}
    assert "already finished and whole" in og.build(source, tmp_path / "out", SMALL, format=format).summary()
    if format == "folder":
        with (tmp_path / "out" / "labels.csv").open(encoding="utf-8", newline="") as file:
            assert [row["label"] for row in csv.DictReader(file)] == ["cat|dog", "", "dog"]
        back = og.open_source(tmp_path / "out" / "labels.csv", task="multilabel")
        assert [item.label for item in back] == [(0, 1), (), (1,)]


@pytest.mark.parametrize("format", DATASETS)
def test_numbers_come_back_exactly(tmp_path: Path, format: str) -> None:
    path = table(tmp_path / "in", ["age,mask size", "0.1,1e-30", "-2.5,3", "33,7.25"])
    source = og.open_source(path, task="regress")
    report = og.build(source, tmp_path / "out", SMALL, format=format)
    assert report.classes == {} and report.examples == 3
    dataset = BuiltDataset(tmp_path / "out")
    assert (dataset.task, dataset.class_names) == ("regress", ()) and dataset.target_names == (
        "age",
        "mask size",
    )
    want = {"0.png": (0.1, 1e-30), "1.png": (-2.5, 3.0), "2.png": (33.0, 7.25)}
    assert {dataset.read(i).name: dataset.read(i).label for i in range(3)} == want
    assert (
        dataset.labels is not None and dataset.labels.dtype == np.float64 and dataset.labels.shape == (3, 2)
    )
    if format == "folder":
        with (tmp_path / "out" / "labels.csv").open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file))
        assert (row["age"], row["mask size"], row["source"]) == ("0.1", "1e-30", "0.png")


@pytest.mark.parametrize("format", DATASETS)
def test_a_loader_gives_the_labels_of_the_source(tmp_path: Path, format: str) -> None:
    several = og.open_source(table(tmp_path / "m", ["label", "cat|dog", "", "dog"]), task="multilabel")
    numbers = og.open_source(table(tmp_path / "r", ["age,size", "0.1,1", "-2.5,3", "33,7"]), task="regress")
    for number, source in enumerate((several, numbers)):
        out = tmp_path / str(number)
        og.build(source, out, SMALL, format=format)  # type: ignore[arg-type]
        live, built = (next(iter(og.Loader(s, SMALL, batch_size=3, shuffle=False))) for s in (source, out))
        order = [BuiltDataset(out).line(int(i))["index"] for i in built.index]
        assert built.label.dtype == np.float32 and np.array_equal(built.label, live.label[order])


def test_another_task_is_another_build(tmp_path: Path) -> None:
    path = table(tmp_path / "in", ["label", "1", "2", "3"])
    og.build(og.open_source(path, task="classify"), tmp_path / "out", SMALL)
    with pytest.raises(
        og.BuildError, match=r"task was 'classify', now 'regress'; target names was \[\], now \['label'\]"
    ):
        og.build(og.open_source(path, task="regress"), tmp_path / "out", SMALL)


def test_a_target_called_as_a_column_of_ours_and_a_class_with_a_separator(tmp_path: Path) -> None:
    path = table(tmp_path / "in", ["copy", "1", "2", "3"])
    og.build(og.open_source(path, task="regress", targets=["copy"]), tmp_path / "out", SMALL)
    header = (tmp_path / "out" / "labels.csv").read_text().splitlines()[0]
    assert header == "path,copy (target),mask,source,copy"
    flags = table(tmp_path / "flags", ['"a|b",c', "1,1", "0,1", "0,0"])
    og.build(og.open_source(flags, task="multilabel"), tmp_path / "listed", SMALL)
    with (tmp_path / "listed" / "labels.csv").open(encoding="utf-8", newline="") as file:
        assert [json.loads(row["label"]) for row in csv.DictReader(file)] == [["a|b", "c"], ["c"], []]


def test_features_of_tfrecords_by_task(tmp_path: Path) -> None:
    import tensorflow as tf

    regress = og.open_source(table(tmp_path / "r", ["age", "1.5", "2", "3"]), task="regress")
    several = og.open_source(table(tmp_path / "m", ["label", "cat|dog", "", "dog"]), task="multilabel")
    for name, source in (
        ("r", regress),
        ("m", several),
        ("c", og.open_source(class_folder(tmp_path / "c", 1))),
    ):
        og.build(source, tmp_path / f"out-{name}", SMALL, format="tfrecord")
    described = {n: json.loads((tmp_path / f"out-{n}" / "features.json").read_text()) for n in "rmc"}
    assert set(described["r"]) - set(described["c"]) == {"targets"}
    assert set(described["m"]) - set(described["c"]) == {"labels"}
    assert described["r"]["targets"]["dtype"] == "float" and described["m"]["labels"]["dtype"] == "int64"
    for name, feature, want in (("r", "targets", [[1.5], [2.0], [3.0]]), ("m", "labels", [[], [0, 1], [1]])):
        kind = {"r": tf.float32, "m": tf.int64}[name]
        shards = [str(path) for path in (tmp_path / f"out-{name}").glob("*.tfrecord")]
        spec = {feature: tf.io.FixedLenSequenceFeature([], kind, allow_missing=True)}
        found = [
            tf.io.parse_single_example(r, spec)[feature].numpy().tolist()
            for r in tf.data.TFRecordDataset(shards)
        ]
        assert sorted(found) == want


def test_masks_of_the_whole(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path / "in", 3)
    og.build(og.open_source(images, masks=masks), tmp_path / "out", SMALL)
    dataset = BuiltDataset(tmp_path / "out")
    assert dataset.has_masks and dataset.task == "segment" and dataset.labels is None
    (masks / "1.png").unlink()
    partly = og.open_source(images, masks=masks, missing_mask="background")
    og.build(partly, tmp_path / "partly", SMALL)
    dataset = BuiltDataset(tmp_path / "partly")
    assert dataset.has_masks and [dataset.line(i)["mask"] is not None for i in range(3)] == [True] * 3
    loader = og.Loader(tmp_path / "partly", batch_size=1)
    assert loader.has_masks and next(iter(loader)).mask.shape == (1, 6, 5)  # type: ignore[union-attr]


def test_a_manifest_of_an_older_version_is_read_and_stays(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", each=1)
    og.build(root, tmp_path / "out", SMALL)
    for name in ("manifest.json", "build.json"):
        path = tmp_path / "out" / name
        value = json.loads(path.read_bytes())
        for key in ("task", "target_names", "has_masks"):
            del value[key]
        path.write_bytes(output.json_bytes(value))
    old = (tmp_path / "out" / "manifest.json").read_bytes()
    dataset = BuiltDataset(tmp_path / "out")
    assert dataset.task == "classify" and not dataset.has_masks and len(dataset) == 3
    report = og.build(root, tmp_path / "out", SMALL)
    assert "already finished and whole" in report.summary()
    assert (tmp_path / "out" / "manifest.json").read_bytes() == old


def test_names_that_are_no_text_stand_in_json_for_every_reader(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.png")
    for name in (odd, r"literal\xe9.png", "😀.png"):
        image_file(tmp_path / "in" / "a" / name, np.zeros((4, 4), np.uint8))
    image_file(tmp_path / "in" / "b" / "1.png", np.zeros((4, 4), np.uint8))
    og.build(tmp_path / "in", tmp_path / "out", SMALL)
    for path in (tmp_path / "out").rglob("*.json*"):
        for line in path.read_text("utf-8").splitlines():
            assert "\\udce9" not in line  # strict readers refuse a lone surrogate
    dataset = BuiltDataset(tmp_path / "out")
    assert {dataset.read(i).name for i in range(4)} == {
        f"a/{odd}",
        r"a/literal\xe9.png",
        "a/😀.png",
        "b/1.png",
    }
    assert "already finished and whole" in og.build(tmp_path / "in", tmp_path / "out", SMALL).summary()


# ---- what a stranger wrote


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of each format with 16-bit masks, and one of raw floats."""
    root = tmp_path_factory.mktemp("whole")
    images, masks = paired_folder(root / "in", 3)
    source = og.open_source(images, masks=masks)
    for format in INSTALLED:
        og.build(source, root / format, SMALL, format=format)
    og.build(class_folder(root / "classes", each=1), root / "final", recipe(), store="final")
    return root


def test_a_manifest_that_is_no_json_is_said_without_a_place(tmp_path: Path) -> None:
    og.build(class_folder(tmp_path / "in", each=1), tmp_path / "out", recipe())
    (tmp_path / "out" / "manifest.json").write_text("{")
    with pytest.raises(
        og.BuildError, match=r"manifest\.json: cannot be read: Invalid JSON: .*; run the build again"
    ):
        og.Loader(tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line.pop("copy"), "line 2: cannot be read: copy: Field required"),
        (lambda line: line.update(copy=1), "copy 1 of 1"),
        (lambda line: line.update(copy=True), "copy: Input should be a valid integer"),
        (lambda line: line.update(index=-1), "index: .*greater than or equal to 0"),
        (lambda line: line.update(index=2**70), "index: .*less than"),
        (lambda line: line.update(record=None), "record: Input should be"),
        (lambda line: line.update(record={"steps": [{}, {}]}), "start 1 with 2 drawn steps"),
        (lambda line: line.update(start=9, record={"steps": [0] * 9}), "start 9 .* in a recipe of"),
        (lambda line: line.update(label=2**70), "label 1180591620717411303424"),
        (lambda line: line.update(label=[0]), r"label \[0\]"),
        (lambda line: line.update(mask=None), "no mask, and others have one"),
        (lambda line: line["image"].update(shape=[-1, 8, 3]), r"image\.shape\.0"),
        (lambda line: line["image"].update(shape=[6, 5]), r"shape \[6, 5\] with axes 'YXC'"),
        (lambda line: line["image"].update(shape=[1, 8, 2**30]), "a PNG with 1073741824 channels"),
        (lambda line: line["image"].update(dtype="object"), r"image\.dtype"),
        (lambda line: line["image"].update(axes="YYC"), "axes 'YYC'"),
        (lambda line: line["mask"].update(encoding="pickle"), r"mask\.encoding"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("format", ["folder", "tfrecord"])
def test_records_are_refused_by_line_and_field(
    whole: Path, tmp_path: Path, format: str, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    shutil.copytree(whole / format, tmp_path / "out")
    forge(tmp_path / "out", change)
    with pytest.raises(og.BuildError, match=rf"samples/00000\.jsonl.*{says}"):
        BuiltDataset(tmp_path / "out")


def earlier_tfrecords(new: Path, out: Path) -> None:
    """Make a dataset of TFRecords one of a version whose records say where examples lie, and not their arrays."""
    shutil.copytree(new, out)
    (shard,) = out.glob("*.tfrecord")
    data, offset, places = shard.read_bytes(), 0, []
    while offset < len(data):  # length (8), its checksum (4), the example, its checksum (4)
        length = int.from_bytes(data[offset : offset + 8], "little")
        example = data[offset + 12 : offset + 12 + length]
        places.append({"offset": offset + 12, "bytes": length, "sha256": hashlib.sha256(example).hexdigest()})
        offset += length + 16
    for number, place in enumerate(places):
        forge(out, lambda line: line.update(at={"file": shard.name, **place}), number)
    manifest = json.loads((out / "manifest.json").read_bytes())
    del manifest["encoding"]
    (out / "manifest.json").write_text(json.dumps(manifest))


def test_tfrecords_of_an_earlier_version_are_read(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    earlier_tfrecords(whole / "tfrecord", tmp_path / "out")
    for new, old in zip(og.Loader(whole / "tfrecord"), og.Loader(tmp_path / "out"), strict=True):
        assert np.array_equal(new.image, old.image) and np.array_equal(new.mask, old.mask)


def file_entry(line: dict[str, Any]) -> dict[str, Any]:
    """What names the file of an image."""
    return line["at"].get("images", line["at"])


def place_entry(line: dict[str, Any]) -> dict[str, Any]:
    """What says how many bytes an image takes, and their digest."""
    return line["at"].get("images") or line["at"].get("image") or line["at"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: file_entry(line).update(file="../in/images/0.png"), "outside of the dataset"),
        (lambda line: file_entry(line).update(file="/etc/passwd"), "outside of the dataset"),
        (lambda line: file_entry(line).update(file="a\0b"), "outside of the dataset"),
        (lambda line: place_entry(line).update(bytes=2**50), "does not hold the"),
        (lambda line: place_entry(line).update(sha256="0" * 64), "not as it was written"),
        (lambda line: line["image"].update(shape=[5, 6, 3]), "another size"),
        (lambda line: line["image"].update(shape=[9000, 9000, 3]), "another size"),
        (lambda line: line["image"].update(dtype="uint16"), "bytes give uint8"),
        (lambda line: line["image"].update(encoding="raw"), "npy|bytes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("format", ["folder", "tfrecord", "of an earlier version"])
def test_bytes_are_checked_before_anything_is_made_of_them(
    whole: Path, tmp_path: Path, format: str, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    if format == "of an earlier version":
        earlier_tfrecords(whole / "tfrecord", tmp_path / "out")
    else:
        shutil.copytree(whole / format, tmp_path / "out")
    forge(tmp_path / "out", change)
    with pytest.raises(og.DecodeError, match=rf"example 0.*{says}.*run the build again"):
        BuiltDataset(tmp_path / "out").read(0)


def test_a_png_and_an_npy_that_declare_what_they_cannot_hold(tmp_path: Path) -> None:
    image = encode_array(np.zeros((4, 4), np.uint8), "YX")
    forged = bytearray(image.data)
    forged[16:24] = (13_000).to_bytes(4, "big") * 2
    with pytest.raises(og.BuildError, match=r"bytes cannot hold uint8 of shape \(13000, 13000\)"):
        decode_array(bytes(forged), {**image.describe(), "shape": [13_000, 13_000]})
    root = class_folder(tmp_path / "in", each=1)
    og.build(root, tmp_path / "out", recipe(), store="final")
    path = next((tmp_path / "out").rglob("0__0.npy"))
    data = path.read_bytes().replace(b"(24, 20, 3)", b"(9**9, 9,3)").replace(b"9**9, 9,3", b"99999, 9, 9"[:9])
    path.write_bytes(data)
    number = next(i for i in range(3) if BuiltDataset(tmp_path / "out").line(i)["at"]["images"]["file"].endswith(path.parent.name + "/" + path.name))  # fmt: skip
    digest = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    forge(tmp_path / "out", lambda line: line["at"]["images"].update(digest), number)
    with pytest.raises(og.DecodeError, match="header"):
        BuiltDataset(tmp_path / "out").read(number)
    data = data.replace(b"(99999, 9,", b"(99, 9, \x1f ")  # NumPy's parser raises a TokenError for that
    path.write_bytes(data)
    digest["sha256"] = hashlib.sha256(data).hexdigest()
    forge(tmp_path / "out", lambda line: line["at"]["images"].update(digest), number)
    with pytest.raises(og.DecodeError, match=r"damaged \.npy file"):
        BuiltDataset(tmp_path / "out").read(number)


def test_the_limit_is_the_reader_s(whole: Path, tmp_path: Path) -> None:
    for format in ("folder", "tfrecord", "final"):
        pixels = 480 if format == "final" else 30
        with pytest.raises(
            og.DecodeError, match=rf"more than the limit of {pixels - 1} pixels.*raise max_pixels"
        ):
            BuiltDataset(whole / format, max_pixels=pixels - 1).read(0)
        assert BuiltDataset(whole / format, max_pixels=pixels).read(0).image.array.size == 3 * pixels
    with pytest.raises(og.ArgumentError, match="max_pixels"):
        BuiltDataset(whole / "folder", max_pixels=0)
    limited = BuiltDataset(whole / "folder", max_pixels=29)
    with pytest.raises(og.DecodeError, match="more than the limit of 29 pixels"):
        list(og.Loader(limited))
    batches = [
        list(og.Loader(dataset, batch_size=3))
        for dataset in (BuiltDataset(whole / "folder"), whole / "folder")
    ]
    assert np.array_equal(batches[0][0].image, batches[1][0].image)
    with pytest.raises(og.BuildError, match="more than the limit"):
        decode_array(b"", {"encoding": "raw", "shape": [2**30, 2**30], "dtype": "float64", "axes": "YX"})


def test_a_machine_that_fails_is_no_damage(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = BuiltDataset(whole / "folder")

    def starve(*args: object, **kwargs: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "open", starve)
    with pytest.raises(og.MachineError, match="Too many open files"):
        dataset.read(0)
    with pytest.raises(og.MachineError, match="Too many open files"):
        og.Loader(whole / "folder", on_error="skip")


ODD_VALUES: list[Any] = [
    None, True, -1, 0, 2**31, 2**70, 1.5, -0.0, 1e308, "", "..", "a\0b", "\ud800", "9" * 400, [], [[]], {}, {"a": None},
]  # fmt: skip


def mutated(value: Any, rng: random.Random) -> Any:
    """The value with one part of it removed, or something else."""
    value = json.loads(json.dumps(value))
    here, path = value, []
    while isinstance(here, dict | list) and here and (not path or rng.random() < 0.8):
        key = rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        path.append((here, key))
        here = here[key]
    holder, key = path[-1]
    if rng.random() < 0.25 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = rng.choice(ODD_VALUES)
    return value


def mangled(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some of them changed, cut or doubled."""
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice([data[:at], data[:at] + rng.randbytes(3) + data[at + 3 :], data[:end] + data[at:]])


@pytest.mark.parametrize("format", ["final", *DATASETS])
def test_whatever_its_files_hold_a_dataset_is_read_or_refused(
    whole: Path, tmp_path: Path, format: str
) -> None:
    rng = random.Random(20)
    out, refused = tmp_path / "out", 0
    source: Any = whole / "classes" if format == "final" else og.open_source(whole / "in" / "images", masks=whole / "in" / "masks")  # fmt: skip
    made, store = (recipe(), "final") if format == "final" else (SMALL, "integers")
    shutil.copytree(whole / format, out)
    clean = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for number in range(60):
        name = rng.choice(
            ["manifest.json", "build.json", "samples/00000.jsonl", "samples/00000.jsonl", "labels.csv"]
        )
        path = out / name
        if path not in clean:
            continue
        if rng.random() < 0.3:
            data = mangled(clean[path], rng)
        elif name == "labels.csv":
            data = clean[path].replace(
                rng.choice([b",", b"0", b"images"]), rng.choice([b"", b"=", b'"', b"\0", b"\xff"])
            )
        elif name.startswith("samples"):
            lines = clean[path].splitlines()
            at = rng.randrange(len(lines))
            lines[at] = json.dumps(mutated(json.loads(lines[at]), rng)).encode()
            data = b"\n".join(lines) + b"\n"
        else:
            data = json.dumps(mutated(json.loads(clean[path]), rng)).encode()
        path.write_bytes(data)
        if name.startswith("samples"):
            rewrite(out, data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for act in (
                lambda: list(og.Loader(out, batch_size=1, threads=1)),
                lambda: og.open_source(out / "labels.csv") if format == "folder" else None,
                lambda: og.build(source, out, made, store=store, format="folder" if format == "final" else format) if number % 4 == 0 else None,  # type: ignore[arg-type]
            ):  # fmt: skip
                try:
                    act()
                except og.OffgraphError:
                    refused += 1
        for written in [p for p in out.rglob("*") if p.is_file() and p not in clean]:
            written.unlink()
        for kept, before in clean.items():
            if not kept.exists() or kept.read_bytes() != before:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(before)
    assert refused > 20
    assert "already finished and whole" in og.build(source, out, made, store=store, format="folder" if format == "final" else format).summary()  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("format", DATASETS)
def test_python_says_nothing_of_files_that_a_reader_leaves_behind(tmp_path: Path, format: str) -> None:
    og.build(class_folder(tmp_path / "in", each=2), tmp_path / "out", SMALL, format=format)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        loader = og.Loader(tmp_path / "out", batch_size=4)
        assert sum(len(batch) for batch in loader) == 6
        del loader
        gc.collect()
    assert [str(one.message) for one in said if one.category is ResourceWarning] == []
