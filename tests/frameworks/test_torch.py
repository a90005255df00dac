"""Batches as tensors of PyTorch, with and without workers."""

from __future__ import annotations

import gc
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, paired_folder, recipe

import offgraph as og

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'offgraph[torch]'")
from torch.utils.data import DataLoader  # noqa: E402


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def as_stored(tensor: torch.Tensor) -> bytes:
    """Bytes with the channels last."""
    return tensor.movedim(1, -1).numpy().tobytes()


def test_elements_are_the_batches_of_the_loader(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, seed=2)
    data = loader.torch()
    plain = og.Loader(photos, recipe(), batch_size=4, seed=2)
    assert len(data) == len(DataLoader(data, batch_size=None)) == 4
    for epoch in range(2):
        for (image, label), want in zip(DataLoader(data, batch_size=None), plain.epoch(epoch), strict=True):
            assert image.shape == (len(want), 3, 24, 20) and as_stored(image) == want.image.tobytes()
            assert image.is_contiguous(memory_format=torch.channels_last)
            assert label.dtype == torch.int64 and np.array_equal(label.numpy(), want.label)
    (image, _), *_ = loader.torch(epoch=0, layout="NHWC")
    assert image.numpy().tobytes() == next(plain.epoch(0)).image.tobytes()


def test_tensors_are_the_memory_of_the_batch(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, prefetch=1)
    taken: list[int] = []
    plain = loader.epoch

    def epoch(number: int, **options: bool):
        for batch in plain(number, **options):
            taken.append(batch.image.ctypes.data)
            yield batch

    want = [batch.image.tobytes() for batch in loader.epoch(0)]
    monkeypatch.setattr(loader, "epoch", epoch)
    kept = [image for image, _ in DataLoader(loader.torch(epoch=0), batch_size=None)]
    assert [image.data_ptr() for image in kept] == taken
    for _ in range(3):
        list(plain(1))
        gc.collect()
    assert [as_stored(image) for image in kept] == want


@pytest.mark.parametrize("options", [{}, {"persistent_workers": True, "multiprocessing_context": "spawn"}])
def test_workers_give_the_same_batches_in_the_same_order(photos: Path, options: dict) -> None:
    plain = og.Loader(photos, recipe(), batch_size=4, seed=2)
    data = DataLoader(plain.torch(), batch_size=None, num_workers=2, **options)
    for epoch in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = list(data)
        assert [as_stored(image) for image, _ in found] == [b.image.tobytes() for b in plain.epoch(epoch)]
    data.dataset.set_epoch(1)
    assert as_stored(next(iter(data))[0]) == next(plain.epoch(1)).image.tobytes()


def test_no_image_comes_twice_where_some_are_left_out(tmp_path: Path) -> None:
    spoiled = class_folder(tmp_path / "in", each=4, bad=True)
    loader = og.Loader(spoiled, recipe(), batch_size=3, on_error="skip", max_bad=0.9)
    data = loader.torch(inputs="image", outputs="index")
    with pytest.raises(TypeError, match="not known before"):
        len(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for workers in (0, 3):
            found = [
                int(n) for _, index in DataLoader(data, batch_size=None, num_workers=workers) for n in index
            ]
            assert len(found) == len(set(found)) == 12


def test_masks_boxes_and_pickles(photos: Path, tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path / "pairs")
    loader = og.Loader(og.open_source(images, masks=masks), recipe())
    ((image, mask), (want,)) = next(iter(loader.torch())), loader.epoch(0)
    assert as_stored(image) == want.image.tobytes() and np.array_equal(mask.numpy(), want.mask)
    copy = pickle.loads(pickle.dumps(loader.torch(epoch=0)))
    assert as_stored(next(iter(copy))[0]) == want.image.tobytes()
    (image,) = DataLoader(og.Loader(images, recipe()).torch(), batch_size=None)
    assert as_stored(image) == want.image.tobytes()  # alone where there is nothing to learn
    grey = og.Loader(images, [og.Resize((8, 9))], color="grey").torch()
    assert next(iter(grey)).shape == (6, 1, 8, 9)


def test_a_loader_with_a_process_of_its_own(photos: Path) -> None:
    plain = og.Loader(photos, recipe(), batch_size=4)
    apart = og.Loader(photos, recipe(), batch_size=4, process=True)
    for (image, _), want in zip(DataLoader(apart.torch(), batch_size=None), plain.epoch(0), strict=True):
        assert as_stored(image) == want.image.tobytes()


def test_errors_name_the_argument(photos: Path) -> None:
    loader = og.Loader(photos, recipe())
    with pytest.raises(ValueError, match="layout='CHW': choose 'NCHW' or 'NHWC'"):
        loader.torch(layout="CHW")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="advance='no': give True or False"):
        loader.torch(advance="no")  # type: ignore[arg-type]
