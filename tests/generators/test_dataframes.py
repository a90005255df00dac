"""`flow_from_dataframe` with DataFrames of pandas beside the live one of Keras: their dtypes, missing values and indices."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og

pandas = pytest.importorskip("pandas")
legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")
NAMES = [f"{number}.png" for number in range(8)]
LETTERS = list("abababab")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(NAMES):
        og.imwrite(root / name, np.full((6, 5, 3), 20 * number, np.uint8))
    (root / "notes.txt").write_text("no image")
    return root


def frame(**columns: Any) -> Any:
    """The eight images with other columns, and an index that is no 0, 1, 2."""
    table = pandas.DataFrame({"filename": NAMES}, index=[f"row {9 - n}" for n in range(8)])
    for name, values in columns.items():
        table[name.replace("kind", "class")] = values if hasattr(values, "dtype") else list(values)
    return table


def array(values: Any, dtype: str) -> Any:
    return pandas.array(values, dtype=dtype)


LISTS: list[Any] = [["a"], ["b", "a"], "c", ("a", "c"), ["b"], "a", "b", ["c", "b"]]
NONE_OF_THEM: list[Any] = [["a"], [], "c", ("a", "c"), [], "a", "b", ["c", "b"]]
MISSING = array([1, None] * 4, "Int64")
OK: dict[str, tuple[Any, dict[str, Any]]] = {
    # labels by name, in every dtype of texts
    "texts": (frame(kind=LETTERS), {}),
    "objects": (frame(kind=array(LETTERS, "object")), {}),
    "string": (frame(kind=array(LETTERS, "string")), {"class_mode": "binary"}),
    "pyarrow": (frame(kind=array(LETTERS, "string[pyarrow]")), {"class_mode": "sparse"}),
    "category": (frame(kind=pandas.Categorical(LETTERS, ["b", "a", "never"])), {}),
    "chosen": (frame(kind="abcabcab"), {"classes": ["c", "a"], "class_mode": "binary"}),
    "chosen twice": (frame(kind=LETTERS), {"classes": ["b", "b", "a"]}),
    "none of the chosen": (frame(kind=LETTERS), {"classes": ["z"]}),
    "several": (frame(kind=LISTS), {}),
    "several, chosen": (frame(kind=LISTS), {"classes": ["c", "a"]}),
    "none of them": (frame(kind=NONE_OF_THEM), {}),
    "none of them, chosen": (frame(kind=NONE_OF_THEM), {"classes": ["c", "a"]}),
    "a number as column": (frame(q=LETTERS).rename(columns={"q": 3}), {"y_col": 3, "class_mode": "sparse"}),
    "parts": (frame(kind="abcabcab"), {"subset": "training"}),
    "parts of what is left": (frame(kind="abcabcab"), {"subset": "validation", "classes": ["a", "b"]}),
    "rows chosen and sorted": (frame(kind="abcabcab")[lambda t: t["class"] != "b"].sort_values("class"), {}),
    "an index twice": (pandas.concat([frame(kind=LETTERS), frame(kind=LETTERS)]), {}),
    "levels in the index": (frame(kind=LETTERS, n=range(8)).set_index(["n", "class"], drop=False), {}),
    # what is missing does not matter where nothing is learnt from it
    "no label, not asked for": (frame(kind=[*LETTERS[:7], None]), {"class_mode": None}),
    "no label, the image": (frame(kind=[*LETTERS[:7], float("nan")]), {"class_mode": "input"}),
    # numbers keep their dtype
    **{
        f"raw {dtype}": (frame(y=np.arange(8).astype(dtype)), {"class_mode": "raw", "y_col": "y"})
        for dtype in ("float32", "float64", "int8", "uint16", "int64", "bool", "float16", "datetime64[s]")
    },
    "raw, NaN": (frame(y=[1.0, float("nan")] * 4), {"class_mode": "raw", "y_col": "y"}),
    "raw, None": (frame(y=[1.0, None] * 4), {"class_mode": "raw", "y_col": "y"}),
    "raw Int64": (frame(y=array([1, 2] * 4, "Int64")), {"class_mode": "raw", "y_col": "y"}),
    "raw Int64, NA": (frame(y=MISSING), {"class_mode": "raw", "y_col": "y"}),
    "raw Float32, NA": (frame(y=array([1, None] * 4, "Float32")), {"class_mode": "raw", "y_col": "y"}),
    "raw Float32 of pyarrow, NA": (
        frame(y=array([1, None] * 4, "double[pyarrow]")),
        {"class_mode": "raw", "y_col": "y"},
    ),
    "raw, a list of one": (frame(y=range(8)), {"class_mode": "raw", "y_col": ["y"]}),
    "raw, two": (
        frame(y=np.arange(8, dtype="f4"), z=np.arange(8, dtype="f4") / 2),
        {"class_mode": "raw", "y_col": ["y", "z"]},
    ),
    "raw, two dtypes": (
        frame(y=np.arange(8, dtype="f4"), z=np.arange(8, dtype="i1")),
        {"class_mode": "raw", "y_col": ["z", "y"]},
    ),
    "raw, numbers and texts": (frame(y=range(8), z=LETTERS), {"class_mode": "raw", "y_col": ["y", "z"]}),
    "raw, one column a number": (
        frame(y=range(8)).rename(columns={"y": 0}),
        {"class_mode": "raw", "y_col": 0},
    ),
    "outputs": (
        frame(y=np.arange(8, dtype="f4"), z=LETTERS, v=[[1, 2]] * 8),
        {"class_mode": "multi_output", "y_col": ["y", "z", "v"]},
    ),
    "outputs with NaN": (
        frame(y=[1, None] * 4, z=array([1, 2] * 4, "Int64")),
        {"class_mode": "multi_output", "y_col": ["z", "y"]},
    ),
    # weights
    "weights": (frame(kind=LETTERS, w=range(8)), {"weight_col": "w"}),
    "weights of float32": (frame(kind=LETTERS, w=np.arange(8, dtype="f4")), {"weight_col": "w"}),
    "weights of Int64": (frame(kind=LETTERS, w=array([1, 2] * 4, "Int64")), {"weight_col": "w"}),
    "weights and outputs": (
        frame(y=range(8), w=range(8)),
        {"weight_col": "w", "class_mode": "multi_output", "y_col": ["y"]},
    ),
    "weights and nothing to learn": (
        frame(w=range(8)),
        {"weight_col": "w", "class_mode": None, "y_col": None},
    ),
    # files
    "names of dtype string": (frame(kind=LETTERS).astype({"filename": "string"}), {}),
}


def flow_of(kind: Any, table: Any, root: Path, options: dict[str, Any], **more: Any) -> Any:
    share = 0.3 if "subset" in options else 0
    with contextlib.redirect_stdout(io.StringIO()) as said:
        flow = kind(validation_split=share).flow_from_dataframe(
            table, str(root), target_size=(4, 4), batch_size=5, **options, **{"shuffle": False} | more
        )
    return flow, said.getvalue()


def plain(value: Any) -> Any:
    """What a model is given, with its dtypes; a list of outputs and a tuple of them are one."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    made = np.asarray(value)
    if made.dtype.kind in "OUS":  # texts: of a fixed length here, of pyarrow there
        return "texts", [repr(each) for each in np.ravel(made.astype(object))]
    return made.dtype.name, made.shape, made.tobytes()


@pytest.mark.parametrize("name", OK)
def test_rows_classes_labels_and_weights_are_those_of_keras(photos, name):
    table, options = OK[name]
    kept = table.copy()
    theirs, said = flow_of(legacy.ImageDataGenerator, table, photos, options)
    ours, also_said = flow_of(og.ImageDataGenerator, table, photos, options)
    assert said == also_said and table.equals(kept)
    for attribute in ("filenames", "filepaths", "samples", "n", "class_mode", "class_indices", "classes"):
        assert getattr(ours, attribute, None) == getattr(theirs, attribute, None), attribute
    if options.get("class_mode") not in (None, "input"):
        assert plain(ours.labels) == plain(theirs.labels)
    assert (ours.sample_weight is None) == (theirs.sample_weight is None)
    assert len(ours) == len(theirs)
    for number in range(len(ours)):
        assert plain(ours[number]) == plain(theirs[number])


def test_files_that_are_not_there_are_left_out_with_a_warning_as_there(photos):
    table = frame(kind=LETTERS).assign(filename=["gone.png", *NAMES[1:6], "notes.txt", ""])
    with pytest.warns(UserWarning, match="3 invalid image"):
        theirs, _ = flow_of(legacy.ImageDataGenerator, table, photos, {})
    with pytest.warns(og.OffgraphWarning, match="3 of 8 files in 'filename'"):
        ours, _ = flow_of(og.ImageDataGenerator, table, photos, {})
    assert ours.filenames == theirs.filenames == NAMES[1:6] and plain(ours[0]) == plain(theirs[0])
    unseen: dict[str, Any] = {"validate_filenames": False}
    theirs, _ = flow_of(legacy.ImageDataGenerator, table, photos, unseen)
    ours, _ = flow_of(og.ImageDataGenerator, table, photos, unseen)
    assert ours.filenames == theirs.filenames and ours.n == theirs.n == 8


def test_weights_that_are_missing_are_nan_as_there_and_said(photos):
    table = frame(kind=LETTERS, w=array([1, None] * 4, "Float64"))
    theirs, _ = flow_of(legacy.ImageDataGenerator, table, photos, {"weight_col": "w"})
    with pytest.warns(og.OffgraphWarning, match=r"4 of 8 weights are missing.*dropna\(subset=\['w'\]\)"):
        ours, _ = flow_of(og.ImageDataGenerator, table, photos, {"weight_col": "w"})
    assert plain(ours[0]) == plain(theirs[0]) and np.isnan(ours[0][2]).sum() == 2


def test_classes_that_are_not_used_are_said(photos):
    options: dict[str, Any] = {"classes": ["a"], "class_mode": None}
    with pytest.warns(UserWarning, match="will be ignored"):
        flow_of(legacy.ImageDataGenerator, frame(kind=LETTERS), photos, options)
    with pytest.warns(og.OffgraphWarning, match=r"classes=\['a'\] is not used"):
        assert flow_of(og.ImageDataGenerator, frame(kind=LETTERS), photos, options)[0].n == 8


LACK = "leave such rows out by .dropna"
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no label": (frame(kind=[*LETTERS[:7], None]), {}, f"'class': row 7 holds nan.*{LACK}"),
    "NaN": (frame(kind=array([float("nan"), *LETTERS[1:]], "object")), {"class_mode": "binary"}, f"row 0.*{LACK}"),
    "NA": (
        frame(kind=array([*LETTERS[:7], None], "string")),
        {"class_mode": "sparse"},
        f"row 7 holds <NA>.*{LACK}",
    ),
    "NA with classes": (frame(kind=array([*LETTERS[:7], None], "string")), {"classes": ["a"]}, LACK),
    "numbers": (frame(kind=range(8)), {}, r"row 0 holds 0.*\.astype\(str\)"),
    "categories of numbers": (frame(kind=pandas.Categorical([1, 2] * 4)), {"class_mode": "sparse"}, "row 0 holds 1"),
    "three classes": (frame(kind="abcabcab"), {"class_mode": "binary"}, "'class' has 3"),
    "no file": (frame(kind=LETTERS).assign(filename=[*NAMES[:7], None]), {}, f"'filename': row 7 holds nan.*{LACK}"),
    "a path": (frame(kind=LETTERS).assign(filename=[Path(n) for n in NAMES]), {}, "row 0 holds PosixPath"),
    "texts as weights": (frame(kind=LETTERS, w=LETTERS), {"weight_col": "w"}, "weight_col='w'.*numbers"),
    "two columns of a name": (
        pandas.DataFrame([[n, "a", "b"] for n in NAMES], columns=["filename", "class", "class"]),
        {},
        "y_col='class': the table has several columns of that name",
    ),
    "no such column": (frame(kind=LETTERS), {"y_col": "label"}, "no such column; it has filename, class"),
    "one output": (frame(y=range(8)), {"class_mode": "multi_output", "y_col": "y"}, "a list of columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_keras_refuses_is_refused_with_what_to_do(photos, name):
    table, options, says = REFUSED[name]
    with pytest.raises((TypeError, ValueError, KeyError)):
        flow_of(legacy.ImageDataGenerator, table, photos, options)
    with pytest.raises(og.ArgumentError, match=says):
        flow_of(og.ImageDataGenerator, table, photos, options)


def test_what_keras_cannot_feed_is_fed(photos):
    """There flags beside numbers, nullable columns and lists in cells end in arrays of objects, which no model takes."""
    table = frame(flag=[True, False] * 4, y=array([1, None] * 4, "Int64"), z=range(8), v=[[1.5, 2]] * 8)
    table["told"] = ["yes", None] * 4
    for y_col, dtype, shape in (
        (["flag", "z"], "int64", (5, 2)),
        (["y", "z"], "float64", (5, 2)),
        ("v", "float64", (5, 2)),
    ):
        flow, _ = flow_of(og.ImageDataGenerator, table, photos, {"class_mode": "raw", "y_col": y_col})
        assert flow[0][1].dtype == dtype and flow[0][1].shape == shape
    # Texts beside what is missing stay two things: as texts of one length NaN would read "nan".
    for mode, y_col in (("raw", "told"), ("multi_output", ["told"])):
        flow, _ = flow_of(og.ImageDataGenerator, table, photos, {"class_mode": mode, "y_col": y_col})
        learnt = flow[0][1] if mode == "raw" else flow[0][1][0]
        assert [each if isinstance(each, str) else each != each for each in learnt] == [
            "yes",
            True,
            "yes",
            True,
            "yes",
        ]
    uneven = frame(v=[[1], [2, 3]] * 4)
    flow, _ = flow_of(og.ImageDataGenerator, uneven, photos, {"class_mode": "raw", "y_col": "v"})
    assert flow[0][1].tolist() == [[1], [2, 3], [1], [2, 3], [1]]


CELLS = st.sampled_from(["a", "b", "c", ["a", "b"], ("c",), [], ["b"]])


@settings(max_examples=40, deadline=None)
@given(
    cells=st.lists(CELLS, min_size=1, max_size=12),
    files=st.lists(st.sampled_from([*NAMES, "gone.png"]), min_size=12, max_size=12),
    classes=st.sampled_from([None, ["a"], ["c", "b"], ["b", "b", "z"]]),
    subset=st.sampled_from([None, "training", "validation"]),
    order=st.randoms(),
)
def test_any_table_of_classes(photos, cells, files, classes, subset, order):
    index = list(range(len(cells)))
    order.shuffle(index)
    table = pandas.DataFrame({"filename": files[: len(cells)], "class": cells}, index=index)
    options: dict[str, Any] = {"classes": classes} | ({"subset": subset} if subset else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, said = flow_of(legacy.ImageDataGenerator, table, photos, options)
        ours, also_said = flow_of(og.ImageDataGenerator, table, photos, options)
    assert (ours.filenames, ours.class_indices, ours.classes, also_said) == (
        theirs.filenames,
        theirs.class_indices,
        theirs.classes,
        said,
    )
    assert [plain(ours[n]) for n in range(len(ours))] == [plain(theirs[n]) for n in range(len(theirs))]


def test_reset_and_the_order_of_predictions_are_those_of_keras(photos):
    """Batches go round; `reset` begins with the first again, and predictions lie in the order of `filenames`."""
    table = frame(kind=LETTERS).sample(frac=1, random_state=3)
    theirs, _ = flow_of(legacy.ImageDataGenerator, table, photos, {})
    ours, _ = flow_of(og.ImageDataGenerator, table, photos, {})
    seen = []
    for flow in (theirs, ours):
        shades = [next(flow)[0][:, 0, 0, 0].tolist() for _ in range(3)]
        flow.reset()
        again = next(flow)[0][:, 0, 0, 0].tolist()
        assert again == shades[0] == shades[2]
        by_number = [flow[n][0][:, 0, 0, 0].tolist() for n in range(len(flow))]
        flow.on_epoch_end()
        assert by_number == shades[:2] == [flow[n][0][:, 0, 0, 0].tolist() for n in range(len(flow))]
        seen.append([*shades, flow.filenames])
    assert seen[0] == seen[1]
    assert [shade for batch in seen[1][:2] for shade in batch] == [
        20.0 * int(Path(name).stem) for name in ours.filenames
    ]
