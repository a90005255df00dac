"""Samples that are run together and written into their batch: what they are run one by one, or an error that names one."""

from __future__ import annotations

import pickle
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, forge, image_file, paired_folder

import offgraph as og
from offgraph.loading.samples import DatasetSamples

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'offgraph[arrow]'")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets of the same images, whose arrays are read by their places, or are files."""
    root = tmp_path_factory.mktemp("built")
    images, masks = paired_folder(root / "pairs", 11)
    sources = {
        "classes": og.open_source(class_folder(root / "in")),
        "masks": og.open_source(images, masks=masks),
    }
    for name, source in sources.items():
        for format in ("folder", "arrow"):
            og.build(source, root / format / name, [og.Resize((24, 20))], format=format)
    return root


RECIPES = {
    "nothing": [],
    "normalize": [og.Normalize("imagenet")],
    "geometric": [og.Augment(og.Rotate((-15, 15)), og.Affine(shear=(-0.2, 0.2))), og.Normalize("imagenet")],
    "sometimes": [og.Augment(og.Flip("X", p=0.5), og.Gamma((0.8, 1.2), p=0.4)), og.Rescale(1 / 255)],
    "crop": [og.RandomCrop((16, 16)), og.MedianFilter(3), og.Normalize("imagenet")],
    "one flip": [og.Flip("Y")],
}


def same(one: og.Batch, other: og.Batch) -> bool:
    arrays = (
        (one.image, other.image),
        (one.mask, other.mask),
        (one.label, other.label),
        (one.index, other.index),
    )
    for a, b in arrays:
        if (a is None) != (b is None) or (a is not None and (a.dtype != b.dtype or not np.array_equal(a, b))):
            return False
    return one.records == other.records


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("kind", ["classes", "masks"])
@pytest.mark.parametrize("name", RECIPES)
def test_batches_are_those_of_the_samples(built: Path, name: str, kind: str, fuse: bool) -> None:
    recipe = og.Compose(RECIPES[name], fuse=fuse)
    loaders = [
        og.Loader(
            built / format / kind, recipe, other_recipe=True, batch_size=4, shuffle=True, threads=threads
        )
        for format, threads in (("folder", 2), ("arrow", 1), ("arrow", 2), ("arrow", 5))
    ]
    for epoch in (0, 3):
        for want, *found in zip(*(loader.epoch(epoch) for loader in loaders), strict=True):
            assert all(same(want, batch) for batch in found)
            assert found[0].image.ctypes.data % 64 == 0 and found[0].image.flags.writeable


def test_most_samples_are_run_together(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[int] = []
    sample = DatasetSamples.sample
    monkeypatch.setattr(
        DatasetSamples,
        "sample",
        lambda self, number, *rest: alone.append(number) or sample(self, number, *rest),
    )
    for name in ("normalize", "geometric", "sometimes"):
        for kind in ("classes", "masks"):
            loader = og.Loader(built / "arrow" / kind, RECIPES[name], other_recipe=True, batch_size=4)
            assert sum(len(batch) for batch in loader) == len(loader.order(0)) and not alone


def test_records_are_those_of_the_whole_run_and_replay(tmp_path: Path) -> None:
    photos = class_folder(tmp_path / "in")
    recipe = og.Compose([og.Resize((12, 10)), og.Augment(og.Rotate((-9, 9))), og.Normalize("imagenet"), og.Augment(og.Gamma((0.8, 1.2), range=9))])  # fmt: skip
    og.build(photos, tmp_path / "out", recipe, format="arrow", copies=2)
    source = og.open_source(photos)
    for batch in og.Loader(tmp_path / "out", batch_size=7):
        for image, record in zip(batch.image, batch.records):
            whole = source.read(record["key"]["index"]).image.array
            assert np.array_equal(recipe.replay(record, image=whole).image, image)
        assert batch.records == pickle.loads(pickle.dumps(batch.records)) and len(batch.records) == len(batch)


def test_damaged_examples_are_left_out_or_named(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "arrow" / "classes", tmp_path / "out")
    dataset = og.BuiltDataset(tmp_path / "out")
    (path,) = (tmp_path / "out").glob("data-*")
    data = bytearray(path.read_bytes())
    for number in (2, 9):
        data[dataset.line(number)["at"]["image"]["offset"] + 5] ^= 1
    path.write_bytes(data)
    given: dict[str, Any] = {"batch_size": 4, "recipe": RECIPES["geometric"], "other_recipe": True}
    clean = og.Loader(built / "arrow" / "classes", **{**given, "batch_size": 1}, shuffle=False)
    want = {int(batch.index[0]): batch.image[0] for batch in clean.epoch(0)}
    loader = og.Loader(tmp_path / "out", **given, on_error="skip", shuffle=False)
    with pytest.warns(og.OffgraphWarning, match="2 of 15 images"):
        batches = list(loader.epoch(0))
    assert [len(batch) for batch in batches] == [4, 4, 4, 1]
    assert [int(i) for batch in batches for i in batch.index] == [i for i in range(15) if i not in (2, 9)]
    assert all(np.array_equal(image, want[int(i)]) for b in batches for image, i in zip(b.image, b.index))
    assert len(loader.skipped) == 2
    with pytest.raises(og.DecodeError, match=r"example 2 \(.*is not as it was written"):
        list(og.Loader(tmp_path / "out", **given, shuffle=False))


def test_values_that_are_not_finite_are_refused_by_step(built: Path) -> None:
    recipe = og.Compose([og.Rescale(1e30), og.Rescale(1e30)])
    with pytest.raises(og.StepError, match=r"step 2, Rescale, makes .* NaN or infinite"):
        list(og.Loader(built / "arrow" / "classes", recipe, other_recipe=True))
    (batch,) = og.Loader(built / "arrow" / "classes", recipe, other_recipe=True, non_finite="allow")
    assert np.isinf(batch.image).any()


def test_images_of_other_shapes_are_named(tmp_path: Path) -> None:
    for number in range(5):
        image_file(tmp_path / "in" / f"{number}.png", np.zeros((8, 9 if number == 3 else 8, 3), np.uint8))
    og.build(tmp_path / "in", tmp_path / "out", [og.Flip("X")], format="arrow")
    with pytest.raises(og.StepError, match=r"3\.png: the image is uint8 of shape \(8, 9, 3\)"):
        list(og.Loader(tmp_path / "out", batch_size=5))
    loader = og.Loader(tmp_path / "out", batch_size=5, on_error="skip")
    with pytest.warns(og.OffgraphWarning, match="1 of 5"):
        assert [batch.index.tolist() for batch in loader] == [[0, 1, 2, 4]]


def test_batches_keep_their_images_while_later_ones_are_made(built: Path) -> None:
    loader = og.Loader(built / "arrow" / "classes", RECIPES["normalize"], other_recipe=True, batch_size=2)
    kept = [(batch.image, batch.image.copy()) for _ in range(3) for batch in loader]
    assert all(np.array_equal(image, copy) for image, copy in kept)


def test_no_memory_is_taken_on_the_word_of_a_record(built: Path, tmp_path: Path) -> None:
    """Most records claim images of 300 MB: the batch of 15 that they would make is not allocated."""
    shutil.copytree(built / "arrow" / "classes", tmp_path / "out")
    for number in range(1, 15):
        forge(tmp_path / "out", lambda line: line["image"].update(shape=[10_000, 10_000, 3]), number)
    loader = og.Loader(tmp_path / "out", batch_size=15, on_error="skip", max_bad=15)
    tracemalloc.start()
    with pytest.raises(og.OffgraphError, match="none of its images"):
        list(loader)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
