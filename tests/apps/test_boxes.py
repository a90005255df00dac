"""The commands on a source with boxes: they carry them, list what is left out, and end without a traceback."""

from __future__ import annotations

import json

import numpy as np
import pytest

import offgraph as og
from offgraph.apps import cli

XML = (
    "<annotation><filename>{name}.png</filename><size><width>32</width><height>24</height></size><object><name>cell</name>"
    "<bndbox><xmin>5</xmin><ymin>9</ymin><xmax>{right}</xmax><ymax>20</ymax></bndbox></object></annotation>"
)


@pytest.fixture
def slides(tmp_path):
    for name, right in (("a", 20), ("b", 5), ("c", 12)):
        for folder in ("JPEGImages", "Annotations"):
            (tmp_path / "slides" / folder).mkdir(parents=True, exist_ok=True)
        og.imwrite(tmp_path / "slides" / "JPEGImages" / f"{name}.png", np.full((24, 32, 3), 90, np.uint8))
        (tmp_path / "slides" / "Annotations" / f"{name}.xml").write_text(XML.format(name=name, right=right))
    og.Compose([og.Resize((12, 16)), og.Augment(og.Flip("X")), og.Normalize("imagenet")]).to_yaml(
        tmp_path / "r.yaml"
    )
    return tmp_path / "slides"


def run(capsys, *arguments) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return int(ended.value.code or 0), " ".join((said.out + said.err).split())


@pytest.mark.filterwarnings("default::offgraph.OffgraphWarning")
def test_build(slides, capsys):
    out = slides.parent / "out"
    code, said = run(capsys, "build", slides, out, "--recipe", slides.parent / "r.yaml")
    assert code == 0 and "cell 2" in said
    lines = (out / "samples" / "00000.jsonl").read_text().splitlines()[1:-1]
    assert [len(json.loads(line)["objects"]["edges"]) for line in lines] == [1, 0, 1]
    code, said = run(
        capsys,
        "build",
        slides,
        slides.parent / "no",
        "--recipe",
        slides.parent / "r.yaml",
        "--bad-boxes",
        "error",
    )
    assert code != 0 and "b.xml, object 1 (cell): box without area" in said


def test_build_of_the_images_alone(slides, capsys):
    out = slides.parent / "out"
    images = slides / "JPEGImages"
    code, _ = run(capsys, "build", images, out, "--recipe", slides.parent / "r.yaml", "--annotations", "none")
    assert code == 0 and og.BuiltDataset(out).task is None


def test_preview(slides, capsys):
    page = slides.parent / "page.html"
    code, _ = run(
        capsys, "preview", slides, "--recipe", slides.parent / "r.yaml", "--out", page, "--bad-boxes", "skip"
    )
    assert code == 0 and "1 box" in page.read_text() and "0 boxes" in page.read_text()


def test_doctor(slides, capsys):
    code, said = run(capsys, "doctor", slides)
    assert code == 0 and "annotated objects that are not passed on (1)" in said
    assert "Annotations/b.xml, object 1 (cell) box without area" in said and "detect: 1 class" in said
    (slides / "Annotations" / "c.xml").write_text("<annotation>")
    code, said = run(capsys, "doctor", slides, "--annotations", "voc")
    assert "c.xml: not well-formed XML" in said and "the source is refused as a whole" in said


def test_annotations_that_two_formats_fit_are_asked_about(slides, capsys):
    (slides / "labels").mkdir()
    (slides / "labels" / "a.txt").write_text("0 .5 .5 .1 .1\n")
    code, said = run(
        capsys, "preview", slides, "--recipe", slides.parent / "r.yaml", "--out", slides.parent / "p.html"
    )
    assert code != 0 and "write --annotations voc or --annotations yolo, or --annotations none" in said


def test_images_of_another_size_are_listed(slides, capsys):
    og.imwrite(slides / "JPEGImages" / "c.png", np.zeros((25, 32, 3), np.uint8))
    _, said = run(capsys, "doctor", slides, "--bad-boxes", "skip")
    assert "the image is 32 wide and 25 high" in said and "1 cannot be used" in said


def test_a_model_saved_for_boxes_is_refused_by_name(tmp_path):
    keras = pytest.importorskip("keras")
    image = keras.Input((12, 16, 3))
    model = keras.Model(image, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(image)))
    with pytest.raises(og.OffgraphError, match="task='detect'"):
        og.save(model, og.Compose([og.Resize((12, 16))]), tmp_path / "m.keras", task="detect")


def test_predictions_of_a_source_with_boxes_are_those_of_its_images(slides):
    keras = pytest.importorskip("keras")
    image = keras.Input((12, 16, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(pooled))
    recipe = og.Compose([og.Resize((12, 16)), og.Normalize("imagenet")])
    saved = og.load(og.save(model, recipe, slides.parent / "m.keras", class_names=["sick", "sound"]))
    source = og.open_source(slides, bad_boxes="skip")
    of_source = [prediction.item.name for prediction in og.predict(saved, source)]
    of_folder = [prediction.item.name for prediction in og.predict(saved, slides / "JPEGImages")]
    assert of_source == of_folder == ["a.png", "b.png", "c.png"]
