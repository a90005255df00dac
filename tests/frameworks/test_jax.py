"""Batches as JAX arrays: in the loader's memory, one epoch per pass."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, paired_folder, recipe

import offgraph as og

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'offgraph[jax]'")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def test_batches_are_those_of_the_loader(photos: Path) -> None:
    data = og.Loader(photos, recipe(), batch_size=4, seed=2).jax()
    plain = og.Loader(photos, recipe(), batch_size=4, seed=2)
    assert len(data) == 4
    for epoch in range(2):
        for batch, want in zip(data, plain.epoch(epoch), strict=True):
            assert list(batch) == ["image", "label"]
            assert all(isinstance(array, jax.Array) for array in batch.values())
            assert batch["image"].dtype == want.image.dtype
            assert np.asarray(batch["image"]).tobytes() == want.image.tobytes()
            assert batch["label"].dtype == "int32" and np.array_equal(batch["label"], want.label)


def test_the_cpu_takes_the_memory_of_the_batch(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({}, {"process": True}):
        loader = og.Loader(photos, recipe(), batch_size=4, prefetch=1, **options)
        taken: list[int] = []
        plain = loader.epoch

        def epoch(number: int, plain=plain, taken=taken, **options: bool):
            for batch in plain(number, **options):
                taken.append(batch.image.ctypes.data)
                yield batch

        monkeypatch.setattr(loader, "epoch", epoch)
        for batch, place in zip(loader.jax(epoch=0), taken):
            assert batch["image"].unsafe_buffer_pointer() == place


def test_memory_is_used_again_only_after_the_last_array_in_it(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, prefetch=1)
    want = [batch.image.tobytes() for batch in loader.epoch(0)]
    kept = [batch["image"] for batch in loader.jax(epoch=0)]
    sums = [jax.numpy.sum(image) for image in kept]
    for _ in range(3):
        list(loader.epoch(1))
        gc.collect()
    assert [np.asarray(image).tobytes() for image in kept] == want
    assert [float(jax.numpy.sum(image)) for image in kept] == [float(one) for one in sums]
    before = {batch["image"].unsafe_buffer_pointer() for _ in range(5) for batch in loader.jax()}
    assert len(before) <= 12  # of 20 batches


def test_epochs_masks_boxes_and_devices(photos: Path, tmp_path: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=15)
    first = [np.asarray(batch["image"]).tobytes() for batch in loader.jax(epoch=3, advance=False)]
    assert first == [np.asarray(batch["image"]).tobytes() for batch in loader.jax(epoch=3)]
    data = loader.jax()
    assert next(iter(data))["image"].tobytes() == next(loader.epoch(0)).image.tobytes()
    assert next(iter(loader))  # one number for both
    assert next(iter(data))["image"].tobytes() == next(loader.epoch(2)).image.tobytes()
    (on_device,) = loader.jax(device=jax.devices()[0])
    assert on_device["image"].devices() == {jax.devices()[0]}

    images, masks = paired_folder(tmp_path / "pairs")
    pairs = og.Loader(og.open_source(images, masks=masks))
    ((batch,), (want,)) = pairs.jax(), pairs.epoch(0)
    assert list(batch) == ["image", "mask"] and np.array_equal(batch["mask"], want.mask)


def test_errors_name_the_argument(photos: Path) -> None:
    loader = og.Loader(photos, recipe())
    with pytest.raises(ValueError, match="epoch=-1"):
        loader.jax(epoch=-1)
    with pytest.raises(ValueError, match="advance='no': give True or False"):
        loader.jax(advance="no")  # type: ignore[arg-type]
