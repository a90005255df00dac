"""Every command, as typed; the exit status and one line that names the culprit."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import textwrap
from importlib import metadata

import numpy as np
import pytest
import tifffile
from tests.support.made import needs_pyarrow

import offgraph as og
from offgraph.apps import cli
from offgraph.dataset.formats import FORMATS
from offgraph.steps.base import field_names

RECIPE = "offgraph: 1\nsteps:\n  - Resize: {size: [16, 20]}\n  - Augment:\n      - Rotate: {angle: [-9, 9]}\n  - Rescale: {scale: 0.00392}\n"


@pytest.fixture
def photos(tmp_path):
    """Two classes of three images, and one file that is none."""
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(3):
            og.imwrite(
                tmp_path / "photos" / name / f"{index}.png", rng.integers(0, 255, (24, 30, 3), np.uint8)
            )
    (tmp_path / "photos" / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out, printed.err


def test_build_and_build_again(photos, capsys):
    job = (
        "build",
        photos / "photos",
        photos / "out",
        "--recipe",
        photos / "recipe.yaml",
        "--copies",
        2,
        "--seed",
        3,
    )
    status, out, _ = run(capsys, *job)
    assert status == 0 and "12 examples from 7 images" in out and "a/broken.jpg" in out
    status, out, _ = run(capsys, *job)
    assert status == 0 and "already finished" in out
    status, _, err = run(capsys, *job[:-1], 4)
    assert status == 1 and err.startswith("offgraph: ") and "seed" in err


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (
            ("--format", "webdataset", "--encoding", "raw"),
            {"data-00000-of-00001.tar", "data-00000-of-00001.idx"},
        ),
        pytest.param(
            ("-f", "arrow", "--compression", "lz4"), {"data-00000-of-00001.arrow"}, marks=needs_pyarrow
        ),
    ],
)
def test_formats_and_their_options(photos, capsys, options, files):
    job = ("build", photos / "photos", photos / "out", "-r", photos / "recipe.yaml", *options)
    status, out, _ = run(capsys, *job)
    assert status == 0 and f"as {options[1]}" in out
    assert files == {path.name for path in (photos / "out").glob("data-*")}
    status, _, err = run(capsys, *job[:-2], "--compression", "lz4" if "-f" not in options else "gzip")
    assert status != 0 and "compression" in err


def test_build_strict_tells_of_files_set_aside(photos, capsys):
    status, _, _ = run(
        capsys, "build", photos / "photos", photos / "out", "-r", photos / "recipe.yaml", "--strict"
    )
    assert status == 3


def test_build_stops_at_a_bad_file(photos, capsys):
    job = ("build", photos / "photos", photos / "out", "-r", photos / "recipe.yaml", "--on-error", "stop")
    status, _, err = run(capsys, *job)
    assert status == 1 and "a/broken.jpg" in err and err.count("\n") == 1


def test_dry_run_writes_nothing(photos, capsys):
    job = ("build", photos / "photos", photos / "out", "-r", photos / "recipe.yaml", "--dry-run")
    status, out, _ = run(capsys, *job)
    assert status == 0 and "nothing is written" in out
    assert not (photos / "out").exists()


def test_preview_and_compare_write_pages(photos, capsys):
    page = photos / "page.html"
    status, out, _ = run(
        capsys, "preview", photos / "photos", "-r", photos / "recipe.yaml", "-o", page, "-n", 2
    )
    assert status == 0 and str(page) in out and "data:image/png" in page.read_text()
    image = photos / "photos" / "a" / "0.png"
    status, _, _ = run(capsys, "compare", image, "--vary", "MedianFilter.size=1,3", "-o", page)
    assert status == 0 and "data:image/png" in page.read_text()
    status, _, err = run(capsys, "compare", image, "--vary", "MedianFilter.sise=1,3", "-o", page)
    assert status == 1 and "size" in err


def test_doctor_lists_the_broken_file(photos, capsys):
    status, out, _ = run(capsys, "doctor", photos / "photos", "--json")
    assert status == 0 and "a/broken.jpg" in json.dumps(json.loads(out))
    status, out, _ = run(capsys, "doctor", photos / "photos", "--strict")
    assert status == 3 and "broken.jpg" in out


def test_doctor_looks_at_a_recipe(photos, capsys):
    recipe = photos / "careless.yaml"
    recipe.write_text("offgraph: 1\nsteps:\n  - Rotate: 0.26\n  - RandomCrop: 28\n  - Rescale: 0.00392\n")
    status, out, err = run(capsys, "doctor", "--recipe", recipe)
    assert status == 0 and "- Rotate: {angle: 14.89" in out and "crop" not in out
    assert "3 steps, 1 finding" in out and err == ""
    status, out, err = run(capsys, "doctor", photos / "photos", "-r", recipe, "--json")
    found = json.loads(out)["recipe"]
    assert (
        status == 0
        and err == ""
        and [(one["rule"], one["step"], one["field"]) for one in found]
        == [
            ("radians", "Rotate", "angle"),
            ("crop-too-large", "RandomCrop", "size"),
        ]
    )
    (photos / "photos" / "a" / "broken.jpg").unlink()
    assert run(capsys, "doctor", photos / "photos", "--strict")[0] == 0
    status, out, _ = run(capsys, "doctor", photos / "photos", "-r", recipe, "--strict")
    assert status == 3 and "RandomCrop: {size: 28, pad: true}" in " ".join(out.split())


def test_doctor_looks_at_a_recipe_that_takes_other_images(photos, capsys):
    recipe = photos / "result.yaml"
    recipe.write_text("offgraph: 1\nsteps: [Threshold, Label]\n")
    status, out, _ = run(capsys, "doctor", "--recipe", recipe, "--strict")
    assert status == 0 and "no findings, for any image" in out
    assert json.loads(run(capsys, "doctor", "--recipe", recipe, "--json")[1]) == {"recipe": []}
    assert run(capsys, "doctor")[0] == 2


def test_steps(capsys):
    status, out, _ = run(capsys, "steps", "Rotate")
    assert status == 0 and "angle" in out and "Degrees" in out
    status, out, _ = run(capsys, "steps", "--schema")
    assert status == 0 and "Rotate" in json.dumps(json.loads(out))
    status, _, err = run(capsys, "steps", "Rotat")
    assert status == 2 and "did you mean Rotate" in err


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("", "it is a folder"),
        (".", "it is a folder"),
        ("/", "it is a folder"),
        ("photos", "it is a folder"),
        ("recipe.yaml/page.html", "'recipe.yaml' is not a folder"),
        ("photos/a/0.png/b/page.html", "'photos/a/0.png' is not a folder"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(photos, capsys, monkeypatch, out, says):
    monkeypatch.chdir(photos)
    for name in ("preview", "compare", "save_benchmark", "report", "skew", "load", "from_keras"):
        monkeypatch.setattr(
            og, name, lambda *_, **__: pytest.fail("it worked before it looked where to write")
        )
    monkeypatch.setattr(
        og, "Loader", lambda *_, **__: pytest.fail("it worked before it looked where to write")
    )
    for command in (
        ("preview", "photos", "-r", "recipe.yaml", "-o", out),
        ("compare", "photos/a/0.png", "--vary", "MedianFilter.size=1,3", "-o", out),
        ("bench", "photos", "-r", "recipe.yaml", "-o", out),
        ("skew", "model.keras", "photos", "--vary", "MedianFilter.size=1,3", "-o", out),
        ("report", "model.keras", "photos", "-o", out),
        ("convert", "recipe.yaml", "--from", "keras", "-o", out),
    ):
        status, _, err = run(capsys, *command)
        assert status == 2 and says in " ".join(err.replace("│", " ").split())
    assert sorted(path.name for path in photos.iterdir()) == ["photos", "recipe.yaml"]


def test_folders_on_the_way_to_a_page_are_made(photos, capsys, monkeypatch):
    monkeypatch.chdir(photos)
    job = ("compare", "photos/b/0.png", "--vary", "MedianFilter.size=1,3", "-o", "new/deep/page.html")
    assert run(capsys, *job)[0] == 0
    assert (photos / "new" / "deep" / "page.html").exists()


def test_the_version_is_told(capsys):
    assert run(capsys, "--version") == (0, f"offgraph {og.__version__}\n", "")


def test_a_recipe_is_explained(tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("offgraph: 1\nsteps: [Flip, {Rotate: {angle: 5}}, {Normalize: {stats: imagenet}}]\n")
    status, out, _ = run(capsys, "steps", "--explain", recipe)
    assert status == 0 and out.startswith(
        "image: 375 x 500 x 3 YXC uint8\n1. resample through one affine map"
    )
    assert "[steps 1 Flip, 2 Rotate]" in out
    status, out, _ = run(
        capsys, "steps", "--explain", recipe, "--shape", "3,20,30", "--axes", "CYX", "--dtype", "uint16"
    )
    assert status == 0 and "gives 3 x 20 x 30 CYX float32" in out
    status, _, err = run(capsys, "steps", "--explain", recipe, "--shape", "20,x")
    assert status == 2 and "--shape takes lengths such as 375,500,3" in err
    status, _, err = run(capsys, "steps", "--explain", recipe, "--shape", "20,30")
    assert status == 1 and "step 3, Normalize: statistics of 3 channels do not fit" in err


def test_a_recipe_with_code_in_it_is_refused(photos, capsys):
    bad = photos / "bad.yaml"
    bad.write_text("offgraph: 1\nsteps:\n  - !!python/object/apply:os.system ['true']\n")
    status, _, err = run(capsys, "build", photos / "photos", photos / "out", "-r", bad)
    assert status == 1 and "bad.yaml" in err and "line 3" in err
    assert not (photos / "out").exists()


def test_a_wrong_recipe_names_line_step_and_field(photos, capsys):
    bad = photos / "bad.yaml"
    bad.write_text("offgraph: 1\nsteps:\n  - Resize: {size: [8, 8]}\n  - Rotate: {angel: 4}\n")
    status, _, err = run(capsys, "build", photos / "photos", photos / "out", "-r", bad)
    assert status == 1
    assert all(word in err for word in ("line 4", "Rotate", "angel", "did you mean angle"))


def test_missing_source_and_wrong_usage(photos, capsys):
    status, _, err = run(capsys, "build", photos / "nowhere", photos / "out", "-r", photos / "recipe.yaml")
    assert status == 1 and "nowhere" in err
    status, _, err = run(capsys, "build")
    assert status == 2
    status, out, _ = run(capsys, "--help")
    assert status == 0 and "predict" in out


def test_predict_with_a_file_that_is_no_model(photos, capsys):
    pytest.importorskip("tensorflow")
    status, _, err = run(capsys, "predict", photos / "recipe.yaml", photos / "photos", "-o", photos / "out")
    assert status == 1 and "recipe.yaml" in err


def test_a_seed_that_is_none_is_wrong_usage(photos, capsys):
    status, _, err = run(capsys, "preview", photos / "photos", "--seed", -1)
    assert status == 2 and "seed" in err
    status, _, err = run(
        capsys, "build", photos / "photos", photos / "out", "-r", photos / "recipe.yaml", "-f", "zip"
    )
    assert status == 2 and all(name in err for name in FORMATS)


def test_options_of_sources_and_shards(photos, capsys):
    job = ("build", photos / "photos", photos / "out", "-r", photos / "recipe.yaml", "--dry-run")
    status, out, _ = run(capsys, *job, "--labels", "none", "--alpha", "white", "--shard-size", 2)
    assert status == 0 and "nothing is written" in out
    status, _, err = run(capsys, *job, "--axes", "QQ")
    assert status == 1 and "QQ" in err


def test_preview_of_nothing_fails_and_hints_are_one_line(photos, capsys):
    wrong = photos / "wrong.yaml"
    wrong.write_text("offgraph: 1\nsteps:\n  - Resize: {size: [8, 8, 8]}\n")
    page = photos / "page.html"
    status, _, err = run(capsys, "preview", photos / "photos", "-r", wrong, "-o", page)
    assert status == 1 and "not one of the 7 images" in err and not page.exists()
    typed = [sys.executable, "-m", "offgraph", "preview", photos / "photos", "-o", page]
    done = subprocess.run(typed, capture_output=True, text=True, check=True)
    assert "wrote" in done.stdout
    assert (
        done.stderr.startswith("offgraph: warning: 1 of 7 images could not be drawn")
        and done.stderr.count("\n") == 1
    )


def test_the_package_is_the_command():
    (script,) = metadata.entry_points(group="console_scripts", name="offgraph")
    module = importlib.import_module("offgraph.__main__")
    assert module.main is script.load() is cli.main
    done = subprocess.run(
        [sys.executable, "-m", "offgraph", "build"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "Usage: python -m offgraph build" in done.stderr


@pytest.mark.parametrize("name", sorted(og.STEPS))
def test_every_field_is_described_and_the_example_is_a_recipe(name, capsys):
    status, out, _ = run(capsys, "steps", name)
    assert status == 0
    assert all(f"\n  {field}: " in out for field in (*field_names(og.STEPS[name]), "p", "id"))
    recipe = out.partition("In a recipe file:\n\n")[2].partition("In Python:")[0]
    assert og.Compose.from_yaml(textwrap.dedent(recipe)).steps[0].name == name
    assert ">>> " in out.partition("In Python:")[2]


def test_one_page_of_multi_page_files(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    stack = np.arange(2 * 8 * 9, dtype=np.uint8).reshape(2, 8, 9)
    with tifffile.TiffWriter(tmp_path / "photos" / "a.tif") as writer:
        for page in stack:
            writer.write(page, metadata=None, contiguous=False)
    status, _, _ = run(capsys, "doctor", tmp_path / "photos", "--strict")
    assert status == 3
    status, _, _ = run(capsys, "doctor", tmp_path / "photos", "--strict", "--page", 1)
    assert status == 0
    (tmp_path / "none.yaml").write_text("offgraph: 1\nsteps: []\n")
    job = ("build", tmp_path / "photos", tmp_path / "out", "-r", tmp_path / "none.yaml", "--color", "grey")
    status, out, _ = run(capsys, *job, "--page", 1)
    assert status == 0, out
    (made,) = (tmp_path / "out").rglob("*.png")
    np.testing.assert_array_equal(og.imread(made), stack[1])


# errors


def test_a_foreign_error_is_one_line_and_whole_only_when_asked_for(tmp_path, capsys, monkeypatch):
    def fails(*_, **__):
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ZeroDivisionError("outer\x1b[31m\nand more") from error

    monkeypatch.setattr(og, "doctor", fails)
    monkeypatch.delenv("OFFGRAPH_DEBUG", raising=False)
    status, _, err = run(capsys, "doctor", tmp_path)
    assert status == 70 and err.count("\n") == 1
    assert err.startswith(
        r"offgraph: unexpected ZeroDivisionError: outer\x1b[31m and more; this is a fault of"
    )
    for arguments in (["--debug", "doctor"], ["doctor", "--debug"]):
        with pytest.raises(ZeroDivisionError) as caught:
            cli.main([*arguments, str(tmp_path)])
        assert isinstance(caught.value.__cause__, KeyError)
    monkeypatch.setenv("OFFGRAPH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["doctor", str(tmp_path)])
    monkeypatch.setenv("OFFGRAPH_DEBUG", "0")
    assert run(capsys, "doctor", tmp_path)[0] == 70
    # after --, it is a name
    status, _, err = run(capsys, "steps", "--", "--debug")
    assert status == 2 and "no step is called" in err


def test_an_error_of_offgraph_shows_its_causes_when_asked_for(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OFFGRAPH_DEBUG", raising=False)
    job = ["predict", tmp_path / "x.keras", tmp_path, "-o", tmp_path / "out"]
    status, _, err = run(capsys, *job)
    assert status == 1 and err.count("\n") == 1 and "Traceback" not in err
    with pytest.raises(og.OffgraphError) as caught:
        cli.main([*map(str, job), "--debug"])
    assert caught.value.__cause__ is not None
    status, out, _ = run(capsys, "--help")
    assert status == 0 and "--debug" in out


def test_predict_takes_masks_padding_and_threshold(tmp_path, capsys):
    pytest.importorskip("keras")
    from tests.support.models import mask_model

    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    image = np.zeros((25, 33), np.uint8)
    image[5:15, 4:20] = 255
    og.imwrite(tmp_path / "in" / "a.png", image)
    og.imwrite(tmp_path / "masks" / "a.png", (image > 0).astype(np.uint8))
    model = og.save(mask_model(stride=8), [og.Rescale(1 / 255)], tmp_path / "m.keras")
    job = ("predict", model, tmp_path / "in", "--masks", tmp_path / "masks")
    status, _, err = run(capsys, *job, "-o", tmp_path / "fails")
    assert status == 1 and "give --pad-to 8" in err
    for number, pad_to in enumerate((8, "auto")):
        status, out, _ = run(capsys, *job, "-o", tmp_path / f"out{number}", "--pad-to", pad_to)
        assert status == 0 and "against the true masks: mean IoU" in out
    status, _, err = run(capsys, *job, "-o", tmp_path / "no", "--pad-to", "some")
    assert status == 1 and "--pad-to some: give" in err
    status, _, err = run(capsys, *job, "-o", tmp_path / "no", "--threshold", 2)
    assert status == 1 and "--threshold 2.0: give" in err
