"""A model and its recipe travel in one file, and a file that is not that is refused with the reason."""

from __future__ import annotations

import doctest
import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import recipe

import offgraph as og
from offgraph.frameworks import keras as keras_module
from offgraph.frameworks.keras import MEMBER, SavedModel
from offgraph.postprocess import FillHoles, Threshold

keras = pytest.importorskip("keras")


def classifier(units: int = 3) -> keras.Model:
    return keras.Sequential([keras.Input((24, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(units)])


def segmenter() -> keras.Model:
    return keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3, padding="same")])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return og.save(classifier(), recipe(), tmp_path / "model.keras", class_names=["a", "b", "c"])


def rewrite(path: Path, change: dict | bytes) -> None:
    """Put other content into the recipe of a saved model."""
    with zipfile.ZipFile(path) as archive:
        kept = {info.filename: archive.read(info) for info in archive.infolist()}
    if isinstance(change, dict):
        change = json.dumps({**json.loads(kept[MEMBER]), **change}).encode()
    kept[MEMBER] = change
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)


def test_model_and_recipe_come_back(tmp_path: Path) -> None:
    model = classifier()
    path = og.save(model, recipe(), tmp_path / "m.keras", class_names=("x", "y", "z"))
    back = og.load(path)
    assert isinstance(back, SavedModel)
    assert back.recipe.digest == recipe().digest and back.recipe.fingerprint == recipe().fingerprint
    assert back.class_names == ("x", "y", "z") and back.task == "classify" and back.postprocess is None
    assert back.input_spec == og.ArraySpec((24, 20, 3), "float32", "YXC")
    given = np.random.default_rng(0).random((2, 24, 20, 3), np.float32)
    assert np.array_equal(model.predict(given, verbose=0), back.model.predict(given, verbose=0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.keras"]


def test_keras_alone_opens_the_file(saved: Path) -> None:
    assert keras.saving.load_model(saved).output_shape == (None, 3)


def test_the_file_tells_the_recipe_without_offgraph(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        described = json.loads(archive.read(MEMBER))
    assert (
        described["prepare"] == recipe().eval().to_dict() and described["fingerprint"] == recipe().fingerprint
    )
    assert described["versions"]["keras"] == keras.__version__


def test_mask_models_keep_their_postprocessing(tmp_path: Path) -> None:
    made = og.Compose([og.Normalize(mean=0, std=1)])
    path = og.save(segmenter(), made, tmp_path / "m.keras", postprocess=[Threshold(0.5), FillHoles()])
    back = og.load(path)
    assert back.task == "segment" and back.input_spec.shape == (None, None, 1)
    assert back.postprocess is not None
    assert [step.name for step in back.postprocess.steps] == ["Threshold", "FillHoles"]
    assert og.load(og.save(segmenter(), made, path, task="segment")).postprocess is None


def test_saving_again_replaces_and_failing_leaves_what_was_there(saved: Path) -> None:
    before = saved.read_bytes()
    model = classifier()
    model.save = lambda path: (
        Path(path).write_bytes(b"half") and (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(og.OffgraphError, match=r"model\.keras: cannot be written: No space left"):
        og.save(model, recipe(), saved, task="classify")
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "model.h5"}, r"model\.h5: a saved model's name ends in \.keras"),
        ({"class_names": ["a"]}, "1 class names for a model that outputs 3 values"),
        ({"task": "detect"}, "task='detect'"),
        ({"task": "segment"}, "task='segment': the model outputs .*, so it is not a segmentation model"),
        ({"postprocess": [Threshold(0.5)]}, "postprocess makes masks; this model predicts classes"),
        ({"class_names": "abc"}, "class_names='abc': give a list of names"),
        ({"class_names": [1, 2, 3]}, "give a list of names"),
        ({"class_names": ["a", "b", "a"]}, "'a' is in it twice"),
        ({"recipe": None}, "recipe=None: give a Compose"),
        ({"recipe": [og.Resize((24, 21))]}, r"makes images of \(24, 21\), the model takes \(24, 20\)"),
        ({"recipe": [og.Resize((24, 20)), og.Normalize(mean=[0, 0], std=[1, 1])]}, "does not fit a model"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, options: dict, says: str) -> None:
    path = tmp_path / options.pop("path", "m.keras")
    with pytest.raises(og.OffgraphError, match=says):
        og.save(classifier(), options.pop("recipe", recipe()), path, **{"task": "classify", **options})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "classify"}, "so it is a segmentation model"),
        ({"postprocess": og.Flip("X")}, "postprocess: Flip is not a result step"),
        ({"postprocess": 0.5}, "postprocess: .*0.5"),
        ({"postprocess": [og.Flip("X")]}, "postprocess: Flip is not a result step"),
        ({"postprocess": [FillHoles(), Threshold(0.5)]}, "postprocess: .*FillHoles"),
        ({"postprocess": []}, "does not give a mask; begin with Threshold"),
    ],
)
def test_what_does_not_fit_a_mask_model_is_named(tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(og.OffgraphError, match=says):
        og.save(segmenter(), [og.Normalize(mean=0, std=1)], tmp_path / "m.keras", **options)
    assert not list(tmp_path.iterdir())


def test_arguments_in_another_order_are_told(tmp_path: Path) -> None:
    with pytest.raises(og.OffgraphError, match=r"the order is save\(model, recipe, path\)"):
        og.save(recipe(), classifier(), tmp_path / "m.keras")  # type: ignore[arg-type]


def test_without_keras_a_model_says_what_to_install(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras.saving", None)
    with pytest.raises(
        og.OffgraphError, match=r"Keras, which is not installed; run: pip install 'offgraph\[tens"
    ):
        og.load(saved)


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.last = keras.layers.Dense(3)

    def call(self, x: object) -> object:
        return self.last(x)


def test_models_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    one, other = keras.Input((4, 4, 3), name="left"), keras.Input((4, 4, 3), name="right")
    twins = keras.Model([one, other], keras.layers.Add()([one, other]))
    with pytest.raises(og.OffgraphError, match=r"2 inputs \('left' \(None, 4, 4, 3\), 'right'.*one input"):
        og.save(twins, recipe(), tmp_path / "m.keras")
    flat = keras.layers.Flatten()(one)
    heads = [keras.layers.Dense(n, name=name)(flat) for n, name in ((3, "kind"), (1, "age"))]
    with pytest.raises(
        og.OffgraphError, match=r"2 outputs \('kind' \(None, 3\), 'age' \(None, 1\)\).*model\.outputs\[0\]"
    ):
        og.save(keras.Model(one, heads), recipe(), tmp_path / "m.keras")
    with pytest.raises(og.OffgraphError, match=r"2 outputs \('age'.*'kind'"):
        og.save(keras.Model(one, dict(zip(("kind", "age"), heads))), recipe(), tmp_path / "m.keras")
    with pytest.raises(og.OffgraphError, match=r"is not built: begin a Sequential with keras\.Input"):
        og.save(keras.Sequential([keras.layers.Dense(3)]), recipe(), tmp_path / "m.keras")
    subclassed = Subclassed()
    subclassed(np.zeros((1, 8), np.float32))
    with pytest.raises(og.OffgraphError, match=r"a subclass of keras.Model.*keras\.Model\(x, model\(x\)\)"):
        og.save(subclassed, recipe(), tmp_path / "m.keras")
    odd = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Reshape((16, 3))])
    for task in (None, "classify", "segment"):
        with pytest.raises(og.OffgraphError, match=r"outputs \(None, 16, 3\).*one for masks"):
            og.save(odd, recipe(), tmp_path / "m.keras", task=task)


def test_two_names_for_one_sigmoid(tmp_path: Path) -> None:
    assert og.load(
        og.save(classifier(1), recipe(), tmp_path / "m.keras", class_names=list("ab"))
    ).class_names == (
        "a",
        "b",
    )


def test_a_model_without_a_recipe_is_told_apart(tmp_path: Path) -> None:
    classifier().save(tmp_path / "plain.keras")
    with pytest.raises(
        og.OffgraphError, match=r"plain\.keras: a model without a recipe; load it with Keras and save it with"
    ):
        og.load(tmp_path / "plain.keras")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip archive at all", None])
def test_files_that_are_no_models(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "x.keras"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(og.OffgraphError, match=r"x\.keras: not a readable \.keras file: "):
        og.load(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (b"{", "is not JSON"),
        (b"[1]", "is not a JSON object"),
        (b"[" * 100_000, "is not JSON"),
        ({"offgraph": 99}, "has layout 99"),
        ({"recipe": {"offgraph": 1, "steps": [{"Spin": {}}]}}, "cannot be used: .*Spin"),
        ({"recipe": None}, "cannot be used|is damaged"),
        ({"input": {}}, "is damaged"),
        ({"class_names": 5}, "is damaged"),
        ({"input": {"shape": [24, 20, 3], "dtype": "float31", "axes": "YXC"}}, "is damaged.*float31"),
        ({"input": {"shape": [24, -1, 3], "dtype": "float32", "axes": "YXC"}}, "is damaged"),
        ({"input": {"shape": [24, 20, 3], "dtype": "float32", "axes": "QQQ"}}, "is damaged.*QQQ"),
        ({"task": "detect"}, "task 'detect'"),
    ],
)
def test_damaged_recipes_are_told(saved: Path, change: dict | bytes, says: str) -> None:
    rewrite(saved, change)
    with pytest.raises(og.OffgraphError, match=rf"model\.keras: .*{says}"):
        og.load(saved)


def test_archives_that_unpack_to_absurd_sizes_are_refused(saved: Path, tmp_path: Path) -> None:
    rewrite(saved, b" " * (20 << 20))
    with pytest.raises(og.OffgraphError, match="larger than"):
        og.load(saved)
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1000))
        archive.writestr(MEMBER, "{}")
    data = bomb.read_bytes()  # the directory says 3 GB: what is really packed there is never looked at
    at = data.index(b"PK\x01\x02") + 24
    bomb.write_bytes(data[:at] + struct.pack("<I", 3_000_000_000) + data[at + 4 :])
    with pytest.raises(og.OffgraphError, match="unpack to 3000000002; not a model file"):
        og.load(bomb)


def with_layer(layer: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((24, 20, 3)), layer, keras.layers.Flatten(), keras.layers.Dense(2)])


class Plain(keras.layers.Layer):
    """Of the user's own, and not registered."""

    def call(self, x: object) -> object:
        return x


@keras.saving.register_keras_serializable("tests")
class Registered(Plain):
    pass


@keras.saving.register_keras_serializable("tests")
class Forgetful(Plain):
    """Registered, but its get_config() does not give what its __init__ takes."""

    def __init__(self, what: object, **options: object) -> None:
        super().__init__(**options)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (lambda: keras.layers.Lambda(lambda x: x + 1, name="add"), r"the layer 'add' is a Lambda.*Rescaling"),
        (lambda: keras.layers.Lambda(keras.ops.abs, name="magnitude"), "the layer 'magnitude' is a Lambda"),
        (
            lambda: keras.Sequential([keras.layers.Lambda(lambda x: x, name="deep")]),
            "the layer 'deep' is a Lambda",
        ),
        (
            lambda: Plain(name="mine"),
            r"code of your own in 'mine' \(Plain\): decorate .*register_keras_serializable",
        ),
        (
            lambda: Forgetful(object(), name="odd"),
            r"'odd' \(Forgetful\).*let get_config\(\) give what its __init__ takes",
        ),
        (
            lambda: keras.layers.Dense(2, activation=lambda x: x * 2, name="own"),
            r"code of your own in 'own' \(<lambda>\)",
        ),
    ],
)
def test_what_could_not_be_loaded_again_is_not_saved(tmp_path: Path, layer, says: str) -> None:
    with pytest.raises(og.OffgraphError, match=rf"m\.keras: not saved: .*{says}"):
        og.save(with_layer(layer()), recipe(), tmp_path / "m.keras", task="classify")
    assert not list(tmp_path.iterdir())


def test_registered_layers_are_saved(tmp_path: Path) -> None:
    path = og.save(with_layer(Registered()), recipe(), tmp_path / "m.keras", task="classify")
    assert og.load(path).model.output_shape == (None, 2)


def test_code_in_a_stranger_s_model_is_not_run(saved: Path, tmp_path: Path) -> None:
    """A file that Keras alone saved, with a Lambda in it, and a recipe put into it."""
    model = keras.Sequential(
        [keras.Input((24, 20, 3)), keras.layers.Lambda(lambda x: x + 1), keras.layers.Flatten()]
    )
    model.save(tmp_path / "lambda.keras")
    with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(tmp_path / "lambda.keras", "a") as archive:
        archive.writestr(MEMBER, whole.read(MEMBER))
    with pytest.raises(og.OffgraphError, match=r"lambda\.keras: Keras cannot load the model: .*[Ll]ambda"):
        og.load(tmp_path / "lambda.keras")


def test_a_layer_that_is_not_imported_is_told_when_loading(tmp_path: Path) -> None:
    path = og.save(with_layer(Registered()), recipe(), tmp_path / "m.keras", task="classify")
    code = f"import offgraph as og\ntry: og.load({str(path)!r})\nexcept og.OffgraphError as e: print(e)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert (
        "m.keras: Keras cannot load the model" in said and "import the code of your own layers first" in said
    )


def test_a_description_that_is_not_the_model_s_is_refused(saved: Path) -> None:
    rewrite(saved, {"input": {"shape": [24, 24, 3], "dtype": "float32", "axes": "YXC"}})
    with pytest.raises(og.OffgraphError, match=r"takes \(24, 24, 3\), but it takes \(24, 20, 3\)"):
        og.load(saved)


@pytest.mark.parametrize("units", [300_000, 2_000_000_000])
def test_weights_that_are_described_and_not_there_are_not_made(saved: Path, units: int) -> None:
    """A line of text asks for gigabytes: 1440 inputs times the units."""
    with zipfile.ZipFile(saved) as archive:
        kept = {info.filename: archive.read(info) for info in archive.infolist()}
    text = kept["config.json"].decode()
    assert '"units": 3' in text
    kept["config.json"] = text.replace('"units": 3', f'"units": {units}').encode()
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        og.OffgraphError, match=r"model\.keras: describes a model with .* GB of weights and holds"
    ):
        og.load(saved)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 200_000, "kB"
    # and what comes after is as before
    assert classifier()(np.zeros((1, 24, 20, 3), np.float32)).shape == (1, 3)
    with keras.StatelessScope():
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 200_000, "nothing was left to be made"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.keras")
    with pytest.raises(
        og.OffgraphError, match=r"x\.keras: not a readable \.keras file: it is not a regular file"
    ):
        og.load(tmp_path / "x.keras")


def test_examples_run() -> None:
    result = doctest.testmod(keras_module)
    assert result.attempted and not result.failed
