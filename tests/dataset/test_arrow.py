"""Arrow datasets: what plain pyarrow reads of them, what a loader gives, and what a stranger's file can do."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, forge, image_file, paired_folder, recipe, tree

import offgraph as og
from offgraph.dataset import BuiltDataset, arrow
from offgraph.dataset.arrow_messages import record_batches

pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'offgraph[arrow]'")

RESIZED = og.Compose([og.Resize((6, 5)), og.Normalize("imagenet")])


def table(out: Path) -> Any:
    """The shards of a dataset as one table, by pyarrow alone."""
    files = [pa.ipc.open_file(pa.memory_map(str(path))) for path in sorted(out.glob("data-*.arrow"))]
    return pa.concat_tables([file.read_all() for file in files])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_pyarrow_reads_tensors_classes_and_records(photos: Path, tmp_path: Path, compression: str) -> None:
    out = tmp_path / "out"
    og.build(photos, out, recipe(), format="arrow", copies=2, shard_size=7, compression=compression)
    read = table(out)
    dataset = BuiltDataset(out)
    assert isinstance(read.schema.field("image").type, pa.FixedShapeTensorType)
    images = read["image"].combine_chunks().to_numpy_ndarray()
    assert images.dtype == np.uint8 and images.shape == (30, 24, 20, 3)
    for number in range(len(dataset)):
        stored = dataset.read(number)
        assert np.array_equal(images[number], stored.image.array)
        row = read.slice(number, 1).drop_columns("image").to_pylist()[0]
        assert (row["label"], row["name"], row["copy"]) == (stored.label, stored.name, stored.copy)
        assert json.loads(row["record"]) == stored.record and row["steps"] == stored.start
    assert json.loads(read.schema.metadata[b"offgraph"])["class_names"] == list(dataset.class_names)
    assert read.schema.field("image").type.dim_names == ["Y", "X", "C"]


def test_datasets_of_hugging_face_reads_the_storage(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="needs Hugging Face's datasets")
    og.build(photos, tmp_path / "out", RESIZED, format="arrow")
    code = """
import sys
import weakref
import datasets, numpy as np, pyarrow as pa
import offgraph as og
pa.unregister_extension_type("arrow.fixed_shape_tensor")
data = datasets.load_dataset("arrow", data_files=sys.argv[1] + "/*.arrow", split="train", cache_dir=sys.argv[2])
assert data.features["label"].names == ["ant", "bee", "cat"], data.features
dataset = og.BuiltDataset(sys.argv[1])
for row, number in zip(data.with_format("numpy"), range(15), strict=True):
    stored = dataset.read(number)
    assert np.array_equal(row["image"].reshape(6, 5, 3), stored.image.array) and row["label"] == stored.label
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out"), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")},
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_an_array_that_is_held_stays_as_it_was_read(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", RESIZED, format="arrow")
    dataset = BuiltDataset(tmp_path / "out")
    clean = {path: path.read_bytes() for path in (tmp_path / "out").glob("data-*")}
    held = [dataset.read(number).image.array[1:] for number in range(len(dataset))]
    before = [image.copy() for image in held]
    assert len({image.tobytes() for image in held}) > 1 and not any(image.flags.writeable for image in held)
    for path, data in clean.items():
        with path.open("r+b") as file:
            file.write(bytes(len(data)))
    for number in range(len(dataset)):
        with pytest.raises(og.DecodeError, match="not as it was written"):
            dataset.read(number)  # read anew, into memory that nobody holds
    assert all(map(np.array_equal, held, before))


def test_images_of_any_shape_and_depth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a.png": rng.integers(0, 256, (4, 7, 3), np.uint8),
        "b.png": rng.integers(0, 65536, (9, 3), np.uint16),
        "c.png": rng.integers(0, 256, (2, 2), np.uint8),
    }
    for name, array in arrays.items():
        image_file(tmp_path / "in" / name, array)
    out = tmp_path / "out"
    og.build(tmp_path / "in", out, [og.Flip("Y")], format="arrow", color="keep", compression="zstd")
    for row in table(out).to_pylist():
        values = np.frombuffer(row["image"], row["image_dtype"]).reshape(row["image_shape"])
        assert np.array_equal(values, arrays[row["name"]][::-1])
        assert row["image_axes"] == "YXC"[: values.ndim]
    dataset = BuiltDataset(out)
    for number in range(3):
        stored = dataset.read(number)
        assert stored.image.array.tobytes() == arrays[stored.name][::-1].tobytes()


@pytest.mark.parametrize("fixed", [True, False])
def test_masks_lie_beside_their_images(tmp_path: Path, fixed: bool) -> None:
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    steps = [og.CenterCrop((24, 24))] if fixed else [og.Flip("X")]
    og.build(source, tmp_path / "out", steps, format="arrow", shard_size=4)
    read, dataset = table(tmp_path / "out"), BuiltDataset(tmp_path / "out")
    assert isinstance(read.schema.field("mask").type, pa.FixedShapeTensorType) == fixed
    for number, row in enumerate(read.to_pylist()):
        whole = source.read(number).mask
        assert whole is not None
        want = whole.array[4:28, 8:32] if fixed else whole.array[:, ::-1]
        mask = dataset.read(number).mask
        assert mask is not None and mask.array.dtype == np.uint16 and np.array_equal(mask.array, want)
        plain = np.array(row["mask"]) if fixed else np.frombuffer(row["mask"], row["mask_dtype"])
        assert np.array_equal(plain.ravel(), want.ravel())


def test_a_file_of_another_depth_is_converted_as_a_loader_of_the_files_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for number in range(4):
        dtype = np.uint16 if number == 2 else np.uint8
        top = 65536 if number == 2 else 256
        image_file(tmp_path / "in" / f"{number}.png", rng.integers(0, top, (8, 8, 3)).astype(dtype))
    steps = [og.Resize((6, 5)), og.Rescale(1 / 255)]
    with pytest.warns(og.OffgraphWarning, match="2.png: converted from uint16 to uint8"):
        report = og.build(tmp_path / "in", tmp_path / "out", steps, format="arrow")
    assert report.examples == 4
    with pytest.warns(og.OffgraphWarning, match="converted"):
        (want,) = og.Loader(tmp_path / "in", steps)
    (found,) = og.Loader(tmp_path / "out")
    assert np.array_equal(found.image, want.image)


def test_what_does_not_fit_the_column_is_set_aside_by_name(tmp_path: Path) -> None:
    for number in range(4):
        image = np.zeros((8, 8) if number == 3 else (8, 8, 3), np.uint8)
        image_file(tmp_path / "in" / f"{number}.png", image)
    report = og.build(tmp_path / "in", tmp_path / "out", [og.Resize((6, 5))], format="arrow", color="keep")
    ((name, reason),) = [(bad.name, bad.reason) for bad in report.quarantined]
    assert name == "3.png" and "(6, 5), but 0.png is uint8 of shape (6, 5, 3)" in reason


def test_the_layout_of_a_started_build_stays(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    og.build(photos, out, RESIZED, format="arrow", shard_size=4)
    before = tree(out)
    (out / "manifest.json").unlink()
    next(out.glob("data-00001*")).unlink()
    layout = json.loads(before["build.json"])["options"]["layout"]
    assert layout["image"] == {"axes": "YXC", "dtype": "uint8", "shape": [6, 5, 3]}
    og.build(photos, out, RESIZED, format="arrow", shard_size=4)
    assert tree(out) == before


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_places_in_the_records_are_those_of_the_buffers(
    photos: Path, tmp_path: Path, compression: str
) -> None:
    og.build(photos, tmp_path / "out", RESIZED, format="arrow", compression=compression)
    (path,) = (tmp_path / "out").glob("data-*")
    with path.open("rb") as file:
        batches = list(record_batches(file))
    assert len(batches) == (1 if compression == "none" else 15)
    reader = pa.ipc.open_file(str(path))
    assert [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)] == (
        [15] if compression == "none" else [1] * 15
    )


# ---- what a stranger wrote


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    images, masks = paired_folder(root / "in", 3)
    for compression in ("none", "lz4", "zstd"):
        og.build(
            og.open_source(images, masks=masks),
            root / compression,
            [og.Resize((6, 5))],
            format="arrow",
            compression=compression,
        )
    return root


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda line: line["at"].update(file="../none/data.arrow"), "outside of the dataset"),
    (lambda line: line["at"].update(file="samples"), "samples is not a file"),
    (lambda line: line["at"].update(file="absent.arrow"), "No such file"),
    (lambda line: line["at"]["image"].update(offset=2**52), "does not hold the .* bytes at 4,503,599,627,370,496"),
    (lambda line: line["at"]["image"].update(bytes=2**52), "does not hold the 4,503,599,627,370,496 bytes"),
    (lambda line: line["at"]["image"].update(sha256="0" * 64), "data-00000-of-00001.arrow at .* is not as it was written"),
    (lambda line: line["at"]["mask"].update(offset=8), "not as it was written"),
    (lambda line: line["image"].update(shape=[7, 5, 3]), "bytes"),
    (lambda line: line["image"].update(shape=[2**20, 2**20, 3]), "more than the limit"),
    (lambda line: line["image"].update(dtype="float64"), "bytes"),
    (lambda line: line["image"].update(encoding="png"), "PNG"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), CHANGES)
@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_records_that_lie_are_refused(
    whole: Path, tmp_path: Path, compression: str, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    shutil.copytree(whole / compression, tmp_path / "out")
    forge(tmp_path / "out", change)
    with pytest.raises(og.DecodeError, match=rf"example 0 \(0\.png\).*{says}.*run the build again"):
        BuiltDataset(tmp_path / "out").read(0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line["at"].clear(), r"line 2: at: cannot be read: file: Field required"),
        (lambda line: line["at"].pop("mask"), "a mask in one of two places"),
        (lambda line: line["at"]["image"].update(sha256="zz"), r"image\.sha256"),
        (lambda line: line["at"]["image"].update(offset=-1), r"image\.offset"),
        (lambda line: line["at"].update(compression="gzip"), "compression"),
    ],
)
def test_places_are_checked_when_a_dataset_is_opened(
    whole: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    shutil.copytree(whole / "none", tmp_path / "out")
    forge(tmp_path / "out", change)
    with pytest.raises(og.BuildError, match=rf"samples/00000\.jsonl.*{says}"):
        BuiltDataset(tmp_path / "out")


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_files_that_were_cut_or_damaged_name_themselves(
    whole: Path, tmp_path: Path, compression: str
) -> None:
    shutil.copytree(whole / compression, tmp_path / "out")
    (path,) = (tmp_path / "out").glob("data-*")
    clean = path.read_bytes()
    dataset = BuiltDataset(tmp_path / "out")
    assert dataset.read(0).mask is not None
    with path.open("r+b") as file:  # the same file, which is open
        file.truncate(100)
    for again in (dataset, BuiltDataset(tmp_path / "out")):
        with pytest.raises(og.DecodeError, match=rf"{path.name} does not hold the"):
            again.read(0)
    path.write_bytes(b"")
    with pytest.raises(og.DecodeError, match=rf"{path.name} does not hold the"):
        BuiltDataset(tmp_path / "out").read(0)
    at = dataset.line(1)["at"]["image"]["offset"]
    for place in range(at, at + 24):
        path.write_bytes(clean[:place] + bytes([clean[place] ^ 0x55]) + clean[place + 1 :])
        with pytest.raises(og.DecodeError, match=rf"{path.name} at {at} is not as it was written"):
            BuiltDataset(tmp_path / "out").read(1)


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_examples_that_are_read_together_are_those_read_alone(
    whole: Path, tmp_path: Path, compression: str
) -> None:
    shutil.copytree(whole / compression, tmp_path / "out")
    dataset = BuiltDataset(tmp_path / "out")
    reader = dataset.places
    assert reader is not None
    order = [2, 0, 1, 0]
    assert reader.read_many(order, "image") == [None] * 4  # not yet compared with their digests
    alone = {number: dataset.stored(number) for number in order}
    for kind in ("image", "mask"):
        found = reader.read_many(order, kind)
        for number, array in zip(order, found):
            expected = getattr(alone[number], kind).array
            if compression == "none":
                assert array is not None and not array.flags.writeable
                assert (array.dtype, array.shape, array.tobytes()) == (
                    expected.dtype,
                    expected.shape,
                    expected.tobytes(),
                )
            else:
                assert array is None
    for number, stored in zip(order, dataset.stored_many(order)):
        assert stored is not None and stored.label == alone[number].label
        assert (stored.image.array == alone[number].image.array).all()
        assert stored.mask is not None and (stored.mask.array == alone[number].mask.array).all()
    (path,) = (tmp_path / "out").glob("data-*")
    last = max(order, key=lambda number: dataset.line(number)["at"]["mask"]["offset"])
    with path.open("r+b") as file:  # the same file, which is open
        file.truncate(dataset.line(last)["at"]["mask"]["offset"] + 1)
    assert [stored is None for stored in dataset.stored_many(order)] == [number == last for number in order]


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_bytes_that_lie_with_a_digest_that_fits(
    whole: Path, tmp_path: Path, compression: str
) -> None:
    """Whatever is unpacked is as long as the record says, or refused."""
    shutil.copytree(whole / compression, tmp_path / "out")
    (path,) = (tmp_path / "out").glob("data-*")
    clean = path.read_bytes()
    place = BuiltDataset(tmp_path / "out").line(0)["at"]["image"]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        data = bytearray(clean)
        span = slice(place["offset"], place["offset"] + place["bytes"])
        for at in rng.integers(span.start, span.stop, rng.integers(1, 4)):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        forge(
            tmp_path / "out",
            lambda line: line["at"]["image"].update(sha256=hashlib.sha256(data[span]).hexdigest()),
        )
        try:
            assert BuiltDataset(tmp_path / "out").read(0).image.array.shape == (6, 5, 3)
        except og.DecodeError:
            refused += 1
    assert refused > 10


def test_a_loader_of_one_can_be_pickled(whole: Path) -> None:
    loader = og.Loader(whole / "none", [og.Resize((6, 5))], batch_size=2)
    first = [batch.image for batch in loader.epoch(0)]
    again = [batch.image for batch in pickle.loads(pickle.dumps(loader)).epoch(0)]
    assert all(map(np.array_equal, first, again))


def test_a_batch_that_is_kept_holds_no_memory_that_was_read(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", RESIZED, format="arrow")
    dataset = BuiltDataset(tmp_path / "out")
    held: list[weakref.ref[np.ndarray]] = []
    reader = dataset.places
    assert reader is not None
    read = reader.read

    def watched(number: int, kind: Any) -> np.ndarray | None:
        array = read(number, kind)
        if array is not None:
            held.append(weakref.ref(array))
        return array

    reader.read = watched  # type: ignore[method-assign]
    batches = list(og.Loader(dataset, batch_size=4))
    gc.collect()
    assert len(held) == len(dataset) and not any(ref() is not None for ref in held)
    assert [record["key"]["index"] for batch in batches for record in batch.records]


def test_record_batches_are_filled_in_place(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = []

    def join(arrays: Any) -> Any:
        joined.append(real(arrays))
        return joined[-1]

    real = arrow._joined
    monkeypatch.setattr(arrow, "_joined", join)
    og.build(photos, tmp_path / "out", [og.Resize((8, 8))], format="arrow", workers=2)
    assert joined and all(isinstance(whole, np.ndarray) for whole in joined)  # bytes where they were copied
