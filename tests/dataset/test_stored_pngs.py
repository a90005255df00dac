"""PNGs in shards: decoded together, to the arrays that reading them one by one gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import image_file

import offgraph as og
from offgraph.dataset import BuiltDataset


@pytest.mark.parametrize("format", ["webdataset", "tfrecord"])
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
    (path,) = (path for path in out.glob("data-*") if path.suffix != ".idx")
    data = bytearray(path.read_bytes())
    for at in range(200, len(data), 50):
        data[at] ^= 1
    with path.open("r+b") as file:  # the same file, which is open
        file.write(data)
    assert reader.read_many(order, "image") == [None] * 24
    for one, found in zip(alone["image"], held, strict=True):
        assert one is not None and found is not None and np.array_equal(one, found)
    with pytest.raises(og.BuildError, match="not as it was written"):
        reader.read(0, "image")
