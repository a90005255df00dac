"""The Rust kernels: modules import in one direction, a name means one thing, and the table in lib.rs is complete."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from offgraph import ndimage

KERNELS = Path(__file__).parents[1] / "native" / "kernels" / "src"

# A module imports from its own layer and from those above it in this list, never from those below.
LAYERS = (
    ("error",),
    ("memory",),
    ("exec",),
    ("array",),
    ("border", "window", "doubling"),
    ("walk",),
    ("filter", "rank", "morphology", "distance", "measure", "interpolate", "pointwise", "noise", "segment"),
)
LAYER_OF = {family: level for level, families in enumerate(LAYERS) for family in families}


def modules() -> dict[str, str]:
    """Every module with its source, without comments, strings and test modules."""
    found = {}
    for path in sorted(KERNELS.rglob("*.rs")):
        name = "::".join(path.relative_to(KERNELS).with_suffix("").parts)
        if name != "lib" and path.stem != "tests":
            found[name] = code_of(path.read_text(encoding="utf-8"))
    return found


def code_of(source: str) -> str:
    source = re.sub(r'"(?:\\.|[^"\\])*"', '""', re.sub(r"//.*", "", source))
    return re.sub(
        r"^#\[cfg\(test\)\]\n(?:pub(?:\(\w+\))? )?mod \w+ \{\n.*?^\}\n", "", source, flags=re.M | re.S
    )


def expanded(path: str) -> list[str]:
    """The paths of one `use`: `a::{b, c::{d, self}}` is `a::b`, `a::c::d` and `a::c`."""
    path = "".join(path.split())
    match = re.fullmatch(r"((?:\w+::)*)\{(.*)\}", path)
    if not match:
        return [path.split("as")[0] if " as " in path else path]
    prefix, inner = match.groups()
    parts, depth, part = [], 0, ""
    for letter in inner + ",":
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [
        one
        for part in parts
        if part
        for one in ([prefix.removesuffix("::")] if part == "self" else expanded(prefix + part))
    ]


def imports(name: str, code: str, known: dict[str, str]) -> set[str]:
    """The modules that a module refers to."""
    uses = re.compile(r"\buse\s+([^;]+);")
    paths = [one for use in uses.findall(code) for one in expanded(use)]
    code = uses.sub("", code)
    paths += re.findall(r"\b(?:crate|super|self)(?:::\w+)+", code)
    children = re.findall(r"^(?:pub(?:\(\w+\))? )?mod (\w+);", code, flags=re.M)
    paths += [f"self::{child}" for child in children if re.search(rf"\b{child}::", code)]
    found = set()
    for path in paths:
        at, *rest = path.split("::")
        here = name.split("::")
        if at == "crate":
            target = rest
        elif at == "super":
            target = here[:-1]
            while rest and rest[0] == "super":
                target, rest = target[:-1], rest[1:]
            target = target + rest
        elif at == "self":
            target = here + rest
        elif at in children:
            target = [*here, at, *rest]
        else:
            continue
        while target and "::".join(target) not in known:
            target = target[:-1]
        if target and "::".join(target) != name:
            found.add("::".join(target))
    return found


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: imports(name, code, known) for name, code in known.items()}


def test_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_imports_follow_the_layers(graph: dict[str, set[str]]) -> None:
    wrong = []
    for name, targets in graph.items():
        family = name.split("::")[0]
        for target in sorted(targets):
            other = target.split("::")[0]
            if other != family and LAYER_OF[other] >= LAYER_OF[family]:
                wrong.append(f"{name} -> {target}")
    assert not wrong


def test_the_reader_sees_circles() -> None:
    known = {
        "a": "use crate::b::{self, C};",
        "b": "mod c;\nuse super::a::D;\nfn f() { c::g() }",
        "b::c": "use super::Thing;",
    }
    graph = {name: imports(name, code, known) for name, code in known.items()}
    assert graph == {"a": {"b"}, "b": {"a", "b::c"}, "b::c": {"b"}}
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def test_a_type_has_one_name_in_all_kernels() -> None:
    seen: dict[str, str] = {}
    twice = []
    for name, code in modules().items():
        for kind in re.findall(
            r"^(?:pub(?:\(\w+\))? )?(?:unsafe )?(?:struct|enum|trait|type) (\w+)", code, flags=re.M
        ):
            if kind in seen:
                twice.append(f"{kind}: {seen[kind]}, {name}")
            seen[kind] = name
    assert not twice


def functions_by_file() -> list[tuple[list[str], str]]:
    """The rows of the table "SciPy function | file" in lib.rs."""
    rows = re.findall(
        r"^//! \| (`.*`) \| (.*) \|$", (KERNELS / "lib.rs").read_text(encoding="utf-8"), flags=re.M
    )
    return [(re.findall(r"`(\w+)`", functions), files) for functions, files in rows]


def test_the_table_names_every_native_function_once() -> None:
    named = [name for functions, _ in functions_by_file() for name in functions]
    assert sorted(named) == sorted(ndimage.NATIVE)


def test_the_table_names_files_that_exist() -> None:
    for _, files in functions_by_file():
        paths = re.findall(r"`([^`]+)`", files)
        assert paths or files == "Python"
        assert all((KERNELS / path).is_file() for path in paths), files
