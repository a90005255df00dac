"""The one direction of imports, and that `import offgraph` loads no framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import offgraph

PACKAGE = Path(offgraph.__file__).parent

# The rooms of DESIGN.md in order: a module may import from its own room and from those before it.
ROOMS = [
    {"errors", "_native"},
    {"arguments", "machine", "tables"},
    {"spec", "random", "targets", "threads", "parameters"},
    {"ndimage"},
    {"frame", "step", "registry"},
    {"transforms", "postprocess"},
    {"plan", "compose", "recipe"},
    {"testing"},
    {"sources", "decode", "encode", "formats"},
    {"feeding", "batching", "batch_labels"},
    {"dataset"},
    {"samples"},
    {"loader"},
    {"tensors"},
    {
        "picture",
        "charts",
        "notebook",
        "report",
        "preview",
        "compare",
        "doctor",
        "inference",
        "predict",
        "results",
        "quiet",
    },
    {"cli", "cli_source"},
]
RANK = {name: rank for rank, room in enumerate(ROOMS) for name in room}
# Methods that lead on to a later room. Such an import stands inside the method.
DOORS = {
    ("loader.py", "offgraph.tensors.tensorflow"),
    *((file, "offgraph.notebook") for file in ("compose.py", "loader.py", "sources/base.py")),
}
FRAMEWORKS = {
    "tensorflow",
    "keras",
    "torch",
    "jax",
    "matplotlib",
    "jinja2",
    "typer",
    "rich",
    "sklearn",
    "skimage",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str, package: str) -> list[tuple[str, bool]]:
    """Modules that a source imports, and whether only when a function runs."""
    tree = ast.parse(source)
    inner = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    checking = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in inner) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], base]
                ).strip(".")
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "offgraph" else [base]
            found += [(name, id(node) in inner) for name in names]
    return found


def against_the_arrows(path: Path, source: str) -> list[str]:
    room = room_of(path)
    package = ".".join(["offgraph", *path.relative_to(PACKAGE).parts[:-1]])
    return [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for name, inside in imported(source, package)
        if name.startswith("offgraph.") and RANK.get(name.split(".")[1], -1) > RANK[room]
        if not (inside and (str(path.relative_to(PACKAGE)), name) in DOORS)
    ]


def frameworks_at_the_top(source: str) -> list[str]:
    return [
        name
        for name, inside in imported(source, "offgraph")
        if not inside and name.split(".")[0] in FRAMEWORKS
    ]


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path):
    assert room_of(path) in RANK, f"say in test_imports.py and DESIGN.md in which room {path.name} stands"
    assert against_the_arrows(path, path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_frameworks_are_imported_inside_functions(path: Path):
    if room_of(path) in ("cli", "cli_source"):
        pytest.skip("the command line is an outside room: it is loaded by its own command only")
    assert frameworks_at_the_top(path.read_text()) == []


def test_the_arrows_can_fail():
    step = PACKAGE / "step.py"
    assert against_the_arrows(step, "from offgraph.compose import Compose\n") == [
        "step.py imports offgraph.compose"
    ]
    assert against_the_arrows(step, "def f():\n    from offgraph import loader\n") == [
        "step.py imports offgraph.loader"
    ]
    assert against_the_arrows(PACKAGE / "ndimage" / "x.py", "from ..step import Step\n") == [
        "ndimage/x.py imports offgraph.step"
    ]
    assert against_the_arrows(step, "from offgraph.spec import ArraySpec\n") == []
    assert frameworks_at_the_top("import tensorflow as tf\n") == ["tensorflow"]
    assert frameworks_at_the_top("def f():\n    import keras\n") == []


LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def loaded_by(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def test_import_offgraph_loads_no_framework():
    assert loaded_by("import offgraph") & (FRAMEWORKS | {"numpy", "pydantic"}) == set()


def test_recipes_load_no_framework():
    code = (
        "import offgraph as og\nimport numpy as np\nog.Compose([og.Flip()])(image=np.zeros((4, 4), np.uint8))"
    )
    assert loaded_by(code) & FRAMEWORKS == set()


def test_loading_can_be_seen():
    assert "jinja2" in loaded_by("import jinja2")


@pytest.mark.parametrize("name", sorted(set(offgraph.__all__) - {"__version__"}))
def test_public_names_are_there(name: str):
    assert getattr(offgraph, name).__doc__


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'rotate'"):
        offgraph.rotate
