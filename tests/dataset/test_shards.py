"""TFRecords and tar shards: what other programs read of them, and what is read by places in them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.made import class_folder, forge, image_file, paired_folder, recipe

import offgraph as og
from offgraph.dataset import BuiltDataset


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def members(path: Path) -> dict[str, dict[str, bytes]]:
    """The samples of a tar file as the webdataset library groups them: by what stands before the first dot."""
    found: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, ending = member.name.split(".", 1)
            file = tar.extractfile(member)
            assert file is not None
            found.setdefault(key, {})[ending] = file.read()
    return found


def pixels(ending: str, data: bytes) -> np.ndarray:
    if ending.endswith("png"):
        return np.asarray(Image.open(io.BytesIO(data)))
    return np.load(io.BytesIO(data), allow_pickle=False)


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_tar_shards_hold_one_sample_per_key(photos: Path, tmp_path: Path, encoding: str) -> None:
    out, ending = tmp_path / "out", "png" if encoding == "png" else "npy"
    og.build(photos, out, recipe(), format="webdataset", encoding=encoding, copies=2, shard_size=8)
    dataset = BuiltDataset(out)
    stored = {(s.name, s.copy): s for s in map(dataset.read, range(len(dataset)))}
    samples = [sample for path in sorted(out.glob("*.tar")) for sample in members(path).values()]
    assert len(samples) == 30 and all(set(sample) == {ending, "cls", "json"} for sample in samples)
    for sample in samples:
        said = json.loads(sample["json"])
        want = stored[said["name"], said["copy"]]
        assert np.array_equal(pixels(ending, sample[ending]), want.image.array)
        assert int(sample["cls"]) == want.label and dataset.class_names[want.label] == said["class"]
        assert said["record"] == want.record and said["steps"] == want.start
    names = [json.loads(sample["json"])["name"] for sample in samples]
    assert names != sorted(names)  # in a mixed order


def test_the_index_says_where_members_lie(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), format="webdataset", shard_size=8)
    for index in (tmp_path / "out").glob("*.idx"):
        data, (head, *lines) = index.with_suffix(".tar").read_bytes(), index.read_text().splitlines()
        samples = members(index.with_suffix(".tar"))
        assert head == f"v1.2 {len(samples)}" and len(lines) == len(samples)
        for line, (key, sample) in zip(lines, samples.items(), strict=True):
            words = line.split()
            assert words[0::4] == list(sample) and words[3::4] == [f"{key}.{ending}" for ending in sample]
            for ending, offset, length in zip(words[0::4], map(int, words[1::4]), map(int, words[2::4])):
                assert data[offset : offset + length] == sample[ending]


def test_masks_and_floats_in_tar_shards(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    og.build(source, tmp_path / "out", [og.CenterCrop((24, 24))], format="webdataset")
    for sample in members(next((tmp_path / "out").glob("*.tar"))).values():
        number = int(Path(json.loads(sample["json"])["name"]).stem)
        mask = source.read(number).mask
        assert mask is not None and np.array_equal(pixels("png", sample["mask.png"]), mask.array[4:28, 8:32])
    og.build(source, tmp_path / "final", [og.CenterCrop((24, 24)), og.Rescale(1 / 255)], format="webdataset", store="final")  # fmt: skip
    dataset = BuiltDataset(tmp_path / "final")
    for number, sample in enumerate(members(next((tmp_path / "final").glob("*.tar"))).values()):
        found = pixels("npy", sample["npy"])
        assert found.dtype == np.float32 and np.array_equal(found, dataset.read(number).image.array)


def test_webdataset_reads_them(photos: Path, tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="needs webdataset")
    og.build(photos, tmp_path / "out", recipe(), format="webdataset")
    path = str(next((tmp_path / "out").glob("*.tar")))
    dataset = BuiltDataset(tmp_path / "out")
    names = {dataset.line(i)["name"]: i for i in range(len(dataset))}
    read = list(wds.WebDataset(path, shardshuffle=False).decode("rgb8").to_tuple("png", "cls", "json"))
    assert len(read) == 15
    for image, label, said in read:
        stored = dataset.read(names[said["name"]])
        assert np.array_equal(image, stored.image.array) and label == stored.label


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_tensorflow_reads_records_of_either_encoding(photos: Path, tmp_path: Path, encoding: str) -> None:
    tf: Any = pytest.importorskip("tensorflow")
    og.build(photos, tmp_path / "out", recipe(), format="tfrecord", encoding=encoding, shard_size=8)
    dataset = BuiltDataset(tmp_path / "out")
    features = {
        name: tf.io.FixedLenFeature([], kind)
        for name, kind in (("image/encoded", "string"), ("name", "string"))
    }
    stored = {s.name: s.image.array for s in map(dataset.read, range(len(dataset)))}
    files = sorted(map(str, (tmp_path / "out").glob("*.tfrecord")))
    count = 0
    for serialized in tf.data.TFRecordDataset(files):
        example = tf.io.parse_single_example(serialized, features)
        data = example["image/encoded"]
        image = (
            tf.io.decode_png(data)
            if encoding == "png"
            else tf.reshape(tf.io.decode_raw(data, tf.uint8), (24, 20, 3))
        )
        assert np.array_equal(image.numpy(), stored[example["name"].numpy().decode()])
        count += 1
    assert count == 15


@pytest.mark.parametrize("format", ["tfrecord", "webdataset"])
def test_raw_values_with_masks_are_read_by_their_places(tmp_path: Path, format: str) -> None:
    if format == "tfrecord":
        pytest.importorskip("tensorflow")
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    steps = [og.Resize((16, 20)), og.Normalize("imagenet")]
    og.build(source, tmp_path / "raw", steps, format=format, encoding="raw")  # type: ignore[arg-type]
    og.build(source, tmp_path / "files", steps)
    dataset = BuiltDataset(tmp_path / "raw")
    by_number = {dataset.line(i)["index"]: i for i in range(len(dataset))}
    want = og.Loader(tmp_path / "files", batch_size=6)
    (found,) = og.Loader(tmp_path / "raw", batch_size=6)
    (batch,) = want
    order = [by_number[i] for i in range(6)]
    assert np.array_equal(found.image[order], batch.image) and np.array_equal(found.mask[order], batch.mask)
    forge(tmp_path / "raw", lambda line: line["at"]["image"].update(sha256="0" * 64))
    with pytest.raises(og.DecodeError, match=r"example 0 .*is not as it was written"):
        list(og.Loader(tmp_path / "raw"))


def test_names_that_no_tar_would_hold_are_in_the_json(tmp_path: Path) -> None:
    name = "a.b/" + "x" * 150 + ".c/é.png"
    image_file(tmp_path / "in" / name, np.zeros((4, 4, 3), np.uint8))
    og.build(
        og.open_source(tmp_path / "in", labels=None), tmp_path / "out", [og.Flip("Y")], format="webdataset"
    )
    (sample,) = members(next((tmp_path / "out").glob("*.tar"))).values()
    assert json.loads(sample["json"])["name"] == name and set(sample) == {"png", "json"}


CUT = """
import sys
from pathlib import Path

import offgraph as og

out, threads = Path(sys.argv[1]), int(sys.argv[2])
for again in range(int(sys.argv[3])):
    batches = iter(og.Loader(out, batch_size=1, threads=threads, shuffle=False).epoch(0))
    for _ in range(1 + again % 3):
        next(batches)
    saved = {path: path.read_bytes() for path in out.glob("data-*")}
    for path in saved:
        with path.open("r+b") as file:
            file.truncate(100)
    try:
        list(batches)
    except og.DecodeError as error:
        print(error)
    for path, data in saved.items():
        path.write_bytes(data)
"""


@pytest.mark.parametrize(
    ("format", "options"),
    [("arrow", {}), ("webdataset", {"encoding": "raw"}), ("tfrecord", {"encoding": "raw"})],
)
def test_a_shard_that_is_cut_during_a_pass_is_an_error_and_not_the_end(
    tmp_path: Path, format: str, options: dict[str, Any]
) -> None:
    pytest.importorskip({"arrow": "pyarrow", "tfrecord": "tensorflow"}.get(format, "numpy"))
    # Large images: reading one of a file that is mapped into memory takes long enough to be cut in the middle.
    for number in range(12):
        image_file(tmp_path / "in" / f"{number:02}.png", np.full((375, 500, 3), number, np.uint8))
    out = tmp_path / "out"
    og.build(tmp_path / "in", out, [og.Normalize("imagenet")], format=format, **options)  # type: ignore[arg-type]
    for threads in (1, 2):
        run = subprocess.run(
            [sys.executable, "-c", CUT, str(out), str(threads), "30"], capture_output=True, text=True
        )
        assert run.returncode == 0, (run.returncode, run.stderr[-2000:])
        said = run.stdout.splitlines()
        assert len(said) == 30
        whole = r".*, example \d+ \(\d\d\.png\): data-\S+ does not hold the 562,500 bytes at [\d,]+ that its record says; .*"
        assert all(re.fullmatch(whole, line) for line in said), said
