"""How a source is opened from the command line: the same options for every command, and messages that name them."""

from __future__ import annotations

import doctest
import json
import re

import numpy as np
import pytest

import offgraph as og
from offgraph.apps import cli, source_options

COMMANDS = ("build", "preview", "predict", "doctor")
OPTIONS = {
    "--masks",
    "--missing-mask",
    "--mask-values",
    "--labels",
    "--task",
    "--class-names",
    "--targets",
    "--columns",
    "--root",
    "--repeats",
    "--no-repeats",
    "--axes",
    "--page",
    "--alpha",
    "--color",
}


def put(root, *names, array=None):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        og.imwrite(path, np.zeros((8, 8), np.uint8) if array is None else array)
    return root


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out, printed.err


def built(out) -> dict:
    return json.loads((out / "manifest.json").read_text())


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("offgraph: 1\nsteps:\n  - Resize: {size: [8, 8]}\n")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_opens_a_source_takes_all_options(capsys, monkeypatch, command) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    status, out, _ = run(capsys, command, "--help")
    assert status == 0 and set(re.findall(r"--[a-z-]+", out)) >= OPTIONS


def test_class_names_from_the_line_or_a_file(tmp_path, capsys, recipe) -> None:
    put(tmp_path / "in", "cat/1.png", "dog/1.png")
    names = tmp_path / "names.txt"
    names.write_text("dog\nbird\n\ncat\n", encoding="utf-8")
    for given, out in (("dog, bird,cat", "a"), (names, "b")):
        status, _, err = run(
            capsys, "build", tmp_path / "in", tmp_path / out, "-r", recipe, "--class-names", given
        )
        assert status == 0, err
        assert built(tmp_path / out)["class_names"] == ["dog", "bird", "cat"]
    status, _, err = run(
        capsys, "build", tmp_path / "in", tmp_path / "c", "-r", recipe, "--class-names", "dog"
    )
    assert status == 1 and "class cat is not among --class-names (dog)" in err and "--labels none" in err
    names.write_bytes(b"\xff\xfe")
    status, _, err = run(
        capsys, "build", tmp_path / "in", tmp_path / "c", "-r", recipe, "--class-names", names
    )
    assert status == 2 and "names.txt" in err


def test_mask_values_and_policy(tmp_path, capsys, recipe) -> None:
    put(tmp_path, "images/1.png", "images/2.png")
    put(tmp_path, "masks/1.png", array=np.eye(8, dtype=np.uint8) * 255)
    job = ("build", tmp_path / "images", tmp_path / "out", "-r", recipe, "--masks", tmp_path / "masks")
    status, _, err = run(capsys, *job, "--mask-values", "255=1")
    assert status == 1 and "--missing-mask skip" in err and "--missing-mask background" in err
    status, _, err = run(capsys, *job, "--mask-values", "255=1", "--missing-mask", "background")
    assert status == 0, err
    (batch,) = og.Loader(tmp_path / "out", batch_size=2, shuffle=False)
    assert batch.mask is not None and np.unique(batch.mask).tolist() == [0, 1]
    put(
        tmp_path,
        "colours/1.png",
        array=np.eye(8, dtype=np.uint8)[..., None] * np.array([128, 0, 9], np.uint8),
    )
    coloured = (*job[:2], tmp_path / "coloured", "-r", recipe, "--masks", tmp_path / "colours")
    status, _, err = run(capsys, *coloured, "--mask-values", "#800009=1", "--missing-mask", "skip")
    assert status == 0, err
    (batch,) = og.Loader(tmp_path / "coloured", batch_size=2, shuffle=False)
    assert batch.mask is not None and np.unique(batch.mask).tolist() == [0, 1]
    for wrong in ("255", "a=1", "255=-1", "255=1,", "", "#80000=1", "#800000"):
        status, _, err = run(capsys, *job, "--mask-values", wrong)
        assert status == 2 and "write 255=1" in err


def test_a_table_whose_columns_are_called_otherwise(tmp_path, capsys, recipe) -> None:
    put(tmp_path / "images", "1.png", "2.png")
    (tmp_path / "t.csv").write_text("id,kind\n1,cat\n2,dog\n")
    job = ("build", tmp_path / "t.csv", tmp_path / "out", "-r", recipe)
    status, _, err = run(capsys, *job)
    assert status == 1 and "--columns path=id,label=kind" in " ".join(err.split())
    status, _, err = run(capsys, *job, "--columns", "path=images/{id}.png, label=kind")
    assert status == 0, err
    assert og.Loader(tmp_path / "out", batch_size=2).class_names == ("cat", "dog")
    for wrong in ("path", "path=", "=id", "path=id,", ""):
        status, _, err = run(capsys, *job, "--columns", wrong)
        assert status == 2 and "write path=image_id" in " ".join(err.replace("│", " ").split())


def test_a_table_with_targets_below_another_root(tmp_path, capsys) -> None:
    put(tmp_path / "images", "1.png", "2.png", "3.png")
    (tmp_path / "t.csv").write_text("path,x,y\n1.png,1.5,2\n1.png,1.5,2\n2.png,3,4\n")
    job = ("doctor", tmp_path / "t.csv", "--json", "--root", tmp_path / "images")

    def said(*more) -> list[str]:
        status, out, err = run(capsys, *job, *more)
        assert status == 0, err
        return [one["said"] for one in json.loads(out)["findings"] if one["kind"] == "source"]

    assert any("task='regress'" in text for text in said("--repeats"))
    xy = ("--repeats", "--targets", "x,y")
    assert said(*xy) == []
    assert any(
        "row 2: '1.5' in the column x: a 0 or a 1" in text for text in said("--task", "multilabel", *xy)
    )
    status, _, err = run(capsys, *job, "--no-repeats")
    assert status == 1 and "row 3: 1.png stands in row 2 already; remove one, or write --repeats" in err


def test_messages_name_the_options_of_the_command_line(tmp_path, capsys) -> None:
    put(tmp_path, "images/1.png", "labels/1.png")
    status, _, err = run(capsys, "preview", tmp_path, "-o", tmp_path / "p.html")
    assert status == 1 and f"write {tmp_path}/images --masks '{tmp_path}/labels', or --labels folders" in err
    assert err.count("\n") == 1
    status, out, _ = run(capsys, "doctor", tmp_path)
    assert status == 0 and "--labels folders if they are classes" in " ".join(out.split())


def test_examples_run() -> None:
    result = doctest.testmod(source_options)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("read one of its 31 pages, such as page=0", "read one of its 31 pages, such as --page 0"),
        ("pad_to='x': give a whole number", "--pad-to x: give a whole number"),
        ("say outputs='logits' if they are", "say --outputs logits if they are"),
        ("threshold=2.0: give a probability", "--threshold 2.0: give a probability"),
        ("build with store='final'", "build with --store final"),
        ("or pass non_finite='allow' where", "or pass --non-finite allow where"),
        (
            "more than max_bad=50 % allows, or raise max_bad: the",
            "more than --max-bad=50 % allows, or raise --max-bad: the",
        ),
        ("write targets=['red', 'white'] where", "write --targets red,white where"),
        ("write targets=['red cells', 'white']", "write --targets 'red cells,white'"),
        ("write targets=['x']; see max_bad.csv", "write --targets x; see max_bad.csv"),
        ("open_source('in', masks='m/*_seg.png') or", "in --masks 'm/*_seg.png' or"),
        ("write mask_values={128: 1, 255: 2}", "write --mask-values 128=1,255=2"),
        ("such as mask_values={(128, 0, 0): 1}", "such as --mask-values '#800000=1'"),
        ("as mask_values={'#800000': 1}, or", "as --mask-values '#800000=1', or"),
        ("repeats=False, alpha='white' and axes='ZYX'", "--no-repeats, --alpha white and --axes ZYX"),
        ("give masks=; task=None and targets=[x] stay", "give --masks; task=None and targets=[x] stay"),
    ],
)
def test_messages_name_options_of_the_command_line(said, written) -> None:
    assert source_options.as_options(said) == written


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--color", "gray"], r"Invalid value for '--color': 'gray' is not one of 'rgb', 'grey', 'keep'"),
        (["--val", "half"], r"Invalid value for --val: half: give a share"),
        (["--class-names", "classes.txt"], r"classes\.txt: no such file"),
        (["--targets", "x,y"], r"--targets x,y is for tables"),
        (["--repeats"], r"images: --repeats is for tables"),
        (["--group-by", "patient"], r"--group-by patient: is for --val and --test; give"),
        (["--val", "50"], r"--val 50, --test 0: nothing"),
        (["--class-names", "a,c"], r"not among --class-names \(a, c\)"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_in_its_own_words(
    tmp_path, recipe, capsys, options, says
) -> None:
    put(tmp_path / "images", "a/1.png", "b/2.png")
    _, _, error = run(capsys, "build", tmp_path / "images", tmp_path / "out", "-r", recipe, *options)
    assert re.search(says, " ".join(error.replace("│", " ").split())), error
    assert "Value error" not in error


def test_a_dataset_is_not_written_over_its_source(tmp_path, recipe, capsys) -> None:
    put(tmp_path / "images", "1.png")
    _, _, error = run(capsys, "build", tmp_path / "images", tmp_path / "images", "-r", recipe)
    assert "images: is the source itself; choose a folder outside of it" in error


def test_augment_is_told_apart_from_the_steps(capsys) -> None:
    status, printed, _ = run(capsys, "steps", "Augment")
    assert status == 0 and "- Augment:" in printed


def test_doctor_is_strict_with_a_source_that_is_refused_as_a_whole(tmp_path, capsys) -> None:
    put(tmp_path, "a/1.png", "b/2.png", "3.png")
    assert run(capsys, "doctor", tmp_path)[0] == 0
    assert run(capsys, "doctor", tmp_path, "--strict")[0] == 3
    assert run(capsys, "doctor", tmp_path, "--strict", "--labels", "none")[0] == 0
