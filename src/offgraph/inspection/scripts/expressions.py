"""What the expressions of a script give: names, indexing, arithmetic and calls."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any, Literal

from offgraph.inspection.scripts.arithmetic import arithmetic
from offgraph.inspection.scripts.calls import FUNCTIONS, METHODS, Call, Notes, source_of
from offgraph.inspection.scripts.names import canonical, gone
from offgraph.inspection.scripts.values import UNKNOWN, Value, expected_of, joined, literal, of_sequence

__all__ = ["Expressions"]

_DEEPEST = 60


class Expressions:
    """Values of expressions; what names hold is the business of the class that derives from it."""

    notes: Notes
    functions: list[Any]
    expected: Literal["", "image", "mask"]
    _depth: int

    def name(self, name: str) -> Value:
        """Return what a name holds."""
        raise NotImplementedError

    def attribute(self, text: str) -> Value:
        """Return what an attribute holds."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value) -> None:
        """Note what a target holds."""
        raise NotImplementedError

    def stored(self, into: ast.expr, value: Value) -> None:
        """Note that a part of something got a value."""
        raise NotImplementedError

    def defined(self, node: Any) -> Value:
        """Return the value of a function of the script."""
        raise NotImplementedError

    def result_of(self, function: Value, arguments: Sequence[Value]) -> Value:
        """Return what a function of the script gives."""
        raise NotImplementedError

    def value(self, node: ast.expr) -> Value:
        """Return what an expression gives, as far as the script says."""
        if self._depth > _DEEPEST:
            return UNKNOWN
        self._depth += 1
        try:
            return self._value(node)
        finally:
            self._depth -= 1

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value):
                return literal(value)
            case ast.Name(name):
                return self.name(name)
            case ast.Attribute():
                return self._attribute(node, self.value(node.value))
            case ast.Call():
                return self._call(node)
            case ast.Tuple(elements) | ast.List(elements):
                items = tuple(self.value(each) for each in elements)
                return Value("sequence", items=items, element=None if items else UNKNOWN)
            case ast.BinOp(left, operator, right):
                return self.operation(node, left, operator, right)
            case ast.UnaryOp(operator, operand):
                return self._unary(node, operator, operand)
            case ast.Compare(left, _, comparators):
                compared = [self.value(left), *map(self.value, comparators)]
                first = next((each for each in compared if each.kind in ("image", "mask")), UNKNOWN)
                return first.but(kind="mask", dtype="bool", scaled=None, beyond="") if first.kind else UNKNOWN
            case ast.Subscript(value, index):
                return self._part(self.value(value), index)
            case ast.IfExp(test, body, orelse):
                self.value(test)
                return joined(self.value(body), self.value(orelse))
            case (
                ast.ListComp(element, generators)
                | ast.GeneratorExp(element, generators)
                | ast.SetComp(element, generators)
            ):
                for each in generators:
                    self.assign(each.target, of_sequence(self.value(each.iter)))
                    for test in each.ifs:
                        self.value(test)
                return Value("sequence", element=self.value(element))
            case ast.DictComp(key, value, generators):
                for each in generators:
                    self.assign(each.target, of_sequence(self.value(each.iter)))
                self.value(key)
                return Value("sequence", element=self.value(value))
            case ast.Dict(keys, values):
                for key in keys:
                    if key is not None:
                        self.value(key)
                return Value("sequence", items=tuple(self.value(each) for each in values))
            case ast.Lambda():
                return self.defined(node)
            case ast.BoolOp(_, values):
                for each in values:
                    self.value(each)
                return UNKNOWN
            case ast.NamedExpr(target, value):
                given = self.value(value)
                self.assign(target, given)
                return given
            case ast.Starred(value) | ast.Await(value) | ast.YieldFrom(value):
                return self.value(value)
            case ast.Yield(value):
                return UNKNOWN if value is None else self.value(value)
            case ast.JoinedStr(parts):
                for part in parts:
                    if isinstance(part, ast.FormattedValue):
                        self.value(part.value)
                spelt = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
                return literal(spelt).but(constant=spelt)
            case _:
                return UNKNOWN

    def _attribute(self, node: ast.Attribute, owner: Value) -> Value:
        if owner.kind == "name":
            full = f"{owner.name}.{node.attr}"
            found = gone(full) or gone(canonical(full))
            if found is not None:
                said = f"{source_of(node)}: {found[0]}"
                self.notes.found.append((node, "gone", said, found[1], True))
            if canonical(full) in ("math.pi", "numpy.pi", "scipy.pi"):
                return literal(math.pi).but(unit="radians")
            return Value("name", name=full)
        if node.attr == "shape" and owner.is_array:
            return Value(
                "sequence",
                items=(Value("length", unit="height"), Value("length", unit="width"), UNKNOWN),
                facts=frozenset({"shape"}),
            )
        if node.attr == "size" and owner.kind == "pil":
            return Value("sequence", items=(Value("length", unit="width"), Value("length", unit="height")))
        if node.attr in ("height", "width") and owner.kind == "pil":
            return Value("length", unit=node.attr)
        if node.attr == "T" and owner.is_array:
            return owner
        return self.attribute(source_of(node))

    def _unary(self, node: ast.UnaryOp, operator: ast.unaryop, operand: ast.expr) -> Value:
        value = self.value(operand)
        if value.number is not None and isinstance(operator, ast.USub | ast.UAdd):
            return literal(-value.number if isinstance(operator, ast.USub) else value.number).but(
                unit=value.unit
            )
        if isinstance(operator, ast.USub) and value.kind == "image" and value.dtype == "uint8":
            said = f"{source_of(node)}: uint8 has no negative values, 1 becomes 255"
            self.notes.found.append((node, "uint8-wrap", said, "og.Invert()", True))
        return value if isinstance(operator, ast.USub | ast.Invert) else UNKNOWN

    def operation(
        self, node: ast.AST, left: ast.expr, operator: ast.operator, right: ast.expr, in_place: bool = False
    ) -> Value:
        """Return what arithmetic gives."""
        first, second = self.value(left), self.value(right)
        first, second = (_guessed(each, text, operator) for each, text in ((first, left), (second, right)))
        return arithmetic(self.notes, node, first, operator, second, in_place=in_place)

    def _part(self, value: Value, index: ast.expr) -> Value:
        """Return what indexing gives: a channel, a crop, an item."""
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        if not value.is_array:
            if value.items is not None and isinstance(index, ast.Constant) and isinstance(index.value, int):
                place = index.value
                return value.items[place] if -len(value.items) <= place < len(value.items) else UNKNOWN
            if isinstance(index, ast.Slice):
                if (
                    value.items is not None
                    and "shape" in value.facts
                    and isinstance(index.upper, ast.Constant)
                ):
                    return value.but(
                        items=value.items[: index.upper.value] if isinstance(index.upper.value, int) else None
                    )
                return value
            for part in parts:
                if not isinstance(part, ast.Slice):
                    self.value(part)
            return (
                of_sequence(value) if value.kind == "sequence" else value if value.kind == "flow" else UNKNOWN
            )
        text = source_of(index).replace(" ", "")
        if text.endswith((":,::-1", "...,::-1", ",[2,1,0]")):
            self.notes.seen.add("rgb")
            return value.but(facts=value.facts - {"bgr"})
        if not parts:
            return value
        last = parts[-1]
        if (isinstance(last, ast.Constant) and last.value is None) or text.endswith("newaxis"):
            return value.but(colour=True).with_facts("single") if len(parts) > 1 else value.but(batch=True)
        if len(parts) == 1 and _is_number(last):
            return value.but(batch=False) if value.batch else UNKNOWN
        if len(parts) > 1 and _is_number(parts[0]) and not value.batch:
            return UNKNOWN
        if len(parts) > 1 and _is_number(parts[0]):
            value = value.but(batch=False)
        before = len(parts) - 1
        ellipsis = any(isinstance(part, ast.Constant) and part.value is Ellipsis for part in parts)
        if _is_number(last) and (ellipsis or before == 2 + value.batch):
            return value.but(colour=False, facts=value.facts - {"bgr", "single"})
        if not all(isinstance(part, ast.Slice) for part in parts) and len(parts) == 1:
            return value.but(batch=value.batch)
        return value

    def _call(self, node: ast.Call) -> Value:
        complete = not any(isinstance(each, ast.Starred) for each in node.args) and all(
            each.arg is not None for each in node.keywords
        )
        owner, name = UNKNOWN, ""
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            called = self._attribute(node.func, owner)
            if called.kind == "name":
                name = called.name
        else:
            called = self.value(node.func)
            name = called.name if called.kind == "name" else ""
            if isinstance(node.func, ast.Name) and called == UNKNOWN:
                name = f"builtins.{node.func.id}"
        args = tuple(self.value(each) for each in node.args)
        keywords = {each.arg: self.value(each.value) for each in node.keywords if each.arg}
        for each in node.keywords:
            if each.arg is None:
                self.value(each.value)
        if called.kind == "function":
            return self.result_of(called, self._in_order(called, args, keywords))
        name = canonical(name)
        if name:
            rule = FUNCTIONS.get(name) or next(
                (FUNCTIONS[head + ".*"] for head in _heads(name) if head + ".*" in FUNCTIONS), None
            )
        elif isinstance(node.func, ast.Attribute):
            name = node.func.attr
            rule = METHODS.get(name)
        else:
            rule = None
        if rule is None:
            return UNKNOWN
        call = Call(node, name, owner, args, keywords, complete, self.expected, self.notes, self)
        result = rule(call)
        if name in ("append", "extend", "insert", "add") and isinstance(node.func, ast.Attribute) and args:
            self.stored(node.func.value, of_sequence(args[-1]) if name == "extend" else args[-1])
        return result

    def _in_order(
        self, called: Value, args: tuple[Value, ...], keywords: dict[str, Value]
    ) -> tuple[Value, ...]:
        """The arguments of a function of the script, in the order of its parameters."""
        node = self.functions[int(called.name)]
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        given = dict(zip(names, args, strict=False)) | keywords
        return tuple(given.get(name, UNKNOWN) for name in names)


def _heads(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _is_number(node: ast.expr) -> bool:
    """Whether an index takes one item: a number, or a name, such as that of a loop."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and isinstance(node.value, int))


def _guessed(value: Value, node: ast.expr, operator: ast.operator) -> Value:
    """A value that is not known, divided, whose name says that it is an image."""
    if value == UNKNOWN and isinstance(operator, ast.Div) and isinstance(node, ast.Name):
        return Value("image") if expected_of(node.id) == "image" else value
    return value
