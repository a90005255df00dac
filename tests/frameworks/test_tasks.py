"""What a model does, told by the model or asked about; and predictions of labels, of numbers, of sizes it does not take."""

from __future__ import annotations

import dataclasses
import errno
import math
import warnings

import numpy as np
import pytest
from tests.support.models import bright, bright_model, keras, mask_model, og_keras, segmenter, shades

import offgraph as og
from offgraph.core import machine
from offgraph.core.errors import DecodeError, MachineError, OffgraphError, SourceError, StepError
from offgraph.formats.encoding import imwrite
from offgraph.frameworks.head import head_of, outputs_of, task_of
from offgraph.inference.model_source import source_for
from offgraph.inference.predictor import predict
from offgraph.inference.stride import Grid, grid_of
from offgraph.sources import Source

SMALL = og.Compose([og.Resize((8, 8)), og.Rescale(1 / 255)])
layers, losses = keras.layers, keras.losses


def vector_model(*last, loss=None):
    """A model whose last layers are given."""
    model = keras.Sequential([keras.Input((None, None, 3)), layers.GlobalAveragePooling2D(), *last])
    if loss is not None:
        model.compile(loss=loss)
    return model


@pytest.mark.parametrize(
    ("last", "loss", "named", "task", "outputs"),
    [
        ([layers.Dense(3, activation="softmax")], None, False, "classify", "probabilities"),
        ([layers.Dense(10, activation="sigmoid")], None, False, "multilabel", "probabilities"),
        ([layers.Dense(10, activation="sigmoid")], None, True, "multilabel", "probabilities"),
        ([layers.Dense(1, activation="sigmoid")], None, False, "classify", "probabilities"),
        ([layers.Dense(3), layers.Softmax()], None, False, "classify", "probabilities"),
        ([layers.Dense(3), layers.Activation("sigmoid")], "binary_crossentropy", False, "multilabel", "probabilities"),
        ([layers.Dense(4, activation="softmax"), layers.Reshape((4,))], None, False, "classify", "probabilities"),
        ([layers.Dense(4, activation="softmax"), layers.Activation("linear", dtype="float32")], None, False, "classify", "probabilities"),
        ([layers.Dense(3)], losses.SparseCategoricalCrossentropy(from_logits=True), False, "classify", "logits"),
        ([layers.Dense(3)], losses.CategoricalCrossentropy(from_logits=True, name="mine"), False, "classify", "logits"),
        ([layers.Dense(3)], losses.BinaryCrossentropy(from_logits=True), False, "multilabel", "logits"),
        ([layers.Dense(1)], losses.BinaryCrossentropy(from_logits=True), False, "classify", "logits"),
        ([layers.Dense(1)], "mse", False, "regress", None),
        ([layers.Dense(2)], losses.MeanAbsoluteError(), False, "regress", None),
        ([layers.Dense(2)], [losses.Huber()], False, "regress", None),
        ([layers.Dense(1, activation="relu")], "poisson", False, "regress", None),
        ([layers.Dense(2)], None, True, "classify", None),
        # one class of ten, trained as such although each output is a sigmoid
        ([layers.Dense(10, activation="sigmoid")], "sparse_categorical_crossentropy", False, "classify", "probabilities"),
        ([layers.Dense(3, activation="softmax")], "mse", False, "classify", "probabilities"),
    ],
)  # fmt: skip
def test_the_task_is_told_where_the_model_is_certain(last, loss, named, task, outputs):
    model = vector_model(*(layer.__class__.from_config(layer.get_config()) for layer in last), loss=loss)
    assert task_of(model, None, named) == task
    assert outputs_of(model, task) == outputs


@pytest.mark.parametrize(
    ("last", "loss", "says"),
    [
        ([layers.Dense(1, name="score")], None, "1 value of 'score', a layer without activation, with no loss that decides it"),
        ([layers.Dense(2, name="score")], None, "2 values of 'score', a layer without activation"),
        ([layers.Dense(1, activation="relu", name="score")], None, "'score', whose activation is relu"),
        ([layers.Dense(1, activation="sigmoid", name="score")], "mse", "whose activation is sigmoid, trained with 'mse'"),
        ([layers.Dense(2), layers.Normalization(axis=None)], None, "of a layer that does not show"),
    ],
)  # fmt: skip
def test_the_task_is_asked_for_where_it_is_in_doubt(tmp_path, last, loss, says):
    model = vector_model(*(layer.__class__.from_config(layer.get_config()) for layer in last), loss=loss)
    with pytest.raises(OffgraphError, match=rf"{says}.*say task='classify'.*'multilabel'.*task='regress'"):
        og_keras.save(model, SMALL, tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_the_head_is_seen_through_models_within_models():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax", name="inside")])
    x = keras.Input((4,))
    assert head_of(keras.Model(x, layers.Dropout(0.5)(inner(x)))).layer == "inside"
    assert head_of(keras.Model(x, keras.ops.softmax(inner(x)))).activation == "softmax"


def test_an_image_of_numbers_is_no_mask_model():
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(1, 1)])
    assert task_of(model, None, named=False) == "segment"
    model.compile(loss="mse")
    with pytest.raises(OffgraphError, match="compiled with 'mse': an image of numbers"):
        task_of(model, None, named=False)
    assert task_of(model, "segment", named=False) == "segment"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "regress", "class_names": ["a", "b"]}, "class_names: the task is 'regress'"),
        ({"task": "regress", "outputs": "logits"}, "outputs: the task is 'regress'"),
        ({"task": "regress", "target_names": ["age"]}, "1 target names for a model that outputs 2"),
        ({"task": "classify", "target_names": ["a", "b"]}, "the task is 'classify'; give class_names"),
        ({"task": "regress", "postprocess": [og.Threshold(0.5)]}, "postprocess makes masks; this model predicts numbers"),
        ({"outputs": "softmax"}, "outputs='softmax'"),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_the_task_are_refused(tmp_path, options, says):
    with pytest.raises(OffgraphError, match=says):
        og_keras.save(vector_model(layers.Dense(2)), SMALL, tmp_path / "m.keras", **options)


def test_a_label_of_one_output_is_not_two_classes(tmp_path):
    with pytest.raises(OffgraphError, match="2 class names for a model that outputs 1"):
        og_keras.save(
            bright_model("sigmoid", 1), SMALL, tmp_path / "m.keras", task="multilabel", class_names=["a", "b"]
        )


# predictions


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    """Each of red, green and blue is a label where its mean is above 0.5."""
    model = vector_model(layers.Dense(3, activation="sigmoid"))
    model.layers[-1].set_weights([np.eye(3) * 20, np.full(3, -10.0)])
    return og_keras.save(
        model, SMALL, tmp_path_factory.mktemp("tags") / "tags.keras", class_names=["red", "green", "blue"]
    )


@pytest.fixture(scope="module")
def gauge(tmp_path_factory):
    """The means of red and green, in per cent."""
    model = vector_model(layers.Dense(2), loss="mse")
    model.layers[-1].set_weights([np.eye(3)[:, :2] * 100, np.zeros(2)])
    return og_keras.save(
        model, SMALL, tmp_path_factory.mktemp("gauge") / "gauge.keras", target_names=["reddish", "greenish"]
    )


COLOURS = {"a": (255, 0, 0), "b": (255, 255, 0), "c": (0, 0, 0), "d": (255, 255, 255)}


@pytest.fixture
def colours(tmp_path):
    root = tmp_path / "colours"
    root.mkdir()
    for name, colour in COLOURS.items():
        imwrite(root / f"{name}.png", np.full((9, 12, 3), colour, np.uint8))
    return root


def test_several_labels_per_image(tagger, colours):
    run = predict(tagger, colours)
    assert run.task == "multilabel" and run.threshold == 0.5
    found = {p.item.name: p for p in run}
    assert {name: p.labelled for name, p in found.items()} == {
        "a.png": ("red",),
        "b.png": ("red", "green"),
        "c.png": (),
        "d.png": ("red", "green", "blue"),
    }
    assert found["b.png"].labels == (0, 1) and found["b.png"].label is None and found["b.png"].mask is None
    assert found["d.png"].probabilities.sum() > 2.9
    assert found["b.png"].summary == "red, green" and found["c.png"].summary == "no label"
    low = {p.item.name: p.labels for p in predict(tagger, colours, threshold=1e-6)}
    assert low["c.png"] == (0, 1, 2)
    for value in (1, -0.1, math.nan, "half", True):
        with pytest.raises(OffgraphError, match="threshold="):
            predict(tagger, colours, threshold=value)


def test_logits_of_several_labels_go_through_the_sigmoid(tmp_path, colours):
    model = vector_model(layers.Dense(3), loss=losses.BinaryCrossentropy(from_logits=True))
    model.layers[-1].set_weights([np.eye(3) * 20, np.full(3, -10.0)])
    path = og_keras.save(model, SMALL, tmp_path / "m.keras")
    b = {p.item.name: p for p in predict(path, colours)}["b.png"]
    assert b.probabilities == pytest.approx(
        [1 / (1 + math.exp(-10))] * 2 + [1 / (1 + math.exp(10))], rel=1e-3
    )
    assert og.load(path).outputs == "logits"


def test_numbers_stay_numbers(gauge, colours):
    run = predict(gauge, colours)
    assert run.task == "regress" and run.target_names == ("reddish", "greenish") and run.class_names == ()
    found = {p.item.name: p for p in run}
    assert found["b.png"].values == pytest.approx((100, 100), rel=1e-5)
    assert found["a.png"].values == pytest.approx((100, 0), abs=1e-4)
    assert found["a.png"].label is None and found["a.png"].probabilities.size == 0
    assert found["b.png"].summary == "reddish 100, greenish 100"


def test_the_table_s_truth_is_read_as_the_model_s(gauge, tagger, colours):
    table = colours / "truth.csv"
    table.write_text("path,reddish,greenish\na.png,90,1.5\nb.png,100,99\n")
    assert {p.item.name: p.true_values for p in predict(gauge, table)} == {
        "a.png": (90, 1.5),
        "b.png": (100, 99),
    }
    for task, targets, truth in (
        ("regress", ["greenish", "reddish"], (90, 1.5)),  # by name, whatever their order
        ("regress", ["blueish", "greenish", "reddish"], (90, 1.5)),
        ("regress", ["blueish", "greenish"], None),  # and not 7 for reddish
        ("regress", ["blueish", "other"], (7, 8)),  # of other names in their order
        ("multilabel", ["flag", "none"], None),  # class numbers are no values
    ):
        table.write_text("path,reddish,greenish,blueish,other,flag,none\na.png,90,1.5,7,8,1,1\n")
        source = og.open_source(table, task=task, targets=targets)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", og.OffgraphWarning)
            assert [p.true_values for p in predict(gauge, source)] == [truth]
        told = " ".join(str(one.message) for one in said if one.category is og.OffgraphWarning)
        assert ("reddish" in told) == (task == "regress" and "reddish" not in targets)
        assert ("compares reddish with blueish, greenish with other, in their order" in told) == (
            truth == (7, 8)
        )
        assert ("has no true values of reddish: none are compared" in told) == (
            "greenish" in targets and truth is None
        )
    table.write_text("path,label\na.png,red\nb.png,green red\nc.png,\n")
    assert [p.true_labels for p in predict(tagger, table)] == [(0,), (0, 1), ()]
    table.write_text("path,blue,red,note\na.png,0,1,x\nd.png,1,1,y\n")
    assert [p.true_labels for p in predict(tagger, table)] == [(0,), (0, 2)]
    table.write_text("path,note\na.png,x\nd.png,y\n")
    assert [p.true_labels for p in predict(tagger, table)] == [None, None]
    assert [p.true_values for p in predict(gauge, table)] == [None, None]


def test_columns_that_are_named_are_read_as_the_model_s_labels(gauge, tagger, colours, tmp_path):
    one = og_keras.save(vector_model(layers.Dense(1), loss="mse"), SMALL, tmp_path / "one.keras")
    table = colours / "truth.csv"
    table.write_text("path,red cells,kind\na.png,1,red\nb.png,2,red green\n")
    counted = source_for(og.load(one), table, targets=["red cells"])
    assert counted.task == "regress" and [item.label for item in counted] == [(1.0,), (2.0,)]
    tagged = source_for(og.load(tagger), table, targets=["kind"])
    assert tagged.task == "multilabel" and [item.label for item in tagged] == [(0,), (0, 1)]
    assert source_for(og.load(one), table, targets=["red cells"], labels=None).task is None


def test_numbers_are_neither_logits_nor_probabilities(gauge, colours):
    with pytest.raises(OffgraphError, match=r"outputs='logits': .* predicts numbers"):
        predict(gauge, colours, outputs="logits")


def test_classes_that_the_model_does_not_know_are_refused_by_name(bright, shades, tmp_path):
    (shades / "dusk").mkdir()
    imwrite(shades / "dusk" / "1.png", np.full((5, 5, 3), 100, np.uint8))
    says = r"the class dusk is not among those that .*bright\.keras was saved with \(dark, light\).*--labels none"
    with pytest.raises(SourceError, match=says):
        predict(bright, shades)
    with pytest.raises(SourceError, match="dusk is not among"):
        predict(bright, og.open_source(shades))
    plain = list(predict(bright, og.open_source(shades, labels=None)))
    assert len(plain) == 6 and {p.true_class for p in plain} == {None}


def test_a_source_takes_the_model_s_class_numbers(bright, shades):
    """Only the second class has images: its number stays 1."""
    for file in (shades / "dark").iterdir():
        file.unlink()
    run = predict(bright, shades)
    assert run.source.class_names == ("dark", "light")
    assert [(p.item.label, p.true_class, p.true_labels) for p in run] == [(1, "light", (1,))] * 2


# sizes that a model does not take


def u_net(poolings: int = 2):
    """A network with skipped connections: its sizes must be multiples of 2**poolings."""
    x = given = keras.Input((None, None, 1))
    skipped = []
    for _ in range(poolings):
        skipped.append(x)
        x = layers.MaxPooling2D()(x)
    for other in reversed(skipped):
        x = layers.Concatenate()([layers.UpSampling2D()(x), other])
    last = layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Model(given, last(x))
    kernel = np.zeros((1, 1, poolings + 1, 1))
    kernel[..., -1, 0] = 40  # of the finest, the image itself
    last.set_weights([kernel, np.array([-18.0])])
    return model


@pytest.fixture(scope="module")
def skipping(tmp_path_factory):
    return og_keras.save(
        u_net(), og.Compose([og.Rescale(1 / 255)]), tmp_path_factory.mktemp("unet") / "unet.keras"
    )


@pytest.fixture
def sizes(tmp_path):
    root = tmp_path / "sizes"
    root.mkdir()
    rng = np.random.default_rng(3)
    for name, size in {"a": (16, 24), "b": (25, 33), "c": (16, 24), "d": (25, 33), "e": (8, 8)}.items():
        imwrite(root / f"{name}.png", rng.integers(0, 256, size, np.uint8))
    return root


def test_an_image_of_a_size_that_the_model_cannot_take_is_set_aside(skipping, sizes):
    run = predict(skipping, sizes)
    assert [p.item.name for p in run] == ["a.png", "c.png", "e.png"]
    assert [name for name, _ in run.quarantined] == ["b.png", "d.png"]
    said = run.quarantined[0][1]
    assert (
        "cannot take an image of 25 × 33 pixels: its sizes must be multiples of 4. Give pad_to=4 (--pad-to 4)"
        in said
    )
    with pytest.raises(StepError, match=r"b\.png: the model cannot take an image of 25 × 33"):
        list(predict(skipping, sizes, on_error="stop"))


def test_a_size_that_the_model_refuses_is_tried_once(skipping, tmp_path):
    for number in range(9):
        imwrite(tmp_path / f"{number}.png", np.zeros((25, 33) if number else (8, 8), np.uint8))
    saved = og.load(skipping)
    tried, run_model = [], saved.model.predict_on_batch

    def counted(batch):
        tried.append(batch.shape)
        return run_model(batch)

    saved.model.predict_on_batch = counted
    run = predict(saved, tmp_path, batch_size=3)
    assert len(list(run)) == 1 and len(run.quarantined) == 8
    assert tried == [(1, 8, 8, 1), (3, 25, 33, 1), (3, 25, 33, 1)]  # the last time compiled afresh


@pytest.mark.parametrize("pad_to", [4, 16, "auto"])
def test_a_margin_makes_it_fit_and_is_cut_off_again(skipping, sizes, pad_to):
    run = predict(skipping, sizes, pad_to=pad_to)
    found = {p.item.name: p for p in run}
    assert sorted(found) == ["a.png", "b.png", "c.png", "d.png", "e.png"] and run.quarantined == []
    for name, p in found.items():
        image = og.imread(sizes / name)
        assert np.array_equal(p.mask, (image / np.float32(255) > 0.45).astype(np.uint8)), name
        assert p.probabilities.shape == image.shape


def test_others_of_the_batch_are_kept_when_one_cannot_be_run(segmenter, sizes):
    """A layer that refuses by content, not by size: the batch is run again image by image."""
    saved = og.load(segmenter)
    run_model = saved.model.predict_on_batch

    def refuses(batch):
        if (batch.max(axis=(1, 2, 3)) < 0.5).any():
            raise TypeError(
                "Exception encountered when calling Odd.call().\n\n\x1b[1mtoo dark\x1b[0m\n\nArguments: …"
            )
        return run_model(batch)

    saved.model.predict_on_batch = refuses
    imwrite(sizes / "b.png", np.zeros((16, 24), np.uint8))
    run = predict(saved, sizes)
    assert [p.item.name for p in run] == ["a.png", "c.png", "d.png", "e.png"]
    assert run.quarantined == [("b.png", "the model cannot take an image of 96 × 128 pixels: too dark")]


def test_an_output_that_lies_nowhere_on_the_image_is_told_with_what_fits(tmp_path, sizes):
    path = og_keras.save(mask_model(stride=8), og.Compose([og.Rescale(1 / 255)]), tmp_path / "coarse.keras")
    run = predict(path, sizes)
    assert [p.item.name for p in run] == ["a.png", "c.png", "e.png"]
    assert "multiples of 8 do: give pad_to=8" in run.quarantined[0][1]
    assert len(list(predict(path, sizes, pad_to=8))) == 5


def test_volumes_of_gigabytes_are_not_tried(tmp_path):
    """A model of volumes that takes no multiple: each try is larger, and the largest ones are left out."""
    given = keras.Input((None, None, None, 1))
    model = keras.Model(given, layers.Conv3D(1, 4, activation="sigmoid")(given))
    saved = og.load(og_keras.save(model, og.Compose([og.Rescale(1 / 255)]), tmp_path / "m.keras"))
    tried = []

    class Counted:
        def __call__(self, image, training):
            tried.append(image.size)
            return model(image, training=training)

    assert grid_of(dataclasses.replace(saved, model=Counted())) is None
    assert len(tried) >= 5 and max(tried) <= 1 << 22


def test_a_coarse_grid_that_divides_by_chance_is_not_believed(tmp_path):
    """27 pixels, pooled by 8, leave 3, as if by 9: the mask would lie up to 3 pixels beside its object."""
    imwrite(tmp_path / "27.png", np.zeros((27, 40), np.uint8))
    path = og_keras.save(mask_model(stride=8), og.Compose([og.Rescale(1 / 255)]), tmp_path / "coarse.keras")
    assert grid_of(og.load(path)) == Grid(8, (8.0, 8.0))
    run = predict(path, tmp_path / "27.png")
    with pytest.raises(OffgraphError, match=r"makes \(3, 5\) of images of \(27, 40\).*pad_to=8"):
        list(run)


@pytest.mark.parametrize("poolings", [0, 1, 3])
def test_the_stride_is_found(tmp_path, poolings):
    path = og_keras.save(u_net(poolings), og.Compose([og.Rescale(1 / 255)]), tmp_path / "m.keras")
    assert grid_of(og.load(path)) == Grid(2**poolings, (1.0, 1.0))


@pytest.mark.parametrize("value", [0, -4, 2.0, "four", True])
def test_pad_to_is_checked(skipping, sizes, value):
    with pytest.raises(OffgraphError, match="pad_to="):
        predict(skipping, sizes, pad_to=value)


# failures of the machine


@pytest.mark.parametrize("kind", ["tensorflow", "memory"])
def test_want_of_memory_stops_and_sets_nothing_aside(segmenter, sizes, kind):
    tensorflow = pytest.importorskip("tensorflow")
    errors = {
        "tensorflow": tensorflow.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        "memory": MemoryError(),
    }
    saved = og.load(segmenter)

    def fails(batch):
        raise errors[kind]

    saved.model.predict_on_batch = fails
    run = predict(saved, sizes)
    with pytest.raises(MachineError, match="choose a smaller batch_size") as caught:
        list(run)
    assert caught.value.errno == errno.ENOMEM and run.quarantined == []


def test_a_drive_that_is_gone_stops_and_sets_nothing_aside(segmenter, sizes, monkeypatch):
    read = Source.read

    def fails(self, index):
        if index == 2:
            raise MachineError(f"{self.root}: is gone", OSError(errno.EIO, "Input/output error"))
        return read(self, index)

    monkeypatch.setattr(Source, "read", fails)
    monkeypatch.setattr(machine, "PAUSES", (0.01, 0.01))
    run = predict(segmenter, sizes, threads=1, batch_size=1)
    with pytest.raises(MachineError, match="is gone"):
        list(run)
    assert run.quarantined == []
    with pytest.raises(MachineError, match="is gone"):  # and not the folder of the predictions
        og.save_predictions(predict(segmenter, sizes), sizes.parent / "out")
    assert not (sizes.parent / "out").exists()


def test_a_drive_that_is_gone_for_a_moment_is_waited_for(segmenter, sizes, monkeypatch):
    read, tries = Source.read, []

    def fails_once(self, index):
        tries.append(index)
        if tries.count(index) == 1 and index == 2:
            raise MachineError(f"{self.root}: is gone", OSError(errno.EIO, "Input/output error"))
        return read(self, index)

    monkeypatch.setattr(Source, "read", fails_once)
    monkeypatch.setattr(machine, "PAUSES", (0.01, 0.01))
    run = predict(segmenter, sizes)
    assert len(list(run)) == 5 and run.quarantined == [] and tries.count(2) == 2
    tries.clear()
    for made in predict(segmenter, sizes):
        if made.index == 2:
            tries.clear()  # and fails again when the image is read for its drawing
            assert made.image.shape == made.mask.shape and tries.count(2) == 2


def test_want_of_memory_in_a_step_is_the_machine_s(segmenter, sizes, monkeypatch):
    def fails(self, *_, **__):
        raise MemoryError

    monkeypatch.setattr(machine, "PAUSES", ())
    run = predict(segmenter, sizes)
    monkeypatch.setattr(type(run.recipe), "run", fails)
    with pytest.raises(MachineError, match=r"a\.png: not enough memory"):
        list(run)
    assert run.quarantined == []


def test_too_many_bad_files_are_said(segmenter, sizes, tmp_path):
    for number in range(6):
        (sizes / f"bad{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    report = og.save_predictions(predict(segmenter, sizes), tmp_path / "out")
    assert report.count == 5 and report.too_many == "50 %"
    assert "more than max_bad=50 % allows" in report.summary()
    for number, max_bad in enumerate((0.9, 6, "60%")):
        report = og.save_predictions(predict(segmenter, sizes), tmp_path / f"out{number}", max_bad=max_bad)
        assert report.too_many is None and "max_bad" not in report.summary()
    with pytest.raises(OffgraphError, match="max_bad='some'"):
        og.save_predictions(predict(segmenter, sizes), tmp_path / "no", max_bad="some")


def test_sigmoids_of_several_classes_per_pixel_are_not_a_softmax(tmp_path, sizes):
    model = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(3, 1, activation="sigmoid")])
    path = og_keras.save(model, og.Compose([og.Rescale(1 / 255)]), tmp_path / "m.keras")
    with pytest.warns(
        og.OffgraphWarning, match=r"3 values per pixel, each an independent sigmoid.*Threshold\(0\.5\)"
    ):
        predict(path, sizes)
    predict(path, sizes, postprocess=[og.Threshold(0.5)])


def test_bad_files_are_still_set_aside(segmenter, sizes):
    (sizes / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    run = predict(segmenter, sizes)
    assert len(list(run)) == 5 and [name for name, _ in run.quarantined] == ["bad.png"]
    with pytest.raises(DecodeError):
        list(predict(segmenter, sizes, on_error="stop"))
