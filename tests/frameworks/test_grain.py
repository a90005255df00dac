"""Samples and recipes in pipelines of Grain."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, paired_folder, recipe

import offgraph as og
from offgraph.errors import DecodeError
from offgraph.frameworks.grain import Addresses

grain = pytest.importorskip("grain", reason="Grain is not installed: pip install 'offgraph[grain]'")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def test_batches_are_those_of_the_loader(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, seed=2)
    data = loader.grain(epoch=1, epochs=2)
    assert len(data) == 30
    batched = iter(data.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=3)).batch(4))
    want = [batch for epoch in (1, 2) for batch in loader.epoch(epoch)]
    rows = {name: np.concatenate([getattr(b, name) for b in want]) for name in ("image", "label", "index")}
    for number, batch in enumerate(batched):
        here = slice(4 * number, 4 * number + 4)
        for name, array in rows.items():
            assert batch[name].dtype == array.dtype and batch[name].tobytes() == array[here].tobytes()
    assert number == 7


def test_access_is_random_and_by_address(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), seed=2)
    data = loader.grain(epochs=3)
    for place in (31, 0, 44, 15, 31):
        epoch, index = divmod(place, 15)[0], int(data[place]["index"])
        assert index == loader.order(epoch)[place % 15]
        want = loader.sample(index, epoch=epoch)
        assert want is not None and data[place]["image"].tobytes() == want.image[0].tobytes()
    shuffled = loader.grain().shuffle(seed=1)  # its address stays with an image
    whole = {int(one["index"]): one["image"].tobytes() for one in loader.grain()}
    assert {int(one["index"]): one["image"].tobytes() for one in shuffled} == whole and len(whole) == 15
    with pytest.raises(IndexError, match="45 places"):
        Addresses(loader, 0, 3)[45]


def test_masks_and_images_left_out(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path / "pairs")
    loader = og.Loader(og.open_source(images, masks=masks), recipe())
    (want,) = loader.epoch(0)
    for one, image, mask in zip(loader.grain(), want.image, want.mask, strict=True):
        assert one["image"].tobytes() == image.tobytes() and one["mask"].tobytes() == mask.tobytes()

    spoiled = class_folder(tmp_path / "in", each=2, bad=True)
    with pytest.raises(DecodeError, match=r"cut\.png|text\.jpg"):
        list(og.Loader(spoiled, recipe()).grain())
    loader = og.Loader(spoiled, recipe(), on_error="skip")
    data = loader.grain()
    assert [place for place in range(8) if data[place] is None] == [
        place for place, number in enumerate(loader.order(0)) if loader.sample(int(number)) is None
    ]
    assert len(loader.skipped) == 2 and len(list(data)) == len(list(data.to_iter_dataset())) == 6


def test_a_pipeline_is_pickled_for_processes(photos: Path) -> None:
    data = og.Loader(photos, recipe(), seed=2).grain()
    copy = pickle.loads(pickle.dumps(data))
    assert copy[3]["image"].tobytes() == data[3]["image"].tobytes()
    ran = pickle.loads(pickle.dumps(og.grain_transform(recipe())))
    assert repr(ran) == repr(og.grain_transform(recipe()))


def test_a_recipe_over_a_source_of_others() -> None:
    image, mask = np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3), np.eye(40, 30, dtype=np.uint8)
    steps = og.Compose([og.Resize((24, 20)), og.Augment(og.Rotate((-15, 15)), og.Flip("X", p=0.5))])
    source = grain.MapDataset.source([{"image": image, "mask": mask, "name": str(i)} for i in range(6)]).seed(
        5
    )
    ran = list(source.random_map(og.grain_transform(steps)))
    again = list(source.random_map(og.grain_transform(steps)))
    assert len({one["image"].tobytes() for one in ran}) == 6
    for number, (one, other) in enumerate(zip(ran, again)):
        assert one["name"] == str(number)
        assert one["image"].tobytes() == other["image"].tobytes()
        assert one["image"].shape == (24, 20, 3) and one["mask"].shape == (24, 20)
        rng = np.random.default_rng(7)
        key = og.Key(int(np.random.default_rng(7).integers(1 << 63)))
        direct = og.grain_transform(steps).random_map({"image": image, "mask": mask}, rng)
        want = steps(image=image, mask=mask, key=key)
        assert direct["image"].tobytes() == want.image.tobytes()
        assert direct["mask"].tobytes() == np.asarray(want.mask).tobytes()
    boxed = og.grain_transform(og.Compose([og.Flip("X")]))
    found = boxed.random_map({"image": image, "boxes": [[0, 1, 2, 3]]}, np.random.default_rng(0))
    assert found["boxes"].tolist() == [[28, 1, 30, 3]]
    with pytest.raises(ValueError, match="'image'; this one has pixels"):
        boxed.random_map({"pixels": image}, np.random.default_rng(0))


def test_a_recipe_in_a_loader_of_grain() -> None:
    steps = og.Compose([og.Augment(og.Flip("X", p=0.5))])
    images = [{"image": np.arange(12, dtype=np.uint8).reshape(3, 4) + i} for i in range(8)]
    sampler = grain.samplers.IndexSampler(8, shuffle=False, seed=3, num_epochs=1)
    data = grain.DataLoader(data_source=images, sampler=sampler, operations=[og.grain_transform(steps)])
    found = [one["image"] for one in data]
    flipped = [not np.array_equal(one, image["image"]) for one, image in zip(found, images)]
    assert 0 < sum(flipped) < 8
    for one, image, turned in zip(found, images, flipped):
        assert np.array_equal(one, image["image"][:, ::-1] if turned else image["image"])
