"""`Loader.benchmark` and `offgraph bench`: parts are real work, measured on the loader's own images, and named by what they do."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.pages import self_contained

import offgraph as og
from offgraph.apps import cli
from offgraph.loading.benchmark_report import part_times
from offgraph.loading.maker import SampleMaker
from offgraph.loading.measurement import _Benchmark, operations_of
from offgraph.steps.kinds import FilterStep, GeometricStep

SPEC = og.ArraySpec((40, 50, 3), "uint8", "YXC")
RECIPE = [
    og.Resize((24, 24)),
    og.Augment(og.Rotate((-15, 15)), og.Affine(shear=0.2)),
    og.Normalize("imagenet"),
]


class Slow(FilterStep):
    """Sleeps for 20 ms; a filter that only Python can run."""

    def filter(self, array, axes, params):
        time.sleep(0.02)
        return array


def operations(*steps, start=0, fuse=True):
    return [tuple(one) for one in operations_of(og.Compose(steps, fuse=fuse), SPEC, start)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(14):
        size = (30 + number, 44 - number, 3)
        og.imwrite(folder / f"{number:02}.png", rng.integers(0, 256, size, np.uint8))
    return folder


# operations


def test_operations_are_those_after_fusion():
    steps = (og.Resize(24), og.Augment(og.Rotate((-9, 9)), og.Affine(shear=0.2)), og.Normalize("imagenet"))
    assert operations(*steps) == [
        ("Resize", 1, False, False),
        ("Rotate + Affine", 3, False, True),
        ("Normalize", 4, False, True),
    ]
    assert [one[0] for one in operations(*steps, fuse=False)] == ["Resize", "Rotate", "Affine", "Normalize"]
    assert [one[:2] for one in operations(*steps, start=1)] == [("Rotate + Affine", 3), ("Normalize", 4)]


def test_a_step_of_two_operations_is_one_and_a_moved_crop_ends_with_what_it_passed():
    assert operations(og.RandomResizedCrop(16), og.Flip()) == [
        ("RandomResizedCrop", 1, False, True),
        ("Flip", 2, False, True),
    ]
    assert operations(og.Gamma(1.2), og.CenterCrop(20)) == [("CenterCrop + Gamma", 2, False, False)]


def test_steps_that_may_be_left_out_count_and_those_that_never_run_do_not():
    assert operations(og.Flip("X", p=0.5), og.MedianFilter(3), og.Rotate(9, p=0.0)) == [
        ("Flip", 1, False, True),
        ("MedianFilter", 2, False, True),
    ]


def test_what_only_python_runs_is_told():
    assert operations(Slow(), og.MedianFilter(3)) == [
        ("Slow", 1, True, False),
        ("MedianFilter", 2, False, False),
    ]

    class Own(GeometricStep):
        def apply(self, image, params):
            return image

    assert operations(Own())[0][2]


def test_parts_are_differences():
    assert part_times([]) == []
    assert part_times([1.0, 3.0, 2.5, 2.75, 4.0]) == [1.0, 2.0, 0.0, 0.0, 1.0]


# measurements


def test_every_part_is_measured_on_the_loaders_first_images(photos, monkeypatch):
    seen: list[int] = []
    make = SampleMaker.sample

    def noted(self, epoch, number, *more):
        seen.append(number)
        return make(self, epoch, number, *more)

    monkeypatch.setattr(SampleMaker, "sample", noted)
    loader = og.Loader(photos, RECIPE, batch_size=4, threads=2, seed=3)
    before = set(threading.enumerate())
    report = loader.benchmark(images=8, seconds=0.1)
    assert set(threading.enumerate()) == before
    assert [part.name for part in report.parts] == [
        "read", "decode", "Resize", "Rotate + Affine", "Normalize", "store in batches"
    ]  # fmt: skip
    assert [part.drawn for part in report.parts[2:5]] == [False, True, True]
    assert (report.images, report.batch_size, report.threads, report.stored) == (8, 4, 2, False)
    assert set(seen) == set(loader.order(0)[:8].tolist())
    for speed, times in (
        (report.one, [p.one for p in report.parts]),
        (report.many, [p.many for p in report.parts]),
    ):
        assert min(times) >= 0 and sum(times) == pytest.approx(1000 / speed)
    assert sum(report.share(part) for part in report.parts) == pytest.approx(1)
    assert loader.next_epoch() == 0, "the loader's own passes are not counted on"


def test_a_slow_step_in_python_is_what_limits(photos):
    loader = og.Loader(photos, [og.Resize(16), Slow(), og.Rescale(1 / 255)], batch_size=2, threads=2)
    report = loader.benchmark(images=4, seconds=0.1)
    slow = report.parts[3]
    assert (slow.name, slow.python) == ("Slow", True) and slow.one > 15 and slow.many > 7
    assert report.verdict[0].startswith("The recipe's Python step limits: Slow takes")
    assert "build a dataset" in report.verdict[0], "it draws nothing"
    drawn = og.Loader(
        photos, [og.Augment(og.Rotate((-5, 5))), Slow(), og.Resize(16)], batch_size=2, threads=1
    )
    assert "Give it `passes`" in drawn.benchmark(images=2, seconds=0.1).verdict[0]


def test_who_waits_for_whom(photos):
    quick = og.Loader(photos, [og.Resize(8)], batch_size=2, threads=2)
    report = quick.benchmark(images=4, seconds=0.1, step=0.15)
    assert report.model is not None and report.model.step >= 150 and report.model.waiting < 0.05
    assert report.verdict == (
        f"The model is slower than the loader (the model waits for batches {report.model.waiting:.0%} of the time): "
        "a faster loader gains nothing.",
    )
    slow = og.Loader(photos, [og.Resize(8), Slow()], batch_size=2, threads=1)
    batches: list[og.Batch] = []
    report = slow.benchmark(images=4, seconds=0.1, step=batches.append)
    assert report.model is not None and report.model.waiting > 0.5
    assert report.verdict[0].startswith("The loader limits: the model waits")
    assert all(len(batch) == 2 for batch in batches) and len(batches) >= 2


def test_a_prefix_has_the_draws_of_the_whole(photos):
    steps = [
        og.Rotate((-9, 9)), og.Augment(og.Rotate((-9, 9)), og.Flip("X", p=0.5)), og.Rotate((-9, 9)),
        og.Augment(og.Rotate((-9, 9), id="a")), og.Gamma((0.8, 1.2)),
    ]  # fmt: skip
    recipe = og.Compose(steps)
    cut = _Benchmark(og.Loader(photos, recipe, batch_size=1), 1, 0.1)._prefix
    image = np.random.default_rng(1).integers(0, 256, (20, 30), np.uint8)
    given, key = og.Targets({"image": og.Image(image, "YX")}), og.Key(seed=3, index=5)
    for stop in range(len(recipe.steps) + 1):
        whole = recipe.run(given, key, 0, stop)
        assert cut(stop).run(given, key).record["steps"] == whole.record["steps"]
        np.testing.assert_array_equal(cut(stop).run(given, key).image, whole.image)
    assert cut(len(recipe.steps)) == recipe


def test_images_of_different_shapes_are_measured_one_by_one(photos):
    report = og.Loader(photos, [og.Gamma(1.1)], batch_size=1, threads=1).benchmark(images=3, seconds=0.1)
    assert [part.name for part in report.parts] == ["read", "decode", "Gamma", "store in batches"]
    assert report.threads == 1 and report.one == report.many


@pytest.mark.parametrize("format", ["arrow", "folder"])
def test_a_dataset_is_measured_after_what_it_stores(photos, tmp_path, format):
    og.build(photos, tmp_path / "out", RECIPE, format=format, progress=False)
    report = og.Loader(tmp_path / "out", batch_size=4, threads=2, shuffle=True).benchmark(
        images=8, seconds=0.1
    )
    assert [part.name for part in report.parts] == ["read and decode", "Normalize", "store in batches"]
    assert report.stored and report.parts[0].many > 0
    other = og.Loader(tmp_path / "out", [og.Flip()], other_recipe=True, batch_size=4, threads=1)
    assert [part.name for part in other.benchmark(images=4, seconds=0.1).parts][1] == "Flip"


def test_a_cached_loader_is_measured_from_its_cache(photos):
    loader = og.Loader(photos, [Slow(), *RECIPE], batch_size=4, threads=2).cache("memory", after="Slow")
    report = loader.benchmark(images=8, seconds=0.1)
    (part,) = report.parts
    assert part.name == "images from the cache, Resize, Rotate + Affine, Normalize"
    assert part.many < 10, "the step that is kept takes 20 ms"


def test_handing_over_to_tensorflow(photos):
    pytest.importorskip("tensorflow", reason="batches are handed over to TensorFlow")
    loader = og.Loader(photos, [og.Resize(16), Slow()], batch_size=4, threads=2)
    shapes = []
    report = loader.benchmark(
        images=8, seconds=0.1, framework="tensorflow", step=lambda batch: shapes.append(tuple(batch.shape))
    )
    part = report.parts[-1]
    assert (part.name, part.kind) == ("hand over", "hand over") and part.many < 5, (
        "20 ms of work are not in it"
    )
    assert set(shapes[1:]) <= {(4, 16, 16, 3), (2, 16, 16, 3)} and len(shapes) >= 2


def test_a_bad_image_is_named_or_left_out(photos, tmp_path):
    for path in sorted(photos.iterdir())[:6]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "00.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    with pytest.raises(og.DecodeError, match=r"00\.png"):
        og.Loader(tmp_path, RECIPE, batch_size=2, shuffle=False).benchmark(images=4, seconds=0.1)
    loader = og.Loader(tmp_path, RECIPE, batch_size=2, shuffle=False, on_error="skip")
    report = loader.benchmark(images=4, seconds=0.1)
    assert (
        report.many > 0 and report.left_out == 1 and "4 images measured (1 of them left out)" in str(report)
    )
    assert loader.skipped == {}, "its own passes left nothing out"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"images": 0}, "images=0"),
        ({"images": 2.5}, "images=2.5"),
        ({"seconds": 0}, "seconds=0: give a number of seconds above 0"),
        ({"seconds": "5"}, "seconds='5'"),
        ({"step": -1}, "step=-1: give a function of a batch"),
        ({"step": True}, "step=True"),
        ({"framework": "caffe"}, "framework='caffe': choose one of numpy, tensorflow"),
    ],
)
def test_bad_arguments(photos, options, says):
    with pytest.raises(og.ArgumentError, match=says):
        og.Loader(photos, RECIPE).benchmark(**options)


def test_one_batch_is_too_few_for_a_model(photos):
    with pytest.raises(
        og.OffgraphError, match=r"two batches or more, and there are 14 images with batch_size=32"
    ):
        og.Loader(photos, RECIPE, batch_size=32).benchmark(images=2, seconds=0.1, step=0.01)


# the report


def report_of(**times):
    """A report in which parts take so many milliseconds on each of two threads."""
    kinds = {"read": "read", "decode": "decode", "store": "store", "hand_over": "hand over"}
    parts = tuple(
        og.MeasuredPart(name, kinds.get(name, "operation"), 2 * time, time, drawn=name == "Rotate")
        for name, time in times.items()
    )
    total = sum(times.values())
    return og.BenchmarkReport("photos", False, 64, 32, 2, parts, 500 / total, 1000 / total, "tensorflow")


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ({"read": 3, "decode": 1, "Resize": 1}, "Reading limits: 60% of the time"),
        ({"decode": 3, "Resize": 1, "Rotate": 1}, "Decoding limits: 60% of the time. Build a dataset .*left takes 1 of 5 ms"),
        ({"decode": 1, "Resize": 3, "Rotate": 1}, "Resize limits: 60% of the time. It gives the same in every epoch"),
        ({"decode": 1, "Resize": 1, "Rotate": 3}, "Rotate limits: 60% of the time, and is drawn anew"),
        ({"decode": 1, "store": 2}, "Writing the batches limits: 67% of the time"),
        ({"decode": 1, "hand_over": 2}, "Handing batches over to tensorflow limits: 67% of the time"),
    ],
)  # fmt: skip
def test_the_verdict_names_the_largest_part(times, says):
    report = report_of(**times)
    assert len(report.verdict) == 1
    assert re.match(says, report.verdict[0])


def test_a_stored_dataset_is_not_to_be_built_again():
    report = replace(report_of(decode=3, Rotate=1), stored=True)
    assert report.verdict[0].startswith("Reading the stored images limits: 75% of the time")
    assert "offgraph build" not in report.verdict[0]


def test_threads_that_do_not_help_are_told():
    report = replace(report_of(decode=3, Rotate=1), one=100.0, many=120.0)
    assert report.verdict[1].startswith("2 threads are 1.2 times as fast as one")


def test_the_report_as_text_json_and_page(tmp_path):
    model = og.ModelTiming(900.0, 12.5, 0.4)
    report = replace(
        report_of(read=0.25, decode=2.0, **{"<b>Slow</b>": 1.75}), model=model, source="a\x1b[31mb"
    )
    text = str(report)
    assert "\x1b" not in text and "0.500" in text and "444" in text and "44%" in text
    assert "with a model of 12.5 ms per batch: 900 images/s, waiting 40% of the time" in text
    data = json.loads(json.dumps(report.to_json()))
    assert [part["share"] for part in data["parts"]] == [0.0625, 0.5, 0.4375] and data["total"] == 4.0
    assert data["model"]["waiting"] == 0.4 and data["verdict"] == list(report.verdict)
    page = og.save_benchmark(report, tmp_path / "page.html")
    self_contained(page)
    html = page.read_text()
    assert html.count('<rect class="hit"') == html.count('<rect class="miss"') == 3
    assert "<b>Slow" not in html and "&lt;b&gt;Slow" in html and report.verdict[0] in html
    notebook = report._repr_html_()
    assert notebook is not None and "<b>Slow" not in notebook and notebook.count("<rect") == 6


# the command


@pytest.fixture
def recipe_file(tmp_path) -> Path:
    og.Compose(RECIPE).to_yaml(tmp_path / "recipe.yaml")
    return tmp_path / "recipe.yaml"


def run(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", *map(str, arguments)])
    said = capsys.readouterr()
    return f"{ended.value.code} {said.out}{said.err}"


def test_the_command_prints_a_table_and_writes_a_page(photos, recipe_file, tmp_path, capsys):
    out = run(
        capsys,
        photos,
        "-r",
        recipe_file,
        "-n",
        8,
        "--seconds",
        0.1,
        "--batch-size",
        4,
        "-o",
        tmp_path / "b.html",
    )
    assert out.startswith("0 ") and "Rotate + Affine" in out and "images/s on 1 thread" in out
    assert "limits" in out and "b.html" in out.replace("\n", "")
    self_contained(tmp_path / "b.html")


def test_the_command_prints_json_alone(photos, recipe_file, tmp_path, capsys):
    og.build(photos, tmp_path / "out", recipe_file, format="arrow", progress=False)
    arguments = ("-n", 8, "--seconds", 0.1, "--batch-size", 4, "--json", "-o", tmp_path / "b.html")
    data = json.loads(run(capsys, tmp_path / "out", *arguments).removeprefix("0 "))
    assert data["stored"] and data["parts"][0]["name"] == "read and decode"


def test_the_command_refuses_options_of_sources_for_a_dataset(photos, recipe_file, tmp_path, capsys):
    og.build(photos, tmp_path / "out", recipe_file, progress=False)
    out = run(capsys, tmp_path / "out", "--alpha", "white")
    assert out.startswith("1 ") and "leave out --alpha" in out.replace("\n", " ")
