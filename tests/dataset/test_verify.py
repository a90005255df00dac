"""`BuiltDataset.verify`: one changed bit anywhere in a shard is found, also where no loader ever looks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import offgraph as og
from offgraph.apps.cli import app
from offgraph.dataset.formats import FORMATS

RECIPE = [og.Resize((6, 7)), og.Normalize("imagenet")]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory) -> dict[str, Path]:
    """A dataset of each format, with masks, in several shards."""
    home = tmp_path_factory.mktemp("verify")
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (home / folder).mkdir()
    for number in range(5):
        og.imwrite(home / f"images/{number}.png", rng.integers(0, 256, (8, 9, 3), dtype=np.uint8))
        og.imwrite(home / f"masks/{number}.png", rng.integers(0, 3, (8, 9), dtype=np.uint8))
    source = og.open_source(home / "images", masks=home / "masks")
    for format in FORMATS:
        og.build(source, home / format, RECIPE, format=format, shard_size=2, progress=False)
    return {format: home / format for format in FORMATS}


def _files(dataset: Path) -> list[Path]:
    """What holds the examples: all but the JSON files and tables that a build makes of them."""
    return sorted(
        path
        for path in dataset.rglob("*")
        if path.is_file() and path.suffix in (".arrow", ".tfrecord", ".tar", ".idx", ".png", ".npy")
    )


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_written_is_sound(datasets, format):
    dataset = datasets[format]
    assert _files(dataset)
    seen: list[tuple[int, int]] = []
    assert og.BuiltDataset(dataset).verify(on_progress=lambda *share: seen.append(share)) == ()
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_is_found(datasets, format, data):
    dataset = datasets[format]
    path = data.draw(st.sampled_from(_files(dataset)))
    whole = path.read_bytes()
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    broken = bytearray(whole)
    broken[place] ^= 1 << bit
    path.write_bytes(broken)
    try:
        (found,) = og.BuiltDataset(dataset).verify(threads=1)
    finally:
        path.write_bytes(whole)
    assert path.relative_to(dataset).as_posix() in found and "run the build again" in found


def test_all_that_is_damaged_is_listed(datasets, tmp_path):
    """A missing file, one that is cut, and records that changed after the dataset was opened."""
    dataset = datasets["tfrecord"]
    opened, shards = og.BuiltDataset(dataset), _files(dataset)
    records = dataset / "samples/00002.jsonl"
    kept = {path: path.read_bytes() for path in (*shards[:2], records)}
    try:
        shards[0].unlink()
        shards[1].write_bytes(kept[shards[1]][:-1])
        records.write_bytes(kept[records][:-3])
        found = opened.verify()
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
    assert [text.split()[0] for text in found] == [shards[0].name, shards[1].name, "samples/00002.jsonl"]


def test_a_record_that_leads_out_of_the_dataset_reads_nothing_there(datasets):
    dataset = datasets["arrow"]
    opened = og.BuiltDataset(dataset)
    records = dataset / "samples/00000.jsonl"
    kept = records.read_bytes()
    try:
        records.write_bytes(kept.replace(b'"file":"data', b'"file":"../data', 1))
        assert "samples/00000.jsonl" in opened.verify()[0]
    finally:
        records.write_bytes(kept)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bytes_outside_the_arrays_of_tfrecords_change_no_batch(datasets, data):
    """Why loading does not look at them: framing, names and labels of a shard are for other programs."""
    dataset = datasets["tfrecord"]
    path = data.draw(st.sampled_from(_files(dataset)))
    whole = path.read_bytes()
    spans = [
        (place["offset"], place["offset"] + place["bytes"])
        for file in sorted((dataset / "samples").iterdir())
        for line in map(json.loads, file.read_bytes().splitlines())
        if line.get("at", {}).get("file") == path.name
        for place in (line["at"]["image"], line["at"]["mask"])
    ]
    place = data.draw(
        st.integers(0, len(whole) - 1).filter(lambda at: not any(low <= at < high for low, high in spans))
    )
    sound = [batch.image.tobytes() + batch.mask.tobytes() for batch in og.Loader(dataset, batch_size=5)]
    broken = bytearray(whole)
    broken[place] ^= 255
    path.write_bytes(broken)
    try:
        found = [batch.image.tobytes() + batch.mask.tobytes() for batch in og.Loader(dataset, batch_size=5)]
        assert len(og.BuiltDataset(dataset).verify()) == 1
    finally:
        path.write_bytes(whole)
    assert found == sound


def test_the_command(datasets):
    dataset = datasets["webdataset"]
    run = CliRunner()
    assert "as it was written" in run.invoke(app, ["verify", str(dataset)]).output
    shard = _files(dataset)[-1]
    kept = shard.read_bytes()
    shard.write_bytes(kept[:-1] + b"x")
    try:
        done = run.invoke(app, ["verify", str(dataset)])
        as_json = run.invoke(app, ["verify", str(dataset), "--json"])
    finally:
        shard.write_bytes(kept)
    assert done.exit_code == as_json.exit_code == 3 and shard.name in done.output
    assert len(json.loads(as_json.output)["damaged"]) == 1
