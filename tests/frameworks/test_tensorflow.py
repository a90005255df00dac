"""Batches as tf.data, and Keras models trained on them; TFRecords read by TensorFlow alone."""

from __future__ import annotations

import gc
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import CLASSES, class_folder, image_file, paired_folder, recipe

import offgraph as og

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def test_elements_are_the_batches_of_the_loader(photos: Path) -> None:
    dataset = og.Loader(photos, recipe(), batch_size=4, seed=2).tensorflow()
    assert dataset.cardinality() == 4
    image_spec, label_spec = dataset.element_spec
    assert image_spec.shape.as_list() == [None, 24, 20, 3] and image_spec.dtype == tf.float32
    assert label_spec.shape.as_list() == [None] and label_spec.dtype == tf.int64
    plain = og.Loader(photos, recipe(), batch_size=4, seed=2)
    for epoch in range(3):  # every pass is the next epoch
        for (image, label), want in zip(dataset, plain.epoch(epoch), strict=True):
            assert image.numpy().tobytes() == want.image.tobytes()
            assert np.array_equal(label.numpy(), want.label)


def test_batch_axis_is_known_where_all_batches_are_full(photos: Path) -> None:
    for options in ({"batch_size": 5}, {"batch_size": 4, "drop_last": True}):
        dataset = og.Loader(photos, recipe(), **options).tensorflow()
        assert dataset.element_spec[0].shape.as_list() == [options["batch_size"], 24, 20, 3]
        assert len(list(dataset)) == dataset.cardinality() == 3


def test_skipped_images_leave_the_cardinality_open(tmp_path: Path) -> None:
    spoiled = class_folder(tmp_path / "in", each=2, bad=True)
    dataset = og.Loader(spoiled, recipe(), batch_size=2, on_error="skip").tensorflow()
    assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
    with pytest.warns(og.OffgraphWarning, match="2 of 8 images"):
        assert len(list(dataset)) == 3
    with pytest.raises(Exception, match=r"ant/cut\.png|cat/text\.jpg"):
        list(og.Loader(spoiled, recipe(), batch_size=2).tensorflow())


def test_a_pass_does_not_wait_for_autotuning(photos: Path) -> None:
    # With it, the end of every other pass waits until TensorFlow's tuning thread wakes, as long as the pass took.
    dataset = og.Loader(photos, recipe()).tensorflow()
    assert dataset.options().autotune.enabled is False
    wanted = tf.data.Options()
    wanted.autotune.enabled = True
    assert dataset.with_options(wanted).options().autotune.enabled is True


def test_passes_side_by_side_are_epochs_of_their_own(photos: Path) -> None:
    dataset = og.Loader(photos, recipe(), batch_size=4, seed=2).tensorflow()
    plain = og.Loader(photos, recipe(), batch_size=4, seed=2)
    pairs = list(zip(dataset, dataset, strict=True))
    for (first, second), *want in zip(pairs, plain.epoch(0), plain.epoch(1), strict=True):
        assert [first[0].numpy().tobytes(), second[0].numpy().tobytes()] == [w.image.tobytes() for w in want]


def test_ctrl_c_ends_training(photos: Path) -> None:
    # A shell's background jobs, and what they start, ignore the signal.
    program = (
        "import keras, offgraph as og, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "data = og.Loader(sys.argv[1], [og.Resize((24, 20)), og.Normalize('imagenet')], batch_size=4).tensorflow()\n"
        "model = keras.Sequential([keras.layers.Input((24, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])\n"
        "model.compile('sgd', 'sparse_categorical_crossentropy')\n"
        "started = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: print('epoch', flush=True))\n"
        "model.fit(data, epochs=10**6, verbose=0, shuffle=False, callbacks=[started])\n"
    )
    command = [sys.executable, "-c", program, str(photos)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "epoch\n"
        run.send_signal(signal.SIGINT)
        try:
            _, said = run.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            run.kill()
            raise
    assert said.rstrip().endswith("KeyboardInterrupt"), (run.returncode, said)


def test_a_batch_is_not_copied(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=15)
    kept = []
    plain = loader.epoch

    def epoch(number: int, **options: bool):
        for batch in plain(number, **options):
            kept.append(batch)
            yield batch

    loader.epoch = epoch  # type: ignore[method-assign]
    ((image, _),) = loader.tensorflow(epoch=0)
    shared = np.asarray(memoryview(image))
    assert shared.ctypes.data == kept[0].image.ctypes.data


def test_images_without_channels_get_an_axis(tmp_path: Path) -> None:
    image_file(tmp_path / "in" / "a.png", np.full((6, 5), 9, np.uint8))
    (image,) = og.Loader(tmp_path / "in", color="grey").tensorflow()
    assert image.shape == (1, 6, 5, 1) and image.dtype == tf.uint8


def test_sizes_that_differ_between_batches_are_told(photos: Path) -> None:
    with pytest.raises(Exception, match=r"one dtype and one shape; put Resize"):
        list(og.Loader(photos, og.Compose([]), batch_size=1).tensorflow())


def test_another_size_is_left_out_of_batches_of_one_too(tmp_path: Path) -> None:
    for number in range(9):
        image_file(tmp_path / f"{number}.png", np.full((8, 9 if number == 2 else 8, 3), number, np.uint8))
    loader = og.Loader(tmp_path, batch_size=1, on_error="skip")
    assert len(list(loader)) == 9 and not loader.skipped
    with pytest.warns(og.OffgraphWarning, match="1 of 9 images"):
        assert [int(image[0, 0, 0, 0]) for image in loader.tensorflow()] == [0, 1, 3, 4, 5, 6, 7, 8]
    assert list(loader.skipped) == ["2.png"]


def test_a_pass_broken_off_leaves_no_thread(photos: Path) -> None:
    dataset = og.Loader(photos, recipe(), batch_size=1, threads=2).tensorflow()
    for _ in dataset:
        break
    passing = iter(dataset.repeat().prefetch(2))
    next(passing)
    assert any(thread.name.startswith("offgraph") for thread in threading.enumerate())
    del passing
    for _ in range(100):  # TensorFlow lets go on a thread of its own
        gc.collect()
        if not any(thread.name.startswith("offgraph") for thread in threading.enumerate()):
            break
        time.sleep(0.05)
    assert not any(thread.name.startswith("offgraph") for thread in threading.enumerate())


def test_keras_trains_validates_and_predicts(photos: Path) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((24, 20, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    train = og.Loader(photos, recipe(), batch_size=4)
    check = og.Loader(photos, recipe().eval(), batch_size=4).tensorflow()
    seen = model.fit(train.tensorflow(), validation_data=check, epochs=3, verbose=0, shuffle=False)
    assert len(seen.history["val_accuracy"]) == 3
    assert model.evaluate(check, verbose=0)[0] < seen.history["loss"][0]
    assert model.predict(check, verbose=0).shape == (15, 3)


def test_keras_learns_masks(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    for path in masks.iterdir():
        image_file(path, (og.imread(path) > 0).astype(np.uint8))
    source = og.open_source(images, masks=masks)
    loader = og.Loader(
        source, og.Compose([og.RandomCrop((16, 16)), og.Normalize(mean=0, std=1)]), batch_size=3
    )
    dataset = loader.tensorflow()
    assert dataset.element_spec[1].shape.as_list() == [3, 16, 16]
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(dataset, epochs=2, verbose=0, shuffle=False).history["loss"]).all()


# ---- TFRecords without Offgraph


def parse(data: bytes, described: dict) -> dict:
    kinds = {"int64": tf.int64, "string": tf.string}
    features = {}
    for name, entry in described.items():
        more = {"allow_missing": True} if entry["feature"] == "FixedLenSequenceFeature" else {}
        features[name] = getattr(tf.io, entry["feature"])(entry["shape"], kinds[entry["dtype"]], **more)
    return tf.io.parse_single_example(data, features)


def test_tensorflow_alone_reads_what_features_json_describes(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    og.build(source, tmp_path / "out", og.Compose([og.Flip("Y")]), format="tfrecord", shard_size=4)
    described = json.loads((tmp_path / "out" / "features.json").read_text())
    shards = sorted(map(str, (tmp_path / "out").glob("*.tfrecord")))
    assert [Path(shard).name for shard in shards] == [
        "data-00000-of-00002.tfrecord",
        "data-00001-of-00002.tfrecord",
    ]
    seen = set()
    for data in tf.data.TFRecordDataset(shards):
        values = parse(data, described)
        name = values["name"].numpy().decode()
        image = tf.io.decode_png(values["image/encoded"])
        mask = tf.io.decode_png(values["mask/encoded"], dtype=tf.uint16)[..., 0]
        assert image.shape == tuple(values["image/shape"]) == (32, 40, 3)
        assert np.array_equal(image, og.imread(images / name)[::-1])
        assert np.array_equal(mask, og.imread(masks / name)[::-1]) and values["label"] == -1
        seen.add(name)
    assert len(seen) == 6


def test_tensorflow_alone_reads_final_floats(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), format="tfrecord", store="final")
    described = json.loads((tmp_path / "out" / "features.json").read_text())
    data = next(iter(tf.data.TFRecordDataset(next((tmp_path / "out").glob("*.tfrecord")).as_posix())))
    values = parse(data, described)
    assert values["image/format"] == b"raw" and values["image/dtype"] == b"float32"
    image = tf.reshape(tf.io.decode_raw(values["image/encoded"], tf.float32), values["image/shape"])
    assert image.shape == (24, 20, 3) and 0 <= image.numpy().min() <= image.numpy().max() <= 1
    assert CLASSES[values["label"]].encode() == values["label/name"].numpy()


def test_shards_mix_the_classes(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), format="tfrecord", copies=2, shard_size=10)
    dataset = og.Loader(tmp_path / "out", shuffle=False, batch_size=10)
    for batch in dataset:
        assert batch.label is not None and set(batch.label) == {0, 1, 2}


def test_the_example_script_reads_a_dataset(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), format="tfrecord", copies=2)
    command = [sys.executable, str(EXAMPLES / "read_tfrecord.py"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("30 images of shape (24, 20, 3)") and "10  bee" in done.stdout
    script = (EXAMPLES / "read_tfrecord.py").read_text()
    assert "offgraph" not in script.split('"""')[2] and len(script.splitlines()) <= 20


def test_clothing_becomes_a_dataset_that_a_cnn_trains_on(shared_data: Path, tmp_path: Path) -> None:
    whole = og.open_source(shared_data / "clothing" / "train")
    some = whole.subset(range(0, len(whole), 10))
    made = og.Compose.from_yaml(EXAMPLES / "clothing.yaml")
    report = og.build(some, tmp_path / "out", made, format="tfrecord", copies=2)
    assert report.examples == 120 and len(report.classes) == 10
    loader = og.Loader(tmp_path / "out", batch_size=16)
    layers = [keras.Input((96, 96, 3)), keras.layers.Conv2D(8, 3, strides=2, use_bias=False)]
    for filters in (16, 32):  # MobileNet's block: a filter a channel, then a mix of the channels
        layers += [
            keras.layers.DepthwiseConv2D(3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(),
        ]
        layers += [keras.layers.ReLU(), keras.layers.Conv2D(filters, 1, use_bias=False)]
        layers += [keras.layers.BatchNormalization(), keras.layers.ReLU()]
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(loader.num_classes, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    losses = model.fit(loader.tensorflow(), epochs=3, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0]


# ---- order and passes


def numbers(dataset: tf.data.Dataset) -> list[int]:
    return [int(number) for image, _ in dataset for number in image.numpy()[:, 0, 0, 0]]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images of two classes, each of one value: its number."""
    root = tmp_path_factory.mktemp("counted")
    for number in range(40):
        image_file(
            root / ("cat" if number % 2 else "dog") / f"{number}.png", np.full((8, 8, 3), number, np.uint8)
        )
    return root


@pytest.mark.parametrize(
    ("loader_options", "options"),
    [({}, {}), ({"shuffle": True}, {"advance": False}), ({"shuffle": True}, {"advance": False, "epoch": 5})],
)
def test_parts_of_a_dataset_share_one_order(counted: Path, loader_options: dict, options: dict) -> None:
    loader = og.Loader(counted, [og.Resize((8, 8))], batch_size=4, **loader_options)
    dataset = loader.tensorflow(**options)
    whole = numbers(dataset)
    assert numbers(dataset) == whole and sorted(whole) == list(range(40))
    assert (whole == [*range(1, 40, 2), *range(0, 40, 2)]) is not loader.shuffle
    assert numbers(dataset.take(6)) + numbers(dataset.skip(6)) == whole
    shards = [numbers(dataset.shard(3, part)) for part in range(3)]
    assert sorted(number for shard in shards for number in shard) == list(range(40))
    labels = [np.concatenate([label for _, label in dataset]) for _ in range(2)]
    assert np.array_equal(*labels) and np.array_equal(labels[0], [number % 2 == 0 for number in whole])


def test_training_goes_on_at_an_epoch(photos: Path) -> None:
    plain = og.Loader(photos, recipe(), batch_size=4, seed=2)
    later = og.Loader(photos, recipe(), batch_size=4, seed=2, start_epoch=3).tensorflow()
    loader = og.Loader(photos, recipe(), batch_size=4, seed=2)
    named = loader.tensorflow(epoch=3)
    next(iter(loader))  # the loader's own passes do not count in `named`
    for epoch in (3, 4):
        for dataset in (later, named):
            for (image, _), want in zip(dataset, plain.epoch(epoch), strict=True):
                assert image.numpy().tobytes() == want.image.tobytes()
    for wrong, says in (({"epoch": -1}, "epoch=-1: give a whole"), ({"advance": 1}, "advance=1: give True")):
        with pytest.raises(og.ArgumentError, match=says):
            loader.tensorflow(**wrong)


def test_a_state_counts_what_tensorflow_took(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, seed=2)
    run = [batch.image.tobytes() for epoch in range(2) for batch in loader.epoch(epoch)]
    for after in range(8):
        taken = og.Loader(photos, recipe(), batch_size=4, seed=2)
        dataset, given = taken.tensorflow(), []
        while len(given) < after:
            for image, _ in dataset:
                given.append(image.numpy().tobytes())
                if len(given) == after:
                    break
        resumed = og.Loader(photos, recipe(), batch_size=4, seed=2)
        resumed.load_state_dict(json.loads(json.dumps(taken.state_dict())))
        rest = resumed.tensorflow()
        assert bool(rest.cardinality() == 4) is (after % 4 == 0)
        while len(given) < 8:
            given += [image.numpy().tobytes() for image, _ in rest]
        assert given == run


@pytest.mark.parametrize(
    "options", [{"batch_size": 5}, {"batch_size": 4, "drop_last": True}, {"batch_size": 4, "pad_last": True}]
)
def test_the_rest_of_an_epoch_of_full_batches(photos: Path, options: dict[str, Any]) -> None:
    run = [
        batch.image.tobytes()
        for epoch in range(2)
        for batch in og.Loader(photos, recipe(), **options).epoch(epoch)
    ]
    for after in range(1, len(run) // 2):
        taken, resumed = (og.Loader(photos, recipe(), **options) for _ in range(2))
        list(itertools.islice(taken, after))
        resumed.load_state_dict(taken.state_dict())
        rest = resumed.tensorflow()
        assert rest.element_spec[0].shape.as_list() == [options["batch_size"], 24, 20, 3]
        assert [image.numpy().tobytes() for _ in range(2) for image, *_ in rest] == run[after:]


@pytest.mark.parametrize("size", [4, 5, 6])
def test_the_rest_of_an_epoch_in_batches_of_another_size(photos: Path, size: int) -> None:
    begun = og.Loader(photos, recipe(), batch_size=size)
    next(iter(begun))
    resumed, plain = (og.Loader(photos, recipe(), batch_size=5) for _ in range(2))
    for loader in (resumed, plain):
        loader.load_state_dict(begun.state_dict())
    rest = resumed.tensorflow()
    for _ in range(2):
        assert [image.numpy().tobytes() for image, _ in rest] == [batch.image.tobytes() for batch in plain]


def test_full_batches_of_what_is_not_left_out(tmp_path: Path) -> None:
    spoiled = class_folder(tmp_path / "in", each=2, bad=True)
    options = {"batch_size": 4, "on_error": "skip", "drop_last": True}
    dataset = og.Loader(spoiled, recipe(), **options).tensorflow()
    with pytest.warns(og.OffgraphWarning, match="2 of 8 images"):
        assert [len(image) for image, _ in dataset] == [4]


def test_images_that_fill_up_a_batch_weigh_nothing(photos: Path) -> None:
    one, model = og.Loader(photos, recipe(), batch_size=15, seed=2), small_model()
    padded = og.Loader(photos, recipe(), batch_size=4, seed=2, pad_last=True)
    dataset = padded.tensorflow(epoch=0, advance=False)
    assert [part.shape.as_list() for part in dataset.element_spec] == [[4, 24, 20, 3], [4], [4]]
    assert sum(weight.numpy().sum() for _, _, weight in dataset) == 15
    assert dataset.cardinality() == 4
    plain = one.tensorflow(epoch=0, advance=False)
    assert abs(model.evaluate(dataset, verbose=0)[1] - model.evaluate(plain, verbose=0)[1]) < 1e-6


def small_model() -> object:
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, weighted_metrics=["accuracy"])
    return model


def test_keras_trains_on_the_epochs_in_turn(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4)
    begun, plain = [], loader.epoch
    loader.epoch = lambda number, **how: (begun.append(number), plain(number, **how))[1]  # type: ignore[method-assign]
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])  # built by its first batch
    model.compile("sgd", "sparse_categorical_crossentropy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # among them: `shuffle=True` was passed, but will be ignored
        model.fit(loader.tensorflow(epoch=4), epochs=3, verbose=0, shuffle=False)
    assert begun == [4, 5, 6]


def test_keras_says_what_to_pass_in_place_of_a_loader(photos: Path) -> None:
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    loader = og.Loader(photos, recipe())
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=r"for Keras and TensorFlow pass loader\.tensorflow\(\)"):
            call(loader, verbose=0)
