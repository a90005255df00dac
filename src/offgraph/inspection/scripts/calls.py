"""One call of a script, and the tables of functions that know what it does."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from offgraph.inspection.scripts.values import UNKNOWN, Value

__all__ = ["FUNCTIONS", "METHODS", "Call", "Notes", "function", "method", "source_of"]

_LONGEST = 80


def source_of(node: ast.AST | None) -> str:
    """Return the text of an expression, on one line, cut where it is long."""
    if node is None:
        return ""
    try:
        text = " ".join(ast.unparse(node).split())
    except (RecursionError, ValueError):
        return "…"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


@dataclass
class Notes:
    """What is learnt of a script while its lines are followed.

    Parameters
    ----------
    found : list
        Of (node, kind, what is said, mend, sure).
    steps : list
        Of (node, step): its transforms, as steps of a recipe.
    seeded : set of str
        Sources of random numbers that have a seed: ``"numpy"``, ``"python"``, ``"tensorflow"``.
    random : list
        Of (source, node): where random numbers are drawn from each.
    listings : list
        Of (node, whether masks): where files are listed.
    ordered : set of node
        Listings that are sorted.
    seen : set of str
        What is done anywhere: ``"exif"`` (orientation is applied), ``"rgb"`` (OpenCV's channels are put in order).
    model_scales : str
        The layer of a model that divides by 255 itself.
    fitted, predicted : list of (node, Value)
        What models learn from and predict.
    """

    found: list[tuple[ast.AST, str, str, str, bool]] = field(default_factory=list)
    steps: list[tuple[ast.AST, str]] = field(default_factory=list)
    seeded: set[str] = field(default_factory=set)
    random: list[tuple[str, ast.AST]] = field(default_factory=list)
    listings: list[tuple[ast.AST, bool]] = field(default_factory=list)
    ordered: set[ast.AST] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    model_scales: str = ""
    fitted: list[tuple[ast.AST, Value]] = field(default_factory=list)
    predicted: list[tuple[ast.AST, Value]] = field(default_factory=list)


class Runner(Protocol):
    """What a rule asks of the flow: a local function's result."""

    def result_of(self, function: Value, arguments: Sequence[Value]) -> Value:
        """Follow a local function with these arguments."""
        ...


@dataclass(frozen=True)
class Call:
    """A call, with the values of its arguments.

    Parameters
    ----------
    node : ast.Call
    name : str
        The function's full name, such as ``"scipy.ndimage.zoom"``, or the method's.
    owner : Value
        What a method belongs to.
    args : tuple of Value
    keywords : dict of str to Value
    complete : bool
        False where ``*`` or ``**`` pass more than can be seen.
    expected : str
        What the name that takes the result says that it is: ``"image"``, ``"mask"`` or nothing.
    notes : Notes
    runner : Runner
    """

    node: ast.Call
    name: str
    owner: Value
    args: tuple[Value, ...]
    keywords: dict[str, Value]
    complete: bool
    expected: Literal["", "image", "mask"]
    notes: Notes
    runner: Runner

    def bind(self, *names: str) -> Arguments:
        """Give the positional arguments their names."""
        values, nodes = dict(self.keywords), {each.arg: each.value for each in self.node.keywords if each.arg}
        for name, value, node in zip(names, self.args, self.node.args, strict=False):
            values.setdefault(name, value)
            nodes.setdefault(name, node)
        return Arguments(values, nodes, self.complete)

    def found(self, kind: str, said: str, mend: str = "", *, sure: bool = True) -> None:
        """Note a trap at this call."""
        self.notes.found.append((self.node, kind, said, mend, sure))

    def step(self, text: str) -> str:
        """Note a step that stands for this call, and return it."""
        self.notes.steps.append((self.node, text))
        return text

    @property
    def short(self) -> str:
        """The call as a reader knows it: ``zoom``."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Arguments:
    """Arguments of a call by name."""

    values: dict[str, Value]
    nodes: dict[str, ast.expr]
    complete: bool

    def __getitem__(self, name: str) -> Value:
        return self.values.get(name, UNKNOWN)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def absent(self, name: str) -> bool:
        """Whether an argument is surely not given, so that its default holds."""
        return self.complete and name not in self.values

    def constant(self, name: str, default: Any = None) -> Any:
        """The argument as the script spells it out; the default where it is not given, None where it is not known."""
        if self.absent(name):
            return default
        return self[name].constant

    def text(self, name: str) -> str:
        """The source of an argument."""
        return source_of(self.nodes.get(name))


Rule = Callable[[Call], Value]
FUNCTIONS: dict[str, Rule] = {}
"""Full name of a function → what it gives; traps are noted."""
METHODS: dict[str, Rule] = {}
"""Name of a method → what it gives, whatever it belongs to."""


def function(*names: str) -> Callable[[Rule], Rule]:
    """Register what some functions give."""

    def register(rule: Rule) -> Rule:
        FUNCTIONS.update(dict.fromkeys(names, rule))
        return rule

    return register


def method(*names: str) -> Callable[[Rule], Rule]:
    """Register what some methods give."""

    def register(rule: Rule) -> Rule:
        METHODS.update(dict.fromkeys(names, rule))
        return rule

    return register
