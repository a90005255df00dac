"""Keras fed with a PyDataset: batches by number, epochs in turn, workers; and the callback that measures it."""

from __future__ import annotations

import os
import pickle
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, paired_folder, recipe

import offgraph as og

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def small_model() -> Any:
    model = keras.Sequential([keras.Input((24, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Seen(keras.callbacks.Callback):
    """Notes the epoch of a dataset with every epoch of the training."""

    def __init__(self, dataset: Any) -> None:
        super().__init__()
        self.dataset, self.epochs = dataset, []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 0:
            self.epochs.append(self.dataset.epoch)


# ---- one batch of a loader


@pytest.mark.parametrize(
    "options", [{}, {"drop_last": True}, {"threads": 1}, {"shuffle": False}, {"batch_size": 1}]
)
def test_a_batch_on_its_own_is_that_of_the_pass(photos: Path, options: dict) -> None:
    loader = og.Loader(photos, recipe(), **{"batch_size": 4, "seed": 3} | options)
    for epoch in (0, 5):
        whole = list(loader.epoch(epoch))
        assert len(whole) == len(loader)
        for number in random.Random(1).sample(range(len(whole)), len(whole)):
            made = loader.batch(epoch, number)
            assert made.image.tobytes() == whole[number].image.tobytes()
            assert np.array_equal(made.label, whole[number].label)
            assert np.array_equal(made.index, whole[number].index) and made.records == whole[number].records


def test_what_cannot_be_used_makes_a_batch_smaller(tmp_path: Path) -> None:
    spoiled = class_folder(tmp_path, each=2, bad=True)
    loader = og.Loader(spoiled, recipe().eval(), batch_size=3, on_error="skip")
    assert [len(loader.batch(0, number)) for number in range(3)] == [2, 3, 1]
    with pytest.raises(og.OffgraphError, match=r"text\.jpg|cut\.png"):
        og.Loader(spoiled, recipe().eval(), batch_size=3).batch(0, 0)
    for wrong, says in ((3, r"number=3: an epoch has 3 batches, counted from 0"), (-1, "number=-1")):
        with pytest.raises(og.ArgumentError, match=says):
            loader.batch(0, wrong)


# ---- PyDataset


def test_a_dataset_gives_batches_by_number(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, start_epoch=2)
    dataset = loader.keras()
    assert isinstance(dataset, keras.utils.PyDataset) and len(dataset) == dataset.num_batches == 4
    assert dataset.epoch == 2
    for number, want in enumerate(loader.epoch(2)):
        image, label = dataset[number]
        assert image.tobytes() == want.image.tobytes() and np.array_equal(label, want.label)
    named = loader.keras(epoch=7, inputs={"photo": "image"}, outputs=["label", "index"])
    inputs, (label, index) = named[3]
    want = loader.batch(7, 3)
    assert np.array_equal(inputs["photo"], want.image) and np.array_equal(index, want.index)
    copy = pickle.loads(pickle.dumps(named))
    assert copy.epoch == 7 and np.array_equal(copy[3][0]["photo"], want.image)


def test_images_alone_are_a_tuple_of_one(tmp_path: Path) -> None:
    for number in range(3):
        image_file(tmp_path / f"{number}.png", np.full((24, 20, 3), number, np.uint8))
    dataset = og.Loader(tmp_path, [og.Normalize(mean=0, std=1)], batch_size=2).keras()
    assert isinstance(dataset[0], tuple) and dataset[0][0].shape == (2, 24, 20, 3)
    assert small_model().predict(dataset, verbose=0).shape == (3, 3)


@pytest.mark.parametrize("how", [{}, {"workers": 2}, {"workers": 2, "max_queue_size": 1}])
@pytest.mark.parametrize("shuffle", [False, True])
def test_fit_takes_each_batch_once_per_epoch_and_the_epochs_in_turn(
    photos: Path, shuffle: bool, how: dict
) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4)
    dataset = loader.keras(epoch=3, **how)
    asked: list[tuple[int, int]] = []
    plain, whole = loader.batch, loader.epoch

    def ahead(epoch: int) -> Any:
        for number, batch in enumerate(whole(epoch)):
            asked.append((epoch, number))
            yield batch

    loader.batch = lambda epoch, number: (asked.append((epoch, number)), plain(epoch, number))[1]  # type: ignore[method-assign]
    loader.epoch = ahead  # type: ignore[method-assign]
    seen = Seen(dataset)
    keras.utils.set_random_seed(4)
    model = small_model()
    asked.clear()
    model.fit(dataset, epochs=3, verbose=0, shuffle=shuffle, callbacks=[seen])
    assert seen.epochs == [3, 4, 5] and dataset.epoch == 6
    for epoch in (3, 4, 5):
        assert {number for of, number in asked if of == epoch} == {0, 1, 2, 3}
    if not how:
        order = [number for of, number in asked if of == 5][:4]
        assert (order == [0, 1, 2, 3]) is not shuffle
    assert np.isfinite(model.evaluate(dataset, verbose=0))


@pytest.mark.parametrize("asked", [[0, 1, 2, 3], [0, 1, 3, 2], [2, 0, 1, 3], [0, 0, 1, 2], [1, 2, 3, 0]])
def test_batches_are_those_of_their_numbers_however_they_are_asked_for(
    photos: Path, asked: list[int]
) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4)
    dataset = loader.keras()
    want = [[batch.image.tobytes() for batch in loader.epoch(epoch)] for epoch in (0, 1)]
    assert dataset[1][0].tobytes() == want[0][1]  # before an epoch, as Keras looks at shapes
    for epoch in (0, 1):
        dataset.on_epoch_begin()
        assert [dataset[number][0].tobytes() for number in asked] == [want[epoch][number] for number in asked]
        dataset.on_epoch_end()
    assert dataset.epoch == 2


def test_an_epoch_that_ends_early_leaves_no_thread(photos: Path) -> None:
    before = threading.active_count()
    dataset = og.Loader(photos, recipe(), batch_size=2).keras()
    for end in (dataset.on_epoch_end, dataset.on_epoch_begin, lambda: dataset[5]):
        dataset.on_epoch_begin()
        dataset[0], dataset[1]
        assert threading.active_count() > before
        end()
        dataset.on_epoch_end()
        assert threading.active_count() == before


def test_ragged_boxes_and_wrong_arguments_are_refused(photos: Path) -> None:
    loader = og.Loader(photos, recipe())
    for wrong, says in (
        ({"workers": -1}, "workers=-1"),
        ({"use_multiprocessing": 1}, "use_multiprocessing=1: give True or False"),
        ({"epoch": -1}, "epoch=-1"),
        ({"outputs": "mask"}, "outputs: 'mask' is no part"),
    ):
        with pytest.raises(og.ArgumentError, match=says):
            loader.keras(**wrong)


def test_masks_are_learnt(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    for path in masks.iterdir():
        image_file(path, (og.imread(path) > 0).astype(np.uint8))
    loader = og.Loader(og.open_source(images, masks=masks), [og.Normalize(mean=0, std=1)], batch_size=3)
    model = keras.Sequential([keras.Input((32, 40, 3)), keras.layers.Conv2D(2, 1, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(loader.keras(), epochs=2, verbose=0).history["loss"]).all()


WITHOUT_TENSORFLOW = """
import sys
import keras, offgraph as og
loader = og.Loader(sys.argv[1], [og.Resize((24, 20)), og.Normalize(mean=0, std=1)], batch_size=4)
model = keras.Sequential([keras.Input((24, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
model.compile("sgd", "sparse_categorical_crossentropy")
for options in ({}, {"workers": 2}, {"workers": 2, "use_multiprocessing": True}):
    assert model.predict(loader.keras(**options), verbose=0).shape == (15, 3)
before = loader.seconds_waited
history = model.fit(loader.keras(), epochs=2, verbose=0, callbacks=[loader.keras_callback(verbose=False)]).history
assert 0 < history["data_wait"][1] <= 1 and loader.seconds_waited == before
assert "tensorflow" not in sys.modules and keras.backend.backend() == "jax"
print("trained")
"""


def test_another_backend_does_not_load_tensorflow(photos: Path) -> None:
    pytest.importorskip("jax", reason="needs JAX: pip install 'offgraph[jax]'")
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(photos)]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.stdout == "trained\n", done.stderr[-3000:]


# ---- the callback


class Slow(keras.callbacks.Callback):
    """A model that takes long."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(0.1)


def test_the_callback_measures_speed_and_wait(photos: Path, capsys: pytest.CaptureFixture) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4)
    callback = loader.keras_callback()
    history = small_model().fit(
        loader.tensorflow(), epochs=2, verbose=0, shuffle=False, callbacks=[callback, Slow()],
        validation_data=loader.tensorflow(),
    ).history  # fmt: skip
    assert len(history["images_per_second"]) == len(history["data_wait"]) == 2
    assert all(0 < speed <= 15 / 0.4 for speed in history["images_per_second"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and re.fullmatch(
        r"epoch 2: \d+ images/s, \d+% of the time spent waiting for data", lines[1]
    )
    plain = loader.next_pass

    def slowly(**options: bool) -> Any:
        for batch in plain(**options):
            time.sleep(0.2)
            yield batch

    loader.next_pass = slowly  # type: ignore[method-assign]
    starved = small_model().fit(
        loader.tensorflow(), epochs=2, verbose=0, shuffle=False, callbacks=[loader.keras_callback(verbose=False)]
    ).history  # fmt: skip
    assert starved["data_wait"][1] > 0.5 > 0.45 > history["data_wait"][1]
    assert not capsys.readouterr().out


def test_the_callback_leaves_printing_to_keras_where_that_prints(
    photos: Path, capsys: pytest.CaptureFixture
) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4)
    small_model().fit(loader.keras(), epochs=1, verbose=2, callbacks=[loader.keras_callback()])
    printed = capsys.readouterr().out
    assert "images_per_second: " in printed and "images/s" not in printed and "wait" not in printed
    with pytest.raises(og.ArgumentError, match="verbose=2: give True or False"):
        loader.keras_callback(verbose=2)
