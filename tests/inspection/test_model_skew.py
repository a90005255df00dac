"""What other preprocessing does to a model: exactly nothing where it is the same, most where it is planted to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.pages import self_contained

import offgraph as og
from offgraph.apps.cli import main
from offgraph.frameworks import decoders
from offgraph.inspection.library_variants import decoded_by, resized_by
from offgraph.inspection.skew_report import Estimate, estimate

SIZE = 24
NAMES = ["left", "right"]


def striped(shift: float, seed: int) -> np.ndarray:
    """60 x 90 pixels with a soft bright edge, `shift` model pixels right of a quarter of the width."""
    place = (np.arange(90) + 0.5) / 90 * SIZE - SIZE / 4 - shift
    noise = np.random.default_rng(seed).normal(0, 1, (60, 90, 1))
    light = 128 + 90 * np.tanh(place)[None, :, None] + noise
    return np.clip(np.repeat(light, 3, axis=2), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Edges near a quarter of the width, on either side of it, in folders that say on which."""
    root = tmp_path_factory.mktemp("edges")
    for number, shift in enumerate(np.linspace(-0.45, 0.45, 24)):
        folder = root / NAMES[int(shift > 0)]
        folder.mkdir(exist_ok=True)
        og.imwrite(folder / f"{number}.png", striped(shift, number))
    return root


def where(batch: np.ndarray) -> np.ndarray:
    """Probability that the edge lies right of a quarter of the width: by the light in the left half."""
    right = 1 / (1 + np.exp(200 * (batch[:, :, : SIZE // 2].mean(axis=(1, 2, 3)) - 128 / 255)))
    return np.stack([1 - right, right], axis=1)


RECIPE = [og.MedianFilter(3), og.Resize((SIZE, SIZE)), og.Rescale(1 / 255)]


@pytest.fixture(scope="module")
def model() -> Any:
    """The function as a model, with its recipe."""
    return og.Predictor(where, recipe=RECIPE, task="classify", class_names=NAMES).saved


def corner_grid() -> list[Any]:
    """The resize that was planted: the centres of the corner pixels stay corners, so that all between moves."""
    factors: Any = {"Y": SIZE / 60, "X": SIZE / 90}
    zoom = og.Zoom(factors, order=1, mode="mirror")
    return [og.MedianFilter(3), zoom, og.Rescale(1 / 255)]


def test_an_unchanged_recipe_is_exactly_nothing(model: Any, photos: Path):
    report = og.skew(model, photos, vary="MedianFilter.size=3", recipes={"the same": RECIPE})
    assert [row.kind for row in report.rows] == ["vary", "recipe"]
    for row in report.rows:
        assert row.change == Estimate(0.0, 0.0, 0.0) and row.agreement == Estimate(1.0, 1.0, 1.0)
        assert row.flips == () and (row.helped, row.hurt, row.shift) == (0, 0, 0.0)
        assert row.score == report.score and row.images == report.images == 24
    assert "nothing that was tried changes an answer" in report.summary


def test_a_planted_resize_ranks_worst(model: Any, photos: Path):
    report = og.skew(
        model,
        photos,
        vary=["MedianFilter.size=1,3,5", "Resize.antialias=false"],
        against=["pillow", "opencv", "torch"],
        recipes={"corner grid": corner_grid()},
    )
    names = [row.name for row in report.rows]
    assert names[0] == "corner grid" and report.rows[0].hurt > 3
    assert {"MedianFilter.size = 1", "Pillow: resize", "OpenCV: resize", "PyTorch: resize"} <= set(names)
    shares = [row.agreement.value for row in report.rows]
    assert shares == sorted(shares) and report.rows[0].agreement.value < shares[1]
    for row in report.rows:
        assert row.score is not None and row.change is not None and report.score is not None
        assert row.change.value == pytest.approx(row.score.value - report.score.value)
        assert row.change.value == pytest.approx((row.helped - row.hurt) / row.images)
        assert row.agreement.value == pytest.approx(1 - len(row.flips) / row.images)
        assert row.agreement.low <= row.agreement.value <= row.agreement.high
    flip = report.rows[0].flips[0]
    assert (
        flip.before.split()[0] != flip.after.split()[0] and flip.truth in NAMES and flip.name.endswith(".png")
    )


def test_flips_are_what_two_predictors_say(model: Any, photos: Path):
    report = og.skew(model, photos, recipes={"corner grid": corner_grid()})
    ours = {one.item.name: one.label for one in og.Predictor(model)(photos)}
    theirs = {
        one.item.name: one.label
        for one in og.Predictor(model, recipe=corner_grid(), other_recipe=True)(photos)
    }
    assert {one.name for one in report.rows[0].flips} == {name for name in ours if ours[name] != theirs[name]}


def test_libraries_that_are_absent_are_named(model: Any, photos: Path, monkeypatch: pytest.MonkeyPatch):
    def missing() -> Any:
        raise ImportError("No module named 'cv2'")

    monkeypatch.setitem(decoders.DECODERS, "opencv", (missing, "OpenCV", "opencv-python-headless"))
    report = og.skew(model, photos, against="opencv,pillow")
    assert [(one.name, one.reason) for one in report.absent] == [
        ("OpenCV: decode", "OpenCV is not installed; run: pip install opencv-python-headless")
    ]
    assert {row.name for row in report.rows} == {
        "OpenCV: resize", "Pillow: resize", "Pillow: decode", "Pillow: decode and resize",
    }  # fmt: skip
    decoded = next(row for row in report.rows if row.name == "Pillow: decode")
    assert decoded.agreement.value == 1 and decoded.shift == 0, "a PNG has one way to be decoded"
    assert "PIL.Image.open(path).convert('RGB'), Pillow" in decoded.notes[0] and "EXIF" in decoded.notes[1]


def test_what_cannot_be_tried_is_listed(model: Any, photos: Path):
    report = og.skew(model, photos, recipes={"too small": [og.Resize((8, 8)), og.Rescale(1 / 255)]})
    assert report.rows == () and report.absent[0].name == "too small"
    assert "none of the source's images (24) could be predicted" in report.absent[0].reason
    no_resize = og.Predictor(
        where, recipe=[og.CenterCrop((SIZE, SIZE)), og.Rescale(1 / 255)], task="classify"
    ).saved
    report = og.skew(no_resize, photos, against="pillow12", labels=None)
    assert [(one.name, one.reason) for one in report.absent] == [
        ("Pillow before 13: resize", "the recipe has no Resize")
    ]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"vary": "MedianFiltre.size=3"}, og.RecipeError, "no step 'MedianFiltre'; did you mean MedianFilter"),
        ({"vary": "MedianFilter.sise=3"}, og.RecipeError, r"MedianFilter has no field 'sise'; did you mean size\? It takes"),
        ({"vary": "MedianFilter.size=-3"}, og.RecipeError, "step MedianFilter, field size: expected"),
        ({"vary": "MedianFilter"}, og.RecipeError, "STEP.field=a,b,c"),
        ({"against": "pilow"}, og.ArgumentError, "against='pilow': known are pillow, pillow12, opencv"),
        ({}, og.ArgumentError, "nothing is compared"),
        ({"vary": "MedianFilter.size=3", "resamples": 0}, og.ArgumentError, "resamples=0"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(model: Any, photos: Path, options: dict[str, Any], error: type, says: str):
    with pytest.raises(error, match=says):
        og.skew(model, photos, **options)


def test_numbers_are_refused(photos: Path):
    model = og.Predictor(lambda b: b.mean(axis=(1, 2, 3))[:, None], recipe=RECIPE, task="regress").saved
    with pytest.raises(
        og.OffgraphError, match="compares classes, labels, masks and boxes; this model's task is 'regress'"
    ):
        og.skew(model, photos, vary="MedianFilter.size=1", labels=None)


def test_masks(tmp_path: Path):
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        mask = np.zeros((32, 32), np.uint8)
        mask[8:20, 6 + number : 22] = 1
        og.imwrite(tmp_path / "masks" / f"{number}.png", mask)
        og.imwrite(
            tmp_path / "images" / f"{number}.png",
            (60 + 120 * mask + rng.integers(0, 9, mask.shape)).astype(np.uint8),
        )
    model = og.Predictor(
        lambda batch: (batch > 0.45).astype(np.float32), recipe=[og.Resize((16, 16)), og.Rescale(1 / 255)], task="segment",
        input_shape=(16, 16, 1),
    ).saved  # fmt: skip
    report = og.skew(
        model,
        tmp_path / "images",
        masks=tmp_path / "masks",
        recipes={"same": [og.Resize((16, 16)), og.Rescale(1 / 255)], "blurred": [og.GaussianFilter(3), og.Resize((16, 16)), og.Rescale(1 / 255)]},
    )  # fmt: skip
    blurred, same = report.rows
    assert (blurred.name, same.name, report.score_name) == ("blurred", "same", "mean IoU per image")
    assert (
        same.agreement == Estimate(1.0, 1.0, 1.0)
        and same.change == Estimate(0.0, 0.0, 0.0)
        and not same.flips
    )
    assert report.score is not None and report.score.value > 0.8
    assert blurred.shift is None and 0.5 < blurred.agreement.value < 1 and len(blurred.flips) == 4


def test_intervals_are_seeded_and_hold_the_mean():
    values = np.random.default_rng(0).random(50)
    one = estimate(values, 3, 500)
    assert one == estimate(values, 3, 500) != estimate(values, 4, 500)
    assert one is not None and one.low < values.mean() == one.value < one.high
    wide = values.std() / np.sqrt(len(values)) * 1.96
    assert one.high - one.low == pytest.approx(2 * wide, rel=0.2)
    assert estimate(np.zeros(0), 0, 10) is None and estimate(np.full(7, 0.1), 0, 10) == Estimate(
        0.1, 0.1, 0.1
    )


def test_a_library_in_the_place_of_a_resize():
    recipe = og.Compose([og.Resize((8, 8), kernel="area"), og.Normalize("imagenet"), og.ResizeShorter(9)])
    made, notes = resized_by(recipe, "pillow")
    assert made is not None and made.steps[0] == og.Resize((8, 8), kernel="box", like="pillow")
    assert notes == (
        "step 1: Pillow has no kernel 'area', 'box' stands for it",
        "step 3, ResizeShorter, resizes as ever: only Resize has like=",
    )
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    made, _ = resized_by(og.Compose([og.Resize((8, 8)), og.Normalize("imagenet")]), "tf", largest=255.0)
    assert made is not None, "TensorFlow gives floats, of which Normalize does not know the range"
    want = og.Compose([og.Resize((8, 8), antialias=False), og.Normalize("imagenet")])(image=image).image
    np.testing.assert_allclose(made(image=image).image, want, atol=0.02)
    assert resized_by(og.Compose([og.Flip("X")]), "opencv").recipe is None


@pytest.mark.parametrize("aborts", [True, False])
def test_a_library_that_would_end_the_process_is_refused(aborts: bool, tmp_path: Path):
    """Builds of TensorFlow and torchvision exist that cannot be loaded into one process, in this order."""
    (tmp_path / "tensorflow.py").write_text("")
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "io.py").write_text("")
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "import os, sys\n__version__ = '1'\n" + f"{aborts} and 'tensorflow' in sys.modules and os.abort()\n"
    )
    script = """
import tensorflow
from offgraph.errors import OffgraphError
from offgraph.frameworks.decoders import decoder_of
try:
    print(decoder_of("torch").version)
except OffgraphError as error:
    print(error)
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ran = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    said = "torchvision as it is installed ends a process that has loaded TensorFlow (status -6)"
    assert ran.stdout.startswith(said if aborts else "1\n")


@pytest.mark.parametrize("library", sorted(decoders.DECODERS))
def test_libraries_decode(library: str, photos: Path, tmp_path: Path):
    try:
        decoder = decoders.decoder_of(library)
    except og.OffgraphError as error:
        pytest.skip(str(error))
    source = og.open_source(photos)
    decoded = decoded_by(source, decoder)
    assert decoded[3] == source[3] and decoded.class_names == source.class_names
    np.testing.assert_array_equal(decoded.read(3).image.array, source.read(3).image.array)
    assert decoded.read(3).label == source.read(3).label
    grey = decoded_by(og.open_source(photos, color="grey"), decoder).read(0).image
    assert grey.axes == "YX" and grey.array.shape == (60, 90)
    (tmp_path / "broken.png").write_bytes((photos / "left" / "0.png").read_bytes()[:60])
    with pytest.raises(og.DecodeError, match="cannot read it"):
        decoder.read(tmp_path / "broken.png", grey=False)


def test_pillow_leaves_a_turned_jpeg_as_it_is_stored(tmp_path: Path):
    from PIL import Image

    stored = Image.fromarray(striped(0.0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown, it is turned by a quarter
    (tmp_path / "images").mkdir()
    stored.save(tmp_path / "images" / "turned.jpg", exif=exif, quality=95)
    source = og.open_source(tmp_path / "images", labels=None)
    decoded = decoded_by(source, decoders.decoder_of("pillow"))
    assert source.read(0).image.array.shape == (90, 60, 3)
    assert decoded.read(0).image.array.shape == (60, 90, 3)
    (tmp_path / "masks").mkdir()
    og.imwrite(tmp_path / "masks" / "turned.png", np.zeros((90, 60), np.uint8))
    masked = og.open_source(tmp_path / "images", masks=tmp_path / "masks")
    with pytest.raises(og.DecodeError, match="its mask does not fit"):
        decoded_by(masked, decoders.decoder_of("pillow")).read(0)


def test_report_as_json_table_and_page(
    model: Any, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from rich.console import Console

    report = og.skew(model, photos, against="pillow", recipes={"corner <b>grid": corner_grid()})
    data = json.loads(json.dumps(report.to_json()))
    assert data["rows"][0]["name"] == "corner <b>grid" and data["rows"][0]["flipped"] == len(
        data["rows"][0]["flips"]
    )
    assert data["images"] == 24 and data["score"][1] <= data["score"][0] <= data["score"][2]
    report.render(Console(width=200))
    text = capsys.readouterr().out
    assert "corner <b>grid" in text and "worst is corner <b>grid" in text and " % (" in text
    report.render(Console(width=80))
    lines = capsys.readouterr().out.splitlines()
    table = lines[: lines.index(next(line for line in lines if line.startswith("Pillow: decode:")))]
    assert len(table) == 1 + 2 * len(report.rows), "no cell is folded"
    for row in report.rows:
        at = next(i for i, line in enumerate(table) if line.startswith(row.name + " "))
        assert row.score is not None and row.change is not None
        for said in (row.score.lines(), row.change.lines("+"), row.agreement.lines()):
            assert all(text in table[at + i] for i, text in enumerate(said.split("\n")))
        assert f"+{row.helped} -{row.hurt}" in table[at + 1] and "…" in table[at + 1]
    written = og.save_skew(report, tmp_path / "skew.html")
    self_contained(written)
    page = written.read_text()
    assert "corner &lt;b&gt;grid" in page and "<b>grid" not in page and page.count("<img") >= 4
    assert "answers changed; those that changed most" in page


def test_the_command(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    keras: Any = pytest.importorskip("keras", reason="Keras is not installed")
    network = keras.Sequential(
        [
            keras.layers.Input((SIZE, SIZE, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    og.save(network, og.Compose(RECIPE), tmp_path / "edges.keras", class_names=NAMES)
    og.Compose(corner_grid()).to_yaml(tmp_path / "other.yaml")
    command = ["skew", str(tmp_path / "edges.keras"), str(photos), "--vary", "MedianFilter.size=1,3"]
    main_with(
        [*command, "--against", "pillow", "--recipe", str(tmp_path / "other.yaml"), "--json", "--seed", "3"]
    )
    data = json.loads(capsys.readouterr().out)
    kinds = sorted(row["kind"] for row in data["rows"])
    assert kinds == ["both", "decode", "recipe", "resize", "vary", "vary"] and data["seed"] == 3
    same = next(row for row in data["rows"] if row["name"] == "MedianFilter.size = 3")
    assert same["change"] == [0, 0, 0] and same["flipped"] == 0
    main_with([*command, "--out", str(tmp_path / "page.html")])
    assert "wrote" in capsys.readouterr().out and (tmp_path / "page.html").stat().st_size > 5000
    main_with(["skew", str(tmp_path / "edges.keras"), str(photos), "--vary", "Rotate.angle=1"], status=1)
    assert "the recipe has no step 'Rotate'" in capsys.readouterr().err


def main_with(arguments: list[str], status: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert (ended.value.code or 0) == status
