"""Codes as step parameters: where the axes of a volume of the body point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from offgraph.steps.parameters import Parsed

__all__ = ["AxisCodes", "AxisCodesOrFile"]

_PAIRS = ("LR", "AP", "SI")


@dataclass(frozen=True)
class _AxisCodes(Parsed):
    def parse(self, value: Any) -> str:
        code = value.upper() if isinstance(value, str) else ""
        if len(code) != 3 or any(sum(letter in code for letter in pair) != 1 for pair in _PAIRS):
            raise ValueError(
                "expected a letter for each axis, slices first: one of L and R, one of A and P, one of S and I, such as "
                f"'SAR'; got {value!r:.80}"
            )
        return code

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[LRAPSIlrapsi]{3}$"}


@dataclass(frozen=True)
class _AxisCodesOrFile(_AxisCodes):
    def parse(self, value: Any) -> str:
        return "file" if value == "file" else super().parse(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [super().schema(), {"const": "file"}]}


AxisCodes = Annotated[str, _AxisCodes()]
"""Three letters: where slices, rows and columns point."""
AxisCodesOrFile = Annotated[str, _AxisCodesOrFile()]
"""The same, or ``"file"``: what the file of each volume declares."""
