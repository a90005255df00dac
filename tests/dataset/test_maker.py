"""Examples made many to a native call are those that are made alone, digests included."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.dataset.example import Example, encode_array, encode_rows
from offgraph.dataset.maker import Maker
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.rows import BatchRows, Row
from offgraph.recipe.prepared import drawn_records

RECIPES = {
    "fixed": [og.Resize((12, 10))],
    "drawn": [og.Resize((12, 10)), og.Augment(og.Rotate((-15, 15)), og.Flip(p=0.5))],
    "floats": [og.Resize((12, 10)), og.Normalize("imagenet")],
    "nothing": [og.CenterCrop((8, 8))],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> og.Source:
    home = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(3)
    for number in range(9):
        (home / "ab"[number % 2]).mkdir(exist_ok=True)
        size = (20 + number % 3, 30, 3)
        og.imwrite(home / "ab"[number % 2] / f"{number}.png", random.integers(0, 256, size, np.uint8))
    return og.open_source(home)


def plain(example: Example) -> tuple[Any, ...]:
    return example.describe(), bytes(example.image.data), example.image.sha256


@pytest.mark.parametrize("digests", [True, False])
@pytest.mark.parametrize("encoding", ["raw", "png"])
@pytest.mark.parametrize("name", RECIPES)
def test_together_and_alone(source: og.Source, name: str, encoding: Any, digests: bool) -> None:
    recipe = og.Compose(RECIPES[name])
    store: Any = "final" if name == "floats" else "integers"
    maker = Maker(source, recipe, 7, store, encoding=encoding, digests=digests)
    addresses = [(index, copy) for index in range(len(source)) for copy in range(2)]
    together = maker.many(addresses)
    assert maker.largest > 0
    for address, made in zip(addresses, together, strict=True):
        alone = Maker(source, recipe, 7, store, encoding=encoding)(address)
        assert isinstance(made, Example)
        assert isinstance(alone, Example)
        assert plain(made) == plain(alone)
        assert made.image.sha256 == hashlib.sha256(made.image.data).hexdigest()


def test_a_layout_that_does_not_fit_leaves_the_words_to_one_alone(source: og.Source) -> None:
    maker = Maker(source, og.Compose(RECIPES["fixed"]), 7, "integers", max_pixels=50)
    bad = maker.many([(0, 0), (1, 0)])
    assert all("more than the limit of 50 pixels" in one.describe()["quarantined"] for one in bad)


@pytest.mark.parametrize("name", ["fixed", "drawn", "floats"])
def test_digests_are_those_of_the_values_in_the_rows(source: og.Source, name: str) -> None:
    recipe = og.Compose(RECIPES[name])
    planner = recipe.planner()
    assert planner is not None
    indices = range(len(source))
    keys = [(1, 0, index) for index in indices]
    output = np.zeros((len(source), 12, 10, 3), np.float32 if name == "floats" else np.uint8)
    asked = source.ordinary_rows(indices, planner, keys, depth=8, finite=True, digests=True, row_digests=True)
    assert asked is not None
    for row, item, one in zip(output, source, asked.make(output), strict=True):
        assert one is not None
        assert one.digest == hashlib.sha256(Path(item.path).read_bytes()).digest()
        assert one.row_digest == hashlib.sha256(row.astype(row.dtype.newbyteorder("<")).tobytes()).digest()
    for digests, row_digests in ((True, False), (False, True), (False, False)):
        some = source.ordinary_rows(
            indices, planner, keys, depth=None, finite=True, digests=digests, row_digests=row_digests
        )
        assert some is not None
        made = [one for one in some.make(output) if one is not None]
        assert len(made) == len(source)
        assert all((one.digest is not None) == digests for one in made)
        assert all((one.row_digest is not None) == row_digests for one in made)


@pytest.mark.parametrize("name", RECIPES)
def test_records_of_several(name: str) -> None:
    recipe = og.Compose(RECIPES[name])
    specs = [ArraySpec((20 + number % 2, 30, 3), "uint8", "YXC") for number in range(6)]
    keys = [Key(5, number // 3, number) for number in range(6)]
    for stop in (None, 0, 1):
        one_by_one = [recipe.drawn_record(spec, key, stop=stop) for spec, key in zip(specs, keys)]
        assert drawn_records(recipe, specs, keys, stop) == one_by_one


@pytest.mark.parametrize("encoding", ["raw", "png"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_rows_are_encoded_as_arrays_are(dtype: str, encoding: Any) -> None:
    rows = BatchRows(Buffers(1), 4, (5, 6, 3), np.dtype(dtype))
    rows.array()[...] = np.random.default_rng(1).integers(0, 200, (4, 5, 6, 3))
    spec = ArraySpec((5, 6, 3), dtype, "YXC")
    chosen = [Row(rows, number) for number in (1, 2, 3)]
    for row, encoded in zip(chosen, encode_rows(chosen, spec, encoding), strict=True):
        wanted = encode_array(row.array(), "YXC", encoding, row)
        assert bytes(encoded.data) == bytes(wanted.data)
        assert (encoded.describe(), encoded.row) == (wanted.describe(), wanted.row)
    assert encode_rows([], spec, encoding) == []
