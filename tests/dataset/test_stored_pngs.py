"""PNGs in shards: decoded together, to the arrays that reading them one by one gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import image_file

import offgraph as og
from offgraph.dataset import BuiltDataset
from offgraph.loading.samples import DatasetSamples


@pytest.mark.parametrize("format", ["webdataset", "tfrecord", "folder"])
def test_pngs_of_several_examples_are_decoded_together(tmp_path: Path, format: Any) -> None:
    pytest.importorskip({"tfrecord": "tensorflow"}.get(format, "numpy"))
    rng = np.random.default_rng(0)
    for number in range(12):
        smooth = np.indices((60, 70, 3))[:2].sum(0) + rng.integers(0, 5, (60, 70, 3))
        image = smooth.astype(np.uint8) if number % 3 else (smooth[..., 0] * 300).astype(np.uint16)
        image_file(tmp_path / "in" / "images" / f"{number:02}.png", image)
        mask = (np.indices((60, 70)).sum(0) // 40 + number).astype(np.uint8)
        image_file(tmp_path / "in" / "masks" / f"{number:02}.png", mask)
    source = og.open_source(tmp_path / "in" / "images", masks=tmp_path / "in" / "masks", color="keep")
    out = tmp_path / "out"
    og.build(source, out, [og.Augment(og.Flip("X", p=0.5))], format=format, encoding="png", copies=2)
    reader = BuiltDataset(out).places
    assert reader is not None
    order = list(rng.permutation(24))
    assert reader.read_many(order, "image") == [None] * 24  # not yet compared with their digests
    alone = {kind: [reader.read(number, kind) for number in order] for kind in ("image", "mask")}
    for kind in ("image", "mask"):
        for one, found in zip(alone[kind], reader.read_many(order, kind), strict=True):
            assert one is not None and found is not None and not found.flags.writeable
            assert (found.dtype, found.shape, found.tobytes()) == (one.dtype, one.shape, one.tobytes())
            assert found.ctypes.data % 64 == 0
    held = reader.read_many(order, "image")
    for path in (*out.glob("data-*.t*"), *out.glob("images/**/*.png")):
        data = bytearray(path.read_bytes())
        for at in range(60, len(data), 50):
            data[at] ^= 1
        with path.open("r+b") as file:  # the same file, which is open
            file.write(data)
    assert reader.read_many(order, "image") == [None] * 24
    for one, found in zip(alone["image"], held, strict=True):
        assert one is not None and found is not None and np.array_equal(one, found)
    with pytest.raises(og.BuildError, match="not as it was written"):
        reader.read(0, "image")


@pytest.mark.parametrize("format", ["webdataset", "tfrecord", "folder"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_loader_decodes_them_in_the_call_that_runs_their_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Any, dtype: Any, channels: tuple[int, ...]
) -> None:
    pytest.importorskip({"tfrecord": "tensorflow"}.get(format, "numpy"))
    rng = np.random.default_rng(0)
    for number in range(10):
        shape = (40, 50, *channels)
        image = (np.indices(shape)[:2].sum(0) + rng.integers(0, 9, shape)).astype(dtype)
        image_file(tmp_path / "in" / f"{number:02}.png", image)
    out = tmp_path / "out"
    source = og.open_source(tmp_path / "in", color="keep")
    og.build(source, out, [og.Flip("X"), og.Rescale(1 / 255)], format=format, encoding="png")
    recipe = [og.Augment(og.Rotate((-15, 15))), og.Rescale(1 / 255)]
    loader = og.Loader(out, recipe, other_recipe=True, batch_size=4, threads=2, shuffle=True)
    first = list(loader.epoch(0))  # compares them with their digests
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetSamples, "rows", lambda self, numbers, *rest: [None] * len(numbers))
        alone = list(loader.epoch(0))
    asked: list[int] = []
    stored_many = BuiltDataset.stored_many

    def noted(self: BuiltDataset, numbers: Sequence[int]) -> Any:
        asked.extend(numbers)
        return stored_many(self, numbers)

    monkeypatch.setattr(BuiltDataset, "stored_many", noted)
    for one, other, wanted in zip(first, loader.epoch(0), alone, strict=True):
        for found in (one, other):
            assert np.array_equal(found.image, wanted.image) and found.image.dtype == wanted.image.dtype
            assert list(found.records) == list(wanted.records)
    assert not asked
