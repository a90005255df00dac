"""What the pages say is run: the blocks of the docs and of the README, and every docstring's example."""

from __future__ import annotations

import doctest
import importlib.util
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph import ndimage
from offgraph.apps import cli
from offgraph.engine import segmentation
from offgraph.recipe.files import STEPS

ROOT = Path(__file__).parents[2]
PAGES = [
    p for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if "```python\n" in p.read_text()
]


BLOCK = re.compile(r"^```(python|console)(?: needs (\w+))?\n(.*?)^```", re.M | re.S)
"""A block, and the library that it needs where the tests do not install it."""


def blocks(page: Path, *libraries: str) -> list[tuple[str, str]]:
    """Blocks of Python and of commands, each with blank lines before it so that tracebacks give the page's line;
    with those that need one of some libraries.
    """
    text = page.read_text()
    return [
        (match.group(1), "\n" * text[: match.start(3)].count("\n") + match.group(3))
        for match in BLOCK.finditer(text)
        if match.group(2) in (None, *libraries)
    ]


@pytest.fixture(autouse=True)
def own_registry():
    """Steps that a page or an example registers are gone after it."""
    before = dict(STEPS)
    yield
    STEPS.clear()
    STEPS.update(before)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with a photograph, a folder of class folders and a noisy image; the pages' examples run there."""
    skimage_data = pytest.importorskip("skimage.data", reason="the pages use scikit-image's photographs")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "docs" / "images" / "cat.jpg", tmp_path)
    cat = skimage_data.chelsea()
    for name, image in (("cats", cat), ("coffee", skimage_data.coffee())):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(6):
            part = image[10 * index : 10 * index + 240, 15 * index : 15 * index + 320]
            og.imwrite(tmp_path / "photos" / name / f"{index}.jpg", np.ascontiguousarray(part))
    return tmp_path


NEEDED = {
    "datasets.md": ("pyarrow", "tensorflow"),
    "feeding.md": ("tensorflow", "jax", "grain"),
    "image-data-generator.md": ("keras",),
}
"""Optional libraries that a page shows."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_of_the_page_run(page, workplace):
    for library in NEEDED.get(page.name, ()):
        pytest.importorskip(library, reason=f"the page shows {library}")
    run(page)


MORE = sorted({(page, m.group(2)) for page in PAGES for m in BLOCK.finditer(page.read_text()) if m.group(2)})


@pytest.mark.parametrize(("page", "library"), MORE, ids=lambda value: getattr(value, "name", value))
def test_blocks_that_need_another_library_run(page, library, workplace):
    for needed in (library, *NEEDED.get(page.name, ())):
        pytest.importorskip(needed, reason=f"the page shows {needed}")
    run(page, library)


ON_PURPOSE = {
    ("scripts.md", "antialias"),
    ("image-data-generator.md", "antialias"),
    ("recipes.md", "value-range"),
    ("from-albumentations.md", "antialias"),
}
"""Pages that show a trap, or do as another library does, and the rule that names it."""


def run(page: Path, *libraries: str) -> None:
    """Run the blocks of a page; of its recipes nothing is said that they do not show on purpose."""
    with recipes_made() as made:
        run_blocks(page, *libraries)
    found = {(page.name, one.rule): str(one) for recipe, spec in made for one in recipe.lint(spec)}
    assert {key: text for key, text in found.items() if key not in ON_PURPOSE} == {}


def recipe_files() -> dict[str, str]:
    """Recipes in YAML by the file that they stand in."""
    found = {path.name: path.read_text() for path in sorted((ROOT / "examples").glob("*.yaml"))}
    for page in sorted({ROOT / "README.md", *(ROOT / "docs").glob("*.md")}):
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)):
            if text.startswith("offgraph: 1"):
                found[f"{page.name} {number}"] = text
    return found


@pytest.mark.parametrize("name", recipe_files())
def test_of_the_recipes_that_are_shown_nothing_is_said(name):
    recipe = og.Compose.from_yaml(recipe_files()[name])
    for spec in (None, og.ArraySpec((375, 500, 3), "uint8", "YXC")):
        assert [str(one) for one in recipe.lint(spec)] == []


@pytest.mark.parametrize("name", ["coins", "digits", "speed"])
def test_of_the_recipes_of_the_demo_nothing_is_said(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "demo"))
    spec = importlib.util.spec_from_file_location(f"demo_{name}", ROOT / "examples" / "demo" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look for it
    spec.loader.exec_module(module)
    for image in (None, og.ArraySpec((375, 500, 3), "uint8", "YXC"), og.ArraySpec((303, 384), "uint8", "YX")):
        assert [str(one) for one in module.RECIPE.lint(image) if one.rule != "refused"] == []


@contextmanager
def recipes_made() -> Iterator[list[tuple[og.Compose, og.ArraySpec | None]]]:
    """Collect recipes that are made, and those that are run with the specs of their images."""
    made: list[tuple[og.Compose, og.ArraySpec | None]] = []
    begin, go = og.Compose.__init__, og.Compose.run

    def beginning(self: og.Compose, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        made.append((self, None))

    def running(self: og.Compose, targets: Any, *args: Any, **options: Any) -> og.Result:
        result = go(self, targets, *args, **options)
        made.append((self, targets.image.spec))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(og.Compose, "__init__", beginning)
        patch.setattr(og.Compose, "run", running)
        yield made


def run_blocks(page: Path, *libraries: str) -> None:
    namespace: dict = {}
    for kind, block in blocks(page, *libraries):
        if kind == "python":
            exec(compile(block, str(page), "exec", dont_inherit=True), namespace)
            continue
        for command in re.findall(r"^\$ offgraph (.*)$", block, re.M):
            with pytest.raises(SystemExit) as left:
                cli.main(shlex.split(command))
            assert not left.value.code, f"{page.name}: {command}"


def test_there_are_pages_to_run():
    assert {"README.md", "scripts.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize(
    "page", sorted({ROOT / "README.md", *(ROOT / "docs").glob("*.md")}), ids=lambda page: page.name
)
def test_what_a_page_shows_and_links_to_is_there(page):
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    missing = [target for target in linked if not (page.parent / target).exists()]
    assert [target for target in missing if not target.startswith("generated/")] == []


def test_the_images_of_pages_are_what_their_lines_give(monkeypatch):
    pytest.importorskip("skimage.data", reason="the page uses one of scikit-image's photographs")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    sys.modules.pop("illustrations", None)
    import illustrations

    drawn = illustrations.images()
    assert og.imread(ROOT / "docs" / "images" / "cat.jpg").shape == drawn.pop("cat.jpg").shape
    for name, image in drawn.items():
        assert np.array_equal(og.imread(ROOT / "docs" / "images" / name), image), (
            f"run docs/illustrations.py: {name}"
        )


def test_a_wrong_block_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text\n\n```python\nassert 1 == 2\n```\n")
    ((_, block),) = blocks(page)
    with pytest.raises(AssertionError):
        exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("name", sorted(og.__all__))
def test_public_names_are_documented_and_their_examples_run(name, workplace):
    thing = getattr(og, name)
    if not callable(thing):
        return
    assert (thing.__doc__ or "").strip(), f"og.{name} has no docstring"
    run_examples(thing, f"og.{name}")


@pytest.mark.parametrize("name", sorted(ndimage.NATIVE))
def test_the_examples_of_native_functions_give_what_they_show(name):
    function = getattr(ndimage, name)
    assert ">>>" in (function.__doc__ or ""), f"ndimage.{name} shows no example"
    run_examples(function, f"ndimage.{name}")


@pytest.mark.parametrize("name", segmentation.__all__)
def test_the_examples_of_segmentation_give_what_they_show(name):
    run_examples(getattr(segmentation, name), f"objects.{name}")


@pytest.mark.parametrize("name", ndimage.batch.__all__)
def test_the_examples_of_batches_give_what_they_show(name):
    run_examples(getattr(ndimage.batch, name), f"ndimage.batch.{name}")


def run_examples(thing, name):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    home = vars(sys.modules[thing.__module__])
    namespace = {**home, "Path": Path, "og": og, "np": np}
    for test in doctest.DocTestFinder(recurse=False).find(thing, name, globs=namespace):
        runner.run(test)
    assert runner.failures == 0, f"the example of {name} does not give what it shows"


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_shows_an_example(name):
    assert ">>>" in (STEPS[name].__doc__ or "")


def test_reference_page_lists_every_public_function():
    listed = set(re.findall(r"^   (\w+)$", (ROOT / "docs" / "reference.md").read_text(), re.M))
    functions = {name for name in og.__all__ if name not in STEPS and not name.startswith("_")}
    assert listed == functions


def test_every_difference_names_a_test_that_exists():
    named = re.findall(r"`(\w+\.py)::(\w+)`", (ROOT / "docs" / "differences.md").read_text())
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / "parity" / file).read_text(), f"{file}::{test}"


def test_steps_are_listed_in_the_docs_and_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    sys.modules.pop("steps", None)
    import steps

    steps.write(tmp_path / "steps.md")
    page = (tmp_path / "steps.md").read_text()
    with pytest.raises(SystemExit) as stop:
        cli.main(["steps"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for name, step in STEPS.items():
        assert f"### {name}\n" in page
        assert name in printed
        assert all(f"{field}" in page for field in step.__pydantic_fields__)
