"""Arithmetic on images: what wraps, what is scaled, and what leaves the range of a pixel."""

from __future__ import annotations

import ast
import math

from offgraph.inspection.scripts.calls import Notes, source_of
from offgraph.inspection.scripts.values import UNKNOWN, Value, literal

__all__ = ["arithmetic", "divided"]

_NARROW = ("uint8", "uint16")


def arithmetic(
    notes: Notes, node: ast.AST, left: Value, operator: ast.operator, right: Value, *, in_place: bool = False
) -> Value:
    """Return what ``left operator right`` gives, and note what is a trap in it."""
    if left.number is not None and right.number is not None:
        return _numbers(left, operator, right)
    if "radians" in (left.unit, right.unit) and not left.is_array and not right.is_array:
        per_radian = isinstance(operator, ast.Div) and right.unit == "radians" and left.unit != "radians"
        return Value(unit="degrees" if per_radian else "radians")  # x * 180 / pi
    if left.kind == "path" or right.kind == "path":
        return _path(left, right)
    if left.kind == "sequence" and not right.is_array:
        return _sequences(left, operator, right)
    image = left if left.is_array else right
    if image.kind not in ("image", "mask"):
        return _of_no_image(left, operator, right)
    if isinstance(operator, ast.Div):
        return divided(notes, node, left, right) if left.is_array else image.but(dtype="float", scaled=None)
    if isinstance(operator, ast.Mult):
        other = right if image is left else left
        factor = other.number
        if factor is not None and math.isclose(factor, 1 / 255, rel_tol=1e-3):
            return divided(notes, node, image, literal(255))
        if factor is not None and factor == 255 and image.scaled:
            return image.but(scaled=False)
    _wraps(notes, node, left, operator, right, in_place)
    result = _result(left, operator, right, image)
    return result.but(facts=result.facts - {"deep"})


def _numbers(left: Value, operator: ast.operator, right: Value) -> Value:
    one, other = left.number, right.number
    assert one is not None and other is not None
    unit = left.unit or right.unit
    if isinstance(operator, ast.Div) and right.unit == "radians":
        unit = ""
    try:
        match operator:
            case ast.Add():
                value = one + other
            case ast.Sub():
                value = one - other
            case ast.Mult():
                value = one * other
            case ast.Div():
                value = one / other
            case ast.FloorDiv():
                value = one // other
            case ast.Pow() if abs(other) < 64 and abs(one) < 1e6:
                value = one**other
            case _:
                return UNKNOWN
    except (ArithmeticError, ValueError):
        return UNKNOWN
    return UNKNOWN if isinstance(value, complex) else literal(value).but(unit=unit)


def _of_no_image(left: Value, operator: ast.operator, right: Value) -> Value:
    if "length" in (left.kind, right.kind):
        return _length(left, right)
    if left.span is not None or right.span is not None:
        return _drawn(left, operator, right)
    of_bytes = left == UNKNOWN and isinstance(operator, ast.Div) and right.number == 255
    return Value(dtype="float", scaled=True) if of_bytes else UNKNOWN


def _length(left: Value, right: Value) -> Value:
    """A part or a multiple of an image's height or width is one as well."""
    units = {each.unit for each in (left, right)} - {""}
    return Value("length", unit=units.pop()) if len(units) == 1 else UNKNOWN


def _drawn(left: Value, operator: ast.operator, right: Value) -> Value:
    """A random number moved or stretched: between which ends it then lies."""
    one, other = _ends(left), _ends(right)
    if one is None or other is None:
        return UNKNOWN
    match operator:
        case ast.Add():
            ends = [one[0] + other[0], one[1] + other[1]]
        case ast.Sub():
            ends = [one[0] - other[1], one[1] - other[0]]
        case ast.Mult():
            ends = [a * b for a in one for b in other]
        case ast.Div() if 0 not in other:
            ends = [a / b for a in one for b in other]
        case _:
            return UNKNOWN
    return (left if left.span is not None else right).but(span=(min(ends), max(ends)))


def _ends(value: Value) -> tuple[float, float] | None:
    number = value.number
    return value.span if number is None else (number, number)


def _path(left: Value, right: Value) -> Value:
    """A path put together: what its last part says, and whether any part says that it leads to masks."""
    texts = [each.constant for each in (left, right) if isinstance(each.constant, str)]
    return Value("path", constant="/".join(texts) or None, facts=left.facts | right.facts)


def _sequences(left: Value, operator: ast.operator, right: Value) -> Value:
    """``[image] * 3`` and ``first + second``: a list of the same kind of items."""
    if isinstance(operator, ast.Mult | ast.Add):
        return left.but(items=None, element=left.element or (left.items[0] if left.items else None))
    return UNKNOWN


def divided(notes: Notes, node: ast.AST, image: Value, by: Value) -> Value:
    """Return an image divided by a number: by 255, its values go from 0 to 1."""
    number = by.number
    if number is None:
        return image.but(dtype="float", scaled=None, beyond="")
    if 127 <= number <= 256:
        if image.scaled and image.kind == "image":
            said = f"{source_of(node)}: the values go from 0 to 1 already; now they end at {1 / 255:.4f}"
            notes.found.append(
                (node, "scaled-twice", said, "og.Rescale(1 / 255)  # once, in the recipe", True)
            )
        elif image.kind == "image":
            notes.steps.append((node, "og.Rescale(1 / 255)"))
        return image.but(dtype="float", scaled=True, beyond="")
    return image.but(dtype="float").with_facts("dimmed") if number > 1 else image.but(dtype="float")


def _wraps(
    notes: Notes, node: ast.AST, left: Value, operator: ast.operator, right: Value, in_place: bool
) -> None:
    """Note arithmetic whose result does not fit into the type of its operands."""
    if not isinstance(operator, ast.Add | ast.Sub | ast.Mult | ast.Pow) or left.is_mask or right.is_mask:
        return
    if "zeros" in left.facts | right.facts:
        return  # an even image is made
    both = left.dtype in _NARROW and right.dtype in _NARROW
    image, other = (left, right) if left.dtype in _NARROW else (right, left)
    if image.dtype not in _NARROW:
        return
    whole = isinstance(other.constant, int) and not isinstance(other.constant, bool)
    if not both and not whole:
        return
    number = other.constant
    top = 255 if image.dtype == "uint8" else 65535
    if whole and not both:
        if isinstance(operator, ast.Sub) and image is right and number == top:
            return
        if number == 0 or (number in (1, top) and isinstance(operator, ast.Mult | ast.Pow)):
            return  # 255 times zeros and ones
    symbol = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Pow: "**"}[type(operator)]
    example = {
        ast.Add: f"{top - 5} + 10 is 4",
        ast.Sub: f"5 - 10 is {top - 4}",
        ast.Mult: f"{top // 2 + 1} * 2 is 0",
        ast.Pow: "16 ** 2 is 0",
    }[type(operator)]
    mend = {
        ast.Add: "og.Brightness(shift=…)  # saturates; or image.astype(np.float32) first",
        ast.Sub: "image.astype(np.float32) first; og.Brightness(shift=…) saturates",
        ast.Mult: "og.Brightness(factor=…)  # saturates; or image.astype(np.float32) first",
        ast.Pow: "og.Gamma(…)  # keeps the range; or image.astype(np.float32) first",
    }[type(operator)]
    if whole and not both and isinstance(operator, ast.Mult):
        mend = f"og.Brightness(factor={number})  # saturates"
    said = f"{source_of(node)}: {image.dtype} {symbol} {'its own type' if both else number} stays {image.dtype} and wraps: {example}"
    notes.found.append((node, "uint8-wrap", said, mend, True))


def _result(left: Value, operator: ast.operator, right: Value, image: Value) -> Value:
    """What is known of the result: floats where one side is, and whether it may leave the range."""
    other = right if image is left else left
    fraction = isinstance(other.constant, float) or other.dtype == "float"
    dtype = "float" if "float" in (left.dtype, right.dtype) or fraction else image.dtype
    if other == UNKNOWN:
        dtype = image.dtype if image.dtype == "float" else ""
    if dtype != "float" or isinstance(operator, ast.FloorDiv | ast.Mod | ast.BitAnd | ast.BitOr | ast.RShift):
        return image.but(dtype=dtype)
    beyond, scaled, facts = image.beyond, image.scaled, image.facts
    number = other.number
    if isinstance(operator, ast.Add | ast.Sub):
        blended = "dimmed" in left.facts & right.facts
        if "random" in other.facts:
            beyond = "noise"
        elif (number or other.is_array) and not blended:
            beyond = "addition" if isinstance(operator, ast.Add) else "subtraction"
        if isinstance(operator, ast.Sub) and number in (127.5, 128, 0.5, 1):
            scaled = scaled or None
        facts -= {"dimmed"}
    elif isinstance(operator, ast.Mult) and number is not None:
        if number >= 255:
            return image.but(dtype=dtype, scaled=None)  # from 0 to 1 back to 0 to 255
        if number > 1:
            beyond = "multiplication"
        elif number > 0:
            facts |= {"dimmed"}
    return image.but(dtype=dtype, beyond=beyond, scaled=scaled, facts=facts)
