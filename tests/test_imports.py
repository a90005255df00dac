"""The packages and the one direction of imports: no circles, no private names across packages, no framework at start."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import offgraph

PACKAGE = Path(offgraph.__file__).parent

# The packages of DESIGN.md in order: a module may import from its own package and from those before it, at the top of
# the file or inside a function.
PACKAGES = (
    "_native",
    "core",
    "errors",
    "engine",
    "ndimage",
    "geometry",
    "targets",
    "steps",
    "transforms",
    "postprocess",
    "plan",
    "recipe",
    "migration",
    "testing",
    "formats",
    "decode",
    "sources",
    "objects",
    "pipeline",
    "frameworks",
    "dataset",
    "loading",
    "generators",
    "views",
    "inference",
    "inspection",
    "apps",
    "__main__",
)
RANK = {name: rank for rank, name in enumerate(PACKAGES)}
# The compiled module is private to the package; these give out what the packages after them need.
GIVE_OUT_NATIVE = {"offgraph.core.threads", "offgraph.core.random", "offgraph.engine.native"}
FRAMEWORKS = {
    "tensorflow",
    "keras",
    "torch",
    "jax",
    "grain",
    "matplotlib",
    "jinja2",
    "typer",
    "rich",
    "sklearn",
    "skimage",
}


@dataclass(frozen=True)
class Imported:
    """One imported module, or one name of it."""

    module: str
    name: str | None
    inside: bool


def module_of(path: Path) -> str:
    parts = ("offgraph", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
MODULES = {module_of(path): path for path in FILES}


def imported(source: str, module: str) -> list[Imported]:
    """What a source imports, at the top or inside functions; imports for type checking alone are left out."""
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
    found: list[Imported] = []
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            found += [Imported(alias.name, None, id(node) in inner) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level]
                base = ".".join([*above, base]).strip(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                if whole in MODULES or whole == "offgraph._native" or base == "offgraph":
                    found.append(Imported(whole, None, id(node) in inner))
                else:
                    found.append(Imported(base, alias.name, id(node) in inner))
    return found


def against_the_arrows(module: str, source: str) -> list[str]:
    here = RANK[package_of(module)]
    return [
        f"{module} imports {each.module}"
        for each in imported(source, module)
        if each.module.startswith("offgraph.") and RANK.get(package_of(each.module), -1) > here
    ]


def private_across_packages(module: str, source: str) -> list[str]:
    found: list[str] = []
    for each in imported(source, module):
        if not each.module.startswith("offgraph.") or package_of(each.module) == package_of(module):
            continue
        parts = [*each.module.split("."), *([each.name] if each.name else [])]
        if any(part.startswith("_") for part in parts) and module not in GIVE_OUT_NATIVE:
            found.append(f"{module} imports {'.'.join(parts)}")
    return found


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Each circle of a graph of imports, as the modules on the way round (Tarjan's components of two and more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for after in sorted(graph.get(node, ())):
            if after not in index:
                visit(after)
                low[node] = min(low[node], low[after])
            elif after in stack:
                low[node] = min(low[node], index[after])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1 or node in graph.get(node, ()):
                found.append(component)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    yield from found


def frameworks_at_the_top(source: str) -> list[str]:
    return [
        each.module
        for each in imported(source, "offgraph.x")
        if not each.inside and each.module.split(".")[0] in FRAMEWORKS
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path):
    module = module_of(path)
    assert package_of(module) in RANK, f"say in test_imports.py and DESIGN.md where {path.name} stands"
    assert against_the_arrows(module, path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_stay_in_their_package(path: Path):
    assert private_across_packages(module_of(path), path.read_text()) == []


def test_no_circles():
    graph = {
        module: {each.module for each in imported(path.read_text(), module)} & set(MODULES)
        for module, path in MODULES.items()
    }
    assert list(circles(graph)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_frameworks_are_imported_inside_functions(path: Path):
    if package_of(module_of(path)) == "apps":
        pytest.skip("the command line stands outside: it is loaded by its own command only")
    assert frameworks_at_the_top(path.read_text()) == []


def test_no_module_has_the_name_of_a_public_function():
    functions = {name for name in offgraph.__all__ if name[:1].islower() and name != "ndimage"}
    modules = {module.rpartition(".")[2] for module in MODULES if module.count(".") == 1}
    assert functions & modules <= {"testing"}, "such a module hides the function, or the function the module"


def test_the_checks_can_fail():
    step = "offgraph.steps.base"
    assert against_the_arrows(step, "from offgraph.recipe.compose import Compose\n") == [
        f"{step} imports offgraph.recipe.compose"
    ]
    assert against_the_arrows(step, "def f():\n    from offgraph.loading import loader\n") == [
        f"{step} imports offgraph.loading.loader"
    ]
    assert against_the_arrows("offgraph.ndimage.batch", "from ..steps.base import Step\n") == [
        "offgraph.ndimage.batch imports offgraph.steps.base"
    ]
    assert against_the_arrows(step, "from offgraph.core.specs import ArraySpec\n") == []
    assert private_across_packages(step, "from offgraph.engine.calls import _MODES\n") == [
        f"{step} imports offgraph.engine.calls._MODES"
    ]
    assert private_across_packages(step, "from offgraph import _native\n") == [
        f"{step} imports offgraph._native"
    ]
    assert private_across_packages(step, "from offgraph.steps.kinds import _kept_table\n") == []
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == [["a", "b", "c"]]
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": set()})) == []
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


def test_scipy_is_loaded_where_it_computes():
    """It takes longer to import than everything else; each process of a build or a loader would wait for it."""
    code = (
        "import offgraph as og, numpy as np; og.Loader, og.build, og.predict, og.Rotate\n"
        "og.ndimage.median_filter(np.eye(4), 3), og.ndimage.generic_filter(np.eye(4), np.ptp, 3)"
    )
    assert "scipy" not in loaded_by(code)


def test_loading_can_be_seen():
    assert "jinja2" in loaded_by("import jinja2")


@pytest.mark.parametrize("name", sorted(set(offgraph.__all__) - {"__version__"}))
def test_public_names_are_there(name: str):
    assert getattr(offgraph, name).__doc__


def test_classes_of_what_a_loader_returns_are_public():
    classes = {
        node.name
        for path in FILES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    returned: set[str] = set()
    for name in dir(offgraph.Loader):
        member = inspect.getattr_static(offgraph.Loader, name)
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isfunction(function):
            annotation = ast.parse(str(function.__annotations__["return"]))
            returned |= {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    assert {"Batch", "BenchmarkReport", "SampleExplanation"} <= returned
    assert returned & classes <= set(offgraph.__all__)


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'rotate'"):
        offgraph.rotate
