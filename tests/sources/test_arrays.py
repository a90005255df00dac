"""Images in memory as a source: labels of every form, bytes of the same images in files, and clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og

IMAGES = np.random.default_rng(5).integers(0, 256, (30, 20, 24, 3), np.uint8)
NUMBERS = np.arange(30) % 3
RECIPE = og.Compose(
    [og.Augment(og.Rotate((-20, 20)), og.Flip(p=0.5), og.GaussianNoise(4)), og.Normalize("imagenet")]
)


def batches(source: Any, recipe: og.Compose = RECIPE, **options: Any) -> list[og.Batch]:
    loader = og.Loader(source, recipe, batch_size=7, seed=3, **options)
    return [batch for epoch in (0, 1) for batch in loader.epoch(epoch)]


def same(one: list[og.Batch], other: list[og.Batch]) -> bool:
    assert len(one) == len(other) > 0
    return all(
        a.image.dtype == b.image.dtype
        and np.array_equal(a.image, b.image)
        and np.array_equal(a.label, b.label)
        and (a.mask is None) == (b.mask is None)
        and (a.mask is None or np.array_equal(a.mask, b.mask))
        for a, b in zip(one, other, strict=True)
    )


# ---- labels


def test_numbers_are_classes_and_stay_as_they_are() -> None:
    source = og.array_source(IMAGES, NUMBERS[:, None])  # as Keras' datasets have them
    assert (source.task, source.class_names) == ("classify", ("0", "1", "2"))
    assert [item.label for item in source] == NUMBERS.tolist()
    gaps = og.array_source(IMAGES[:3], [0, 9, 3], task="classify")
    assert len(gaps.class_names) == 10 and [item.label for item in gaps] == [0, 9, 3]
    named = og.array_source(IMAGES[:3], [0, 2, 2], class_names=["cat", "dog", "owl"])
    assert named.label_text(named[1].label) == "owl"


def test_texts_are_classes_in_natural_order() -> None:
    source = og.array_source(IMAGES[:4], np.array(["b10", "b9", "a", "b9"], object))
    assert source.class_names == ("a", "b9", "b10") and [item.label for item in source] == [2, 1, 0, 1]
    other = og.array_source(IMAGES[:2], ["dog", "cat"], class_names=["dog", "cat", "owl"])
    assert [item.label for item in other] == [0, 1]


def test_rows_of_numbers_are_one_class_or_several_or_targets() -> None:
    hot = np.eye(3)[NUMBERS]
    one = og.array_source(IMAGES, hot, task="classify", class_names=["a", "b", "c"])
    assert [item.label for item in one] == NUMBERS.tolist()
    hot[0] = 1, 0, 1
    several = og.array_source(IMAGES, hot.astype(bool), task="multilabel")
    assert several[0].label == (0, 2) and several.class_names == ("0", "1", "2")
    numbers = og.array_source(IMAGES, np.linspace(0, 1, 60).reshape(30, 2))
    assert numbers.task == "regress" and len(numbers.target_names) == 2
    batch = next(iter(og.Loader(numbers, RECIPE, batch_size=4, shuffle=False)))
    expected = np.linspace(0, 1, 60).reshape(30, 2)[:4].astype(np.float32)
    assert np.asarray(batch.label, np.float32).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (NUMBERS[:3], {}, r"shape \(3,\) for 30 images"),
        (np.zeros((30, 2, 2)), {}, r"shape \(30, 2, 2\)"),
        (np.arange(30), {}, "30 different whole numbers from 0 to 29.*task='regress'"),
        (np.arange(30) - 3, {}, "from -3 to 26"),
        (np.arange(30) / 4, {}, "floats; write task='classify'"),
        (np.eye(3)[NUMBERS], {}, "hold 0 and 1; write task='classify'"),
        (np.eye(3)[NUMBERS] * 2, {"task": "classify"}, r"labels\[0\]: \[2, 0, 0\]; .* one 1"),
        (np.ones((30, 3)), {"task": "classify"}, "one 1 and else 0"),
        (np.full(30, np.nan), {"task": "regress"}, r"labels\[0\]: nan is not finite"),
        (NUMBERS, {"class_names": ["a", "b"]}, r"labels\[2\]: 2 is not a class number from 0 to 1"),
        (NUMBERS + 0.5, {"task": "classify"}, r"labels\[0\]: 0.5 is not a class number"),
        (NUMBERS, {"task": "multilabel"}, "a row of 0 and 1"),
        (["a"] * 30, {"class_names": ["b", "c"]}, "a is not among"),
        (["a"] * 30, {"task": "regress"}, "texts are class names"),
        ([["a"], ["b", "c"]] * 15, {}, "rows of different lengths"),
        (np.array([1, "a"] * 15, object), {}, r"labels\[0\]: 1"),
        (np.zeros(30, complex), {}, "complex128"),
        (np.ma.masked_equal(NUMBERS, 2), {}, "masked array"),
        (None, {"task": "classify"}, "give labels="),
        (None, {"class_names": ["a"]}, "class_names= without labels="),
        (np.eye(3)[NUMBERS], {"task": "classify", "class_names": ["a"]}, "rows of 3 for 1 class_names"),
    ],
)
def test_labels_that_fit_nothing_are_named(labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(og.OffgraphError, match=message):
        og.array_source(IMAGES, labels, **options)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_class_numbers_are_those_of_the_array(numbers: list[int]) -> None:
    images = np.zeros((len(numbers), 6, 6), np.uint8)
    source = og.array_source(images, numbers, task="classify")
    assert [item.label for item in source] == numbers == list(source.labels(range(len(numbers))))
    assert source.class_names == tuple(map(str, range(max(numbers) + 1)))


# ---- images


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_are_those_of_the_same_images_in_files(tmp_path: Path, depth: str, threads: int) -> None:
    images = IMAGES.astype(depth) * (257 if depth == "uint16" else 1)
    names = [f"{number:02}.png" for number in range(30)]
    for name, image in zip(names, images):
        og.imwrite(tmp_path / name, image)
    kept = og.open_source(tmp_path, color="keep")
    source = og.array_source(images, names=names)
    assert [item.name for item in source] == [item.name for item in kept]
    assert same(batches(source, threads=threads), batches(kept, threads=2))
    parts = [og.split(each, val=0.3, seed=4) for each in (source, kept)]
    for ours, theirs in zip(*parts):
        assert [item.name for item in ours] == [item.name for item in theirs]
        assert same(batches(ours, threads=threads), batches(theirs, threads=2))


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int32", "int64", "float16", "float32", "float64", ">i2"]
)
@pytest.mark.parametrize("channels", [None, 1, 2, 3])
def test_one_call_makes_what_python_does(dtype: str, channels: int | None) -> None:
    images = (IMAGES[..., 0] if channels is None else IMAGES[..., :channels]).astype(dtype)
    recipe = og.Compose(
        [og.Augment(og.Rotate((-20, 20), mode="reflect"), og.Flip(p=0.5)), og.Rescale(1 / 255)]
    )
    together, alone = og.array_source(images, NUMBERS), og.array_source(list(images), NUMBERS)
    assert together.ordinary_rows([0], recipe.planner(), [(0, 0, 0)], finite=True) is not None or dtype in (
        "float16",
        ">i2",
    )
    assert alone.ordinary_rows([0], recipe.planner(), [(0, 0, 0)], finite=True) is None
    assert same(batches(together, recipe), batches(alone, recipe))
    part = [3, 17, 4, 29]
    assert same(batches(together.subset(part), recipe), batches(alone.subset(part), recipe))
    again = together.subset(part).subset([2, 0])
    assert [item.name for item in again] == ["4", "3"]


def test_what_lies_scattered_or_on_disk_is_read_by_image(tmp_path: Path) -> None:
    expected = batches(og.array_source(IMAGES, NUMBERS))
    wide = np.zeros((60, 20, 24, 3), np.uint8)
    wide[::2] = IMAGES
    mapped = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, IMAGES.shape)
    mapped[:] = IMAGES
    zarr = pytest.importorskip("zarr")
    chunked = zarr.create_array(
        str(tmp_path / "images.zarr"), shape=IMAGES.shape, chunks=(1, 20, 24, 3), dtype="u1"
    )
    chunked[:] = IMAGES
    for images in (wide[::2], np.asfortranarray(IMAGES), mapped, chunked, list(IMAGES), tuple(IMAGES)):
        assert same(batches(og.array_source(images, NUMBERS)), expected)


def test_other_processes_make_the_same_batches() -> None:
    source = og.array_source(IMAGES, NUMBERS)
    assert same(batches(source, process=True), batches(source))


def test_volumes_are_named() -> None:
    with pytest.raises(og.SourceError, match="needs its axes named"):
        og.array_source(np.zeros((2, 6, 8, 10)))
    source = og.array_source(np.zeros((2, 6, 8, 10), np.float32), axes="ZYX")
    recipe = og.Compose([og.Augment(og.Rotate((-5, 5)))])
    assert next(iter(og.Loader(source, recipe, batch_size=2))).image.shape[1:4] == (6, 8, 10)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ("photos", {}, "a path is opened by og.open_source"),
        (["a.png"], {}, "paths are opened by og.open_source"),
        (iter(IMAGES), {}, "give an array, or a list of arrays"),
        ([], {}, "there is none"),
        (IMAGES[0], {}, "looks like one image with channels: give images"),
        (IMAGES[0, :, :, 0], {}, "also for one image"),
        (np.zeros((3, 8, 8, 9)), {}, "needs its axes named"),
        (IMAGES, {"names": ["a"]}, "a text for each of 30 images"),
        (IMAGES[:2], {"names": ["a", "a"]}, "'a' is the name of two images"),
        (IMAGES, {"masks": IMAGES[:4, ..., 0]}, "4 for 30 images"),
        (np.ma.masked_equal(IMAGES, 3), {}, "masked array"),
        (IMAGES, {"axes": "XYC"}, "must stand in the order"),
    ],
)
def test_images_that_are_none_are_refused(images: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(og.OffgraphError, match=message):
        og.array_source(images, **options)


def test_paths_and_arrays_point_at_each_other() -> None:
    with pytest.raises(og.SourceError, match=r"og\.array_source"):
        og.open_source(IMAGES, labels=NUMBERS)  # type: ignore[arg-type]
    with pytest.raises(og.SourceError, match=r"og\.array_source"):
        og.Loader(IMAGES, RECIPE)  # type: ignore[arg-type]


def test_an_image_that_is_not_like_the_axes_is_named() -> None:
    source = og.array_source([IMAGES[0], IMAGES[1, ..., 0], IMAGES[2].astype(complex)])
    for index, message in ((1, r"array/1: .*\(20, 24\)"), (2, "array/2: complex128")):
        with pytest.raises(og.DecodeError, match=message):
            source.read(index)


def test_nan_is_refused_by_name() -> None:
    images = IMAGES.astype(np.float32)
    images[11, 3, 3, 0] = np.nan
    with pytest.raises(og.OffgraphError) as caught:
        batches(og.array_source(images), og.Compose([og.Resize((8, 8))]))
    assert "11" in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


# ---- masks


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32"])
def test_masks_move_with_their_images(column: bool, dtype: str) -> None:
    images = IMAGES[:, :, :20]
    masks = (images[..., 0] > 128).astype(dtype)
    source = og.array_source(images, masks=masks[..., None] if column else masks)
    assert source.task == "segment" and source.has_masks
    recipe = og.Compose([og.Augment(og.Flip("X", p=0.5), og.Rotate90())])
    for batch in batches(source, recipe):
        assert batch.mask is not None
        assert np.array_equal(batch.mask > 0, batch.image[..., 0] > 128)


def test_masks_that_are_none_are_named() -> None:
    with pytest.raises(og.DecodeError, match=r"array/masks/0: a mask of \(9, 24\)"):
        og.array_source(IMAGES, masks=IMAGES[:, :9, :, 0]).read(0)
    with pytest.raises(og.DecodeError, match="array/masks/1: float64"):
        og.array_source(IMAGES, masks=IMAGES[..., 0] / 2).read(1)


# ---- datasets and caches


@pytest.mark.parametrize("format", ["arrow", "tfrecord", "folder", "webdataset"])
def test_a_dataset_is_built_of_arrays_and_updated(tmp_path: Path, format: Any) -> None:
    pytest.importorskip("pyarrow")
    masks = IMAGES[..., 1] // 100
    recipe = og.Compose([og.Resize((16, 16))])
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    og.build(og.array_source(IMAGES, NUMBERS, masks=masks), out, recipe, format=format)
    changed, others = IMAGES.copy(), masks.copy()
    changed[4], others[9] = 0, 1
    source = og.array_source(changed, NUMBERS, masks=others)
    report = og.build(source, out, recipe, format=format, update=True)
    assert report.kept == 28
    og.build(source, fresh, recipe, format=format)
    assert og.BuiltDataset(out).verify() == ()
    for one, other in zip(
        og.Loader(out, batch_size=7, seed=3), og.Loader(fresh, batch_size=7, seed=3), strict=True
    ):
        assert np.array_equal(one.image, other.image)
        assert one.mask is not None and np.array_equal(one.mask, other.mask)


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_a_cache_knows_other_images_of_the_same_names(tmp_path: Path, where: str) -> None:
    recipe = og.Compose([og.MedianFilter(3), og.Augment(og.Flip(p=0.5))])
    cache = where if where == "memory" else tmp_path / "cache"
    for images in (IMAGES, IMAGES[::-1].copy()):
        source = og.array_source(images, NUMBERS)
        kept = og.Loader(source, recipe, batch_size=7, seed=3).cache(cache)
        found = [batch for epoch in (0, 1) for batch in kept.epoch(epoch)]
        assert same(found, batches(source, recipe))
