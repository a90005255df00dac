"""What TensorFlow is fed with: memory that stays whole downstream, models of several inputs and outputs, two devices."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import image_file

import offgraph as og
from offgraph.frameworks import pydataset, tensorflow

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

FLOATS = [og.Resize((8, 8)), og.Normalize(mean=0, std=1)]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images of two classes, each of one value: its number."""
    root = tmp_path_factory.mktemp("counted")
    for number in range(40):
        image_file(
            root / ("cat" if number % 2 else "dog") / f"{number}.png", np.full((8, 8, 3), number, np.uint8)
        )
    return root


def values(elements: Any) -> list[list[float]]:
    """First value of every image, a list per batch."""
    return [np.rint(image.numpy()[:, 0, 0, 0] * 255).astype(int).tolist() for image, _ in elements]


DOWNSTREAM = {
    "list": list,
    "prefetch": lambda ds: list(ds.prefetch(3)),
    "prefetch auto": lambda ds: list(ds.prefetch(tf.data.AUTOTUNE)),
    "cache": lambda ds: [*(cached := ds.cache()), *cached][20:],
    "shuffle": lambda ds: sorted(ds.shuffle(20, seed=1), key=lambda element: float(element[0][0, 0, 0, 0])),
    "map": lambda ds: list(ds.map(lambda image, label: (image, label), num_parallel_calls=2)),
    "batch": lambda ds: list(ds.unbatch().batch(2)),
    "shard": lambda ds: [*ds.shard(2, 0), *ds.shard(2, 1)],
}


@pytest.mark.parametrize("downstream", DOWNSTREAM)
def test_nothing_downstream_sees_memory_used_again(counted: Path, downstream: str) -> None:
    # Twenty batches from a pool of a few buffers: were one used again too early, its values would be a later batch's.
    loader = og.Loader(counted, FLOATS, batch_size=2, prefetch=1)
    want = [np.rint(batch.image[:, 0, 0, 0] * 255).astype(int).tolist() for batch in loader.epoch(0)]
    made = DOWNSTREAM[downstream](loader.tensorflow())
    list(og.Loader(counted, FLOATS, batch_size=2))  # writes into whatever is free
    list(loader)
    found = values(made)
    if downstream == "shuffle":
        want = sorted(want)
    if downstream == "shard":
        want = want[::2] + want[1::2]
    assert found == want


def test_memory_is_used_again_after_its_last_tensor(counted: Path) -> None:
    loader = og.Loader(counted, FLOATS, batch_size=2, prefetch=1)
    seen = [np.asarray(memoryview(image)).ctypes.data for image, _ in loader.tensorflow()]
    assert len(set(seen)) <= 12 < len(seen) == 20
    kept = [image for image, _ in loader.tensorflow()]
    assert len({np.asarray(memoryview(image)).ctypes.data for image in kept}) == 20


def test_a_function_runs_over_a_pass(counted: Path) -> None:
    dataset = og.Loader(counted, FLOATS, batch_size=4).tensorflow()

    @tf.function
    def total() -> tf.Tensor:
        found = tf.zeros((), tf.int64)
        for _, label in dataset:
            found += tf.reduce_sum(label)
        return found

    assert int(total()) == 20 and int(total()) == 20


def test_a_dataset_outlives_what_it_was_made_with(counted: Path) -> None:
    passing = iter(og.Loader(counted, FLOATS, batch_size=4).tensorflow().prefetch(1))
    assert len(list(passing)) == 10


# ---- several inputs and outputs


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> og.Source:
    """Nine images with a mask and a class each."""
    root = tmp_path_factory.mktemp("cells")
    for number in range(9):
        name = f"{'ab'[number % 2]}/{number}.png"
        image_file(root / "images" / name, np.full((8, 8, 3), 20 * number, np.uint8))
        image_file(root / "masks" / name, np.full((8, 8), number % 2, np.uint8))
    return og.open_source(root / "images", masks=root / "masks", task="classify", labels="folders")


def test_parts_are_chosen_by_name(cells: og.Source) -> None:
    loader = og.Loader(cells, FLOATS, batch_size=4)
    (plain,) = loader.tensorflow().take(1)
    assert len(plain) == 2 and plain[1].dtype == tf.int64  # image and label, as without masks
    chosen = loader.tensorflow(
        inputs={"photo": "image", "drawn": "mask"}, outputs=["mask", "label", {"number": "index"}], epoch=0
    )
    for (inputs, (mask, label, numbers)), batch in zip(chosen, loader.epoch(0), strict=True):
        assert list(inputs) == ["photo", "drawn"]
        assert np.array_equal(inputs["photo"], batch.image) and np.array_equal(inputs["drawn"], batch.mask)
        assert np.array_equal(mask, batch.mask) and np.array_equal(label, batch.label)
        assert np.array_equal(numbers["number"], batch.index)
    image, mask = next(iter(loader.tensorflow(outputs="mask")))
    assert image.shape == (4, 8, 8, 3) and mask.shape == (4, 8, 8)
    (_, drawn), label = next(iter(loader.tensorflow(inputs=("image", "mask"))))
    assert drawn.shape == (4, 8, 8) and label.shape == (4,)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"inputs": "boxes"}, "inputs: 'boxes' is no part of a batch of this loader; choose among 'image', 'label', 'mask'"),
        ({"outputs": {"a": "labels"}}, "outputs: 'labels' is no part"),
        ({"outputs": 3}, "outputs=3: give the name of a part"),
        ({"inputs": {}}, r"inputs=\{\}: give the name"),
        ({"inputs": {1: "image"}}, "inputs="),
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused(cells: og.Source, options: dict, says: str) -> None:
    with pytest.raises(og.ArgumentError, match=says):
        og.Loader(cells, FLOATS).tensorflow(**options)


def model_of_several() -> Any:
    """Takes image and mask by name; learns a mask and a class by name."""
    layers = keras.layers
    photo, drawn = keras.Input((8, 8, 3), name="photo"), keras.Input((8, 8), name="drawn")
    both = layers.Concatenate()([photo, layers.Reshape((8, 8, 1))(drawn)])
    pixels = layers.Conv2D(2, 1, activation="softmax", name="pixels")(both)
    kind = layers.Dense(2, activation="softmax", name="kind")(layers.Flatten()(both))
    model = keras.Model({"photo": photo, "drawn": drawn}, {"pixels": pixels, "kind": kind})
    loss = "sparse_categorical_crossentropy"
    model.compile("adam", {"pixels": loss, "kind": loss}, metrics={"kind": ["accuracy"]})
    return model


PARTS = {"inputs": {"photo": "image", "drawn": "mask"}, "outputs": {"kind": "label", "pixels": "mask"}}


def test_keras_trains_a_model_of_several_inputs_and_outputs(cells: og.Source) -> None:
    keras.utils.set_random_seed(1)
    model = model_of_several()
    dataset = og.Loader(cells, FLOATS, batch_size=3).tensorflow(**PARTS)
    history = model.fit(dataset, epochs=2, verbose=0, shuffle=False, validation_data=dataset).history
    assert {"kind_loss", "pixels_loss", "kind_accuracy", "val_kind_loss"} <= set(history)
    assert np.isfinite(model.evaluate(dataset, verbose=0)).all()
    predicted = model.predict(dataset, verbose=0)
    assert predicted["kind"].shape == (9, 2) and predicted["pixels"].shape == (9, 8, 8, 2)


def test_images_that_fill_up_a_batch_count_for_nothing(cells: og.Source) -> None:
    plain = og.Loader(cells, FLOATS, batch_size=9)
    padded = og.Loader(cells, FLOATS, batch_size=12, pad_last=True)
    model = model_of_several()
    (want, found) = (
        model.evaluate(one.tensorflow(**PARTS), verbose=0, return_dict=True) for one in (plain, padded)
    )
    for name in ("loss", "kind_loss", "pixels_loss"):
        assert found[name] * 12 == pytest.approx(want[name] * 9, rel=1e-4)  # Keras divides by the batch size
    _, outputs, weights = padded.keras(**PARTS)[0]
    assert weights["kind"].tolist() == [1.0] * 9 + [0.0] * 3 and weights["pixels"].shape == (12, 1, 1)
    assert outputs["kind"].shape == (12,)
    _, mask, weight = next(iter(padded.tensorflow(outputs="mask")))
    assert mask.shape == (12, 8, 8) and weight.shape == (12, 1, 1)


DISTRIBUTED = """
import sys
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras, offgraph as og
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
for options in ({"batch_size": 9}, {"batch_size": 12, "drop_last": True}, {"batch_size": 6}):
    loader = og.Loader(sys.argv[1], [og.Resize((8, 8)), og.Normalize(mean=0, std=1)], **options)
    dataset = loader.tensorflow()
    seen = []
    for image, label in strategy.experimental_distribute_dataset(dataset):
        parts = strategy.experimental_local_results(image)
        assert len(parts) == 2
        seen.append(np.concatenate([part.numpy() for part in parts])[:, 0, 0, 0])
    want = [batch.image[:, 0, 0, 0] for batch in loader.epoch(0)]
    assert len(seen) == len(want) and all(map(np.array_equal, seen, want)), (seen, want)
with strategy.scope():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(dataset, epochs=2, verbose=0, shuffle=False, validation_data=dataset)
assert len(history.history["val_loss"]) == 2
assert model.predict(dataset, verbose=0).shape == (40, 2)
print("trained on", strategy.num_replicas_in_sync)
"""


def test_two_devices_share_each_batch(counted: Path) -> None:
    command = [sys.executable, "-c", DISTRIBUTED, str(counted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.endswith("trained on 2\n"), done.stderr[-3000:]


@pytest.mark.parametrize("module", [tensorflow, pydataset])
def test_examples_run(module: Any) -> None:
    failed, tried = doctest.testmod(module)
    assert tried and not failed
