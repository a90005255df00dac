"""Follow the lines of a script without running it: which names hold images, masks, paths and models.

Each statement is looked at in its order, with a table of what names hold; branches are followed one after the other and
joined, loops twice, a function of the script where it is called, with what it is called with, and else with what the
names of its parameters say. What is not known stays unknown: rules then say nothing.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from offgraph.inspection.scripts.calls import Notes, source_of
from offgraph.inspection.scripts.expressions import Expressions
from offgraph.inspection.scripts.names import canonical, gone
from offgraph.inspection.scripts.values import UNKNOWN, Value, expected_of, joined, of_sequence

__all__ = ["follow"]

_DEEPEST = 60
_MOST = 400_000
_MOST_CALLS = 20
"""Of one function, with different arguments."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def follow(tree: ast.Module) -> Notes:
    """Follow a script's lines, and return what was noted."""
    flow = _Flow()
    flow.block(tree.body)
    flow.functions_that_nobody_calls()
    return flow.notes


class _Flow(Expressions):
    """The state while lines are followed; a new scope for each function."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.scopes: list[dict[str, Value]] = [{}]
        self.attributes: dict[str, Value] = {}
        self.functions: list[_Function] = []
        self.expected: Literal["", "image", "mask"] = ""
        self._returned: list[Value] = []
        self._followed: set[int] = set()
        self._results: dict[tuple[str, tuple[Value, ...]], Value] = {}
        self._calls: Counter[str] = Counter()
        self._depth = self._steps = self._loops = 0

    # What names hold ------------------------------------------------------------------------------------------------

    def name(self, name: str) -> Value:
        """Return what a name holds: in this function, else in the module."""
        for scope in (self.scopes[-1], self.scopes[0]):
            if name in scope:
                return scope[name]
        return UNKNOWN

    def attribute(self, text: str) -> Value:
        """Return what an attribute such as ``self.images`` holds."""
        return self.attributes.get(text, UNKNOWN)

    def assign(self, target: ast.expr, value: Value) -> None:
        """Note what a target holds from here on."""
        if isinstance(target, ast.Name):
            self.scopes[-1][target.id] = _named(value, target.id)
        elif isinstance(target, ast.Attribute):
            self.attributes[source_of(target)] = _named(value, target.attr)
        elif isinstance(target, ast.Tuple | ast.List):
            known = value.items if value.items is not None and len(value.items) == len(target.elts) else None
            for place, each in enumerate(target.elts):
                self.assign(each, known[place] if known else of_sequence(value))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, Value("sequence", element=of_sequence(value)))
        elif isinstance(target, ast.Subscript):
            self.value(target.slice)
            self.stored(target.value, value)

    def stored(self, into: ast.expr, value: Value) -> None:
        """Note that an item of a sequence, or a part of an array, got a value."""
        if not isinstance(into, ast.Name | ast.Attribute):
            return
        held = self.value(into)
        if "zeros" in held.facts:
            self.assign(into, held.but(facts=held.facts - {"zeros"}))
        if held.kind == "sequence" or (held == UNKNOWN and value.is_array):
            self.assign(
                into,
                Value("sequence", element=value if held.element is None else joined(held.element, value)),
            )

    # Statements -----------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Follow statements in their order."""
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Follow one statement, unless it lies too deep or all time is used up."""
        self._steps += 1
        if self._depth > _DEEPEST or self._steps > _MOST:
            return
        self._depth += 1
        try:
            self._statement(node)
        finally:
            self._depth -= 1

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Assign(targets, value):
                result = self._expecting(targets[0], value)
                for target in targets:
                    self.assign(target, result)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, self._expecting(target, value))
            case ast.AugAssign(target, operator, value):
                self.assign(target, self.operation(node, target, operator, value, in_place=True))
            case ast.Return(value):
                self._returned.append(UNKNOWN if value is None else self.value(value))
            case ast.Expr(value):
                self.value(value)
            case ast.If(test, body, orelse):
                self.value(test)
                self._branches(test, body, orelse)
            case ast.For(target, over, body, orelse) | ast.AsyncFor(target, over, body, orelse):
                self._loop(target, over, body)
                self.block(orelse)
            case ast.While(test, body, orelse):
                self.value(test)
                self._repeat(body)
                self.block(orelse)
            case ast.With(items, body) | ast.AsyncWith(items, body):
                for item in items:
                    entered = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self.assign(item.optional_vars, entered)
                self.block(body)
            case ast.Try() | ast.TryStar():
                self.block(node.body)
                for handler in node.handlers:
                    self.block(handler.body)
                self.block(node.orelse)
                self.block(node.finalbody)
            case ast.Match(subject, cases):
                self.value(subject)
                for case in cases:
                    self.block(case.body)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                for default in (*node.args.defaults, *(each for each in node.args.kw_defaults if each)):
                    self.value(default)
                self.scopes[-1][name] = self.defined(node)
            case ast.ClassDef(body=body):
                self._class(body)
            case ast.Assert(test):
                self.value(test)
            case ast.Delete(targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.scopes[-1].pop(target.id, None)
            case _:
                pass

    def _expecting(self, target: ast.expr, value: ast.expr) -> Value:
        before = self.expected
        name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
        self.expected = expected_of(name) or before
        try:
            return self.value(value)
        finally:
            self.expected = before

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                full, bound = alias.name, alias.asname or alias.name.partition(".")[0]
                if alias.asname is None:
                    full = bound
                self._report_gone(node, alias.name)
            else:
                full, bound = f"{node.module or ''}.{alias.name}", alias.asname or alias.name
                self._report_gone(node, full)
            self.scopes[-1][bound] = Value("name", name=full)

    def _report_gone(self, node: ast.AST, name: str) -> None:
        found = gone(name) or gone(canonical(name))
        if found is not None:
            self.notes.found.append((node, "gone", f"{name}: {found[0]}", found[1], True))

    def _branches(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        before = dict(self.scopes[-1])
        self._narrow(test)
        self.block(body)
        after = self.scopes[-1]
        self.scopes[-1] = dict(before)
        self._narrow(test, otherwise=True)
        self.block(orelse)
        if len(self.scopes) == 1 and _is_main(test):
            self.scopes[-1] = after
            return
        other = self.scopes[-1]
        self.scopes[-1] = {
            name: joined(after.get(name, UNKNOWN), other.get(name, UNKNOWN)) for name in {**after, **other}
        }

    def _narrow(self, test: ast.expr, otherwise: bool = False) -> None:
        """Learn from ``image.ndim == 2`` whether an image has channels."""
        match test:
            case ast.Compare(
                ast.Attribute(ast.Name(name), "ndim")
                | ast.Call(ast.Name("len"), [ast.Attribute(ast.Name(name), "shape")]),
                [ast.Eq() | ast.NotEq() as operator],
                [ast.Constant(2 | 3 as axes)],
            ):
                same = isinstance(operator, ast.Eq) is not otherwise
                held = self.name(name)
                kind = held.kind if held.is_array else expected_of(name) or "image"
                self.scopes[-1][name] = held.but(kind=kind, colour=(axes == 3) is same)
            case _:
                return

    def _loop(self, target: ast.expr, over: ast.expr, body: list[ast.stmt]) -> None:
        sequence = self.value(over)
        self.assign(target, of_sequence(sequence))
        self._repeat(body, target, sequence)

    def _repeat(self, body: list[ast.stmt], target: ast.expr | None = None, over: Value = UNKNOWN) -> None:
        """Follow a loop's lines twice: what its end leaves is what its begin finds."""
        self._loops += 1
        try:
            self.block(body)
            if self._loops <= 3:
                if target is not None:
                    self.assign(target, of_sequence(over))
                self.block(body)
        finally:
            self._loops -= 1

    # Functions ------------------------------------------------------------------------------------------------------

    def defined(self, node: _Function) -> Value:
        """Return the value of a function that the script defines."""
        if node not in self.functions:
            self.functions.append(node)
        return Value("function", name=str(self.functions.index(node)))

    def result_of(self, function: Value, arguments: Sequence[Value]) -> Value:
        """Follow a function of the script with these arguments, and return what it gives."""
        key = function.name, tuple(arguments)
        if key in self._results:
            return self._results[key]
        if self._calls[function.name] >= _MOST_CALLS or len(self.scopes) > 12:
            return UNKNOWN
        self._calls[function.name] += 1
        self._results[key] = UNKNOWN  # what a function that calls itself finds
        self._results[key] = result = self._run(int(function.name), arguments)
        return result

    def _run(self, number: int, arguments: Sequence[Value]) -> Value:
        node = self.functions[number]
        self._followed.add(number)
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        given = dict(zip(names, arguments, strict=False))
        scope = {name: _named(given.get(name, UNKNOWN), name, guess=True) for name in names}
        returned, self._returned = self._returned, []
        expected = self.expected
        self.scopes.append(scope)
        try:
            if isinstance(node, ast.Lambda):
                return self.value(node.body)
            gives_labels = node.name.endswith(("_target", "_targets"))
            self.expected = expected_of(node.name) or ("mask" if gives_labels else expected)
            self.block(node.body)
            result = self._returned[0] if self._returned else UNKNOWN
            for each in self._returned[1:]:
                result = joined(result, each)
            return result
        finally:
            self.scopes.pop()
            self._returned, self.expected = returned, expected

    def _class(self, body: list[ast.stmt]) -> None:
        """Follow a class: its methods are called by somebody else, ``__init__`` first."""
        self.scopes.append({})
        try:
            self.block(body)
            methods = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        finally:
            self.scopes.pop()
        for each in sorted(methods, key=lambda each: each.name != "__init__"):
            self.result_of(self.defined(each), ())

    def functions_that_nobody_calls(self) -> None:
        """Follow the functions that were not, with what the names of their parameters say."""
        number = 0
        while number < len(self.functions):
            if number not in self._followed:
                self.result_of(Value("function", name=str(number)), ())
            number += 1


def _named(value: Value, name: str, guess: bool = False) -> Value:
    """Add what the name says: an array called ``mask`` holds labels. A name alone makes nothing of an unknown value,
    unless it is a parameter's.
    """
    expected = expected_of(name)
    if expected == "mask" and value.kind == "image" and "predicted" not in value.facts:
        return value.but(kind="mask")
    if expected == "mask" and value.kind == "pil":
        return value.with_facts("mask")
    if guess and value == UNKNOWN and expected:
        several = name.endswith("s")
        return Value("sequence", element=Value(expected)) if several else Value(expected)
    return value


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
