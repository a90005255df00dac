"""`offgraph convert`: a file in, a recipe and a report out."""

from __future__ import annotations

import json

import pytest

import offgraph as og
from offgraph.apps import cli

ALBUMENTATIONS = {
    "__version__": "2.0.8",
    "transform": {
        "__class_fullname__": "Compose",
        "transforms": [
            {"__class_fullname__": "HorizontalFlip", "p": 0.5},
            {"__class_fullname__": "RandomGravel", "p": 0.5},
        ],
    },
}
KERAS = [{"class_name": "RandomFlip", "config": {"mode": "vertical"}}]
TORCHVISION = [{"_target_": "torchvision.transforms.RandomHorizontalFlip", "p": 0.25}]
TFA = [["tf.image.flip_left_right", {}]]
GENERATOR = {"horizontal_flip": True}


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main(["convert", *map(str, arguments)])
    return int(left.value.code or 0)


def test_the_recipe_is_printed_and_the_report_on_standard_error(tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps(ALBUMENTATIONS))
    assert run(tmp_path / "a.json") == 0
    said = capsys.readouterr()
    assert og.Compose.from_yaml(said.out) == og.Compose([og.Augment(og.Flip("X", p=0.5))])
    assert "1 has no equal" in said.err and "RandomGravel" in said.err


@pytest.mark.parametrize(
    ("data", "step"),
    [
        (KERAS, og.Flip("Y", p=0.5)),
        (TORCHVISION, og.Flip("X", p=0.25)),
        (TFA, og.Flip("X")),
        (GENERATOR, og.Flip("X", p=0.5)),
    ],
    ids=["keras", "torchvision", "tfa", "generator"],
)
def test_where_it_comes_from_is_seen(tmp_path, capsys, data, step):
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert run(tmp_path / "a.json", "-o", tmp_path / "r.yaml") == 0
    assert og.Compose.from_yaml(tmp_path / "r.yaml").steps == (step,)
    assert "1 step" in capsys.readouterr().out


def test_a_report_for_programs_and_a_status(tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps({"train": {"transform": ALBUMENTATIONS}}))
    assert (
        run(tmp_path / "a.json", "--key", "train.transform", "--json", "--strict", "-o", tmp_path / "r.yaml")
        == 3
    )
    assert json.loads(capsys.readouterr().out)["counts"]["none"] == 1
    assert (tmp_path / "r.yaml").exists()


def test_errors(tmp_path, capsys):
    (tmp_path / "a.json").write_text("[]")
    assert run(tmp_path / "a.json") == 2
    assert "--from albumentations" in capsys.readouterr().err.replace("\n", " ").replace("│", "")
    assert run(tmp_path / "none.json") == 1
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "b.json").write_text(json.dumps(KERAS))
    assert run(tmp_path / "b.json", "--key", "x") == 2
    (tmp_path / "c.json").write_text(
        json.dumps([{"class_name": "RandomFlip", "config": {"mode": "diagonal"}}])
    )
    assert run(tmp_path / "c.json") == 1
    assert "field mode" in capsys.readouterr().err
